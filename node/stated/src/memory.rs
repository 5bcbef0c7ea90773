//! Variables that end with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tepui_state::{Entry, Uuid, check_expunge, check_set};

/// See the module's text.
#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, Entry>>);

impl Memory {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, name: &str) -> Option<Entry> {
        self.entries().get(name).cloned()
    }

    pub fn set(&self, entry: Entry, known: &Uuid) -> bool {
        let mut entries = self.entries();
        let may = check_set(entries.get(&entry.name), known);
        if may {
            entries.insert(entry.name.clone(), entry);
        }
        may
    }

    pub fn expunge(&self, entry: &Entry) -> bool {
        let mut entries = self.entries();
        check_expunge(entries.get(&entry.name), &entry.uuid) && entries.remove(&entry.name).is_some()
    }

    pub fn names(&self) -> BTreeSet<String> {
        self.entries().keys().cloned().collect()
    }
}
