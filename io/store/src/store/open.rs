//! Opening: lock, read and check everything, then write anew what is in no table.

use super::load::{Loaded, load};
use super::memory::Memory;
use super::{Options, Report, Store};
use crate::Error;
use crate::disk::{Disk, RealDisk};
use crate::leveldb::names::{LOCK, Name};
use crate::place::Place;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// The first file of a new database; LevelDB's own begin there too.
const FIRST_FILE: u64 = 2;

impl Store {
    /// Opens a directory, which nobody else may have open. A torn end is left out and logged; damage is an error.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Store, Error> {
        Store::open_on(Arc::new(RealDisk), dir, options)
    }

    /// The same on another disk.
    pub fn open_on(disk: Arc<dyn Disk>, dir: impl AsRef<Path>, options: Options) -> Result<Store, Error> {
        let place = Place { disk, dir: dir.as_ref().to_owned() };
        let create = options.create && !options.read_only;
        if create {
            place.make()?;
        }
        let lock = lock(&place)?;
        let found = place.list()?.iter().filter_map(|name| Name::parse(name)).collect();
        let loaded = match load(&place)? {
            Some(loaded) => loaded,
            None if create => Loaded { next_file: FIRST_FILE, ..Loaded::default() },
            None => return Err(Error::Missing { path: place.dir }),
        };
        for repair in &loaded.report.repairs {
            tracing::warn!(file = %repair.path.display(), offset = repair.offset, what = repair.what,
                "the end of a write that was never acknowledged is left out");
        }
        let mut store = Store {
            place,
            options,
            tables: loaded.tables,
            memory: Memory::default(),
            wal: None,
            lazy: Default::default(),
            last_sequence: loaded.last_sequence,
            next_file: loaded.next_file,
            report: loaded.report,
            found,
            failed: None,
            _lock: lock,
        };
        store.memory = loaded.memory;
        if !options.read_only {
            store.rotate()?;
            store.merge_if_due()?;
        }
        Ok(store)
    }
}

fn lock(place: &Place) -> Result<Box<dyn Send>, Error> {
    let path = place.path(LOCK);
    match place.disk.lock(&path) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Error::Locked { path }),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::Missing { path: place.dir.clone() }),
        other => other.map_err(Error::io("lock", &path)),
    }
}

/// Checks a directory as [`Store::open`] does, and changes nothing in it.
pub fn verify(dir: impl AsRef<Path>) -> Result<Report, Error> {
    let place = Place { disk: Arc::new(RealDisk), dir: dir.as_ref().to_owned() };
    let _lock = lock(&place)?;
    match load(&place)? {
        Some(loaded) => Ok(loaded.report),
        None => Err(Error::Missing { path: place.dir }),
    }
}
