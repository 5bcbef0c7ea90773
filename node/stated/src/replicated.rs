//! Variables in a replicated log, as Mesos' `LogStorage` keeps them: a replica whose machine has the storage inside.
//!
//! One process at a time writes the log. Whoever lost that place without noticing answers from what it knew, so that what is
//! fetched or named may be older than what another has stored, as in Mesos; a change that depends on it is refused, for it
//! goes through the log. Where what was read must be the newest, it is stored again: that succeeds only if it is, or if the
//! variable is gone.
//!
//! Who asks while the replica starts waits for it. While its disk fails, and when it has ended, nobody is answered.

use crate::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tepui_driver::Mailbox;
use tepui_log::{Effect, Log};
use tepui_logd::client::Error as Stopped;
use tepui_logd::replica::Keeper;
use tepui_state::logged::{Input, Output};
use tepui_state::{Ask, Entry, Logged, StorageId, Told, Uuid};
use tokio::sync::{oneshot, watch};

/// Builds the machine, and is the way to it. Clones lead to the same one.
#[derive(Clone)]
pub struct LogKeeper {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    /// Whether it has been started, ever.
    started: watch::Sender<bool>,
    /// What the next storage spreads its tries by.
    seed: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    mailbox: Option<Mailbox<Logged>>,
    last: u64,
    asked: BTreeMap<StorageId, oneshot::Sender<Told>>,
}

impl LogKeeper {
    pub(crate) fn new(seed: u64) -> LogKeeper {
        let started = watch::Sender::new(false);
        LogKeeper { shared: Arc::new(Shared { waiting: Mutex::default(), started, seed: AtomicU64::new(seed) }) }
    }

    pub(crate) async fn get(&self, name: &str) -> Result<Option<Entry>, Error> {
        match self.ask(Ask::Get(name.to_owned())).await? {
            Told::Entry(entry) => Ok(entry),
            told => Err(unexpected(told)),
        }
    }

    pub(crate) async fn set(&self, entry: Entry, known: Uuid) -> Result<bool, Error> {
        self.change(Ask::Set(entry, known)).await
    }

    pub(crate) async fn expunge(&self, entry: Entry) -> Result<bool, Error> {
        self.change(Ask::Expunge(entry)).await
    }

    pub(crate) async fn names(&self) -> Result<BTreeSet<String>, Error> {
        match self.ask(Ask::Names).await? {
            Told::Names(names) => Ok(names),
            told => Err(unexpected(told)),
        }
    }

    async fn change(&self, ask: Ask) -> Result<bool, Error> {
        match self.ask(ask).await? {
            Told::Done(done) => Ok(done),
            told => Err(unexpected(told)),
        }
    }

    async fn ask(&self, ask: Ask) -> Result<Told, Error> {
        // The sender is as old as this keeper.
        let _ = self.shared.started.subscribe().wait_for(|started| *started).await;
        let (sender, told) = oneshot::channel();
        self.post(ask, sender)?;
        // A replica that stops answers nothing: what was under way may or may not have happened.
        told.await.map_err(|_| Error::Stopped(Stopped::Lost))
    }

    fn post(&self, ask: Ask, sender: oneshot::Sender<Told>) -> Result<(), Stopped> {
        let mut waiting = self.waiting();
        let mailbox = waiting.mailbox.clone().ok_or(Stopped::Stopped)?;
        waiting.last += 1;
        let id = StorageId(waiting.last);
        waiting.asked.insert(id, sender);
        mailbox.post(Input::Ask(id, ask));
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each kind of request has its kind of answer; what is left is that the log cannot be read.
fn unexpected(told: Told) -> Error {
    match told {
        Told::Failed(why) => Error::Log(why),
        told => Error::Log(format!("an answer to another question: {told:?}")),
    }
}

impl Keeper for LogKeeper {
    type Machine = Logged;

    fn build(&self, log: Log) -> Logged {
        Logged::new(log, self.shared.seed.fetch_add(1, Ordering::Relaxed))
    }

    fn input(input: tepui_log::Input) -> Input {
        Input::Log(input)
    }

    fn effect(&self, effect: Output) -> Option<Effect> {
        match effect {
            Output::Log(effect) => Some(effect),
            Output::Told(id, told) => {
                if let Some(sender) = self.waiting().asked.remove(&id) {
                    // Who asked may have left.
                    let _ = sender.send(told);
                }
                None
            }
        }
    }

    fn start(&self, mailbox: Mailbox<Logged>) {
        self.waiting().mailbox = Some(mailbox);
        self.shared.started.send_replace(true);
    }

    fn stop(&self) {
        let mut waiting = self.waiting();
        waiting.mailbox = None;
        waiting.asked.clear();
        drop(waiting);
        // Who waits for a start that never comes is told so.
        self.shared.started.send_replace(true);
    }
}
