//! Brings the files of a command (`CommandInfo.uris`) into its sandbox.
//!
//! As in Mesos this is a program of its own, `mesos-fetcher` in the launcher directory, told by `MESOS_FETCHER_INFO`
//! what to do: it works as the container's user, so that nobody reads a file through the agent that he could not read
//! himself; it can be killed; and what it says lands in the sandbox. [`fetch`] is the agent's side, [`program`] the
//! other.
//!
//! Not done: the cache (a URI with `cache` is fetched like any other, and the log says so), https, ftp, HDFS.
//!
//! Source: `slave/containerizer/fetcher.cpp`, `launcher/fetcher.cpp`.

mod download;
mod extract;
pub mod program;
mod uri;

use crate::child::Child;
use crate::containerizer::Config;
use crate::{process, sandbox, user};
use buffa::MessageField;
use std::path::{Path, PathBuf};
use tepui_base::ContainerId;
use tepui_proto::json;
use tepui_proto::mesos::CommandInfo;
use tepui_proto::mesos::containerizer::ContainerConfig;
use tepui_proto::mesos::fetcher::{FetcherInfo, fetcher_info};
use tokio::sync::Notify;

/// The variable that tells the program what to do.
pub const INFO_VARIABLE: &str = "MESOS_FETCHER_INFO";

/// Fetches all URIs of a container's command, or stops when the container is to be destroyed.
///
/// # Errors
/// The text for the failed launch, in Mesos' words; the cause is in the sandbox's `stderr`.
pub async fn fetch(
    config: &Config,
    id: &ContainerId,
    container: &ContainerConfig,
    destroy: &Notify,
) -> Result<(), String> {
    let command = &container.command_info;
    if command.uris.is_empty() {
        return Ok(());
    }
    validate(command).map_err(|e| format!("Could not fetch: {e}"))?;
    let program = config.launcher_dir.join("mesos-fetcher").canonicalize();
    let program = program.map_err(|_| "Could not fetch URIs: failed to find mesos-fetcher".to_owned())?;
    let info = info(config, container);
    let failed = |e| format!("Failed to execute mesos-fetcher: {e}");
    let child = spec(program, &info).and_then(Child::spawn).map_err(failed)?;
    let end = child.end(destroy).await;
    match end.status {
        _ if end.destroyed => Err("Container destroyed during fetching".to_owned()),
        status if status.is_success() => Ok(()),
        status => Err(format!("Failed to fetch all URIs for container '{id}': {status}")),
    }
}

fn validate(command: &CommandInfo) -> Result<(), uri::Error> {
    command.uris.iter().try_for_each(|uri| {
        uri::basename(&uri.value)?;
        uri.output_file.as_deref().map_or(Ok(()), uri::validate_output_file)
    })
}

fn info(config: &Config, container: &ContainerConfig) -> FetcherInfo {
    let items = container.command_info.uris.iter().map(|uri| fetcher_info::Item {
        uri: MessageField::some(uri.clone()),
        action: fetcher_info::item::Action::BYPASS_CACHE,
        ..Default::default()
    });
    FetcherInfo {
        sandbox_directory: container.directory.clone(),
        items: items.collect(),
        user: container.user.clone(),
        frameworks_home: config.frameworks_home.clone(),
        ..Default::default()
    }
}

/// The program gets the agent's environment, for proxies and the like, but nothing of it that is meant for Mesos.
fn spec(program: PathBuf, info: &FetcherInfo) -> Result<process::Spec, process::Error> {
    let inherited =
        std::env::vars().filter(|(name, _)| !name.starts_with("LIBPROCESS_") && !name.starts_with("MESOS_"));
    let told = (INFO_VARIABLE.to_owned(), json::to_string(info, json::Names::V0));
    let owner = info.user.as_deref().map(user::find).transpose()?;
    let output = sandbox::open_output(Path::new(&info.sandbox_directory), owner.as_ref());
    Ok(process::Spec {
        program,
        arguments: vec!["mesos-fetcher".to_owned()],
        environment: inherited.chain([told]).collect(),
        directory: None,
        user: None,
        output: Some(output.map_err(process::Error::Output)?),
        dies_with_parent: false,
    })
}
