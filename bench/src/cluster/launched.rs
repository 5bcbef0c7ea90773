//! A master that this program starts and ends.

use super::clients::Client;
use crate::process;
use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two questions whether it does.
const POLL: Duration = Duration::from_millis(20);

/// A master's process; it ends with this value.
pub(super) struct Launched {
    /// Removed at the end.
    work_dir: Option<tempfile::TempDir>,
    process: Child,
    pid: u32,
    address: SocketAddrV4,
}

impl Drop for Launched {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill. A script would leave the master it has started.
        let _ = Command::new("kill").arg(self.pid.to_string()).status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Launched {
    /// Starts `tepui master`, with this registry.
    pub async fn tepui(given: Option<PathBuf>, registry: &str) -> Result<Launched> {
        let mut command = Command::new(program(given)?);
        let (port, work_dir) = (free_port()?, tempfile::tempdir()?);
        command.args(["master", "--ip=127.0.0.1", &format!("--port={port}"), &format!("--registry={registry}")]);
        command.arg(format!("--work_dir={}", work_dir.path().display()));
        let mut launched = Launched::start(command, port).await?;
        launched.work_dir = Some(work_dir);
        Ok(launched)
    }

    /// Starts another master with a shell command that finds its port in `$PORT`.
    pub async fn other(line: &str) -> Result<Launched> {
        let (mut command, port) = (Command::new("sh"), free_port()?);
        command.args(["-c", line]).env("PORT", port.to_string());
        Launched::start(command, port).await
    }

    /// Starts it and waits until it is well.
    async fn start(mut command: Command, port: u16) -> Result<Launched> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let mut launched = Launched { pid: process.id(), process, address, work_dir: None };
        let until = Instant::now() + PATIENCE;
        while !is_well(address).await {
            if let Some(status) = launched.process.try_wait()? {
                bail!("{command:?} has ended: {status}");
            }
            if Instant::now() > until {
                bail!("{command:?} does not answer at {address}");
            }
            tokio::time::sleep(POLL).await;
        }
        // Behind a script and a wrapper or two stands the master itself.
        while let Some(child) = process::children(launched.pid, "")?.first() {
            launched.pid = *child;
        }
        Ok(launched)
    }

    /// Where it keeps its files, if that was this program's choice.
    pub fn work_dir(&self) -> Option<&Path> {
        self.work_dir.as_ref().map(tempfile::TempDir::path)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// The process of the master itself.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

/// The program of Tepui: the one given, or the one beside this program.
pub(crate) fn program(given: Option<PathBuf>) -> Result<PathBuf> {
    given.map_or_else(|| Ok(std::env::current_exe()?.with_file_name("tepui")), Ok)
}

/// A port that is free now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether a master answers there.
pub(crate) async fn is_well(address: SocketAddrV4) -> bool {
    match Client::connect(address, "/master/health").await {
        Ok(mut client) => client.ask().await.is_ok(),
        Err(_) => false,
    }
}
