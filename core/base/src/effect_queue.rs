//! Holds effects back until what they depend on is on the local disk.
//!
//! One implementation, used by the node's driver and by the simulator. Free effects leave at once; writes gather into
//! a batch that one sync makes durable; effects that wait for a write leave in the order they were put in once it is.
//! `handle` goes on during a sync: what it writes meanwhile joins the next batch. Lazy writes join it too, in their place,
//! but do not call for one.
//!
//! After a failed write or sync the queue is dropped and the machine rebuilt by recovery; a sync is never retried
//! (the kernel may have thrown the dirty pages away and would then report success).

use crate::machine::{Entry, Outbox, WriteKey};
use std::collections::{BTreeSet, VecDeque};

/// Effects between a machine and the world. See the module's text.
#[derive(Debug)]
pub struct EffectQueue<E> {
    ready: VecDeque<E>,
    /// In order; lazy ones have no key.
    writes: Vec<(Option<WriteKey>, E)>,
    /// Keys handed out by [`EffectQueue::begin_sync`] and not yet durable.
    syncing: BTreeSet<WriteKey>,
    /// Keys not durable yet: those in `writes` and those in `syncing`.
    pending: BTreeSet<WriteKey>,
    held: VecDeque<(WriteKey, E)>,
}

impl<E> Default for EffectQueue<E> {
    fn default() -> Self {
        EffectQueue {
            ready: VecDeque::new(),
            writes: Vec::new(),
            syncing: BTreeSet::new(),
            pending: BTreeSet::new(),
            held: VecDeque::new(),
        }
    }
}

impl<E> EffectQueue<E> {
    /// Takes over what one call of the machine put out.
    pub fn submit(&mut self, out: &mut Outbox<E>) {
        for entry in out.drain() {
            match entry {
                Entry::Free(effect) => self.ready.push_back(effect),
                Entry::Write(key, effect) => {
                    self.pending.insert(key);
                    self.writes.push((Some(key), effect));
                }
                Entry::Lazy(effect) => self.writes.push((None, effect)),
                Entry::After(key, effect) if self.pending.contains(&key) => self.held.push_back((key, effect)),
                Entry::After(_, effect) => self.ready.push_back(effect),
            }
        }
    }

    /// The next effect that may leave now.
    pub fn pop_ready(&mut self) -> Option<E> {
        self.ready.pop_front()
    }

    /// The writes to perform and make durable with one sync, if any calls for it and no sync is under way.
    pub fn begin_sync(&mut self) -> Option<Vec<E>> {
        if !self.syncing.is_empty() || self.pending.is_empty() {
            return None;
        }
        let batch = std::mem::take(&mut self.writes);
        self.syncing.extend(batch.iter().filter_map(|(key, _)| *key));
        Some(batch.into_iter().map(|(_, effect)| effect).collect())
    }

    /// The lazy writes that no other write has taken along: what an orderly end still brings to the disk. Empty while
    /// another write waits or is under way.
    pub fn take_lazy(&mut self) -> Vec<E> {
        if !self.pending.is_empty() {
            return Vec::new();
        }
        self.writes.drain(..).map(|(_, effect)| effect).collect()
    }

    /// The batch of [`EffectQueue::begin_sync`] is durable: what waited for it becomes ready, in order.
    pub fn finish_sync(&mut self) {
        for key in std::mem::take(&mut self.syncing) {
            // A key written again while the sync ran stays pending until that write is durable too.
            if !self.writes.iter().any(|(again, _)| *again == Some(key)) {
                self.pending.remove(&key);
            }
        }
        let (held, pending) = (std::mem::take(&mut self.held), &self.pending);
        for (key, effect) in held {
            if pending.contains(&key) {
                self.held.push_back((key, effect));
            } else {
                self.ready.push_back(effect);
            }
        }
    }

    /// Whether nothing is ready, held or unwritten.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.pending.is_empty()
    }

    /// How many effects wait for the disk: a measure of back-pressure.
    pub fn held_len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut EffectQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop_ready()).collect()
    }

    #[test]
    fn free_effects_overtake_held_ones() {
        let (mut queue, mut out) = (EffectQueue::default(), Outbox::default());
        out.write(WriteKey(1), "checkpoint");
        out.after(WriteKey(1), "forward");
        out.push("ping");
        queue.submit(&mut out);
        assert_eq!(drain(&mut queue), ["ping"]);
        assert_eq!(queue.begin_sync(), Some(vec!["checkpoint"]));
        assert_eq!(drain(&mut queue), [""; 0]);
        queue.finish_sync();
        assert_eq!(drain(&mut queue), ["forward"]);
        assert!(queue.is_idle());
    }

    #[test]
    fn one_sync_serves_all_writes_gathered_meanwhile() {
        let (mut queue, mut out) = (EffectQueue::default(), Outbox::default());
        out.write(WriteKey(1), "a");
        queue.submit(&mut out);
        assert_eq!(queue.begin_sync(), Some(vec!["a"]));
        out.write(WriteKey(2), "b");
        out.write(WriteKey(3), "c");
        out.after(WriteKey(1), "after a");
        out.after(WriteKey(3), "after c");
        queue.submit(&mut out);
        assert_eq!(queue.begin_sync(), None, "one sync at a time");
        queue.finish_sync();
        assert_eq!(drain(&mut queue), ["after a"]);
        assert_eq!(queue.begin_sync(), Some(vec!["b", "c"]));
        queue.finish_sync();
        assert_eq!(drain(&mut queue), ["after c"]);
    }

    #[test]
    fn a_key_written_again_during_a_sync_is_not_durable_yet() {
        let (mut queue, mut out) = (EffectQueue::default(), Outbox::default());
        out.write(WriteKey(1), "old");
        queue.submit(&mut out);
        queue.begin_sync();
        out.write(WriteKey(1), "new");
        out.after(WriteKey(1), "tell");
        queue.submit(&mut out);
        queue.finish_sync();
        assert_eq!(drain(&mut queue), [""; 0]);
        queue.begin_sync();
        queue.finish_sync();
        assert_eq!(drain(&mut queue), ["tell"]);
    }

    #[test]
    fn a_lazy_write_calls_for_no_sync_and_joins_the_next_one_in_its_place() {
        let (mut queue, mut out) = (EffectQueue::default(), Outbox::default());
        out.lazy("a");
        queue.submit(&mut out);
        assert_eq!(queue.begin_sync(), None);
        assert!(queue.is_idle(), "nothing waits for it");
        out.write(WriteKey(1), "b");
        out.lazy("c");
        queue.submit(&mut out);
        assert_eq!(queue.begin_sync(), Some(vec!["a", "b", "c"]));
        queue.finish_sync();
        out.lazy("d");
        queue.submit(&mut out);
        assert_eq!((queue.begin_sync(), queue.take_lazy()), (None, vec!["d"]));
    }

    #[test]
    fn waiting_for_what_is_durable_already_is_no_wait() {
        let (mut queue, mut out) = (EffectQueue::<&str>::default(), Outbox::default());
        out.after(WriteKey(9), "go");
        queue.submit(&mut out);
        assert_eq!(drain(&mut queue), ["go"]);
    }
}
