//! Variables in ZooKeeper: the name is that of a lasting znode, the entry its data, as Mesos' `ZooKeeperStorage` keeps
//! them, and with it Marathon and others that use Mesos' Java library.
//!
//! A change names the version of the znode that was read, so that no other change can come between. One case ZooKeeper does
//! not tell apart, here as in Mesos: a znode that is expunged and created between the read and the change counts its
//! versions anew, and may have come to the one that was read.

use crate::Error;
use std::collections::BTreeSet;
use tepui_coordination::Variables;
use tepui_state::{Entry, Uuid, check_expunge, check_set};

/// The most bytes of a znode, as ZooKeeper has it unless it is told otherwise.
pub const BYTES_MAX: usize = 1024 * 1024;

/// See the module's text.
pub(crate) struct Znodes(Variables);

impl Znodes {
    pub fn new(variables: Variables) -> Znodes {
        Znodes(variables)
    }

    pub async fn get(&self, name: &str) -> Result<Option<Entry>, Error> {
        Ok(self.read(name).await?.map(|(entry, _)| entry))
    }

    /// The entry, and the version of its znode.
    async fn read(&self, name: &str) -> Result<Option<(Entry, i32)>, Error> {
        let Some(value) = self.0.get(name).await? else { return Ok(None) };
        Ok(Some((Entry::decode(&value.data)?, value.version)))
    }

    pub async fn set(&self, entry: &Entry, known: &Uuid) -> Result<bool, Error> {
        let data = entry.encode();
        if data.len() > BYTES_MAX {
            return Err(Error::TooLarge);
        }
        // What changed after it was read is read again: it may be gone, and then anybody may create it.
        loop {
            let stored = self.read(&entry.name).await?;
            if !check_set(stored.as_ref().map(|(stored, _)| stored), known) {
                return Ok(false);
            }
            let done = match stored {
                None => self.0.create(&entry.name, data.clone()).await?,
                Some((_, version)) => self.0.set(&entry.name, data.clone(), version).await?,
            };
            if done {
                return Ok(true);
            }
        }
    }

    pub async fn expunge(&self, entry: &Entry) -> Result<bool, Error> {
        match self.read(&entry.name).await? {
            Some((stored, version)) if check_expunge(Some(&stored), &entry.uuid) => {
                Ok(self.0.delete(&entry.name, version).await?)
            }
            _ => Ok(false),
        }
    }

    pub async fn names(&self) -> Result<BTreeSet<String>, Error> {
        Ok(self.0.names().await?.into_iter().collect())
    }
}
