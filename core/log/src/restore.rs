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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn stored(position: u64, value: Value, learned: bool) -> (Vec<u8>, Bytes) {
        (records::known_key(position), records::action_value(&Action::of(position, 2, value, learned)))
    }

    fn entry(position: u64) -> (Vec<u8>, Bytes) {
        stored(position, Value::Append(Bytes::from_static(b"x")), true)
    }

    fn restored(pairs: &[(Vec<u8>, Bytes)]) -> Restored {
        let forward = Restored::from_pairs(pairs.iter().cloned()).unwrap();
        let backward = Restored::from_pairs(pairs.iter().rev().cloned()).unwrap();
        assert_eq!(
            (forward.range(), &forward.stale, forward.anchor),
            (backward.range(), &backward.stale, backward.anchor)
        );
        forward
    }

    #[test]
    fn a_truncation_that_was_decided_is_in_force_and_one_that_was_not_is_none() {
        let held = restored(&[entry(1), entry(2), entry(3), stored(5, Value::Truncate(3), true)]);
        assert_eq!((held.range(), held.missing(), held.anchor), ((3, 5), 1, Some(5)));
        assert_eq!(held.stale, BTreeSet::from([1, 2]), "their deletes were lost");
        assert!(held.slots.keys().eq(&[3, 5]) && held.bodies.get(2).is_none() && held.bodies.get(3).is_some());
        let held = restored(&[entry(1), stored(5, Value::Truncate(3), false)]);
        assert_eq!((held.range(), held.missing(), held.anchor), ((0, 5), 5, None));
        let held = restored(&[entry(1), stored(4, Value::Nop { tombstone: true }, true)]);
        assert_eq!((held.range(), held.anchor), ((5, 4), Some(4)), "what is truncated was before a later position");
    }

    /// If it went, the next start would find the log to begin at zero.
    #[test]
    fn the_record_that_says_where_the_log_begins_stays_though_it_is_truncated() {
        let held = restored(&[entry(1), stored(2, Value::Truncate(9), true)]);
        assert_eq!((held.range(), held.anchor), ((9, 2), Some(2)));
        assert_eq!(held.stale, BTreeSet::from([1]));
    }

    #[test]
    fn what_stands_under_the_key_of_another_is_refused() {
        let metadata = records::metadata_value(Metadata { status: Status::Voting, promised: 7 });
        let promise = Bytes::from_static(&[8, 1, 18, 2, 8, 6]);
        for value in [&metadata, &promise, &entry(2).1] {
            let error = Restored::from_pairs([(records::known_key(1), value)]).unwrap_err();
            assert!(matches!(error, Error::Misplaced { .. }), "{error}");
        }
        let error = Restored::from_pairs([(METADATA_KEY, entry(2).1)]).unwrap_err();
        assert!(matches!(error, Error::Misplaced { .. }), "{error}");
        let held = |value| Restored::from_pairs([(METADATA_KEY, value)]).unwrap().metadata();
        assert_eq!(held(metadata), Metadata { status: Status::Voting, promised: 7 });
        assert_eq!(held(promise), Metadata { status: Status::Voting, promised: 6 });
    }

    #[test]
    fn only_an_empty_replica_is_initialized() {
        let voting = Metadata { status: Status::Voting, promised: 0 };
        let change = crate::Change::Put(METADATA_KEY.to_vec(), records::metadata_value(voting));
        assert_eq!(initialize(&Restored::default()), Some(vec![change]));
        for status in [Status::Voting, Status::Recovering, Status::Starting] {
            let begun = Restored { metadata: Metadata { status, promised: 0 }, ..Restored::default() };
            assert_eq!(initialize(&begun), None, "{status:?}");
        }
    }
}
