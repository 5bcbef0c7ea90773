//! The directory of a replica: opened, checked, and read into memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tepui_log::Restored;
use tepui_store::disk::Disk;
use tepui_store::{Change, Options, Store};

/// Why a directory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The disk refused, or somebody else has the directory.
    #[error(transparent)]
    Store(tepui_store::Error),
    /// A file does not hold what was once written there, or holds what is no log.
    #[error(
        "{what}. To re-initialise this replica move {} away and start again: if there are other replicas it catches up from \
         them. If there are none, what was in it is lost: put a backup of it in its place, with --accept_other_quorum for that \
         one start", directory.display()
    )]
    Damaged {
        /// What is wrong, with file and offset, or key.
        what: String,
        /// The directory.
        directory: PathBuf,
    },
}

impl Error {
    /// Whether opening again later may help without anybody looking at the files.
    pub fn is_passing(&self) -> bool {
        matches!(self, Error::Store(error) if error.is_passing())
    }

    /// Whether there is no directory, or nothing in it.
    pub fn is_missing(&self) -> bool {
        matches!(self, Error::Store(tepui_store::Error::Missing { .. }))
    }
}

/// Opens a replica's directory, and makes it if it is not there. What is in it is read and checked first.
pub fn open(disk: Arc<dyn Disk>, directory: &Path, options: Options) -> Result<(Store, Restored), Error> {
    let damaged = |what: String| Error::Damaged { what, directory: directory.to_owned() };
    let store = Store::open_on(disk, directory, options).map_err(|error| match error {
        tepui_store::Error::Corrupt { .. } => damaged(error.to_string()),
        other => Error::Store(other),
    })?;
    let restored = restore(&store)?.map_err(|error| damaged(error.to_string()))?;
    Ok((store, restored))
}

/// Reads all of a store; what cannot be read is told apart from what is no log.
fn restore(store: &Store) -> Result<Result<Restored, tepui_log::RestoreError>, Error> {
    let mut failed = None;
    // Pairs are taken as they are read: a log need not be in memory twice.
    let pairs = store.iterate().map_while(|pair| pair.map_err(|error| failed = Some(error)).ok());
    let restored = Restored::from_pairs(pairs);
    match failed {
        Some(error) => Err(Error::Store(error)),
        None => Ok(restored),
    }
}

/// A log's changes as a store's.
pub fn changes(changes: impl IntoIterator<Item = tepui_log::Change>) -> Vec<Change> {
    let change = |change| match change {
        tepui_log::Change::Put(key, value) => Change::Put(key, value),
        tepui_log::Change::Delete(key) => Change::Delete(key),
    };
    changes.into_iter().map(change).collect()
}
