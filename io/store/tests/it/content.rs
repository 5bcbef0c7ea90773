//! What tests say of a store.

use std::collections::BTreeMap;
use tepui_store::{Change, Options, Store};

pub type Content = BTreeMap<Vec<u8>, Vec<u8>>;

/// Limits so small that a few writes make tables, and a few tables are merged.
pub fn small() -> Options {
    Options { memory_bytes: 1200, wal_bytes: 2500, lazy_bytes: 800, table_bytes: 700, ..Options::default() }
}

pub fn put(key: &str, value: impl Into<bytes::Bytes>) -> Change {
    Change::Put(key.as_bytes().to_vec(), value.into())
}

pub fn delete(key: &str) -> Change {
    Change::Delete(key.as_bytes().to_vec())
}

pub fn content(store: &Store) -> Content {
    store.iterate().map(|pair| pair.unwrap()).map(|(key, value)| (key, value.to_vec())).collect()
}
