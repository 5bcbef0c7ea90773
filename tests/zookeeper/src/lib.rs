//! A real ZooKeeper for tests: Debian's package, one to many servers on loopback, started and ended by the test itself.
//!
//! ```no_run
//! let mut ensemble = zookeeper::Ensemble::start(3)?;
//! let url = ensemble.url("/mesos");              // zk://127.0.0.1:21813,127.0.0.1:21930,127.0.0.1:24411/mesos
//! let leader = ensemble.leader().expect("three servers serve");
//! ensemble.server(leader).pause()?;              // SIGSTOP; resume() goes on
//! ensemble.server(leader).kill()?;               // SIGKILL; restart() comes back with its data
//! # anyhow::Ok(())
//! ```
//!
//! Everything blocks, so that it can be used from any test; in an async test that shares its thread, use `spawn_blocking`.
//! A session may be as short as two ticks ([`TICK`]).

mod install;
mod ports;
mod server;

pub use install::install;
pub use ports::free_port;
pub use server::{Server, TICK};

use anyhow::{Context, Result, ensure};
use server::Place;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long an ensemble may take to serve on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// How often a condition is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Servers that form one ZooKeeper. Dropping it ends them and removes their files.
pub struct Ensemble {
    servers: Vec<Server>,
    _folder: TempDir,
}

impl Ensemble {
    /// Installs ZooKeeper if it is missing, starts `count` servers and waits until all of them serve.
    pub fn start(count: usize) -> Result<Ensemble> {
        install()?;
        let folder = tempfile::Builder::new().prefix("zookeeper-").tempdir()?;
        let places = (1..=count).map(|id| Place::new(id, folder.path())).collect::<Result<Vec<_>>>()?;
        let mut servers = Vec::new();
        for place in &places {
            servers.push(Server::start(place.clone(), &places)?);
        }
        let ensemble = Ensemble { servers, _folder: folder };
        ensemble.wait_until_serving()?;
        Ok(ensemble)
    }

    /// Waits until every server that is neither killed nor paused serves.
    pub fn wait_until_serving(&self) -> Result<()> {
        let running = || self.servers.iter().filter(|server| server.is_running());
        wait_for("a ZooKeeper that serves", READY_WITHIN, || {
            running().all(|server| server.mode().is_some()).then_some(())
        })
        .with_context(|| running().map(Server::log).collect::<Vec<_>>().join("\n"))
    }

    /// `host:port,host:port` of all servers.
    pub fn servers_text(&self) -> String {
        let addresses: Vec<String> = self.servers.iter().map(|server| server.address().to_string()).collect();
        addresses.join(",")
    }

    /// `zk://host:port,host:port/path`; `path` starts with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("zk://{}{path}", self.servers_text())
    }

    /// `zk://user:password@host:port,host:port/path`.
    pub fn url_as(&self, credentials: &str, path: &str) -> String {
        format!("zk://{credentials}@{}{path}", self.servers_text())
    }

    /// One server, counted from 0.
    pub fn server(&mut self, index: usize) -> &mut Server {
        &mut self.servers[index]
    }

    /// How many servers there are, dead ones included.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Whether there is no server.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Which server leads the others, or serves alone.
    pub fn leader(&self) -> Option<usize> {
        let leads = |server: &Server| matches!(server.mode().as_deref(), Some("leader" | "standalone"));
        self.servers.iter().position(|server| server.is_running() && leads(server))
    }

    /// Kills all servers, deletes all they have stored, and starts them anew.
    pub fn wipe(&mut self) -> Result<()> {
        for server in &mut self.servers {
            server.kill()?;
        }
        for server in &mut self.servers {
            server.wipe()?;
            server.restart()?;
        }
        self.wait_until_serving()
    }
}

/// Waits until `done` answers something, or gives up after `limit`.
fn wait_for<T>(what: &str, limit: Duration, mut done: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = done() {
            return Ok(value);
        }
        ensure!(Instant::now() < deadline, "{what}: not within {} s", limit.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
}
