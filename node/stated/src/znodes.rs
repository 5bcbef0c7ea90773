//! Variables in ZooKeeper: the name is that of a lasting znode, the entry its data, as Mesos' `ZooKeeperStorage` keeps
//! them, and with it Marathon and others that use Mesos' Java library.
//!
//! A change names the version of the znode that was read, so that nothing can come between.

use crate::Error;
use bytes::Bytes;
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
        match self.read(&entry.name).await? {
            None => Ok(self.0.create(&entry.name, data).await?),
            Some((stored, version)) => self.replace(entry, known, data, &stored, version).await,
        }
    }

    async fn replace(
        &self,
        entry: &Entry,
        known: &Uuid,
        data: Bytes,
        stored: &Entry,
        version: i32,
    ) -> Result<bool, Error> {
        Ok(check_set(Some(stored), known) && self.0.set(&entry.name, data, version).await?)
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
