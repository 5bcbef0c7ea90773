//! A LevelDB database whose acknowledged writes are on the disk.
//!
//! **What is written when.** A write goes to the end of the write-ahead log as one record, and one fdatasync makes it
//! durable. When log or memory grow large, what is in memory becomes a table, and the database is *installed* anew:
//!
//! 1. the tables are written and synced, and an empty log is made;
//! 2. a MANIFEST that names them is written and synced; the directory is synced, so that all their names are durable;
//! 3. `CURRENT` is replaced: a temporary file, synced, then renamed, and the directory synced;
//! 4. only then are the files that nothing names any more removed.
//!
//! **Opening** does the same with what the old logs hold. So it never appends to a file of before: what a failed sync of the
//! last run may have left in the page cache and not on the disk is written anew from what was read and checked.
//!
//! **Lazy writes** wait in memory and become part of the next synced record. So a log never has more than one record that is
//! not synced, which is what tells a torn end from damage (`leveldb/frame.rs`).
//!
//! After a failed write nothing more is done, and nothing is read, for what is in memory may not be on the disk: the store
//! must be opened anew.

mod install;
mod load;
mod memory;
mod merge;
mod open;
mod table;

pub use open::verify;

use crate::Error;
use crate::leveldb::batch::{self, Change};
use crate::leveldb::frame::Framer;
use crate::leveldb::key::{Entry, Sequence};
use crate::leveldb::names::Name;
use crate::place::{Place, Written};
use bytes::Bytes;
use memory::Memory;
use merge::{Merge, Sorted};
use std::path::PathBuf;
use table::Table;

/// Whether a write must outlive a crash that follows at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On the disk when [`Store::apply`] returns, with all lazy writes before it.
    Sync,
    /// With the next synced write, or when the store is closed; a crash before that loses it.
    Lazy,
}

/// How a store is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether to make a database where none is.
    pub create: bool,
    /// Whether to leave the directory as it is (but for its lock file); then nothing can be written.
    pub read_only: bool,
    /// What is in memory becomes a table at about so many bytes.
    pub memory_bytes: usize,
    /// And at so many bytes of write-ahead log.
    pub wal_bytes: usize,
    /// Lazy writes are synced once they are so many bytes.
    pub lazy_bytes: usize,
    /// Tables that are merged are cut at about so many bytes.
    pub table_bytes: u64,
}

impl Default for Options {
    /// Logs of 32 MiB are read in a tenth of a second, and large enough that tables are seldom written; 8 MiB of live
    /// data in memory; 1 MiB of lazy writes, which is less than one record of a large registry.
    fn default() -> Self {
        Options {
            create: true,
            read_only: false,
            memory_bytes: 8 << 20,
            wal_bytes: 32 << 20,
            lazy_bytes: 1 << 20,
            table_bytes: 4 << 20,
        }
    }
}

/// A torn end that was left out: the rest of a write that nobody was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The file.
    pub path: PathBuf,
    /// Where its whole records end.
    pub offset: u64,
    /// What follows there.
    pub what: String,
}

/// What was found in a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The MANIFEST that `CURRENT` names.
    pub manifest: String,
    /// Each table: its name, level, entries and bytes.
    pub tables: Vec<(String, u64, u64, u64)>,
    /// Each write-ahead log: its name, records and bytes.
    pub wals: Vec<(String, u64, u64)>,
    /// Torn ends.
    pub repairs: Vec<Repair>,
}

impl Report {
    fn torn_wal(&self) -> Option<&Repair> {
        self.repairs.iter().find(|repair| repair.path.extension().is_some())
    }
}

/// So many tables of level 0 are merged: each of them is looked at by every read.
const LEVEL_0_TABLES: usize = 4;

/// A log that is being written.
struct Wal {
    file: Written,
    number: u64,
    framer: Framer,
    bytes: usize,
}

/// An open database. One process has it, and there one thread.
pub struct Store {
    place: Place,
    options: Options,
    tables: Vec<Table>,
    memory: Memory,
    /// None until the database is installed for the first time, and if it is only read.
    wal: Option<Wal>,
    /// Lazy writes that are in memory and not in the log, and about how many bytes they are.
    lazy: (Vec<Change>, usize),
    last_sequence: Sequence,
    next_file: u64,
    report: Report,
    /// Files that were there when the directory was read: they are left alone until the database is installed anew.
    found: Vec<Name>,
    failed: Option<Error>,
    /// Held for as long as the store is open; given back after everything else.
    _lock: Box<dyn Send>,
}

impl Store {
    /// Performs all changes or, if the process or machine dies, none of them. One fdatasync at most, and none if lazy; a
    /// large log is turned into tables first, which costs more. After an error the store must be opened anew.
    pub fn apply(&mut self, changes: &[Change], durability: Durability) -> Result<(), Error> {
        self.maintain()?;
        for change in changes {
            self.last_sequence += 1;
            self.memory.put(self.last_sequence, change);
            let value = if let Change::Put(_, value) = change { value.len() } else { 0 };
            self.lazy.1 += change.key().len() + value;
            self.lazy.0.push(change.clone());
        }
        match durability {
            Durability::Lazy if self.lazy.1 < self.options.lazy_bytes => Ok(()),
            _ => self.sync(),
        }
    }

    /// Makes lazy writes durable.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.lazy.0.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.lazy).0;
        let first = self.last_sequence + 1 - changes.len() as u64;
        let record = batch::encode(first, changes.iter());
        let only_read = || Err(Error::Stopped("it was opened to be read only".to_owned()));
        let result = self.wal.as_mut().map_or_else(only_read, |wal| wal.append(&record));
        self.stop_at(result)
    }

    /// Writes tables and merges them, if it is time. Called by [`Store::apply`]; calling it when nobody waits spares the
    /// next write the time.
    pub fn maintain(&mut self) -> Result<(), Error> {
        self.check()?;
        let large = |wal: &Wal| wal.bytes >= self.options.wal_bytes || self.memory.bytes() >= self.options.memory_bytes;
        if !self.wal.as_ref().is_some_and(large) {
            return Ok(());
        }
        self.sync()?;
        let result = self.rotate().and_then(|()| self.merge_if_due());
        self.stop_at(result)
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.check()?;
        if let Some(value) = self.memory.get(key) {
            return Ok(value);
        }
        let mut newest: Option<Entry> = None;
        for table in &self.tables {
            let found = table.get(key)?;
            newest = found.into_iter().chain(newest).max_by_key(|entry| entry.sequence);
        }
        Ok(newest.and_then(|entry| entry.value))
    }

    /// The values of all keys from one to the other, both included, in order.
    pub fn range(&self, from: &[u8], to: &[u8]) -> Result<Vec<(Vec<u8>, Bytes)>, Error> {
        self.check()?;
        let inside = |entry: &Result<Entry, Error>| entry.as_ref().map_or(true, |entry| entry.key.as_slice() <= to);
        values(self.from(from).take_while(inside)).collect()
    }

    /// All keys and values, in order, read as they are asked for.
    pub fn iterate(&self) -> impl Iterator<Item = Result<(Vec<u8>, Bytes), Error>> + '_ {
        let stopped = self.check().err();
        let pairs = stopped.is_none().then(|| values(self.from(&[])));
        stopped.map(Err).into_iter().chain(pairs.into_iter().flatten())
    }

    /// What was found when it was opened.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Makes lazy writes durable and gives the directory back.
    pub fn close(mut self) -> Result<(), Error> {
        self.sync()
    }

    fn from(&self, key: &[u8]) -> Merge<'_> {
        let tables = self.tables.iter().filter(|table| table.range().1 >= key);
        let tables = tables.map(|table| Box::new(table.from(key)) as Sorted<'_>);
        Merge::new(std::iter::once(Box::new(self.memory.from(key).map(Ok)) as Sorted<'_>).chain(tables))
    }

    fn check(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |failed| Err(Error::Stopped(failed.to_string())))
    }

    fn stop_at<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// What is in memory becomes a table of level 0, and a new log begins.
    fn rotate(&mut self) -> Result<(), Error> {
        let memory = std::mem::take(&mut self.memory);
        let mut entries = memory.from(&[]).map(Ok);
        let next = &mut self.next_file;
        let written = table::write(&self.place, 0, u64::MAX, &mut entries, &mut || take(next));
        let added = self.or_remove(written)?;
        self.install(added, &[], true)
    }

    /// Level 0 and whatever overlaps it become tables of level 1, without what is deleted.
    fn merge_if_due(&mut self) -> Result<(), Error> {
        if self.tables.iter().filter(|table| table.meta.level == 0).count() < LEVEL_0_TABLES {
            return Ok(());
        }
        let inputs = overlapping(&self.tables);
        let tables = self.tables.iter().filter(|table| inputs.contains(&table.meta.number));
        let merge = Merge::new(tables.map(|table| Box::new(table.from(&[])) as Sorted<'_>));
        // Nothing older of these keys is in any other table, so a deletion has nothing left to hide.
        let mut live = merge.filter(|entry| entry.as_ref().map_or(true, |entry| entry.value.is_some()));
        let next = &mut self.next_file;
        let written = table::write(&self.place, 1, self.options.table_bytes, &mut live, &mut || take(next));
        drop(live);
        let added = self.or_remove(written)?;
        self.install(added, &inputs, false)
    }
}

impl Wal {
    fn create(place: &Place, number: u64) -> Result<Wal, Error> {
        let file = place.create(&Name::Wal(number).text())?;
        Ok(Wal { file, number, framer: Framer::default(), bytes: 0 })
    }

    fn append(&mut self, record: &[u8]) -> Result<(), Error> {
        let mut framed = Vec::with_capacity(record.len() + 64);
        self.framer.frame(record, &mut framed);
        self.file.append(&framed)?;
        self.bytes += framed.len();
        self.file.sync()
    }
}

fn take(next: &mut u64) -> u64 {
    *next += 1;
    *next - 1
}

fn values<'a>(
    entries: impl Iterator<Item = Result<Entry, Error>> + 'a,
) -> impl Iterator<Item = Result<(Vec<u8>, Bytes), Error>> + 'a {
    entries.filter_map(|entry| match entry {
        Ok(Entry { key, value: Some(value), .. }) => Some(Ok((key, value))),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The tables of level 0, and those of deeper levels that share keys with them or with each other.
fn overlapping(tables: &[Table]) -> Vec<u64> {
    let mut inputs: Vec<&Table> = tables.iter().filter(|table| table.meta.level == 0).collect();
    loop {
        let first = inputs.iter().map(|table| table.range().0).min().unwrap_or_default();
        let last = inputs.iter().map(|table| table.range().1).max().unwrap_or_default();
        let within = |table: &&Table| table.range().0 <= last && table.range().1 >= first;
        let all: Vec<&Table> = tables.iter().filter(within).collect();
        if all.len() == inputs.len() {
            return inputs.iter().map(|table| table.meta.number).collect();
        }
        inputs = all;
    }
}

impl Drop for Store {
    /// An orderly end keeps lazy writes. Who must know whether they were kept calls [`Store::close`].
    fn drop(&mut self) {
        if let Err(error) = self.sync()
            && self.failed.is_none()
        {
            tracing::warn!(%error, "lazy writes are lost");
        }
    }
}
