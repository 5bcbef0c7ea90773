//! A disk that fails as disks do: keys and values, written in batches, durable only after a sync.
//!
//! What is written and not yet synced is lost in a crash from some point on: each batch is there whole or not at all, and
//! none is there without those before it (a torn last record is recognised by its checksum and dropped). A sync takes its
//! time, may be slow, and may fail: then again any suffix is lost, and what was read back is durable, because whoever opens
//! the directory again writes what it has found to a new table and syncs that.
//!
//! A flipped bit is not seen before the next open; the opener finds it by a checksum and refuses. What it has held is
//! lost with it, acknowledged or not: see docs/simulation.md for what that means for a quorum.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use tepui_base::Rng;
use tepui_log::Change;

/// What a disk is like at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Quick.
    #[default]
    Good,
    /// Syncs take long.
    Slow,
    /// Nothing can be written.
    Full,
    /// The next sync fails.
    Failing,
}

/// Why a disk cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// A checksum does not fit.
    Corrupt,
    /// There is no room, not even for the table that every open writes.
    Full,
    /// The kernel could not write.
    Io,
}

/// What a good disk takes for a sync at most, in nanoseconds.
const SYNC_NANOS: u64 = 2_000_000;
/// What a slow disk takes at most.
const SLOW_NANOS: u64 = 3_000_000_000;

/// One disk.
#[derive(Debug, Default)]
pub struct Disk {
    /// What a read finds.
    seen: BTreeMap<Vec<u8>, Bytes>,
    /// What is in `seen` and not durable, in order, each with the way back.
    unsynced: Vec<Unsynced>,
    corrupt: bool,
    /// What it is like at present.
    pub health: Health,
}

/// A batch that may be lost.
#[derive(Debug)]
struct Unsynced {
    batch: Vec<Change>,
    /// For each change what was there before it.
    before: Vec<Option<Bytes>>,
}

impl Disk {
    /// Takes batches, each of which is there whole or not at all. They are read from now on and durable after the next
    /// [`Disk::sync`].
    pub fn write(&mut self, batches: Vec<Vec<Change>>) {
        for batch in batches {
            let before = batch.iter().map(|change| apply(&mut self.seen, change)).collect();
            self.unsynced.push(Unsynced { batch, before });
        }
    }

    /// How long a sync begun now will take.
    pub fn sync_time(&self, rng: &mut Rng) -> Duration {
        let most = if self.health == Health::Slow { SLOW_NANOS } else { SYNC_NANOS };
        Duration::from_nanos(most / 20 + rng.below(most))
    }

    /// Makes everything durable and gives what became so; or fails: then power may as well have been lost
    /// ([`Disk::crash`]), and it has to be opened again.
    pub fn sync(&mut self) -> Result<Vec<Vec<Change>>, DiskError> {
        match self.health {
            Health::Good | Health::Slow => Ok(self.unsynced.drain(..).map(|unsynced| unsynced.batch).collect()),
            Health::Full => Err(DiskError::Full),
            Health::Failing => {
                self.health = Health::Good;
                Err(DiskError::Io)
            }
        }
    }

    /// Power is lost: so is any suffix of what was not synced. Gives what became durable all the same.
    pub fn crash(&mut self, rng: &mut Rng) -> Vec<Vec<Change>> {
        let kept = rng.below(self.unsynced.len() as u64 + 1) as usize;
        for Unsynced { batch, before } in self.unsynced.drain(kept..).rev() {
            batch.into_iter().zip(before).rev().for_each(|(change, before)| undo(&mut self.seen, change, before));
        }
        self.unsynced.drain(..).map(|unsynced| unsynced.batch).collect()
    }

    /// One bit of what is stored changes, if anything is.
    pub fn flip(&mut self) -> bool {
        let mut unsynced = self.unsynced.iter().flat_map(|unsynced| &unsynced.batch);
        // What was there before the first of them, or was not touched by any, is durable.
        self.corrupt = self.seen.keys().any(|key| self.durable(key).is_some())
            || unsynced.any(|change| self.durable(key_of(change)).is_some());
        self.corrupt
    }

    /// Looks whether it can be used, as the opener does before the machine starts.
    pub fn open(&self) -> Result<(), DiskError> {
        match () {
            () if self.corrupt => Err(DiskError::Corrupt),
            () if self.health == Health::Full => Err(DiskError::Full),
            () => Ok(()),
        }
    }

    /// Nothing is left: what an operator does with a corrupt one.
    pub fn wipe(&mut self) {
        *self = Disk { health: self.health, ..Disk::default() };
    }

    /// What a read of these keys finds, both included.
    pub fn read(&self, from: &[u8], to: &[u8]) -> Vec<(Vec<u8>, Bytes)> {
        if from > to {
            return Vec::new();
        }
        self.seen.range(from.to_vec()..=to.to_vec()).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// All that a read finds.
    pub fn read_all(&self) -> Vec<(Vec<u8>, Bytes)> {
        self.seen.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// What would be found under a key after a crash now.
    pub fn durable(&self, key: &[u8]) -> Option<&Bytes> {
        let changes = self.unsynced.iter().flat_map(|unsynced| unsynced.batch.iter().zip(&unsynced.before));
        match changes.into_iter().find(|(change, _)| key_of(change) == key) {
            Some((_, before)) => before.as_ref(),
            None => self.seen.get(key),
        }
    }
}

fn key_of(change: &Change) -> &[u8] {
    match change {
        Change::Put(key, _) | Change::Delete(key) => key,
    }
}

/// Gives what was there before.
fn apply(map: &mut BTreeMap<Vec<u8>, Bytes>, change: &Change) -> Option<Bytes> {
    match change {
        Change::Put(key, value) => map.insert(key.clone(), value.clone()),
        Change::Delete(key) => map.remove(key),
    }
}

fn undo(map: &mut BTreeMap<Vec<u8>, Bytes>, change: Change, before: Option<Bytes>) {
    let (Change::Put(key, _) | Change::Delete(key)) = change;
    match before {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: u8) -> Change {
        Change::Put(vec![key], Bytes::from_static(b"x"))
    }

    fn keys(disk: &Disk) -> Vec<u8> {
        let all = disk.read_all();
        all.iter().map(|(key, _)| key[0]).filter(|key| disk.durable(&[*key]).is_some()).collect()
    }

    #[test]
    fn a_crash_loses_a_suffix_and_no_half_of_a_batch() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let (mut disk, mut rng) = (Disk::default(), Rng::new(seed));
            disk.write(vec![vec![put(1)]]);
            disk.sync().unwrap();
            disk.write(vec![vec![put(2), put(3)], vec![put(4)]]);
            assert_eq!(disk.read(&[2], &[9]).len(), 3, "what is written is read at once");
            disk.crash(&mut rng);
            assert_eq!(disk.read_all().len(), keys(&disk).len());
            assert!(disk.sync().unwrap().is_empty(), "what is left is durable");
            seen.insert(keys(&disk));
        }
        let all: Vec<Vec<u8>> = seen.into_iter().collect();
        assert_eq!(all, [vec![1], vec![1, 2, 3], vec![1, 2, 3, 4]]);
    }

    #[test]
    fn what_was_written_over_comes_back_in_a_crash() {
        let value = |text: &'static str| Change::Put(vec![1], Bytes::from_static(text.as_bytes()));
        let found = |disk: &Disk| disk.durable(&[1]).map(|value| value.to_vec());
        for seed in 0..50 {
            let (mut disk, mut rng) = (Disk::default(), Rng::new(seed));
            disk.write(vec![vec![value("old")]]);
            disk.sync().unwrap();
            disk.write(vec![vec![value("new"), Change::Delete(vec![1])], vec![value("newest")]]);
            assert_eq!(found(&disk), Some(b"old".to_vec()));
            let expected = match disk.crash(&mut rng).len() {
                0 => Some(b"old".to_vec()),
                1 => None,
                _ => Some(b"newest".to_vec()),
            };
            assert_eq!((found(&disk), disk.read_all().len()), (expected.clone(), usize::from(expected.is_some())));
        }
    }

    #[test]
    fn a_flip_is_found_at_the_next_open_and_a_full_disk_takes_nothing() {
        let mut disk = Disk::default();
        assert!(!disk.flip(), "nothing is stored");
        disk.write(vec![vec![put(1)]]);
        disk.health = Health::Full;
        assert_eq!(disk.sync(), Err(DiskError::Full));
        disk.health = Health::Good;
        disk.sync().unwrap();
        assert!(disk.open().is_ok() && disk.flip());
        assert_eq!(disk.open(), Err(DiskError::Corrupt));
        disk.wipe();
        assert!(disk.open().is_ok() && keys(&disk).is_empty());
    }
}
