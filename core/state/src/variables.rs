//! The storage in memory. Source: Mesos `src/state/in_memory.cpp`.

use crate::entry::{Entry, Uuid, check_expunge, check_set};
use std::collections::BTreeMap;

/// Variables by name, in memory: they end with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    entries: BTreeMap<String, Entry>,
}

impl Variables {
    /// A variable, if it is stored.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Stores a variable, unless there is another version of it than the known one. Whether it did.
    pub fn set(&mut self, entry: Entry, known: &Uuid) -> bool {
        let may = check_set(self.get(&entry.name), known);
        if may {
            self.entries.insert(entry.name.clone(), entry);
        }
        may
    }

    /// Removes a variable, if it is stored in this version. Whether it did.
    pub fn expunge(&mut self, entry: &Entry) -> bool {
        let may = check_expunge(self.get(&entry.name), &entry.uuid);
        if may {
            self.entries.remove(&entry.name);
        }
        may
    }

    /// The names of what is stored, in order.
    pub fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }
}
