//! The container that the flags ask for, if they ask for more than a plain command.

use super::request::{message, text};
use tepui_flags::Values;
use tepui_proto::json::{self, Names};
use tepui_sdk::mesos::{
    CapabilityInfo, ContainerInfo, Image, Label, Labels, LinuxInfo, NetworkInfo, RLimitInfo, TTYInfo, Volume,
    container_info, image,
};

/// The container of a command's task. `None` if the flags ask for nothing that needs one.
pub fn info(flags: &Values) -> Result<Option<ContainerInfo>, String> {
    if flags.is_given("appc_image") && flags.is_given("docker_image") {
        return Err("Flags '--docker-image' and '--appc-image' are both set".to_owned());
    }
    match flags.get("containerizer").unwrap_or_default() {
        "" => Ok(None),
        "mesos" => mesos(flags),
        "docker" => docker(flags).map(Some),
        other => Err(format!("Unsupported containerizer: {other}")),
    }
}

/// The networks of `--networks`.
pub fn networks(flags: &Values) -> Vec<NetworkInfo> {
    let names = flags.get("networks").unwrap_or_default().split(',').filter(|name| !name.is_empty());
    names.map(|name| NetworkInfo { name: Some(name.to_owned()), ..NetworkInfo::default() }).collect()
}

fn mesos(flags: &Values) -> Result<Option<ContainerInfo>, String> {
    let effective: Option<CapabilityInfo> = message(flags, "effective_capabilities")?;
    let bounding: Option<CapabilityInfo> = message(flags, "bounding_capabilities")?;
    let rlimits: Option<RLimitInfo> = message(flags, "rlimits")?;
    let linux = (effective.is_some() || bounding.is_some()).then(|| LinuxInfo {
        effective_capabilities: effective.into(),
        bounding_capabilities: bounding.into(),
        ..LinuxInfo::default()
    });
    let image = image(flags);
    let mesos = image.map(|image| container_info::MesosInfo { image: image.into(), ..Default::default() });
    let info = ContainerInfo {
        r#type: container_info::Type::MESOS,
        volumes: volumes(flags)?,
        network_infos: networks(flags),
        mesos: mesos.into(),
        linux_info: linux.into(),
        rlimit_info: rlimits.into(),
        tty_info: flags.bool("tty").then(TTYInfo::default).into(),
        ..ContainerInfo::default()
    };
    let plain = ContainerInfo { r#type: container_info::Type::MESOS, ..ContainerInfo::default() };
    Ok((info != plain).then_some(info))
}

fn image(flags: &Values) -> Option<Image> {
    if let Some(name) = flags.get("docker_image") {
        let docker = image::Docker { name: name.to_owned(), ..image::Docker::default() };
        return Some(Image { r#type: image::Type::DOCKER, docker: docker.into(), ..Image::default() });
    }
    let label =
        |key: &str, value: &str| Label { key: key.to_owned(), value: Some(value.to_owned()), ..Label::default() };
    let labels = Labels { labels: vec![label("os", "linux"), label("arch", "amd64")], ..Labels::default() };
    let name = flags.get("appc_image")?.to_owned();
    let appc = image::Appc { name, labels: labels.into(), ..image::Appc::default() };
    Some(Image { r#type: image::Type::APPC, appc: appc.into(), ..Image::default() })
}

fn volumes(flags: &Values) -> Result<Vec<Volume>, String> {
    let Some(value) = flags.get("volumes") else { return Ok(Vec::new()) };
    let failed = |error: String| format!("Failed to convert '--volumes' to protobuf: {error}");
    let array: Vec<serde_json::Value> =
        serde_json::from_str(&text(value)?).map_err(|error| failed(error.to_string()))?;
    let volume = |json: &serde_json::Value| json::from_value(json, Names::V1);
    array.iter().map(volume).collect::<Result<_, _>>().map_err(|error: json::Error| failed(error.to_string()))
}

fn docker(flags: &Values) -> Result<ContainerInfo, String> {
    let image = flags.get("docker_image").ok_or("'Docker' containerizer requires docker image name")?;
    let networks = networks(flags);
    if networks.len() > 1 {
        return Err("'Docker' containerizer can only support a single network".to_owned());
    }
    if flags.bool("tty") {
        return Err("'Docker' containerizer does not allow attaching a TTY".to_owned());
    }
    let docker = container_info::DockerInfo {
        image: image.to_owned(),
        network: (!networks.is_empty()).then_some(container_info::docker_info::Network::USER),
        ..Default::default()
    };
    Ok(ContainerInfo {
        r#type: container_info::Type::DOCKER,
        docker: docker.into(),
        network_infos: networks,
        ..ContainerInfo::default()
    })
}
