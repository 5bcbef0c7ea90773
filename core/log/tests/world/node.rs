//! One replica with its disk.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use tepui_base::{EffectQueue, Instant, Machine, Now, Outbox};
use tepui_log::records::{self, Record, Status};
use tepui_log::{Answer, Change, Config, Effect, Figures, Input, Log, Restored};
use tepui_wire::Upid;

pub struct Node {
    pub log: Option<Log>,
    pub queue: EffectQueue<Effect>,
    pub life: u64,
    pub armed: Option<Instant>,
    pub answers: Vec<Answer>,
    /// Whether its client believes that it is the writer.
    pub leading: bool,
    pub disk: BTreeMap<Vec<u8>, Bytes>,
    pub auto_initialize: bool,
    /// How many appended bytes stay in memory.
    pub bodies_bytes: usize,
    /// The group, if its members elect their leader by the log.
    pub masters: Option<BTreeSet<Upid>>,
    /// Whether it does not want to lead.
    pub masters_only_watch: bool,
    /// What its clock shows at the beginning, and how fast it goes, in millionths of true time.
    pub clock: (u64, u64),
    /// It does nothing before this true time.
    pub paused_until: Instant,
    syncing: Option<Vec<Effect>>,
    out: Outbox<Effect>,
    pid: Upid,
    quorum: usize,
}

impl Node {
    pub fn new(pid: Upid, replicas: usize) -> Node {
        Node {
            log: None,
            queue: EffectQueue::default(),
            life: 0,
            armed: None,
            answers: Vec::new(),
            leading: false,
            disk: BTreeMap::new(),
            auto_initialize: true,
            bodies_bytes: 100,
            masters: None,
            masters_only_watch: false,
            clock: (0, 1_000_000),
            paused_until: Instant(0),
            syncing: None,
            out: Outbox::default(),
            pid,
            quorum: replicas / 2 + 1,
        }
    }

    pub fn start(&mut self, seed: u64) {
        let restored = Restored::from_pairs(&self.disk).expect("we read what we wrote");
        let mut config = match &self.masters {
            Some(members) => Config::of_masters(self.pid.clone(), members.clone()),
            None => Config::new(self.pid.clone(), self.quorum),
        };
        (config.auto_initialize, config.bodies_bytes) = (self.auto_initialize, self.bodies_bytes);
        self.log = Some(Log::new(config, seed, restored));
        self.life += 1;
        self.armed = None;
    }

    /// What its clock shows at a true time.
    pub fn reads(&self, now: Instant) -> Instant {
        let (offset, rate) = self.clock;
        Instant(offset + (u128::from(now.0) * u128::from(rate) / 1_000_000) as u64)
    }

    /// The true time at which its clock shows this, not earlier.
    pub fn true_time(&self, reading: Instant) -> Instant {
        let (offset, rate) = self.clock;
        Instant((u128::from(reading.0.saturating_sub(offset)) * 1_000_000).div_ceil(u128::from(rate)) as u64)
    }

    /// A share of the batch that was being written has reached the disk.
    pub fn crash(&mut self, share: f64) {
        let batch = self.syncing.take().unwrap_or_default();
        let reached = (batch.len() as f64 * share).round() as usize;
        for effect in batch.into_iter().take(reached) {
            self.apply(effect);
        }
        (self.log, self.queue, self.leading) = (None, EffectQueue::default(), false);
        self.life += 1;
    }

    pub fn handle(&mut self, now: Now, input: Input) {
        if let Some(log) = &mut self.log {
            log.handle(now, input, &mut self.out);
            self.queue.submit(&mut self.out);
        }
    }

    pub fn tick(&mut self, now: Now) {
        if let Some(log) = &mut self.log {
            self.armed = None;
            log.tick(now, &mut self.out);
            self.queue.submit(&mut self.out);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.log.as_ref().and_then(Machine::deadline)
    }

    pub fn figures(&self) -> Option<Figures> {
        self.log.as_ref().map(Log::figures)
    }

    pub fn votes_on_disk(&self) -> bool {
        let metadata = self.disk.get(records::METADATA_KEY).and_then(|value| records::record(value).ok());
        matches!(metadata, Some(Record::Metadata(metadata)) if metadata.status == Status::Voting)
    }

    pub fn begin_sync(&mut self) -> bool {
        let batch = self.queue.begin_sync();
        let began = batch.is_some();
        self.syncing = self.syncing.take().or(batch);
        began
    }

    pub fn synced(&mut self) {
        for effect in self.syncing.take().unwrap_or_default() {
            self.apply(effect);
        }
        self.queue.finish_sync();
    }

    fn apply(&mut self, effect: Effect) {
        let Effect::Write(changes) = effect else { unreachable!("only writes are written") };
        for change in changes {
            match change {
                Change::Put(key, value) => drop(self.disk.insert(key, value)),
                Change::Delete(key) => drop(self.disk.remove(&key)),
            }
        }
    }

    pub fn find(&self, from: &[u8], to: &[u8]) -> Vec<(Vec<u8>, Bytes)> {
        let range = self.disk.range(from.to_vec()..=to.to_vec());
        range.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}
