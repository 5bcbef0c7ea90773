//! One replica: what it promised, accepted and learned, and how it answers.
//!
//! What it answers may depend on writes that are under way, its own memory being ahead of its disk. So an answer leaves when
//! everything written so far is durable ([`When::Durable`]), with two exceptions that depend on no write: what was learned
//! is held by a quorum whatever becomes of this disk, and silence says nothing.
//!
//! What is learned is written lazily, and so are the deletes of a truncation, together with the record that tells of it. A crash
//! may take them back; the position is then undecided here though a quorum accepted it, and the next writer fills it with
//! that value. Nothing that left before depends on it. Source: Mesos `src/log/replica.cpp`, `leveldb.cpp`.

mod promise;
mod write;

use crate::bodies::Bodies;
use crate::disk::Disk;
use crate::intervals::Intervals;
use crate::messages::{Ask, RecoverReply, Reply};
use crate::records::{self, METADATA_KEY, Metadata, Status, known_key};
use crate::slot::Slot;
use crate::{Action, Change, Effect, Restored, Value};
use std::collections::{BTreeMap, BTreeSet};
use tepui_base::Outbox;

/// The state of one replica.
#[derive(Debug)]
pub(crate) struct Replica {
    metadata: Metadata,
    begin: u64,
    end: u64,
    learned: Intervals,
    slots: BTreeMap<u64, Slot>,
    pub bodies: Bodies,
    stale: BTreeSet<u64>,
    anchor: Option<u64>,
    pub disk: Disk,
}

/// When an answer may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// At once.
    Now,
    /// When every write so far is durable.
    Durable,
}

/// What comes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer.
    Reply(When, Reply),
    /// None, as in Mesos.
    Silent,
    /// The bytes of this position have to be read first; ask again then.
    Wants(u64),
}

/// Whether a write may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Forbidden,
    Allowed,
}

impl Replica {
    pub fn new(restored: Restored) -> Replica {
        Replica {
            metadata: restored.metadata,
            begin: restored.begin,
            end: restored.end,
            learned: restored.learned,
            slots: restored.slots,
            bodies: restored.bodies,
            stale: restored.stale,
            anchor: restored.anchor,
            disk: Disk::default(),
        }
    }

    pub fn status(&self) -> Status {
        self.metadata.status
    }

    /// The highest proposal promised for all positions.
    pub fn promised(&self) -> u64 {
        self.metadata.promised
    }

    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// The last position that was written; zero in a new log.
    pub fn end(&self) -> u64 {
        self.end
    }

    pub fn slot(&self, position: u64) -> Option<&Slot> {
        self.slots.get(&position)
    }

    /// Whether a position is not known to be decided. Truncated ones are.
    pub fn is_missing(&self, position: u64) -> bool {
        position >= self.begin && !self.learned.contains(position)
    }

    /// The first missing position at or after `from`.
    pub fn next_missing(&self, from: u64) -> Option<u64> {
        self.learned.first_outside(from.max(self.begin))
    }

    /// How many positions up to the end are missing.
    pub fn count_missing(&self) -> u64 {
        self.learned.count_outside(self.begin, self.end)
    }

    /// Answers a request.
    pub fn ask(&mut self, ask: &Ask, out: &mut Outbox<Effect>) -> Outcome {
        match ask {
            Ask::Promise(request) => self.promise(*request, out),
            Ask::Write(request) => self.write(request, out),
            Ask::Recover => {
                let voting = self.status() == Status::Voting;
                let range = voting.then_some((self.begin, self.end));
                Outcome::Reply(When::Durable, Reply::Recover(RecoverReply { status: self.status(), range }))
            }
        }
    }

    /// Enters another part of its life.
    pub fn set_status(&mut self, status: Status, out: &mut Outbox<Effect>) {
        self.write_metadata(Metadata { status, ..self.metadata }, out);
    }

    /// Begins to vote, with nothing promised that is lower than this.
    pub fn vote_from(&mut self, promised: u64, out: &mut Outbox<Effect>) {
        let promised = promised.max(self.metadata.promised);
        self.write_metadata(Metadata { status: Status::Voting, promised }, out);
    }

    fn write_metadata(&mut self, metadata: Metadata, out: &mut Outbox<Effect>) {
        self.metadata = metadata;
        self.disk.write(vec![Change::Put(METADATA_KEY.to_vec(), records::metadata_value(metadata))], out);
    }

    /// A value is decided. What is learned already is not written again: there is only one value it can have.
    pub fn learn(&mut self, action: Action, out: &mut Outbox<Effect>) {
        let news = self.is_missing(action.position) || begin_after(&action) > self.begin;
        if news && action.accepted.is_some() && action.position <= records::LAST_POSITION {
            self.persist(Action { learned: true, ..action }, Loss::Allowed, out);
        }
    }

    fn persist(&mut self, action: Action, loss: Loss, out: &mut Outbox<Effect>) {
        let position = action.position;
        let mut changes = vec![Change::Put(known_key(position), records::action_value(&action))];
        self.end = self.end.max(position);
        if action.learned {
            self.learned.insert(position);
            let begin = begin_after(&action);
            if begin > self.begin {
                self.truncate(begin, position, &mut changes);
            }
        }
        let key = match loss {
            Loss::Forbidden => self.disk.write(changes, out),
            Loss::Allowed => self.disk.lazy(changes, out),
        };
        if position < self.begin {
            return;
        }
        let (slot, body) = Slot::split(action);
        self.slots.insert(position, slot);
        match body {
            Some(body) => self.bodies.insert(position, body, key),
            None => self.bodies.remove(position),
        }
    }

    /// Forgets what is before `begin`, because of what stands at `anchor`.
    fn truncate(&mut self, begin: u64, anchor: u64, changes: &mut Vec<Change>) {
        let kept = self.slots.split_off(&begin);
        let mut gone = std::mem::take(&mut self.stale);
        gone.extend(std::mem::replace(&mut self.slots, kept).into_keys());
        gone.extend(self.anchor.filter(|old| *old < begin));
        gone.remove(&anchor);
        changes.extend(gone.into_iter().map(|position| Change::Delete(known_key(position))));
        (self.begin, self.anchor) = (begin, Some(anchor));
        self.learned.remove_before(begin);
        self.bodies.remove_before(begin);
    }
}

/// Where the log begins if this was learned; zero if it does not say.
fn begin_after(action: &Action) -> u64 {
    match action.value() {
        Some(Value::Truncate(to)) => *to,
        // What truncated it stands at a later position.
        Some(Value::Nop { tombstone: true }) => action.position.saturating_add(1),
        _ => 0,
    }
}
