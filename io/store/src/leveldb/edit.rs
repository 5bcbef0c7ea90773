//! Records of the MANIFEST: which tables there are, and from which log on writes are in none.

use super::coding::{Reader, put_bytes, put_varint};
use super::key::{self, Sequence};
use std::collections::BTreeMap;

/// The order of keys; the only one Mesos uses, and the only one read here.
pub(crate) const COMPARATOR: &[u8] = b"leveldb.BytewiseComparator";

/// Levels of tables.
pub(crate) const LEVELS: u64 = 7;

/// One table, as the MANIFEST knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Tables of level 0 may overlap each other; those of one other level do not.
    pub level: u64,
    pub number: u64,
    pub size: u64,
    /// First and last key, in their internal form.
    pub smallest: Vec<u8>,
    pub largest: Vec<u8>,
}

/// What all records of a MANIFEST together say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Writes in logs before this one are all in tables.
    pub wal: Option<u64>,
    /// Another log whose writes are not; written by LevelDB before 2012.
    pub previous_wal: u64,
    pub next_file: Option<u64>,
    pub last_sequence: Option<Sequence>,
    /// By number.
    pub tables: BTreeMap<u64, Meta>,
}

mod tag {
    pub const COMPARATOR: u64 = 1;
    pub const WAL: u64 = 2;
    pub const NEXT_FILE: u64 = 3;
    pub const LAST_SEQUENCE: u64 = 4;
    pub const COMPACT_POINTER: u64 = 5;
    pub const DELETED: u64 = 6;
    pub const NEW: u64 = 7;
    pub const PREVIOUS_WAL: u64 = 9;
}

impl Manifest {
    /// Takes one record in; what is wrong with it otherwise.
    pub fn take(&mut self, record: &[u8]) -> Result<(), String> {
        let mut reader = Reader(record);
        while !reader.0.is_empty() {
            self.field(&mut reader)?;
        }
        Ok(())
    }

    fn field(&mut self, reader: &mut Reader) -> Result<(), String> {
        let cut = || "a field that is cut short".to_owned();
        match reader.varint().ok_or_else(cut)? {
            tag::COMPARATOR => {
                let name = reader.bytes().ok_or_else(cut)?;
                if name != COMPARATOR {
                    return Err(format!("keys in the order of {}", String::from_utf8_lossy(name)));
                }
            }
            tag::WAL => self.wal = Some(reader.varint().ok_or_else(cut)?),
            tag::PREVIOUS_WAL => self.previous_wal = reader.varint().ok_or_else(cut)?,
            tag::NEXT_FILE => self.next_file = Some(reader.varint().ok_or_else(cut)?),
            tag::LAST_SEQUENCE => self.last_sequence = Some(reader.varint().ok_or_else(cut)?),
            tag::COMPACT_POINTER => {
                reader.varint().and_then(|_| reader.bytes()).ok_or_else(cut)?;
            }
            tag::DELETED => {
                let (_, number) = reader.varint().zip(reader.varint()).ok_or_else(cut)?;
                self.tables.remove(&number);
            }
            tag::NEW => {
                let meta = meta(reader).ok_or_else(cut)?;
                if meta.level >= LEVELS || key::split(&meta.smallest).is_none() || key::split(&meta.largest).is_none() {
                    return Err(format!("table {} of a kind that is not known", meta.number));
                }
                self.tables.insert(meta.number, meta);
            }
            other => return Err(format!("a field {other} that is not known")),
        }
        Ok(())
    }

    /// All of it in one record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, tag::COMPARATOR);
        put_bytes(&mut out, COMPARATOR);
        let numbers = [
            (tag::WAL, self.wal),
            (tag::PREVIOUS_WAL, Some(self.previous_wal)),
            (tag::NEXT_FILE, self.next_file),
            (tag::LAST_SEQUENCE, self.last_sequence),
        ];
        for (tag, value) in numbers {
            if let Some(value) = value {
                put_varint(&mut out, tag);
                put_varint(&mut out, value);
            }
        }
        for meta in self.tables.values() {
            for number in [tag::NEW, meta.level, meta.number, meta.size] {
                put_varint(&mut out, number);
            }
            put_bytes(&mut out, &meta.smallest);
            put_bytes(&mut out, &meta.largest);
        }
        out
    }
}

fn meta(reader: &mut Reader) -> Option<Meta> {
    Some(Meta {
        level: reader.varint()?,
        number: reader.varint()?,
        size: reader.varint()?,
        smallest: reader.bytes()?.to_vec(),
        largest: reader.bytes()?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_comes_back_and_one_cut_short_is_refused() {
        let meta = Meta {
            level: 1,
            number: 5,
            size: 300,
            smallest: key::internal(b"a", 1, true),
            largest: key::internal(b"z", 9, false),
        };
        let manifest = Manifest {
            wal: Some(4),
            previous_wal: 0,
            next_file: Some(9),
            last_sequence: Some(77),
            tables: [(5, meta)].into(),
        };
        let (record, mut read) = (manifest.encode(), Manifest::default());
        read.take(&record).unwrap();
        assert_eq!(read, manifest);
        assert!(Manifest::default().take(&record[..record.len() - 1]).is_err());
        let mut foreign = record;
        foreign[4] ^= 1;
        assert!(Manifest::default().take(&foreign).unwrap_err().contains("in the order of"));
    }
}
