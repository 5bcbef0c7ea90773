//! What is on its way to the disk.

use crate::{Change, Effect};
use tepui_base::{Outbox, WriteKey};

/// What may be on its way to the disk without anything that calls for a sync. While a replica catches up nothing else is
/// written, and what is lazy waits in memory.
const LAZY_BYTES_MAX: usize = 1 << 20;

/// What one lazy write counts beside its bytes.
const LAZY_OVERHEAD: usize = 64;

/// Hands writes out in order and knows which of them are durable.
#[derive(Debug)]
pub(crate) struct Disk {
    last: WriteKey,
    durable: WriteKey,
    lazy_bytes: usize,
}

impl Default for Disk {
    fn default() -> Disk {
        Disk { last: WriteKey(0), durable: WriteKey(0), lazy_bytes: 0 }
    }
}

impl Disk {
    /// Writes; something waits for it. Its key is [`Disk::last`] from then on.
    pub fn write(&mut self, changes: Vec<Change>, out: &mut Outbox<Effect>) -> WriteKey {
        self.last = WriteKey(self.last.0 + 1);
        self.lazy_bytes = 0;
        out.write(self.last, Effect::Write(changes));
        out.after(self.last, Effect::Durable(self.last));
        self.last
    }

    /// Writes what may be lost. The key is that of the write that will make it durable.
    pub fn lazy(&mut self, changes: Vec<Change>, out: &mut Outbox<Effect>) -> WriteKey {
        self.lazy_bytes += LAZY_OVERHEAD + changes.iter().map(Change::bytes).sum::<usize>();
        if self.lazy_bytes > LAZY_BYTES_MAX {
            return self.write(changes, out);
        }
        out.lazy(Effect::Write(changes));
        WriteKey(self.last.0 + 1)
    }

    /// Lets an effect leave once every write that was not lazy is durable: whatever in memory it depends on is on the disk then.
    pub fn after_all(&self, effect: Effect, out: &mut Outbox<Effect>) {
        if self.is_durable(self.last) { out.push(effect) } else { out.after(self.last, effect) }
    }

    /// The last write that was not lazy.
    pub fn last(&self) -> WriteKey {
        self.last
    }

    /// Takes note that a write, and every one before it, is durable.
    pub fn set_durable(&mut self, key: WriteKey) {
        self.durable = self.durable.max(key.min(self.last));
    }

    /// Whether a write is durable.
    pub fn is_durable(&self, key: WriteKey) -> bool {
        key <= self.durable
    }
}
