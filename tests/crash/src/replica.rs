//! A replica as a node runs it, without sockets and threads: a machine with a log inside, over a directory.
//!
//! It starts as `node/logd` does: what it was last started with is checked and written down beside the directory, then the
//! directory is opened, checked and read, and how far it is checked and written down too. Batches of writes go to the store in one synced call, as there.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use tepui_base::{EffectQueue, Machine, Now, Outbox};
use tepui_log::{Config, Log, Restored};
use tepui_logd::directory;
use tepui_logd::quorum::{self, Membership};
use tepui_store::disk::Disk;
use tepui_store::{Durability, Options, Store};
use tepui_wire::Upid;

use crate::skip::{Skip, of_a_store};

/// The directory of the log.
pub const DIR: &str = "/m/replicated_log";

/// The syncs that a replica relies on; those of the file beside its directory are of the sidecar.
pub const SYNCS: &[Skip] = &of_a_store(DIR, "/m");

/// So many deadlines come before somebody must have been told something.
const DEADLINES_MAX: usize = 1000;

/// Limits so small that a few writes make tables, and a few tables are merged.
pub fn small() -> Options {
    Options { memory_bytes: 1200, wal_bytes: 2500, lazy_bytes: 800, table_bytes: 700, ..Options::default() }
}

/// Opens the directory as a start of this membership does that contradicts neither the last one nor the directory.
pub fn open(disk: Arc<dyn Disk>, membership: &Membership) -> Result<(Store, Restored), String> {
    let dir = Path::new(DIR);
    let membership = quorum::check_and_record(&disk, dir, membership, false).map_err(|error| error.to_string())?;
    let opened = directory::open(disk.clone(), dir, small()).map_err(|error| error.to_string())?;
    quorum::check_and_record_reached(&disk, dir, membership, &opened.1, false).map_err(|error| error.to_string())?;
    Ok(opened)
}

/// A machine with a log inside.
pub trait Inside: Machine {
    /// The machine around a log as it stands on the disk.
    fn build(log: Log) -> Self;
    /// An input for the log.
    fn input(input: tepui_log::Input) -> Self::Input;
    /// An effect of the log, or what is told to somebody else.
    fn effect(effect: Self::Effect) -> Result<tepui_log::Effect, Self::Effect>;
}

/// The only replica of its log.
pub struct Replica<M: Inside> {
    machine: M,
    queue: EffectQueue<M::Effect>,
    store: Store,
    told: VecDeque<M::Effect>,
    now: Now,
}

impl<M: Inside> Replica<M> {
    /// Starts one; why it cannot.
    pub fn start(disk: Arc<dyn Disk>) -> Result<Replica<M>, String> {
        let (dir, membership) = (Path::new(DIR), Membership { quorum: 1, ..Membership::default() });
        let recorded = quorum::recorded(&disk, dir).map_err(|error| error.to_string())?;
        if recorded.is_none() && disk.open(&dir.join("CURRENT")).is_ok() {
            return Err("the log is there, and what it was started with is not".to_owned());
        }
        let (store, restored) = open(disk, &membership)?;
        let pid = Upid::new("log-replica(1)", [127, 0, 0, 1].into(), 5050);
        let machine = M::build(Log::new(Config::new(pid.clone(), 1), 1, restored));
        let (queue, told) = Default::default();
        let mut replica = Replica { machine, queue, store, told, now: Now::default() };
        replica.input(M::input(tepui_log::Input::Members(BTreeSet::from([pid]))));
        Ok(replica)
    }

    /// Hands it an input, and lets out and syncs what comes of it.
    pub fn input(&mut self, input: M::Input) {
        self.inputs([input]);
    }

    /// Hands it inputs before anything of the first leaves, so that their writes share a sync.
    pub fn inputs(&mut self, inputs: impl IntoIterator<Item = M::Input>) {
        let mut out = Outbox::default();
        inputs.into_iter().for_each(|input| self.machine.handle(self.now, input, &mut out));
        self.leave(out);
    }

    /// What is told next. Time goes from deadline to deadline until something is.
    pub fn told(&mut self) -> Result<M::Effect, String> {
        for _ in 0..DEADLINES_MAX {
            if let Some(told) = self.told.pop_front() {
                return Ok(told);
            }
            let deadline = self.machine.deadline().ok_or("nobody is told anything, and nothing is waited for")?;
            self.now.monotonic = deadline.max(self.now.monotonic);
            let mut out = Outbox::default();
            self.machine.tick(self.now, &mut out);
            self.leave(out);
        }
        Err("nobody is told anything".to_owned())
    }

    fn leave(&mut self, mut out: Outbox<M::Effect>) {
        self.queue.submit(&mut out);
        loop {
            while let Some(effect) = self.queue.pop_ready() {
                self.apply(effect);
            }
            let Some(writes) = self.queue.begin_sync() else { return };
            let changes = writes.into_iter().filter_map(|effect| match M::effect(effect) {
                Ok(tepui_log::Effect::Write(changes)) => Some(changes),
                _ => None,
            });
            let changes = directory::changes(changes.flatten());
            self.store.apply(&changes, Durability::Sync).expect("the disk refuses nothing");
            self.queue.finish_sync();
        }
    }

    fn apply(&mut self, effect: M::Effect) {
        let input = match M::effect(effect) {
            Err(told) => return self.told.push_back(told),
            Ok(tepui_log::Effect::Durable(key)) => tepui_log::Input::Durable(key),
            Ok(tepui_log::Effect::Fetch(id, from, to)) => {
                tepui_log::Input::Fetched(id, self.store.range(&from, &to).expect("what was opened can be read"))
            }
            // That it votes now, which nobody has asked.
            Ok(tepui_log::Effect::Answer(_)) => return,
            Ok(effect) => panic!("{effect:?} of the only replica"),
        };
        let mut out = Outbox::default();
        self.machine.handle(self.now, M::input(input), &mut out);
        self.queue.submit(&mut out);
    }
}
