//! One term: a leading master and its allocator under their drivers, from the election to the end of its authority.

use crate::authority::Authority;
use crate::daemon::Daemon;
use crate::read::{Reads, Source};
use crate::timed::Timed;
use crate::{Error, recording, whitelist, world};
use std::sync::Arc;
use tepui_allocator::Hierarchical;
use tepui_driver::{Driver, Mailbox, Place};
use tepui_hooks::NoHooks;
use tepui_master::{Input, Master};
use tepui_wire::NetInput;
use tokio::task::JoinHandle;

/// A term that goes on.
pub(crate) struct Term {
    authority: Arc<Authority>,
    mailbox: Mailbox<Master>,
    reads: Reads,
    machine: JoinHandle<()>,
    watching: Option<JoinHandle<()>>,
}

impl Term {
    /// The master leads from now on, as the one that contended with this seed.
    pub fn begin(daemon: &Daemon, number: u64, seed: u64, authority: Arc<Authority>) -> Result<Term, Error> {
        let (clock, settings) = (daemon.clock, &daemon.settings);
        let machine = Master::new(daemon.config.clone(), seed, Arc::new(NoHooks)).up_since(daemon.started);
        let (mut master, mailbox) = Driver::new(machine, clock);
        if let Some(dir) = &settings.record {
            let pid = &daemon.config.pid;
            master = master.recorded(recording::start(dir, settings.values(), pid, seed, number)?);
        }
        let allocator = Timed::new(Hierarchical::new(settings.allocator.clone(), seed, clock.now()));
        let (allocator, allocations) = Driver::new(allocator, clock);
        run_allocator(allocator, mailbox.clone()).map_err(Error::Thread)?;
        let path = settings.whitelist().map(str::to_owned);
        let watching = path.map(|path| tokio::spawn(whitelist::watch(path, allocations.clone())));
        daemon.registry.begin(number, mailbox.clone(), authority.clone(), daemon.exit.clone());
        let world = world::FromMaster {
            gate: daemon.gate(&authority),
            registry: daemon.registry.clone(),
            term: number,
            allocations: allocations.clone(),
            exit: daemon.exit.clone(),
        };
        let exit = daemon.exit.clone();
        let machine = tokio::spawn(async move {
            if let Err(error) = master.run(world).await {
                exit.send_replace(Some(error.to_string()));
            }
        });
        let reads = Reads::start(daemon.reader(Source::Leader(mailbox.clone(), allocations), &authority));
        Ok(Term { authority, mailbox, reads, machine, watching })
    }

    /// Where its inputs are put.
    pub fn mailbox(&self) -> &Mailbox<Master> {
        &self.mailbox
    }

    /// Hands an input to the machine, which has room for it, or to a reader.
    pub fn take(&self, input: NetInput, place: Place) {
        match input {
            NetInput::Http(id, request) if Master::is_read(&request) => self.reads.answer(id, request),
            input => self.mailbox.take(Input::Net(input), place),
        }
    }

    /// Returns when its authority is over.
    pub async fn over(&self) {
        self.authority.over().await;
    }

    /// Drops all of it, as a process that dies: peers see it, and nothing it still wanted to say leaves.
    pub fn end(self, daemon: &Daemon) {
        self.resign(daemon);
        daemon.outlet.start_over();
    }

    /// Ends in good order: what has left the machine still goes out.
    pub fn resign(self, daemon: &Daemon) {
        self.authority.revoke();
        daemon.registry.end();
        self.machine.abort();
        self.watching.inspect(JoinHandle::abort);
    }
}

/// A long allocation run delays nothing else. The thread ends when nobody can ask the allocator any more.
fn run_allocator(allocator: Driver<Timed>, master: Mailbox<Master>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let run = move || {
        if let Err(error) = runtime.block_on(allocator.run(world::FromAllocator { master })) {
            tracing::error!(%error, "the allocator has stopped");
        }
    };
    std::thread::Builder::new().name("allocator".to_owned()).spawn(run).map(drop)
}
