//! Variables in a LevelDB directory: the name is the key, the entry the value, as Mesos' `LevelDBStorage` keeps them.
//!
//! A read and the write that depends on it are one step, for the directory has one user and a step holds its lock.
//!
//! After a failure what is in memory may not be on the disk, so the directory is given back, and whoever asks next opens it
//! anew. Nothing is answered until that succeeds; what is answered then is on the disk.

use crate::Error;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tepui_state::{Entry, Uuid, check_expunge, check_set};
use tepui_store::disk::Disk;
use tepui_store::{Change, Durability, Options, Store};

/// See the module's text.
pub(crate) struct LevelDb(Arc<Directory>);

struct Directory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    options: Options,
    /// None after a failure, until somebody asks for something.
    store: Mutex<Option<Store>>,
}

impl Directory {
    /// Does one thing, and opens the directory first if the last thing failed.
    fn step<T>(&self, work: impl FnOnce(&mut Store) -> Result<T, Error>) -> Result<T, Error> {
        let mut place = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = match place.take() {
            Some(store) => store,
            // An empty one would stand in for a directory whose volume is not mounted.
            None => Store::open_on(self.disk.clone(), &self.path, Options { create: false, ..self.options })?,
        };
        let result = work(&mut store);
        if !matches!(result, Err(Error::Store(_))) {
            *place = Some(store);
        }
        result
    }
}

impl LevelDb {
    /// Opens the directory, and makes it if there is none.
    pub fn open(disk: Arc<dyn Disk>, directory: &Path, options: Options) -> Result<LevelDb, Error> {
        let store = Mutex::new(Some(Store::open_on(disk.clone(), directory, options)?));
        Ok(LevelDb(Arc::new(Directory { disk, path: directory.to_owned(), options, store })))
    }

    pub async fn get(&self, name: &str) -> Result<Option<Entry>, Error> {
        let name = name.to_owned();
        self.with(move |store| read(store, &name)).await
    }

    pub async fn set(&self, entry: Entry, known: Uuid) -> Result<bool, Error> {
        self.with(move |store| {
            let may = check_set(read(store, &entry.name)?.as_ref(), &known);
            if may {
                let put = Change::Put(entry.name.clone().into_bytes(), entry.encode());
                store.apply(&[put], Durability::Sync)?;
            }
            Ok(may)
        })
        .await
    }

    pub async fn expunge(&self, entry: Entry) -> Result<bool, Error> {
        self.with(move |store| {
            let may = check_expunge(read(store, &entry.name)?.as_ref(), &entry.uuid);
            if may {
                store.apply(&[Change::Delete(entry.name.into_bytes())], Durability::Sync)?;
            }
            Ok(may)
        })
        .await
    }

    pub async fn names(&self) -> Result<BTreeSet<String>, Error> {
        self.with(|store| {
            let name = |pair: Result<(Vec<u8>, Bytes), tepui_store::Error>| -> Result<String, Error> {
                Ok(String::from_utf8_lossy(&pair?.0).into_owned())
            };
            store.iterate().map(name).collect()
        })
        .await
    }

    /// Does something with the store where waiting for a disk holds nobody up.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let directory = self.0.clone();
        tokio::task::spawn_blocking(move || directory.step(work))
            .await
            .map_err(|error| Error::System(error.to_string()))?
    }
}

fn read(store: &Store, name: &str) -> Result<Option<Entry>, Error> {
    Ok(store.get(name.as_bytes())?.map(|bytes| Entry::decode(&bytes)).transpose()?)
}
