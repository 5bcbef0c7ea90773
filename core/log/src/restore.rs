//! A replica's memory, built from its directory.

use crate::bodies::{Bodies, ON_DISK};
use crate::intervals::Intervals;
use crate::records::{self, METADATA_KEY, Metadata, Record, Status, key};
use crate::slot::Slot;
use crate::{Action, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What a replica keeps in memory of what is on its disk.
#[derive(Clone, Debug)]
pub struct Restored {
    pub(crate) metadata: Metadata,
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) learned: Intervals,
    pub(crate) slots: BTreeMap<u64, Slot>,
    pub(crate) bodies: Bodies,
    /// Truncated positions that are still on the disk: a truncation's deletes may have been lost.
    pub(crate) stale: BTreeSet<u64>,
    /// The position that says where the log begins; it has to stay until another one says it.
    pub(crate) anchor: Option<u64>,
}

/// Why a directory cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value that is no record.
    #[error("Failed to recover the log: the value of key '{key}': {error}")]
    Record {
        /// Where it stands.
        key: String,
        /// What is wrong with it.
        error: records::Error,
    },
    /// A record that stands under the key of another one.
    #[error("Failed to recover the log: key '{key}' holds {what}")]
    Misplaced {
        /// Where it stands.
        key: String,
        /// What stands there.
        what: String,
    },
}

impl Default for Restored {
    /// What an empty directory gives.
    fn default() -> Restored {
        Restored {
            metadata: Metadata { status: Status::Empty, promised: 0 },
            begin: 0,
            end: 0,
            learned: Intervals::default(),
            slots: BTreeMap::new(),
            bodies: Bodies::default(),
            stale: BTreeSet::new(),
            anchor: None,
        }
    }
}

impl Restored {
    /// From the keys and values of the directory, in any order.
    ///
    /// 1.11 does not look at keys. We do: a record under a key that is not its own would be read once and never again.
    pub fn from_pairs<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Restored, Error> {
        let mut restored = Restored::default();
        for (key, value) in pairs {
            let key = key.as_ref();
            let record = records::record(value.as_ref()).map_err(|error| Error::Record { key: text(key), error })?;
            restored.add(key, record)?;
        }
        restored.forget_truncated();
        Ok(restored)
    }

    /// In which part of its life the replica is, and what it promised for all positions.
    pub fn metadata(&self) -> Metadata {
        self.metadata
    }

    /// The first position that is not truncated, and the last one.
    pub fn range(&self) -> (u64, u64) {
        (self.begin, self.end)
    }

    /// How many positions from begin to end are not known to be decided.
    pub fn missing(&self) -> u64 {
        self.learned.count_outside(self.begin, self.end)
    }

    fn add(&mut self, at: &[u8], record: Record) -> Result<(), Error> {
        let misplaced = |what: String| Err(Error::Misplaced { key: text(at), what });
        match record {
            Record::Metadata(metadata) if at == METADATA_KEY => self.metadata = metadata,
            // A replica of that time did not catch up, and is certainly not empty.
            Record::Promise(promised) if at == METADATA_KEY => {
                self.metadata = Metadata { status: Status::Voting, promised };
            }
            Record::Metadata(_) | Record::Promise(_) => return misplaced("the metadata".to_owned()),
            Record::Action(action) if key(action.position).as_deref() == Some(at) => self.add_action(action),
            Record::Action(action) => return misplaced(format!("position {}", action.position)),
        }
        Ok(())
    }

    fn add_action(&mut self, action: Action) {
        let position = action.position;
        self.end = self.end.max(position);
        if action.learned {
            self.learned.insert(position);
            let begin = match action.value() {
                Some(Value::Truncate(to)) => *to,
                // What truncated it stands at a later position, which this replica has not seen.
                Some(Value::Nop { tombstone: true }) => position + 1,
                _ => 0,
            };
            if begin > self.begin {
                (self.begin, self.anchor) = (begin, Some(position));
            }
        }
        let (slot, body) = Slot::split(action);
        self.slots.insert(position, slot);
        if let Some(body) = body {
            self.bodies.insert(position, body, ON_DISK);
        }
    }

    fn forget_truncated(&mut self) {
        let kept = self.slots.split_off(&self.begin);
        let truncated = std::mem::replace(&mut self.slots, kept);
        self.stale = truncated.into_keys().filter(|position| Some(*position) != self.anchor).collect();
        self.bodies.remove_before(self.begin);
        self.learned.remove_before(self.begin);
    }
}

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

/// The changes that make an empty directory a voting replica, as `mesos-log initialize` does: `None` if the replica has
/// begun already.
pub fn initialize(restored: &Restored) -> Option<Vec<crate::Change>> {
    let empty = restored.metadata.status == Status::Empty;
    let value = records::metadata_value(Metadata { status: Status::Voting, promised: restored.metadata.promised });
    empty.then(|| vec![crate::Change::Put(METADATA_KEY.to_vec(), value)])
}
