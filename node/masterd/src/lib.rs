//! A master as a process: the machines of `core/master`, `core/registry` and `core/allocator`, each under a driver, joined
//! to the sockets of `io/net`.
//!
//! The process follows or leads ([`leadership`]): while it leads there is a [`term`], with a master machine in the caller's
//! runtime and an allocator on a thread of its own, so that a long allocation run delays nothing else; else there is a
//! follower. The registrar lives as long as the process. A request that only reads is answered beside the machine, from a
//! snapshot.

mod authority;
mod daemon;
mod elections;
mod following;
mod leadership;
mod pages;
mod read;
pub mod recording;
mod registry;
pub mod settings;
pub mod start;
mod term;
mod timed;
mod whitelist;
mod world;

pub use settings::Settings;

use daemon::{Daemon, Leading};
use elections::{Alone, Elections};
use leadership::Leadership;
use std::net::SocketAddrV4;
use tepui_net::Node;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The master's process id; paths without a process id are its own.
const ID: &str = "master";
/// The processes that ping agents are the master's too.
const OBSERVERS: &str = "slave-observer(";

/// Why a master cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag's value cannot be used.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// The address cannot be listened on.
    #[error(transparent)]
    Net(#[from] tepui_net::Error),
    /// The operating system gave no random bits.
    #[error("no random bits from the operating system: {0}")]
    Random(getrandom::Error),
    /// A recording was asked for and cannot be made.
    #[error(transparent)]
    Recording(#[from] recording::Error),
    /// No thread for the allocator.
    #[error("cannot start the allocator's thread: {0}")]
    Thread(std::io::Error),
    /// This master can neither lead nor follow; why.
    #[error("{0}")]
    Election(String),
}

/// A running master, leading or not.
pub struct Running {
    node: Node,
    leading: Leading,
    leadership: JoinHandle<()>,
    exit: watch::Receiver<Option<String>>,
}

/// Starts a master; it listens when this returns.
pub async fn start(settings: Settings) -> Result<Running, Error> {
    let running = start_with(settings, |daemon| Elections::Alone(Alone::new(daemon.clock))).await?;
    let mut leads = running.leading.clone();
    // A single master leads at once, and nobody is to find one that does not yet.
    let _ = leads.wait_for(Option::is_some).await;
    Ok(running)
}

async fn start_with(settings: Settings, elections: impl FnOnce(&Daemon) -> Elections) -> Result<Running, Error> {
    let node = Node::bind(settings.net.clone()).await?;
    let (inbox, outlet) = node.spawn(ID).expect("a new node has no processes");
    outlet.receive_family(OBSERVERS);
    node.delegate(ID);
    let (leads, leading) = watch::channel(None);
    let (exit, exited) = watch::channel(None);
    let daemon = Daemon::new(settings, &node, outlet, leading.clone(), exit);
    tracing::info!(pid = %daemon.config.pid, hostname = daemon.config.hostname, "the master starts");
    let elections = elections(&daemon);
    let leadership = Leadership::new(daemon, inbox, elections, leads)?;
    Ok(Running { node, leading, leadership: tokio::spawn(leadership.run()), exit: exited })
}

impl Running {
    /// Where clients and agents reach it.
    pub fn address(&self) -> SocketAddrV4 {
        self.node.address()
    }

    /// How many agents are registered now, if this master leads: for those who wait for a cluster to come up.
    pub async fn agents(&self) -> usize {
        let Some(mailbox) = self.leading.borrow().clone() else { return 0 };
        mailbox.inspect(|master| master.snapshot().agents.len()).await.unwrap_or(0)
    }

    /// Waits until the master must not go on; why.
    pub async fn exited(&mut self) -> String {
        let reason = self.exit.wait_for(Option::is_some).await.map(|reason| reason.clone());
        // Without the machine there is nothing that could go on either.
        reason.ok().flatten().unwrap_or_else(|| "the master has stopped".to_owned())
    }

    /// Takes nothing more in, lets answers and streams go out, and closes.
    pub async fn stop(self) {
        self.leadership.abort();
        self.node.shutdown().await;
    }
}
