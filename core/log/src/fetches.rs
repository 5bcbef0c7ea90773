//! Reading positions: those in memory at once, the others from the disk.

use crate::log::{Asker, Log, answer};
use crate::messages::Ask;
use crate::records::{self, Record, known_key};
use crate::slot::{Kind, Slot};
use crate::{Answer, Effect, FetchId, RequestId, Value};
use bytes::Bytes;
use std::collections::BTreeMap;
use tepui_base::{Outbox, WriteKey};

/// Positions read at once. A registry has some megabytes, so this is what is held in memory beside the cache.
const RUN: u64 = 32;

/// How often the same position is read before the disk is taken not to have it. It can be written over while it is read.
const TRIES: u32 = 3;

/// What is read from the disk.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    next: u64,
    waiting: BTreeMap<FetchId, Waiting>,
}

#[derive(Debug)]
enum Waiting {
    /// Requests to this replica for one position.
    Asks(u64, Vec<(Asker, Ask)>, u32),
    Read(Read),
}

/// A client's read.
#[derive(Debug)]
struct Read {
    id: RequestId,
    next: u64,
    to: u64,
    entries: Vec<(u64, Bytes)>,
    tries: u32,
}

impl Fetches {
    fn start(&mut self, waiting: Waiting, from: u64, to: u64, out: &mut Outbox<Effect>) {
        self.next += 1;
        let id = FetchId(self.next);
        self.waiting.insert(id, waiting);
        out.push(Effect::Fetch(id, known_key(from), known_key(to)));
    }
}

impl Log {
    /// A request to this replica needs the bytes of a position. Those behind it are read too: who catches up asks for them next.
    pub(crate) fn fetch_for(&mut self, position: u64, asker: Asker, ask: Ask, tries: u32, out: &mut Outbox<Effect>) {
        for waiting in self.fetches.waiting.values_mut() {
            if let Waiting::Asks(at, asks, _) = waiting
                && *at == position
            {
                return asks.push((asker, ask));
            }
        }
        if tries < TRIES {
            let to = position.saturating_add(RUN - 1).min(self.replica.end().max(position));
            self.fetches.start(Waiting::Asks(position, vec![(asker, ask)], tries + 1), position, to, out);
        }
    }

    pub(crate) fn fetched(&mut self, id: FetchId, found: Vec<(Vec<u8>, Bytes)>, out: &mut Outbox<Effect>) {
        let Some(waiting) = self.fetches.waiting.remove(&id) else { return };
        let found = self.bodies_of(found);
        match waiting {
            Waiting::Read(read) => self.read_on(read, &found, out),
            Waiting::Asks(position, asks, tries) => {
                let on_disk = crate::bodies::ON_DISK;
                for (at, body) in found {
                    // Kept by force while it is asked for: the others may crowd it out at once.
                    let write = if at == position { WriteKey(u64::MAX) } else { on_disk };
                    if self.replica.bodies.get(at).is_none() {
                        self.replica.bodies.insert(at, body, write);
                    }
                }
                for (asker, ask) in asks {
                    self.ask_replica(asker, ask, tries, out);
                }
                self.replica.bodies.unpin(position);
            }
        }
    }

    /// The bytes that were found and are still what the positions hold.
    fn bodies_of(&self, found: Vec<(Vec<u8>, Bytes)>) -> BTreeMap<u64, Bytes> {
        let mut bodies = BTreeMap::new();
        for (_, value) in found {
            let Ok(Record::Action(action)) = records::record(&value) else { continue };
            let (position, accepted) = (action.position, action.accepted);
            let current = self.replica.slot(position).and_then(|slot| slot.accepted);
            let (Some(accepted), Some(current)) = (accepted, current) else { continue };
            if let Value::Append(bytes) = accepted.value
                && current.kind == Kind::Append
                && current.performed == accepted.performed
            {
                bodies.insert(position, bytes);
            }
        }
        bodies
    }

    pub(crate) fn read(&mut self, id: RequestId, from: u64, to: u64, out: &mut Outbox<Effect>) {
        if !self.is_voting() {
            return self.early_reads.push((id, from, to));
        }
        let wrong = if to < from {
            Some("Bad read range (to < from)")
        } else if from < self.replica.begin() {
            Some("Bad read range (truncated position)")
        } else if self.replica.end() < to {
            Some("Bad read range (past end of log)")
        } else {
            None
        };
        match wrong {
            Some(text) => answer(Answer::ReadFailed(id, text.to_owned()), out),
            None => self.read_on(Read { id, next: from, to, entries: Vec::new(), tries: 0 }, &BTreeMap::new(), out),
        }
    }

    fn read_on(&mut self, mut read: Read, found: &BTreeMap<u64, Bytes>, out: &mut Outbox<Effect>) {
        let fail = |id, text: &str, out: &mut Outbox<Effect>| answer(Answer::ReadFailed(id, text.to_owned()), out);
        while read.next <= read.to {
            let position = read.next;
            if position < self.replica.begin() {
                return fail(read.id, "Bad read range (truncated position)", out);
            }
            match self.replica.slot(position) {
                None => return fail(read.id, "Bad read range (includes missing entries)", out),
                Some(slot) if !slot.learned => return fail(read.id, "Bad read range (includes pending entries)", out),
                Some(slot) if slot.has_body() => {
                    match self.replica.bodies.get(position).or_else(|| found.get(&position)) {
                        Some(bytes) => read.entries.push((position, bytes.clone())),
                        None if read.tries == TRIES => {
                            return fail(read.id, "Failed to read from the local store", out);
                        }
                        None => return self.fetch_read(read, out),
                    }
                }
                Some(Slot { .. }) => {}
            }
            (read.next, read.tries) = (position + 1, 0);
        }
        answer(Answer::Entries(read.id, read.entries), out);
    }

    fn fetch_read(&mut self, mut read: Read, out: &mut Outbox<Effect>) {
        let (from, to) = (read.next, read.next.saturating_add(RUN - 1).min(read.to));
        read.tries += 1;
        self.fetches.start(Waiting::Read(read), from, to, out);
    }
}
