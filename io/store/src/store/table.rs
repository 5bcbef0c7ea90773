//! A table on the disk: open, read, check, write.

use crate::Error;
use crate::disk::Source;
use crate::leveldb::edit::Meta;
use crate::leveldb::key::{self, Entry};
use crate::leveldb::names::Name;
use crate::leveldb::table::{self, Builder, FOOTER, Handle};
use crate::leveldb::{Damage, names};
use crate::place::Place;
use std::cmp::Ordering;
use std::path::PathBuf;

/// A table whose index is in memory.
pub(super) struct Table {
    pub meta: Meta,
    path: PathBuf,
    source: Box<dyn Source>,
    length: u64,
    index: Vec<(Vec<u8>, Handle)>,
}

impl Table {
    pub fn open(place: &Place, meta: Meta) -> Result<Table, Error> {
        let (path, source) = find(place, meta.number)?;
        let length = source.len().map_err(Error::io("read the length of", &path))?;
        if length != meta.size || length < FOOTER as u64 {
            let what = format!("the file has {length} bytes and should have {}", meta.size);
            return Err(Error::corrupt(&path, length.min(meta.size), what));
        }
        let mut table = Table { meta, path, source, length, index: Vec::new() };
        let mut footer = [0; FOOTER];
        table.read(length - FOOTER as u64, &mut footer)?;
        let handle = table::footer(&footer, length).map_err(|damage| table.damaged(damage))?;
        let index = table.unpack(handle)?;
        table.index = table::index(&index, handle).map_err(|damage| table.damaged(damage))?;
        Ok(table)
    }

    /// Reads all of it; how many entries it has. An error if anything in it is not as it was written.
    pub fn verify(&self) -> Result<u64, Error> {
        let (mut last, mut count): (Option<Entry>, u64) = (None, 0);
        for (block, (bound, handle)) in self.index.iter().enumerate() {
            let wrong = |what: &str| self.damaged(Damage { offset: handle.offset, what: what.to_owned() });
            for entry in self.block(block)? {
                if last.as_ref().is_some_and(|last| last.order(&entry) != Ordering::Less) {
                    return Err(wrong("keys out of order"));
                }
                if count == 0 && entry.internal() != self.meta.smallest {
                    return Err(wrong("the first key is not that of the MANIFEST"));
                }
                count += 1;
                last = Some(entry);
            }
            if last.as_ref().is_some_and(|last| last.key.as_slice() > key::user(bound)) {
                return Err(wrong("a key beyond what the index says"));
            }
        }
        match last {
            Some(last) if last.internal() == self.meta.largest => Ok(count),
            _ => {
                Err(self
                    .damaged(Damage { offset: self.length, what: "the last key is not that of the MANIFEST".into() }))
            }
        }
    }

    /// The user's part of the first and last key.
    pub fn range(&self) -> (&[u8], &[u8]) {
        (key::user(&self.meta.smallest), key::user(&self.meta.largest))
    }

    /// The newest entry of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        let (first, last) = self.range();
        if key < first || key > last {
            return Ok(None);
        }
        let entry = self.from(key).next().transpose()?;
        Ok(entry.filter(|entry| entry.key == key))
    }

    /// The entries in order, from `key` on. After an error there are no more.
    pub fn from<'a>(&'a self, key: &[u8]) -> impl Iterator<Item = Result<Entry, Error>> + 'a {
        let block = self.index.partition_point(|(last, _)| key::user(last) < key);
        let key = key.to_vec();
        let mut failed = false;
        let blocks = (block..self.index.len()).map_while(move |block| {
            let entries = if failed { return None } else { self.block(block) };
            failed = entries.is_err();
            Some(entries)
        });
        let entries = blocks.flat_map(|entries| match entries {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        });
        entries.skip_while(move |entry| entry.as_ref().is_ok_and(|entry| entry.key < key))
    }

    fn block(&self, number: usize) -> Result<Vec<Entry>, Error> {
        let (_, handle) = self.index[number];
        table::entries(&self.unpack(handle)?, handle).map_err(|damage| self.damaged(damage))
    }

    fn unpack(&self, handle: Handle) -> Result<bytes::Bytes, Error> {
        let outside = || self.damaged(Damage { offset: handle.offset, what: "a block beyond the end".into() });
        let mut extent = vec![0; handle.extent(self.length).ok_or_else(outside)?];
        self.read(handle.offset, &mut extent)?;
        table::unpack(&extent, handle).map_err(|damage| self.damaged(damage))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        self.source.read_at(offset, buffer).map_err(Error::io("read", &self.path))
    }

    fn damaged(&self, damage: Damage) -> Error {
        Error::corrupt(&self.path, damage.offset, damage.what)
    }
}

/// A table's file, under the name of today or that of before LevelDB 1.14.
fn find(place: &Place, number: u64) -> Result<(PathBuf, Box<dyn Source>), Error> {
    let name = Name::Table(number).text();
    let old = format!("{number:06}.sst");
    for name in [&name, &old] {
        match place.open(name) {
            Ok(source) => return Ok((place.path(name), source)),
            Err(Error::Io { .. }) if !place.list()?.contains(name) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::corrupt(&place.path(&name), 0, format!("{} names this table and it is not there", names::CURRENT)))
}

/// Bytes gathered before they are written.
const CHUNK: usize = 64 << 10;

/// Writes entries into tables of about `size` bytes, synced. `number` gives each its number.
pub(super) fn write(
    place: &Place,
    level: u64,
    size: u64,
    entries: &mut dyn Iterator<Item = Result<Entry, Error>>,
    number: &mut dyn FnMut() -> u64,
) -> Result<Vec<Meta>, Error> {
    let (mut metas, mut entries) = (Vec::new(), entries.peekable());
    while entries.peek().is_some() {
        let number = number();
        let mut file = place.create(&Name::Table(number).text())?;
        let (mut builder, mut out) = (Builder::default(), Vec::new());
        while let Some(entry) = entries.next_if(|_| builder.len() < size) {
            builder.add(&entry?, &mut out);
            if out.len() >= CHUNK {
                file.append(&out)?;
                out.clear();
            }
        }
        let before = builder.len() - out.len() as u64;
        let (smallest, largest) = builder.finish(&mut out);
        file.append(&out)?;
        file.sync()?;
        metas.push(Meta { level, number, size: before + out.len() as u64, smallest, largest });
    }
    Ok(metas)
}
