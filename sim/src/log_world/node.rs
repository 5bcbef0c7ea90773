//! A node: one process with a replica, its disk, its clocks and its client.

use super::check::{NodeId, address_of};
use super::client::Client;
use super::clock::Clock;
use crate::disk::Disk;
use tepui_base::{EffectQueue, Machine, Outbox};
use tepui_log::{Effect, Log};
use tepui_wire::Upid;

/// One node.
pub struct Node {
    /// Its replica's address.
    pub upid: Upid,
    /// What survives its processes.
    pub disk: Disk,
    /// The present or last process.
    pub life: u32,
    /// The process, if one runs.
    pub process: Option<Process>,
    /// Its clocks.
    pub clock: Clock,
    /// It does nothing until then.
    pub paused: u64,
    /// Who uses it.
    pub client: Client,
    /// When the next tick is planned.
    pub armed: Option<u64>,
    /// Whether ZooKeeper shows it to others.
    pub listed: bool,
    /// It lost its disk, and is not started before then.
    pub replaced: u64,
    /// It sees nothing of ZooKeeper until then.
    pub blind: u64,
}

/// What is lost when a process ends.
pub struct Process {
    /// The machine.
    pub log: Log,
    /// What waits for the disk.
    pub queue: EffectQueue<Effect>,
    /// What it puts out.
    pub out: Outbox<Effect>,
}

impl Node {
    /// A node that does not run yet.
    pub fn new(id: NodeId, ahead: u64) -> Node {
        Node {
            upid: Upid::at("log-replica(1)", address_of(id)),
            disk: Disk::default(),
            life: 0,
            process: None,
            clock: Clock::new(ahead),
            paused: 0,
            client: Client::default(),
            armed: None,
            listed: false,
            replaced: 0,
            blind: 0,
        }
    }

    /// The true moment its machine wants to be called next.
    pub fn deadline(&self, now: u64) -> Option<u64> {
        let deadline = self.process.as_ref()?.log.deadline()?;
        Some(self.clock.when(now, deadline))
    }
}
