//! A replica of a log as a process of a node.
//!
//! When its disk refuses a write the machine stops: it has promised nothing that is not durable, and promises nothing any
//! more. Why is said once; the directory is then opened again and again, with pauses, and once that succeeds the machine is
//! rebuilt from what is there. Whoever was the writer has lost that place. The same becomes of a replica whose quorum turns
//! out to be no majority of its group (module `group`), until it is one.
//!
//! The machine is a log, or one that has a log inside, as a registrar has: its [`Keeper`] builds it and serves the rest of it.

use crate::client::Client;
use crate::directory;
use crate::group::Group;
use crate::members::{Following, Others};
use crate::quorum::{self, Contradiction, Membership};
use crate::storage::{Failure, Storage};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tepui_base::Machine;
use tepui_driver::{Clock, Driver, Mailbox, Syncing, World};
use tepui_log::{Config, Effect, Input, Log, Restored};
use tepui_net::{Inbox, Node, Outlet};
use tepui_store::disk::{Disk, RealDisk};
use tepui_store::{Options, Store};
use tepui_wire::{NetEffect, NetInput, Response, Upid};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// The process that replicas know each other by.
pub const PROCESS: &str = "log-replica(1)";

/// What the short-lived senders of requests are called.
pub const SENDERS: &str = "__req_res__(";

/// Between two tries to open a directory whose disk failed: at first, and at most. A full disk is seen again within seconds
/// of there being room, and a broken one is not asked all the time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Sessions of masters last seconds; a member that is listed twice for longer has not moved.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a replica is run.
#[derive(Clone)]
pub struct Settings {
    /// Its LevelDB directory.
    pub directory: PathBuf,
    /// How many replicas decide.
    pub quorum: usize,
    /// Whether a group of empty replicas may begin by itself.
    pub auto_initialize: bool,
    /// The other replicas.
    pub others: Others,
    /// All replicas, this one too, if the masters beside them elect their leader by the log: then these are the group, and
    /// a majority of them decides.
    pub masters: Option<BTreeSet<Upid>>,
    /// What the machine's times are readings of.
    pub clock: Clock,
    /// Takes quorum and group as they are here, whatever the last start had.
    pub accept_other_quorum: bool,
    /// How long one member too many may be one that has moved to another address, listed twice until its old session is over.
    pub patience: Duration,
    /// Where the directory is.
    pub disk: Arc<dyn Disk>,
    /// How its store is kept.
    pub store: Options,
}

impl Settings {
    /// A replica of the usual kind in this directory, on the real disk.
    pub fn new(directory: impl Into<PathBuf>, quorum: usize, others: impl Into<Others>) -> Settings {
        Settings {
            directory: directory.into(),
            quorum,
            auto_initialize: true,
            others: others.into(),
            masters: None,
            clock: Clock::default(),
            accept_other_quorum: false,
            patience: PATIENCE,
            disk: Arc::new(RealDisk),
            store: Options::default(),
        }
    }

    fn config(&self, pid: Upid) -> Config {
        let config = match &self.masters {
            Some(masters) => Config::of_masters(pid, masters.clone()),
            None => Config::new(pid, self.quorum),
        };
        Config { auto_initialize: self.auto_initialize, ..config }
    }

    /// Opens the directory of a start that contradicts neither the last one nor the directory.
    fn open(&self) -> Result<(Membership, (Store, Restored)), Error> {
        let (accept, wanted) = (self.accept_other_quorum, self.membership());
        if accept {
            tracing::warn!("--accept_other_quorum: this start is not held against the last one; take the flag away");
        }
        let membership = quorum::check_and_record(&self.disk, &self.directory, &wanted, accept)?;
        let opened = directory::open(self.disk.clone(), &self.directory, self.store)?;
        let membership = quorum::check_and_record_reached(&self.disk, &self.directory, membership, &opened.1, accept)?;
        Ok((membership, opened))
    }

    /// Opens it after a failure: it must be the directory of before. One that is not there (its volume is not mounted) is not
    /// made: an empty log would stand in for what was promised.
    fn open_again(&self, membership: Membership) -> Result<(Membership, (Store, Restored)), Error> {
        let options = Options { create: false, ..self.store };
        let opened = directory::open(self.disk.clone(), &self.directory, options)?;
        let membership = quorum::check_and_record_reached(&self.disk, &self.directory, membership, &opened.1, false)?;
        Ok((membership, opened))
    }

    fn membership(&self) -> Membership {
        Membership { quorum: self.quorum, others: self.others.at_start(), ..Membership::default() }
    }
}

/// Why a replica cannot start, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its directory cannot be used.
    #[error(transparent)]
    Directory(#[from] directory::Error),
    /// It contradicts what it was last started with.
    #[error(transparent)]
    Quorum(#[from] quorum::Error),
    /// The node has a replica already.
    #[error("{PROCESS} runs on this node already")]
    Twice,
    /// No thread, or no randomness.
    #[error("{0}")]
    System(String),
}

/// Who builds a machine with a log inside, and serves what of it is not the log's. Clones are the same keeper.
pub trait Keeper: Clone + Send + Sync + 'static {
    /// The machine.
    type Machine: Machine<Input: Send, Effect: Send> + Send + 'static;

    /// The machine around a log as it stands on the disk.
    fn build(&self, log: Log) -> Self::Machine;

    /// An input for the log inside.
    fn input(input: Input) -> <Self::Machine as Machine>::Input;

    /// Hands an effect of the log inside back, and carries out any other.
    fn effect(&self, effect: <Self::Machine as Machine>::Effect) -> Option<Effect>;

    /// The machine takes inputs there from now on.
    fn start(&self, mailbox: Mailbox<Self::Machine>);

    /// It takes none any more: its disk has failed, or it has ended.
    fn stop(&self);
}

/// A replica that runs. Dropping it ends the replica.
pub struct Replica<K: Keeper = Client> {
    keeper: K,
    ended: watch::Receiver<Option<String>>,
    /// Dropped to tell the replica to end.
    _running: oneshot::Sender<()>,
}

impl Replica {
    /// Opens the directory and starts the process on a node. Must be called within a tokio runtime.
    pub async fn start(node: &Node, settings: Settings) -> Result<Replica, Error> {
        Replica::start_in(node, settings, Client::default()).await
    }

    /// The way to its log.
    pub fn client(&self) -> Client {
        self.keeper.clone()
    }
}

impl<K: Keeper> Replica<K> {
    /// As [`Replica::start`], with the log inside another machine.
    pub async fn start_in(node: &Node, settings: Settings, keeper: K) -> Result<Replica<K>, Error> {
        let checked = settings.clone();
        let (membership, opened) = blocking(move || checked.open()).await??;
        let (inbox, outlet) = node.spawn(PROCESS).ok_or(Error::Twice)?;
        outlet.receive_family(SENDERS);
        let (stop, stopped) = oneshot::channel();
        let (ended, end) = watch::channel(None);
        let group = Group::new(membership, settings.patience);
        let following = settings.others.follow(outlet.upid());
        let node = node.clone();
        let mut process =
            Process { node, inbox, outlet, keeper: keeper.clone(), settings, group, following, storage: None };
        tokio::spawn(async move {
            let why = match process.live(opened, stopped).await {
                Ok(()) => "it was told to end".to_owned(),
                Err(error) => error.to_string(),
            };
            process.keeper.stop();
            // The thread of the store has the directory until it ends.
            if let Some(mut storage) = process.storage.take() {
                storage.ended().await;
            }
            process.following.leave().await;
            ended.send_replace(Some(why));
        });
        Ok(Replica { keeper, ended: end, _running: stop })
    }

    /// Waits until it has ended for good, and says why. A disk that is full is not an end; one that is damaged is.
    pub async fn ended(&mut self) -> String {
        match self.ended.wait_for(Option::is_some).await.ok().and_then(|why| why.clone()) {
            Some(why) => why,
            None => "its task has ended".to_owned(),
        }
    }

    /// Ends it, and waits until its directory is free.
    pub async fn stop(self) {
        let Replica { mut ended, _running, .. } = self;
        drop(_running);
        let _ = ended.wait_for(Option::is_some).await;
        while ended.changed().await.is_ok() {}
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::System(error.to_string()))
}

struct Process<K> {
    node: Node,
    inbox: Inbox,
    outlet: Outlet,
    keeper: K,
    settings: Settings,
    group: Group,
    following: Following,
    /// Tells when the last thread that had the directory has ended.
    storage: Option<Failure>,
}

/// Why a machine does not run for a while.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Disk(#[from] tepui_store::Error),
    #[error(transparent)]
    Group(#[from] Contradiction),
}

impl<K: Keeper> Process<K> {
    /// Runs the machine, again and again after failures, until it is told to end or what happened cannot be helped.
    async fn live(&mut self, mut opened: (Store, Restored), mut told: oneshot::Receiver<()>) -> Result<(), Error> {
        loop {
            let storage = Storage::start(opened.0).map_err(|error| Error::System(error.to_string()))?;
            let Some(stopped) = self.run(storage, opened.1, &mut told).await? else { return Ok(()) };
            let directory = self.settings.directory.display().to_string();
            tracing::error!(
                directory,
                "the replica of the log stops: {stopped}. It promises nothing until that is over"
            );
            opened = tokio::select! {
                reopened = self.reopen() => reopened?,
                _ = &mut told => return Ok(()),
            };
            tracing::info!(directory, "the replica of the log goes on");
        }
    }

    /// Runs one machine until the disk fails or the group contradicts the quorum; nothing if it was told to end.
    async fn run(
        &mut self,
        storage: Storage,
        restored: Restored,
        told: &mut oneshot::Receiver<()>,
    ) -> Result<Option<Stopped>, Error> {
        let config = self.settings.config(self.outlet.upid());
        let seed = getrandom::u64().map_err(|error| Error::System(error.to_string()))?;
        let machine = self.keeper.build(Log::new(config, seed, restored));
        let (driver, mailbox) = Driver::new(machine, self.settings.clock);
        let (mut failure, mut ended) = (storage.failure(), storage.failure());
        self.storage = Some(storage.failure());
        let (outlet, keeper) = (self.outlet.clone(), self.keeper.clone());
        keeper.start(mailbox.clone());
        let world = LogWorld { outlet, storage, mailbox: mailbox.clone(), keeper: keeper.clone() };
        let mut running = Box::pin(driver.run(world));
        let stopped = tokio::select! {
            result = &mut running => match result {
                // The store says more than the driver, and may say it a moment later.
                Err(failed) => {
                    ended.ended().await;
                    Some(failure.why().ok_or_else(|| Error::System(failed.to_string()))?.into())
                }
                Ok(()) => Some(failure.happened().await.into()),
            },
            failed = failure.happened() => Some(failed.into()),
            contradiction = self.feed(&mailbox) => Some(contradiction.into()),
            _ = told => {
                // That the last positions are decided is written lazily, and by an orderly end.
                mailbox.close();
                if let Err(error) = (&mut running).await {
                    tracing::warn!(%error, "the end of the log is not known to be decided");
                }
                None
            }
        };
        keeper.stop();
        // It has the thread of the store, which has the directory.
        drop(running);
        ended.ended().await;
        Ok(stopped)
    }

    /// Brings messages and members to the machine, as long as the quorum is a majority of them.
    async fn feed(&mut self, mailbox: &Mailbox<K::Machine>) -> Contradiction {
        loop {
            let members = self.list();
            // Before anything else: what waits for a disk waits too long.
            if let Some(contradiction) = self.group.contradiction(Instant::now()) {
                return contradiction;
            }
            mailbox.post(K::input(Input::Members(members)));
            self.write_down().await;
            loop {
                tokio::select! {
                    input = self.inbox.recv() => match input {
                        NetInput::Message(message) => {
                            let bytes = message.body.len();
                            mailbox.intake(K::input(Input::Message(message)), bytes).await;
                        }
                        other => self.refuse(other),
                    },
                    () = changed(&mut self.following.others, self.group.deadline()) => break,
                }
            }
        }
    }

    /// All replicas that are known now. Those keep their connections when a term of this process ends.
    fn list(&mut self) -> BTreeSet<Upid> {
        let mut members = self.following.others.borrow_and_update().clone();
        let waited = self.group.deadline();
        self.group.list(&members, Instant::now());
        if waited.is_none() && self.group.deadline().is_some() {
            let (members, quorum, patience) = (members.len() + 1, self.settings.quorum, self.settings.patience);
            tracing::warn!(members, quorum, ?patience, "the quorum is no majority of the group of the log now");
        }
        self.node.spare(members.iter().map(Upid::address).collect());
        members.insert(self.outlet.upid());
        members
    }

    /// Keeps the file beside the directory true. It is there for the next start, and this one goes on without it.
    async fn write_down(&mut self) {
        let Some(membership) = self.group.unwritten().cloned() else { return };
        let (disk, directory, written) =
            (self.settings.disk.clone(), self.settings.directory.clone(), membership.clone());
        let recorded = blocking(move || quorum::record(&disk, &directory, &written)).await;
        match recorded.and_then(|recorded| Ok(recorded?)) {
            Ok(()) => self.group.wrote(membership),
            Err(error) => tracing::warn!(%error, "the group of the log cannot be written down"),
        }
    }

    /// Waits until the quorum is a majority of the group. Meanwhile what arrives is dropped, as if this node were away.
    async fn fit_together(&mut self) {
        while self.group.contradiction(Instant::now()).is_some() {
            self.write_down().await;
            tokio::select! {
                () = changed(&mut self.following.others, self.group.deadline()) => drop(self.list()),
                input = self.inbox.recv() => self.refuse(input),
            }
        }
    }

    /// A replica serves no HTTP.
    fn refuse(&self, input: NetInput) {
        if let NetInput::Http(id, _) = input {
            self.outlet.apply(NetEffect::Respond(id, Response::status(404)));
        }
    }

    /// Opens the directory as soon as group and disk allow it. Meanwhile what arrives is dropped, as if this node were away.
    async fn reopen(&mut self) -> Result<(Store, Restored), Error> {
        self.fit_together().await;
        let (mut pause, longest) = PAUSES;
        loop {
            let (settings, membership) = (self.settings.clone(), self.group.membership().clone());
            match blocking(move || settings.open_again(membership)).await? {
                Ok((membership, opened)) => {
                    self.group.reached(membership);
                    return Ok(opened);
                }
                Err(Error::Directory(error)) if error.is_passing() || error.is_missing() => {
                    tracing::debug!(%error, "the directory of the log is not back yet");
                }
                Err(error) => return Err(error),
            }
            let end = tokio::time::sleep(pause);
            tokio::pin!(end);
            loop {
                tokio::select! {
                    () = &mut end => break,
                    input = self.inbox.recv() => self.refuse(input),
                }
            }
            pause = (pause * 2).min(longest);
        }
    }
}

/// The next change, or this moment; never if there is neither.
async fn changed(others: &mut watch::Receiver<BTreeSet<Upid>>, deadline: Option<Instant>) {
    let news = async {
        if others.changed().await.is_err() {
            std::future::pending().await
        }
    };
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, news).await.unwrap_or_default(),
        None => news.await,
    }
}

/// Where the effects of the machine go.
struct LogWorld<K: Keeper> {
    outlet: Outlet,
    storage: Storage,
    mailbox: Mailbox<K::Machine>,
    keeper: K,
}

impl<K: Keeper> World<<K::Machine as Machine>::Effect> for LogWorld<K> {
    fn apply(&mut self, effect: <K::Machine as Machine>::Effect) {
        match self.keeper.effect(effect) {
            Some(Effect::Send(message)) => self.outlet.apply(NetEffect::Send(message)),
            Some(Effect::Fetch(id, from, to)) => {
                let mailbox = self.mailbox.clone();
                self.storage.fetch(from, to, move |found| mailbox.post(K::input(Input::Fetched(id, found))));
            }
            Some(Effect::Durable(key)) => self.mailbox.post(K::input(Input::Durable(key))),
            // The keeper takes answers, and the queue hands writes to `sync`.
            Some(Effect::Answer(_) | Effect::Write(_)) | None => {}
        }
    }

    fn sync(&mut self, writes: Vec<<K::Machine as Machine>::Effect>) -> Syncing {
        let changes = writes.into_iter().filter_map(|effect| match self.keeper.effect(effect) {
            Some(Effect::Write(changes)) => Some(changes),
            _ => None,
        });
        let changes = directory::changes(changes.flatten());
        self.storage.sync(changes)
    }
}
