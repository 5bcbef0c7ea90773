//! A Tepui master that this program starts and ends.

use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two tries to reach it.
const POLL: Duration = Duration::from_millis(5);

/// A master's process; it ends with this value.
pub(super) struct Launched {
    process: Child,
    address: SocketAddrV4,
}

impl Drop for Launched {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Launched {
    /// Starts `tepui master` and waits until it listens.
    pub async fn start(program: Option<PathBuf>) -> Result<Launched> {
        let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("tepui"));
        let program = program.map_or_else(beside, Ok)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new(&program);
        command.args(["master", "--ip=127.0.0.1", &format!("--port={port}"), "--registry=in_memory"]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.with_context(|| format!("cannot start {}", program.display()))?;
        let mut launched = Launched { process, address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port) };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(launched.address).is_err() {
            if let Some(status) = launched.process.try_wait()? {
                bail!("{} has ended: {status}", program.display());
            }
            if Instant::now() > until {
                bail!("{} does not listen at {}", program.display(), launched.address);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(launched)
    }

    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}
