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
mod group;
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
use elections::Elections;
use elections::list::{self, Lease};
use group::Group;
use leadership::Leadership;
use registry::Registry;
use start::{Contest, Keeping};
use std::net::SocketAddrV4;
use tepui_driver::Clock;
use tepui_logd::Replica;
use tepui_net::Node;
use tokio::sync::{oneshot, watch};
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
    /// The replica of the log cannot run.
    #[error(transparent)]
    Log(#[from] tepui_logd::replica::Error),
    /// This master can neither lead nor follow; why.
    #[error("{0}")]
    Election(String),
}

/// A running master, leading or not.
pub struct Running {
    node: Node,
    leading: Leading,
    leadership: JoinHandle<()>,
    /// Dropped to end it.
    going_on: oneshot::Sender<()>,
    /// Of the log, if the registry is kept in one.
    replica: Option<Replica<Registry>>,
    exit: watch::Receiver<Option<String>>,
}

/// Starts a master; it listens when this returns.
pub async fn start(settings: Settings) -> Result<Running, Error> {
    let is_alone = settings.contest == Contest::Alone;
    let running =
        start_with(settings, |daemon| Elections::open(&daemon.settings, daemon.clock, &daemon.registry)).await?;
    if is_alone {
        // It leads at once, and nobody is to find one that does not yet.
        let mut leads = running.leading.clone();
        let _ = leads.wait_for(Option::is_some).await;
    }
    Ok(running)
}

async fn start_with(
    settings: Settings,
    elections: impl FnOnce(&Daemon) -> Result<Elections, settings::Error>,
) -> Result<Running, Error> {
    let node = Node::bind(settings.net.clone()).await?;
    let clock = Clock::default();
    let group = Group::of(&node, &settings).await?;
    let (registry, replica) = match keep(&node, &settings, clock, group).await {
        Ok(kept) => kept,
        Err(error) => {
            // Whoever starts another one finds the address free.
            node.shutdown().await;
            return Err(error);
        }
    };
    let (inbox, outlet) = node.spawn(ID).expect("a new node has no processes");
    outlet.receive_family(OBSERVERS);
    node.delegate(ID);
    let (leads, leading) = watch::channel(None);
    let (exit, exited) = watch::channel(None);
    let daemon = Daemon::new(settings, clock, (&node, outlet), registry, leading.clone(), exit);
    tracing::info!(pid = %daemon.config.pid, hostname = daemon.config.hostname, "the master starts");
    let elections = elections(&daemon)?;
    let leadership = Leadership::new(daemon, inbox, elections, leads)?;
    let (going_on, ended) = oneshot::channel();
    let leadership = tokio::spawn(leadership.run(ended));
    Ok(Running { node, leading, leadership, going_on, replica, exit: exited })
}

/// Opens the registry, and takes part in its log.
async fn keep(
    node: &Node,
    settings: &Settings,
    clock: Clock,
    group: Group,
) -> Result<(Registry, Option<Replica<Registry>>), Error> {
    let Keeping::Log(log) = &settings.keeping else { return Ok((Registry::in_memory(clock), None)) };
    let mut replica = tepui_logd::replica::Settings::new(&log.directory, log.quorum, group.others);
    replica.auto_initialize = log.auto_initialize;
    replica.accept_other_quorum = log.accept_other_quorum;
    replica.clock = clock;
    let lease = group.masters.as_ref().map(|_| Lease::new(clock));
    lease.as_ref().inspect(|lease| list::serve(node, lease));
    replica.masters = group.masters;
    let (registry, replica) = Registry::replicated(node, replica, settings.registry_timeouts(), lease).await?;
    Ok((registry, Some(replica)))
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
        let replica = &mut self.replica;
        let damaged = async {
            match replica {
                Some(replica) => replica.ended().await,
                None => std::future::pending().await,
            }
        };
        let reason = tokio::select! {
            reason = self.exit.wait_for(Option::is_some) => reason.map(|reason| reason.clone()),
            why = damaged => return format!("the replica of the log has ended: {why}"),
        };
        // Without the machine there is nothing that could go on either.
        reason.ok().flatten().unwrap_or_else(|| "the master has stopped".to_owned())
    }

    /// Takes nothing more in, lets others lead, lets answers and streams go out, and closes.
    pub async fn stop(self) {
        drop(self.going_on);
        // It fails only if it panicked, and then there is nothing left to end.
        let _ = self.leadership.await;
        if let Some(replica) = self.replica {
            replica.stop().await;
        }
        self.node.shutdown().await;
    }
}
