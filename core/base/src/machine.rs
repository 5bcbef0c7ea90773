//! The contract of everything that decides: a state machine without threads, clocks, randomness, files or sockets.

use crate::time::{Instant, Now};

/// All it learns arrives through [`Machine::handle`]; all it does leaves through the outbox.
///
/// A driver (node/driver) or a simulator (sim) calls `handle` for each input in arrival order and `tick` when the
/// deadline has come, then hands the outbox to an [`crate::EffectQueue`]. The same inputs at the same times give the
/// same effects, byte for byte.
pub trait Machine {
    /// What the machine can learn.
    type Input;
    /// What the machine can do.
    type Effect;

    /// Takes one input.
    fn handle(&mut self, now: Now, input: Self::Input, out: &mut Outbox<Self::Effect>);

    /// Does what has come due. Called at or after [`Machine::deadline`]; calling it earlier does no harm.
    fn tick(&mut self, now: Now, out: &mut Outbox<Self::Effect>);

    /// When `tick` wants to be called next, if at all.
    fn deadline(&self) -> Option<Instant>;
}

/// Names one write to the local disk, so that other effects can wait for it. Chosen by the machine, increasing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteKey(pub u64);

/// One effect and what it has to do with the local disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<E> {
    /// Leaves at once.
    Free(E),
    /// A write; durable once the driver has synced it.
    Write(WriteKey, E),
    /// A write that nothing waits for. It goes to the disk with the next [`Entry::Write`], in order, and costs no
    /// sync of its own; a crash before that loses it.
    Lazy(E),
    /// Leaves once the write of that key is durable.
    After(WriteKey, E),
}

/// The effects of one call, in order.
#[derive(Debug)]
pub struct Outbox<E> {
    entries: Vec<Entry<E>>,
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Outbox { entries: Vec::new() }
    }
}

impl<E> Outbox<E> {
    /// An effect that waits for nothing.
    pub fn push(&mut self, effect: E) {
        self.entries.push(Entry::Free(effect));
    }

    /// A write to the local disk, known by `key`.
    pub fn write(&mut self, key: WriteKey, effect: E) {
        self.entries.push(Entry::Write(key, effect));
    }

    /// A write that may be lost in a crash and that nothing waits for: it joins the next [`Outbox::write`].
    pub fn lazy(&mut self, effect: E) {
        self.entries.push(Entry::Lazy(effect));
    }

    /// An effect that must not be seen before the write `key` is durable ("checkpoint, then forward").
    pub fn after(&mut self, key: WriteKey, effect: E) {
        self.entries.push(Entry::After(key, effect));
    }

    /// Puts in all that is in another one, after what is here.
    pub fn append(&mut self, mut other: Outbox<E>) {
        self.entries.append(&mut other.entries);
    }

    /// Takes all entries, leaving the outbox empty with its capacity kept.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Entry<E>> {
        self.entries.drain(..)
    }

    /// Whether nothing was put in.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
