//! Where the effects of the three machines go: to the network and to each other. None of them writes to the disk.

use crate::timed::Timed;
use tepui_driver::{Mailbox, SyncFailed, Syncing, World};
use tepui_master::{Effect, Input, Master};
use tepui_net::Outlet;
use tepui_registry::Registrar;
use tokio::sync::watch;

/// The master's world.
pub(crate) struct FromMaster {
    pub outlet: Outlet,
    pub registry: Mailbox<Registrar>,
    pub allocations: Mailbox<Timed>,
    /// Told why the master leaves.
    pub exit: watch::Sender<Option<String>>,
}

impl World<Effect> for FromMaster {
    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Net(effect) => self.outlet.apply(effect),
            Effect::Show(stream, first) => {
                // Large states take long to write down; what follows waits in the stream, and nobody else does.
                if let Some(promise) = self.outlet.promise(stream) {
                    tokio::task::spawn_blocking(move || promise.keep(first.record()));
                }
            }
            Effect::Registry(input) => self.registry.post(input),
            Effect::Allocator(input) => self.allocations.post(input),
            Effect::Exit(reason) => drop(self.exit.send_replace(Some(reason))),
        }
    }

    fn sync(&mut self, _: Vec<Effect>) -> Syncing {
        no_disk()
    }
}

/// The registrar's world.
pub(crate) struct FromRegistry {
    pub master: Mailbox<Master>,
}

impl World<tepui_registry::Output> for FromRegistry {
    fn apply(&mut self, output: tepui_registry::Output) {
        self.master.post(Input::Registry(output));
    }

    fn sync(&mut self, _: Vec<tepui_registry::Output>) -> Syncing {
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
fn no_disk() -> Syncing {
    Box::pin(async { Err(SyncFailed("this machine has no disk".to_owned())) })
}
