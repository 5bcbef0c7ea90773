//! The program `mesos-fetcher`.

use super::{INFO_VARIABLE, download, extract, uri};
use crate::user;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tepui_proto::json;
use tepui_proto::mesos::command_info::URI;
use tepui_proto::mesos::fetcher::FetcherInfo;

/// `--fetcher_stall_timeout` unless told otherwise.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Does what `MESOS_FETCHER_INFO` says; code 0 if all URIs were fetched, else 1 with the cause on stderr.
pub fn run() -> ExitCode {
    let done = info().and_then(|info| fetch_all(&info));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn info() -> Result<FetcherInfo, String> {
    let text = std::env::var(INFO_VARIABLE).map_err(|_| format!("Missing {INFO_VARIABLE} environment variable"))?;
    let info: FetcherInfo = json::from_slice(text.as_bytes(), json::Names::V0)
        .map_err(|e| format!("Failed to parse {INFO_VARIABLE}: {e}"))?;
    if info.sandbox_directory.is_empty() { Err("Missing sandbox directory".to_owned()) } else { Ok(info) }
}

fn fetch_all(info: &FetcherInfo) -> Result<(), String> {
    if let Some(name) = &info.user {
        become_user(name).map_err(|e| format!("Fetcher could not switch to user '{name}': {e}"))?;
    }
    let sandbox = Path::new(&info.sandbox_directory);
    let stall = info.stall_timeout.as_option().and_then(|t| u64::try_from(t.nanoseconds).ok());
    let stall = stall.filter(|nanos| *nanos > 0).map_or(STALL_TIMEOUT, Duration::from_nanos);
    for item in &info.items {
        let value = &item.uri.value;
        eprintln!("Fetching URI '{value}'");
        if item.uri.cache == Some(true) {
            eprintln!("URI '{value}' asks for the fetcher cache, which is not there yet: fetching it anew");
        }
        let to = fetch(&item.uri, sandbox, info.frameworks_home.as_deref(), stall)
            .map_err(|e| format!("Failed to fetch '{value}': {e}"))?;
        eprintln!("Fetched '{value}' to '{}'", to.display());
    }
    eprintln!("Successfully fetched all URIs into '{}'", sandbox.display());
    Ok(())
}

fn become_user(name: &str) -> Result<(), String> {
    let Some(user) = user::to_switch_to(Some(name)).map_err(|e| e.to_string())? else { return Ok(()) };
    nix::unistd::setgid(user.gid)
        .and_then(|()| nix::unistd::setgroups(&user.groups))
        .and_then(|()| nix::unistd::setuid(user.uid))
        .map_err(|e| e.to_string())
}

/// Why one URI was not fetched.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Uri(#[from] uri::Error),
    #[error(transparent)]
    Download(#[from] download::Error),
    #[error(transparent)]
    Extract(#[from] extract::Error),
    #[error("Unable to create subdirectory {0} in sandbox: {1}")]
    Subdirectory(PathBuf, io::Error),
    #[error("Failed to copy '{0}': {1}")]
    Copy(PathBuf, io::Error),
    #[error("Failed to chmod executable '{0}': {1}")]
    Chmod(PathBuf, io::Error),
}

/// Fetches one URI; gives the file. What is executable is never unpacked.
fn fetch(uri: &URI, sandbox: &Path, frameworks_home: Option<&str>, stall: Duration) -> Result<PathBuf, Error> {
    let value = uri.value.trim_start();
    let name = uri::basename(value)?;
    let to = match uri.output_file.as_deref() {
        Some(output) => {
            uri::validate_output_file(output)?;
            sandbox.join(output)
        }
        None => sandbox.join(name),
    };
    if let Some(parent) = to.parent().filter(|parent| *parent != sandbox) {
        fs::create_dir_all(parent).map_err(|e| Error::Subdirectory(parent.to_owned(), e))?;
    }
    match uri::local_path(value, frameworks_home)? {
        Some(from) => fs::copy(&from, &to).map(drop).map_err(|e| Error::Copy(from, e))?,
        None => download::download(value, &to, stall)?,
    }
    if uri.executable == Some(true) {
        fs::set_permissions(&to, Permissions::from_mode(0o755)).map_err(|e| Error::Chmod(to.clone(), e))?;
    } else if uri.extract.unwrap_or(true) && !extract::extract(&to, sandbox)? {
        eprintln!(
            "Copying instead of extracting resource from URI with 'extract' flag, because it does not seem to be an \
             archive: {}",
            uri.value
        );
    }
    Ok(to)
}
