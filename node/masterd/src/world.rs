//! Where the effects of a term's machines go: to the network and to each other. None of them writes to the disk.

use crate::authority::Gate;
use crate::registry::Registry;
use crate::timed::Timed;
use tepui_driver::{Mailbox, SyncFailed, Syncing, World};
use tepui_master::{Effect, Input, Master};
use tokio::sync::watch;

/// The master's world.
pub(crate) struct FromMaster {
    pub gate: Gate,
    pub registry: Registry,
    /// The number of the term.
    pub term: u64,
    pub allocations: Mailbox<Timed>,
    /// Told why the process leaves.
    pub exit: watch::Sender<Option<String>>,
}

impl World<Effect> for FromMaster {
    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Net(effect) => self.gate.apply(effect),
            Effect::Show(stream, first) => {
                // Large states take long to write down; what follows waits in the stream, and nobody else does.
                if let Some(promise) = self.gate.promise(stream) {
                    let gate = self.gate.clone();
                    tokio::task::spawn_blocking(move || {
                        let record = first.record();
                        // It may have taken longer than the authority lasts; then the stream is cut.
                        if gate.is_open() {
                            promise.keep(record);
                        }
                    });
                }
            }
            Effect::Registry(input) => self.registry.ask(self.term, input),
            Effect::Allocator(input) => self.allocations.post(input),
            Effect::Exit(reason) => drop(self.exit.send_replace(Some(reason))),
        }
    }

    fn sync(&mut self, _: Vec<Effect>) -> Syncing {
        no_disk()
    }
}

/// A follower's world.
pub(crate) struct FromFollower {
    pub gate: Gate,
    /// Told why the process leaves.
    pub exit: watch::Sender<Option<String>>,
}

impl World<Effect> for FromFollower {
    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Net(effect) => self.gate.apply(effect),
            Effect::Exit(reason) => drop(self.exit.send_replace(Some(reason))),
            Effect::Show(..) | Effect::Registry(_) | Effect::Allocator(_) => {
                unreachable!("a follower speaks to the network only")
            }
        }
    }

    fn sync(&mut self, _: Vec<Effect>) -> Syncing {
        no_disk()
    }
}

/// The allocator's world.
pub(crate) struct FromAllocator {
    pub master: Mailbox<Master>,
}

impl World<tepui_allocator::Effect> for FromAllocator {
    fn apply(&mut self, effect: tepui_allocator::Effect) {
        self.master.post(Input::Allocator(effect));
    }

    fn sync(&mut self, _: Vec<tepui_allocator::Effect>) -> Syncing {
        no_disk()
    }
}

/// These machines make no write effects; one that appears has nowhere to go and must not be taken for durable.
pub(crate) fn no_disk() -> Syncing {
    Box::pin(async { Err(SyncFailed("this machine has no disk".to_owned())) })
}
