//! What all tasks of a node share.

use crate::arrivals::Arrivals;
use crate::config::NetConfig;
use crate::date::DateText;
use crate::exchange::Exchanges;
use crate::mailbox::Mailbox;
use crate::outbound::Transport;
use crate::processes::Processes;
use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tepui_wire::{Message, NetInput, Upid};
use tokio::sync::{mpsc, watch};

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// No new connections; what is queued goes out, then connections are closed.
    Draining,
    /// Whatever is left is dropped.
    Ended,
}

/// The node behind its handles and tasks.
pub(crate) struct Shared {
    pub(crate) config: NetConfig,
    /// Where peers reach us: what our own addresses say.
    pub(crate) address: SocketAddrV4,
    pub(crate) processes: RwLock<Processes>,
    pub(crate) exchanges: Exchanges,
    pub(crate) arrivals: Arrivals,
    pub(crate) transport: Mutex<Transport>,
    pub(crate) date: DateText,
    pub(crate) phase: watch::Sender<Phase>,
    /// How often a process has started over; see [`crate::Outlet::start_over`].
    pub(crate) hung_up: watch::Sender<u64>,
    /// Peers whose connections stay even then.
    pub(crate) spared: RwLock<BTreeSet<SocketAddrV4>>,
    /// Each task of a connection holds a clone; the shutdown waits until all are gone.
    pub(crate) alive: Mutex<Option<mpsc::Sender<()>>>,
    /// Effects may be applied from threads that are not the runtime's.
    pub(crate) runtime: tokio::runtime::Handle,
}

impl Shared {
    pub(crate) fn processes(&self) -> std::sync::RwLockReadGuard<'_, Processes> {
        self.processes.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn processes_mut(&self) -> std::sync::RwLockWriteGuard<'_, Processes> {
        self.processes.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn transport(&self) -> MutexGuard<'_, Transport> {
        self.transport.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process with this id.
    pub(crate) fn process(&self, id: &str) -> Option<Arc<Mailbox>> {
        self.processes().get(id).cloned()
    }

    /// A token that keeps the shutdown waiting; none if the node has ended already.
    pub(crate) fn alive(&self) -> Option<mpsc::Sender<()>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns when the node has reached `phase`.
    pub(crate) async fn reached(&self, phase: Phase) {
        // The sender lives in `self`, so that the wait cannot fail.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Whether the connections of a peer stay when a process starts over.
    pub(crate) fn is_spared(&self, peer: &SocketAddrV4) -> bool {
        self.spared.read().unwrap_or_else(PoisonError::into_inner).contains(peer)
    }

    /// Whether the node is ending.
    pub(crate) fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// A message to a process of this node, which never touches the network.
    pub(crate) fn send_local(&self, message: Message) {
        match self.process(&message.to.id) {
            Some(mailbox) => mailbox.push(NetInput::Message(message)),
            None => tracing::debug!(to = %message.to, name = message.name, "Dropping message to no process"),
        }
    }

    /// Delivers `exited` events.
    pub(crate) fn deliver_exits(&self, exits: Vec<(Arc<str>, Upid)>) {
        let processes = self.processes();
        for (linker, linkee) in exits {
            if let Some(mailbox) = processes.get(&linker) {
                mailbox.push(NetInput::Exited(linkee));
            }
        }
    }

    /// The process of `mailbox` is gone.
    pub(crate) fn end_process(&self, mailbox: &Arc<Mailbox>) {
        if !self.processes_mut().remove(mailbox) {
            return;
        }
        self.exchanges.end_process(mailbox);
        let exits = self.transport().links.ended(&Upid::at(&mailbox.id, self.address));
        self.deliver_exits(exits);
    }
}
