//! Commands, environments, volumes, containers and health checks.

use super::Checked;
use tepui_proto::mesos::container_info::Type as ContainerType;
use tepui_proto::mesos::environment::{Variable, variable};
use tepui_proto::mesos::volume::source;
use tepui_proto::mesos::{
    CheckInfo, CommandInfo, ContainerInfo, HealthCheck, Secret, Volume, check_info, health_check, secret,
};

/// A command: its environment.
pub fn command(command: &CommandInfo) -> Checked {
    command.environment.variables.iter().try_for_each(environment_variable)
}

fn environment_variable(variable: &Variable) -> Checked {
    let name = &variable.name;
    match variable.r#type.unwrap_or(variable::Type::VALUE) {
        variable::Type::SECRET => {
            let of = || format!("Environment variable '{name}' of type 'SECRET'");
            if !variable.secret.is_set() {
                return Err(format!("{} must have a secret set", of()));
            }
            if variable.value.is_some() {
                return Err(format!("{} must not have a value set", of()));
            }
            validate_secret(&variable.secret)
                .map_err(|error| format!("Environment variable '{name}' specifies an invalid secret: {error}"))?;
            if variable.secret.value.data.contains(&0) {
                return Err(format!(
                    "Environment variable '{name}' specifies a secret containing null bytes, which is not allowed \
                     in the environment"
                ));
            }
            Ok(())
        }
        variable::Type::VALUE => {
            if variable.value.is_none() {
                return Err(format!("Environment variable '{name}' of type 'VALUE' must have a value set"));
            }
            if variable.secret.is_set() {
                return Err(format!("Environment variable '{name}' of type 'VALUE' must not have a secret set"));
            }
            Ok(())
        }
        variable::Type::UNKNOWN => Err("Environment variable of type 'UNKNOWN' is not allowed".to_owned()),
    }
}

fn validate_secret(secret: &Secret) -> Checked {
    match secret.r#type.unwrap_or(secret::Type::UNKNOWN) {
        secret::Type::REFERENCE if !secret.reference.is_set() => {
            Err("Secret of type REFERENCE must have the 'reference' field set".to_owned())
        }
        secret::Type::REFERENCE if secret.value.is_set() => {
            Err(format!("Secret '{}' of type REFERENCE must not have the 'value' field set", secret.reference.name))
        }
        secret::Type::VALUE if !secret.value.is_set() => {
            Err("Secret of type VALUE must have the 'value' field set".to_owned())
        }
        secret::Type::VALUE if secret.reference.is_set() => {
            Err("Secret of type VALUE must not have the 'reference' field set".to_owned())
        }
        _ => Ok(()),
    }
}

/// A container: its volumes and Docker's part.
pub fn container(container: &ContainerInfo) -> Checked {
    container.volumes.iter().try_for_each(volume).map_err(|error| format!("Invalid volume: {error}"))?;
    if container.r#type != ContainerType::DOCKER {
        return Ok(());
    }
    let Some(docker) = container.docker.as_option() else {
        return Err("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo".to_owned());
    };
    if docker.parameters.iter().any(|parameter| parameter.key == "name") {
        return Err("Parameter in DockerInfo must not be 'name'".to_owned());
    }
    Ok(())
}

fn volume(volume: &Volume) -> Checked {
    let set = [volume.host_path.is_some(), volume.image.is_set(), volume.source.is_set()];
    if set.into_iter().filter(|set| *set).count() != 1 {
        return Err("Only one of them should be set: 'host_path', 'image' and 'source'".to_owned());
    }
    let Some(source) = volume.source.as_option() else { return Ok(()) };
    let (part, kind, set) = match source.r#type.unwrap_or(source::Type::UNKNOWN) {
        source::Type::DOCKER_VOLUME => ("docker_volume", "DOCKER_VOLUME", source.docker_volume.is_set()),
        source::Type::HOST_PATH => ("host_path", "HOST_PATH", source.host_path.is_set()),
        source::Type::SANDBOX_PATH => ("sandbox_path", "SANDBOX_PATH", source.sandbox_path.is_set()),
        source::Type::SECRET => ("secret", "SECRET", source.secret.is_set()),
        source::Type::CSI_VOLUME if source.csi_volume.is_set() => {
            ("csi_volume.static_provisioning", "CSI", source.csi_volume.static_provisioning.is_set())
        }
        source::Type::CSI_VOLUME => ("csi_volume", "CSI", false),
        source::Type::UNKNOWN => return Err("'source.type' is unknown".to_owned()),
    };
    if set { Ok(()) } else { Err(format!("'source.{part}' is not set for {kind} volume")) }
}

/// A health check.
pub fn health_check(check: &HealthCheck) -> Checked {
    let Some(kind) = check.r#type else { return Err("HealthCheck must specify 'type'".to_owned()) };
    match kind {
        health_check::Type::COMMAND => {
            if !check.command.is_set() {
                return Err("Expecting 'command' to be set for COMMAND health check".to_owned());
            }
            if check.command.value.is_none() {
                return Err(format!("Command health check must contain {}", what_is_missing(&check.command)));
            }
            command(&check.command).map_err(|error| format!("Health check's `CommandInfo` is invalid: {error}"))?;
        }
        health_check::Type::HTTP => {
            let Some(http) = check.http.as_option() else {
                return Err("Expecting 'http' to be set for HTTP health check".to_owned());
            };
            if let Some(scheme) = http.scheme.as_deref().filter(|scheme| *scheme != "http" && *scheme != "https") {
                return Err(format!("Unsupported HTTP health check scheme: '{scheme}'"));
            }
            if let Some(path) = http.path.as_deref().filter(|path| !path.starts_with('/')) {
                return Err(format!("The path '{path}' of HTTP health check must start with '/'"));
            }
        }
        health_check::Type::TCP if !check.tcp.is_set() => {
            return Err("Expecting 'tcp' to be set for TCP health check".to_owned());
        }
        health_check::Type::TCP => {}
        health_check::Type::UNKNOWN => return Err("'UNKNOWN' is not a valid health check type".to_owned()),
    }
    not_negative([
        ("delay_seconds", check.delay_seconds),
        ("grace_period_seconds", check.grace_period_seconds),
        ("interval_seconds", check.interval_seconds),
        ("timeout_seconds", check.timeout_seconds),
    ])
}

/// A general check.
pub fn check(check: &CheckInfo) -> Checked {
    let Some(kind) = check.r#type else { return Err("CheckInfo must specify 'type'".to_owned()) };
    match kind {
        check_info::Type::COMMAND => {
            let Some(wrapped) = check.command.as_option() else {
                return Err("Expecting 'command' to be set for COMMAND check".to_owned());
            };
            if wrapped.command.value.is_none() {
                return Err(format!("Command check must contain {}", what_is_missing(&wrapped.command)));
            }
            command(&wrapped.command).map_err(|error| format!("Check's `CommandInfo` is invalid: {error}"))?;
        }
        check_info::Type::HTTP => {
            let Some(http) = check.http.as_option() else {
                return Err("Expecting 'http' to be set for HTTP check".to_owned());
            };
            if let Some(path) = http.path.as_deref().filter(|path| !path.starts_with('/')) {
                return Err(format!("The path '{path}' of HTTP check must start with '/'"));
            }
        }
        check_info::Type::TCP if !check.tcp.is_set() => {
            return Err("Expecting 'tcp' to be set for TCP check".to_owned());
        }
        check_info::Type::TCP => {}
        check_info::Type::UNKNOWN => return Err("'UNKNOWN' is not a valid check type".to_owned()),
    }
    not_negative([
        ("delay_seconds", check.delay_seconds),
        ("interval_seconds", check.interval_seconds),
        ("timeout_seconds", check.timeout_seconds),
    ])
}

fn what_is_missing(command: &CommandInfo) -> &'static str {
    if command.shell.unwrap_or(true) { "'shell command'" } else { "'executable path'" }
}

fn not_negative<const N: usize>(values: [(&str, Option<f64>); N]) -> Checked {
    match values.into_iter().find(|(_, value)| value.is_some_and(|value| value < 0.0)) {
        Some((name, _)) => Err(format!("Expecting '{name}' to be non-negative")),
        None => Ok(()),
    }
}
