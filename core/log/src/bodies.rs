//! The appended bytes that are in memory. All of them are on the disk or on their way there.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use tepui_base::WriteKey;

/// How many appended bytes stay in memory. A registry is truncated to a few entries and is never read again while its master
/// runs, so this is for what a replica that catches up, or a new writer, reads: the end of the log. 1.11 keeps none, and reads
/// each from LevelDB (whose own cache is 8 MiB).
pub const BODIES_BYTES_MAX: usize = 64 << 20;

/// The key of what was read from the disk.
pub(crate) const ON_DISK: WriteKey = WriteKey(0);

/// Appended bytes by position.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    held: BTreeMap<u64, Held>,
    /// Positions in the order in which they came, with the number of their coming.
    order: VecDeque<(u64, u64)>,
    next: u64,
    bytes: usize,
    bytes_max: usize,
    /// Every write up to this one is durable.
    durable: WriteKey,
}

#[derive(Clone, Debug)]
struct Held {
    body: Bytes,
    /// The write that brings it to the disk.
    write: WriteKey,
    number: u64,
}

impl Default for Bodies {
    fn default() -> Bodies {
        Bodies {
            held: BTreeMap::new(),
            order: VecDeque::new(),
            next: 0,
            bytes: 0,
            bytes_max: BODIES_BYTES_MAX,
            durable: ON_DISK,
        }
    }
}

impl Bodies {
    /// Holds the bytes of a position. They cannot be dropped before `write` is durable.
    pub fn insert(&mut self, position: u64, body: Bytes, write: WriteKey) {
        self.bytes += body.len();
        self.next += 1;
        self.order.push_back((position, self.next));
        if let Some(old) = self.held.insert(position, Held { body, write, number: self.next }) {
            self.bytes -= old.body.len();
        }
        self.shrink();
    }

    /// Holds no more than this from now on.
    pub fn limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.shrink();
    }

    /// The bytes of a position, if they are in memory.
    pub fn get(&self, position: u64) -> Option<&Bytes> {
        self.held.get(&position).map(|held| &held.body)
    }

    /// How many bytes are in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was held by force (with a write that never comes) may go from now on.
    pub fn unpin(&mut self, position: u64) {
        if let Some(held) = self.held.get_mut(&position).filter(|held| held.write == WriteKey(u64::MAX)) {
            held.write = ON_DISK;
        }
        self.shrink();
    }

    /// Forgets the bytes of a position.
    pub fn remove(&mut self, position: u64) {
        if let Some(old) = self.held.remove(&position) {
            self.bytes -= old.body.len();
        }
    }

    /// Forgets every position before `to`.
    pub fn remove_before(&mut self, to: u64) {
        let kept = self.held.split_off(&to);
        for held in std::mem::replace(&mut self.held, kept).into_values() {
            self.bytes -= held.body.len();
        }
        self.forget_order();
    }

    /// Writes up to this one are durable: what only waited for them may go.
    pub fn durable(&mut self, key: WriteKey) {
        self.durable = key;
        self.shrink();
    }

    /// Lets go of what came first. What is not durable yet comes last from then on.
    fn shrink(&mut self) {
        for _ in 0..self.order.len() {
            if self.bytes <= self.bytes_max {
                break;
            }
            let Some((position, number)) = self.order.pop_front() else { break };
            match self.held.get(&position) {
                Some(held) if held.number != number => {}
                Some(held) if held.write > self.durable => self.order.push_back((position, number)),
                _ => self.remove(position),
            }
        }
        self.forget_order();
    }

    /// Positions that are gone or came again are taken out of the order when they are most of it.
    fn forget_order(&mut self) {
        if self.order.len() > 2 * self.held.len() + 64 {
            let held = &self.held;
            self.order.retain(|(position, number)| held.get(position).is_some_and(|held| held.number == *number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_durable_stays() {
        let mut bodies = Bodies::default();
        let body = Bytes::from(vec![0; BODIES_BYTES_MAX / 2 + 1]);
        bodies.insert(1, body.clone(), WriteKey(1));
        bodies.insert(2, body.clone(), WriteKey(2));
        assert!(bodies.get(1).is_some() && bodies.get(2).is_some());
        bodies.durable(WriteKey(1));
        assert!(bodies.get(1).is_none() && bodies.get(2).is_some());
        bodies.insert(3, body, ON_DISK);
        assert!(bodies.get(2).is_some() && bodies.get(3).is_none(), "the only one that may go");
    }

    #[test]
    fn the_order_stays_as_long_as_what_is_held() {
        let mut bodies = Bodies::default();
        for round in 0..1000 {
            bodies.insert(round % 3, Bytes::from_static(b"abc"), ON_DISK);
            bodies.remove_before(round % 2);
        }
        assert!(bodies.order.len() < 100 && bodies.bytes() <= 9);
    }
}
