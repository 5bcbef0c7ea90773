//! Masters as processes that are killed and started again on the same ports and directories.

use crate::cluster::launched::{free_port, program};
use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a master may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two questions whether it is.
const POLL: Duration = Duration::from_millis(20);

/// How masters find each other.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    /// `--masters`
    List,
    /// `--zk` with this address.
    ZooKeeper(String, String),
}

struct Master {
    port: u16,
    process: Option<Child>,
}

/// All masters of a cluster; they end with this value.
pub(super) struct Masters {
    program: PathBuf,
    mode: Mode,
    masters: Vec<Master>,
    dir: tempfile::TempDir,
}

impl Drop for Masters {
    fn drop(&mut self) {
        for number in 0..self.masters.len() {
            // One that has ended needs no kill.
            let _ = self.kill(number);
        }
    }
}

impl Masters {
    /// Starts so many and waits until all take part.
    pub async fn start(given: Option<PathBuf>, count: usize, mode: Mode) -> Result<Masters> {
        let ports = (0..count).map(|_| free_port()).collect::<Result<Vec<_>>>()?;
        let masters = ports.into_iter().map(|port| Master { port, process: None }).collect();
        let mut this = Masters { program: program(given)?, mode, masters, dir: tempfile::tempdir()? };
        for number in 0..count {
            this.spawn(number)?;
        }
        for number in 0..count {
            this.ready(number).await?;
        }
        Ok(this)
    }

    /// Where they listen.
    pub fn addresses(&self) -> Vec<SocketAddrV4> {
        self.masters.iter().map(|master| SocketAddrV4::new(Ipv4Addr::LOCALHOST, master.port)).collect()
    }

    /// Which one listens there.
    pub fn number(&self, address: SocketAddrV4) -> Option<usize> {
        self.masters.iter().position(|master| master.port == address.port())
    }

    /// kill -9.
    pub fn kill(&mut self, number: usize) -> Result<()> {
        if let Some(mut process) = self.masters[number].process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// Starts one again and waits until it takes part.
    pub async fn restart(&mut self, number: usize) -> Result<()> {
        self.spawn(number)?;
        self.ready(number).await
    }

    fn spawn(&mut self, number: usize) -> Result<()> {
        let mut command = Command::new(&self.program);
        let (port, dir) = (self.masters[number].port, self.dir.path());
        command.args(["master", "--ip=127.0.0.1", &format!("--port={port}"), "--quiet"]);
        command.arg(format!("--work_dir={}", dir.join(number.to_string()).display()));
        match &self.mode {
            Mode::List => {
                let all: Vec<String> = self.masters.iter().map(|master| format!("127.0.0.1:{}", master.port)).collect();
                command.arg(format!("--masters={}", all.join(",")))
            }
            Mode::ZooKeeper(url, timeout) => command.args([
                format!("--zk={url}"),
                format!("--zk_session_timeout={timeout}"),
                format!("--quorum={}", self.masters.len() / 2 + 1),
            ]),
        };
        let log = std::fs::File::create(dir.join(format!("{number}.log")))?;
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.masters[number].process = Some(process.with_context(|| format!("cannot start {command:?}"))?);
        Ok(())
    }

    /// Waits until a master's replica votes.
    async fn ready(&mut self, number: usize) -> Result<()> {
        let (address, until) = (self.addresses()[number], Instant::now() + PATIENCE);
        while !super::http::votes(address).await {
            let process = self.masters[number].process.as_mut().context("a master that was started")?;
            let log = || std::fs::read_to_string(self.dir.path().join(format!("{number}.log"))).unwrap_or_default();
            if let Some(status) = process.try_wait()? {
                bail!("master {number} has ended: {status}\n{}", log());
            }
            if Instant::now() > until {
                bail!("master {number} does not take part\n{}", log());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}
