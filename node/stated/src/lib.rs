//! State: versioned variables, for whoever must not lose them and must not overwrite what another has stored.
//!
//! ```no_run
//! # async fn count(state: tepui_stated::State) -> Result<(), tepui_stated::Error> {
//! let variable = state.fetch("counter").await?;
//! let more = variable.mutate([variable.value(), &b"|"[..]].concat().into());
//! let stored = state.store(&more).await?; // None: another was faster
//! # let _ = stored; Ok(())
//! # }
//! ```
//!
//! Four storages keep them: memory, a LevelDB directory ([`level_db`]), ZooKeeper ([`znodes`]) and a replicated log
//! ([`replicated`]). All keep the bytes that Mesos keeps there, and behave the same; one suite of tests runs over all.
//!
//! Invariants: a variable is replaced or expunged only by who knows its present version, except that a variable which is
//! not there is created by whoever comes first; of ZooKeeper see also [`znodes`]. What is fetched from a log that several
//! processes write may be old ([`replicated`]). What was acknowledged is durable, but for memory. An error leaves it open
//! whether a change was made. Not done here: which changes are wise.
//! Source: Mesos `include/mesos/state/state.hpp`, `src/state`.

pub mod level_db;
mod memory;
pub mod replicated;
pub mod znodes;

pub use tepui_state::Variable;

use level_db::LevelDb;
use memory::Memory;
use replicated::LogKeeper;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tepui_base::Rng;
use tepui_coordination::Variables;
use tepui_logd::{Replica, replica};
use tepui_net::Node;
use tepui_state::{Entry, Uuid};
use tepui_store::Options;
use tepui_store::disk::{Disk, RealDisk};
use znodes::Znodes;

/// Why nothing was answered. A change may or may not have been made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory cannot be read or written.
    #[error(transparent)]
    Store(#[from] tepui_store::Error),
    /// ZooKeeper refuses.
    #[error(transparent)]
    ZooKeeper(#[from] tepui_coordination::Error),
    /// The log does not run, or stopped on the way: its disk failed, or it has ended.
    #[error(transparent)]
    Stopped(#[from] tepui_logd::client::Error),
    /// The log holds what cannot be read.
    #[error("{0}")]
    Log(String),
    /// What is stored is not a variable.
    #[error("Failed to deserialize Entry: {0}")]
    Entry(#[from] tepui_state::Error),
    /// More than a znode may hold.
    #[error("Serialized data is too big (> 1 MB)")]
    TooLarge,
    /// No randomness, or a thread that ended.
    #[error("{0}")]
    System(String),
}

#[derive(Clone)]
enum Storage {
    Memory(Arc<Memory>),
    LevelDb(Arc<LevelDb>),
    ZooKeeper(Arc<Znodes>),
    Log(LogKeeper),
}

/// The way to a storage. Clones lead to the same one.
#[derive(Clone)]
pub struct State {
    storage: Storage,
    /// Gives versions their names.
    rng: Arc<Mutex<Rng>>,
}

impl State {
    /// Variables that end with the process.
    pub fn in_memory() -> Result<State, Error> {
        State::over(Storage::Memory(Arc::default()))
    }

    /// Variables in a LevelDB directory, which is this process' alone until all clones are dropped. A disk that is full or
    /// fails is an error of each request until it works again.
    pub fn level_db(directory: impl AsRef<Path>) -> Result<State, Error> {
        State::level_db_on(Arc::new(RealDisk), directory, Options::default())
    }

    /// The same on another disk, and with a store that is kept otherwise.
    pub fn level_db_on(disk: Arc<dyn Disk>, directory: impl AsRef<Path>, options: Options) -> Result<State, Error> {
        State::over(Storage::LevelDb(Arc::new(LevelDb::open(disk, directory.as_ref(), options)?)))
    }

    /// Variables in ZooKeeper, each in a znode.
    pub fn zookeeper(variables: Variables) -> Result<State, Error> {
        State::over(Storage::ZooKeeper(Arc::new(Znodes::new(variables))))
    }

    /// Variables in a replicated log, of which a replica runs on this node as long as it is kept.
    pub async fn log(node: &Node, settings: replica::Settings) -> Result<(State, Replica<LogKeeper>), replica::Error> {
        let system = |error: Error| replica::Error::System(error.to_string());
        let keeper = LogKeeper::new(seed().map_err(system)?);
        let replica = Replica::start_in(node, settings, keeper.clone()).await?;
        Ok((State::over(Storage::Log(keeper)).map_err(system)?, replica))
    }

    fn over(storage: Storage) -> Result<State, Error> {
        Ok(State { storage, rng: Arc::new(Mutex::new(Rng::new(seed()?))) })
    }

    /// A variable as it is stored, or a new one with an empty value.
    pub async fn fetch(&self, name: &str) -> Result<Variable, Error> {
        let stored = match &self.storage {
            Storage::Memory(memory) => memory.get(name),
            Storage::LevelDb(store) => store.get(name).await?,
            Storage::ZooKeeper(znodes) => znodes.get(name).await?,
            Storage::Log(log) => log.get(name).await?,
        };
        Ok(Variable::fetched(name, stored, &mut self.rng()))
    }

    /// Stores a variable under a new version, even if its value is the same: the variable with that version, or nothing if
    /// it was changed since it was fetched. Over a log nothing may also mean that another became the writer meanwhile; then
    /// it may have been stored all the same.
    pub async fn store(&self, variable: &Variable) -> Result<Option<Variable>, Error> {
        let next = variable.next(&mut self.rng());
        let stored = self.set(next.clone(), variable.uuid()).await?;
        Ok(stored.then(|| Variable::from(next)))
    }

    async fn set(&self, entry: Entry, known: Uuid) -> Result<bool, Error> {
        match &self.storage {
            Storage::Memory(memory) => Ok(memory.set(entry, &known)),
            Storage::LevelDb(store) => store.set(entry, known).await,
            Storage::ZooKeeper(znodes) => znodes.set(&entry, &known).await,
            Storage::Log(log) => log.set(entry, known).await,
        }
    }

    /// Takes a variable away. Whether it was there, in this version.
    pub async fn expunge(&self, variable: &Variable) -> Result<bool, Error> {
        let entry = variable.entry();
        match &self.storage {
            Storage::Memory(memory) => Ok(memory.expunge(entry)),
            Storage::LevelDb(store) => store.expunge(entry.clone()).await,
            Storage::ZooKeeper(znodes) => znodes.expunge(entry).await,
            Storage::Log(log) => log.expunge(entry.clone()).await,
        }
    }

    /// The names of all variables.
    pub async fn names(&self) -> Result<BTreeSet<String>, Error> {
        match &self.storage {
            Storage::Memory(memory) => Ok(memory.names()),
            Storage::LevelDb(store) => store.names().await,
            Storage::ZooKeeper(znodes) => znodes.names().await,
            Storage::Log(log) => log.names().await,
        }
    }

    fn rng(&self) -> std::sync::MutexGuard<'_, Rng> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seed() -> Result<u64, Error> {
    getrandom::u64().map_err(|error| Error::System(error.to_string()))
}
