//! What is in no table yet: the newest write of each key.

use crate::leveldb::batch::Change;
use crate::leveldb::key::{Entry, Sequence};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What an entry costs beside its key and value, about.
const ENTRY_BYTES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Memory {
    entries: BTreeMap<Vec<u8>, (Sequence, Option<Bytes>)>,
    bytes: usize,
}

impl Memory {
    pub fn put(&mut self, sequence: Sequence, change: &Change) {
        let value = match change {
            Change::Put(_, value) => Some(value.clone()),
            Change::Delete(_) => None,
        };
        self.bytes += change.key().len() + value.as_ref().map_or(0, Bytes::len) + ENTRY_BYTES;
        if let Some((_, old)) = self.entries.insert(change.key().to_vec(), (sequence, value)) {
            self.bytes -= change.key().len() + old.map_or(0, |old| old.len()) + ENTRY_BYTES;
        }
    }

    /// What was last written to a key, if it is known here; no value inside means deleted.
    pub fn get(&self, key: &[u8]) -> Option<Option<Bytes>> {
        self.entries.get(key).map(|(_, value)| value.clone())
    }

    /// In order, from `key` on.
    pub fn from(&self, key: &[u8]) -> impl Iterator<Item = Entry> + '_ {
        let range = self.entries.range::<[u8], _>((Bound::Included(key), Bound::Unbounded));
        range.map(|(key, (sequence, value))| Entry { key: key.clone(), sequence: *sequence, value: value.clone() })
    }

    /// About so many bytes of memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
