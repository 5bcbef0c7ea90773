//! A LevelDB directory by itself.

use crate::judge::{Diary, Subject};
use crate::replica::small;
use crate::skip::{Skip, of_a_store};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_store::disk::Disk;
use tepui_store::{Change, Durability, Options, Store};

const DIR: &str = "/data/log";

/// See the module's text.
pub struct LevelDb;

type Content = BTreeMap<Vec<u8>, Bytes>;

fn put(key: &str, value: impl Into<Bytes>) -> Change {
    Change::Put(key.as_bytes().to_vec(), value.into())
}

/// Like a log: metadata is overwritten, positions are appended, some of them twice, and truncated lazily. Values of many
/// sectors among them; tables are written and merged several times.
fn writes() -> Vec<(Vec<Change>, Durability)> {
    let mut writes = Vec::new();
    for position in 1..=14u8 {
        let key = format!("{position:010}");
        let length = if position % 5 == 0 { 1500 } else { 90 };
        if position % 4 == 1 {
            writes.push((vec![put("0000000000", vec![b'p', position])], Durability::Sync));
        }
        let value = scrambled(length, u32::from(position));
        writes.push((vec![put(&key, value.clone())], Durability::Sync));
        writes.push((vec![put(&key, [&value[..], b"learned"].concat())], Durability::Lazy));
        if position % 3 == 0 {
            let forgotten =
                (position - 2..position).map(|position| Change::Delete(format!("{position:010}").into_bytes()));
            writes.push((forgotten.collect(), Durability::Lazy));
        }
    }
    writes
}

/// A record of two blocks, between two that follow it and precede it in one log.
fn long_record() -> Vec<(Vec<Change>, Durability)> {
    let write = |key, length| (vec![put(key, scrambled(length, length))], Durability::Sync);
    vec![write("0000000015", 90), write("0000000016", 40_000), write("0000000017", 90)]
}

/// Bytes that do not compress, so that a table has several blocks.
pub fn scrambled(length: u32, seed: u32) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(n).wrapping_mul(seed) >> 3) as u8).collect()
}

pub fn content(store: &Store) -> Result<Content, String> {
    store.iterate().map(|pair| pair.map_err(|error| error.to_string())).collect()
}

impl Subject for LevelDb {
    type Content = Content;
    type Running = Store;

    const SYNCS: &'static [Skip] = &of_a_store(DIR, "/data");

    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<Self::Content>) {
        let mut expected = BTreeMap::new();
        let mut store = Store::open_on(disk.clone(), DIR, small()).unwrap();
        write(&mut store, writes(), diary, &mut expected);
        store.close().unwrap();
        let mut store = Store::open_on(disk, DIR, Options::default()).unwrap();
        write(&mut store, long_record(), diary, &mut expected);
        assert_eq!(content(&store).unwrap(), expected);
        // An orderly end would keep lazy writes.
        std::mem::forget(store);
    }

    fn recover(disk: Arc<dyn Disk>) -> Result<(Self::Content, Store), String> {
        let store = Store::open_on(disk, DIR, small()).map_err(|error| error.to_string())?;
        Ok((content(&store)?, store))
    }
}

/// Applies these, and notes what is acknowledged.
fn write(
    store: &mut Store,
    writes: Vec<(Vec<Change>, Durability)>,
    diary: &mut Diary<Content>,
    expected: &mut Content,
) {
    for (changes, durability) in writes {
        let begun = diary.now();
        store.apply(&changes, durability).unwrap();
        for change in changes {
            match change {
                Change::Put(key, value) => expected.insert(key, value),
                Change::Delete(key) => expected.remove(&key),
            };
        }
        match durability {
            Durability::Sync => diary.acknowledged(begun, expected),
            Durability::Lazy => diary.lazy(begun, expected),
        }
    }
}
