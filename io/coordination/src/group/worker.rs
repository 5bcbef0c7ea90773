//! Does what a group is asked for, in order, as often as it takes.

use super::{Error, Event, Member, Members};
use crate::zookeeper::{Acl, Client, Code, Config, Event as SessionEvent, Mode};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// The pause before what failed is tried again; it doubles (`GroupProcess::RETRY_INTERVAL`).
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// Its limit.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The pause before a deleted group is made anew, so that who deletes a tree can finish.
const RECREATE: Duration = Duration::from_millis(100);

/// What a group is asked for.
pub(super) enum Command {
    Join {
        data: Bytes,
        label: Option<String>,
        answer: oneshot::Sender<Result<Member, Error>>,
        /// Whether it may have been carried out in this session without an answer.
        uncertain: bool,
    },
    Cancel {
        member: Member,
        answer: oneshot::Sender<Result<bool, Error>>,
    },
    Data {
        member: Member,
        answer: oneshot::Sender<Result<Option<Bytes>, Error>>,
    },
}

/// How a step ended that was not done.
enum Undone {
    /// It is tried again.
    Later(Code),
    /// It never will be.
    Never(Error),
}

/// Sorts a failure of ZooKeeper; `what` says in Mesos' words what failed.
fn undone(what: impl FnOnce() -> String) -> impl FnOnce(Code) -> Undone {
    |code| {
        if code.is_retryable() { Undone::Later(code) } else { Undone::Never(Error(format!("{}: {code}", what()))) }
    }
}

pub(super) struct Worker {
    config: Config,
    path: String,
    acl: Vec<Acl>,
    events: mpsc::UnboundedSender<Event>,
    client: Client,
    until: watch::Receiver<Option<Instant>>,
    session_events: mpsc::UnboundedReceiver<SessionEvent>,
    /// The session's number, while a server answers.
    session: Option<i64>,
    /// Whether the group's znode is there.
    ready: bool,
    /// Whether the children have to be looked at.
    stale: bool,
    owned: BTreeMap<i32, Member>,
    /// What our owner was told last.
    told: Members,
    queue: VecDeque<Command>,
    retry: Option<Instant>,
    pause: Duration,
}

impl Worker {
    pub fn new(config: Config, path: String, events: mpsc::UnboundedSender<Event>) -> Worker {
        let acl = if config.credentials.is_some() { Acl::read_all_write_own() } else { Acl::open() };
        let (client, session_events) = Client::open(config.clone());
        Worker {
            config,
            path,
            acl,
            events,
            until: client.until(),
            client,
            session_events,
            session: None,
            ready: false,
            stale: true,
            owned: BTreeMap::new(),
            told: Members::new(),
            queue: VecDeque::new(),
            retry: None,
            pause: FIRST_RETRY,
        }
    }

    pub async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            let event = tokio::select! {
                biased;
                Some(event) = self.session_events.recv() => Some(event),
                Ok(()) = self.until.changed() => {
                    self.confirmed();
                    continue;
                }
                command = commands.recv() => match command {
                    Some(command) => {
                        self.accept(command);
                        None
                    }
                    None => return self.client.close().await,
                },
                () = at(self.retry) => None,
            };
            let failed = match event {
                Some(SessionEvent::Refused(code)) => {
                    Err(Error(format!("Failed to authenticate with ZooKeeper: {code}")))
                }
                event => {
                    event.into_iter().for_each(|event| self.session_event(event));
                    self.work().await
                }
            };
            if let Err(error) = failed {
                return self.fail(error, commands).await;
            }
        }
    }

    /// Told in order with all else: what a new session confirms says nothing about memberships of the old one.
    fn confirmed(&mut self) {
        let until = *self.until.borrow_and_update();
        if let Some(until) = until {
            self.tell(Event::Confirmed(until));
        }
    }

    /// Puts a command behind the others, unless its answer does not depend on ZooKeeper.
    fn accept(&mut self, command: Command) {
        match command {
            Command::Cancel { member, answer } if !self.owned.contains_key(&member.sequence) => give(answer, Ok(false)),
            command => self.queue.push_back(command),
        }
    }

    fn session_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Connected { session, .. } => {
                (self.session, self.stale) = (Some(session), true);
                (self.retry, self.pause) = (None, FIRST_RETRY);
            }
            SessionEvent::Disconnected => self.session = None,
            SessionEvent::Changed(path) => self.stale |= path == self.path,
            SessionEvent::Expired => self.expired(),
            // It is the end, which our caller brings about.
            SessionEvent::Refused(_) => {}
        }
    }

    /// The memberships are gone as far as we can know; if they are still there, they are seen in the new session.
    fn expired(&mut self) {
        tracing::warn!(path = self.path, "the session with ZooKeeper is over; starting a new one");
        self.tell_members(Members::new());
        for member in std::mem::take(&mut self.owned).into_values() {
            self.tell(Event::Cancelled(member));
        }
        for command in &mut self.queue {
            if let Command::Join { uncertain, .. } = command {
                *uncertain = false;
            }
        }
        (self.session, self.ready, self.stale) = (None, false, true);
        (self.retry, self.pause) = (None, FIRST_RETRY);
        (self.client, self.session_events) = Client::open(self.config.clone());
        self.until = self.client.until();
    }

    fn tell(&self, event: Event) {
        // The owner may care for nothing but its own memberships' answers.
        let _ = self.events.send(event);
    }

    fn tell_members(&mut self, members: Members) {
        if self.told != members {
            self.told.clone_from(&members);
            self.tell(Event::Members(members));
        }
    }

    /// Does all there is to do, if a server answers. What has to be tried again waits for the next connection or for a
    /// pause to end.
    async fn work(&mut self) -> Result<(), Error> {
        if self.session.is_none() || self.retry.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        self.retry = None;
        match self.steps().await {
            Ok(()) => {
                self.pause = FIRST_RETRY;
                Ok(())
            }
            Err(Undone::Never(error)) => Err(error),
            Err(Undone::Later(code)) => {
                tracing::info!(path = self.path, %code, "ZooKeeper could not do it; trying again");
                if code == Code::NO_NODE {
                    self.retry = Some(Instant::now() + RECREATE);
                } else {
                    self.retry = Some(Instant::now() + self.pause);
                    self.pause = (self.pause * 2).min(LONGEST_RETRY);
                }
                Ok(())
            }
        }
    }

    async fn steps(&mut self) -> Result<(), Undone> {
        if !self.ready {
            match self.client.create_path(&self.path, &self.acl).await {
                // Somebody deletes what is above it just now.
                Err(Code::NO_NODE) => return Err(Undone::Later(Code::NO_NODE)),
                created => created.map_err(undone(|| format!("Failed to create '{}' in ZooKeeper", self.path)))?,
            }
            self.ready = true;
        }
        while let Some(command) = self.queue.pop_front() {
            if let Err((code, command)) = self.carry_out(command).await {
                self.queue.push_front(command);
                return Err(Undone::Later(code));
            }
        }
        if self.stale { self.look().await } else { Ok(()) }
    }

    /// Carries out one command and answers it, or gives it back to be tried again.
    async fn carry_out(&mut self, command: Command) -> Result<(), (Code, Command)> {
        match command {
            Command::Join { data, label, answer, uncertain } => {
                match self.join(&data, label.as_deref(), uncertain).await {
                    Err(Undone::Later(code)) => {
                        let uncertain = uncertain || code == Code::CONNECTION_LOSS;
                        return Err((code, Command::Join { data, label, answer, uncertain }));
                    }
                    done => give(answer, done),
                }
            }
            Command::Cancel { member, answer } => match self.cancel(&member).await {
                Err(Undone::Later(code)) => return Err((code, Command::Cancel { member, answer })),
                done => give(answer, done),
            },
            Command::Data { member, answer } => match self.data(&member).await {
                Err(Undone::Later(code)) => return Err((code, Command::Data { member, answer })),
                done => give(answer, done),
            },
        }
        Ok(())
    }

    fn node(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    async fn join(&mut self, data: &Bytes, label: Option<&str>, uncertain: bool) -> Result<Member, Undone> {
        if uncertain && let Some(member) = self.find_own(data, label).await? {
            return Ok(self.own(member));
        }
        let path = self.node(&Member::prefix(label));
        let mode = Mode::EphemeralSequential;
        let created = match self.client.create(&path, data.clone(), self.acl.clone(), mode).await {
            // The group's znode was deleted: it is made anew, then this is tried again.
            Err(Code::NO_NODE) => {
                self.ready = false;
                return Err(Undone::Later(Code::NO_NODE));
            }
            created => created,
        };
        let failed = || format!("Failed to create ephemeral node at '{path}' in ZooKeeper");
        let created = created.map_err(undone(failed))?;
        let member = created.rsplit('/').next().and_then(Member::parse);
        let member = member.ok_or_else(|| Undone::Never(Error(format!("'{created}' has no sequence number"))))?;
        Ok(self.own(member))
    }

    fn own(&mut self, member: Member) -> Member {
        self.stale = true;
        self.owned.insert(member.sequence, member.clone());
        self.tell(Event::Joined(member.clone()));
        member
    }

    /// A member of ours that was created although the connection broke before we heard so. Left alone it would stay, and
    /// could lead, as long as the session lives.
    async fn find_own(&mut self, data: &Bytes, label: Option<&str>) -> Result<Option<Member>, Undone> {
        // The server that is asked now may not have heard of it yet.
        let synced = self.client.sync(&self.path).await;
        synced.map_err(undone(|| format!("Failed to look at '{}'", self.path)))?;
        let children = self.client.children(&self.path, false).await;
        let children = optional(children).map_err(undone(|| format!("Failed to look at '{}'", self.path)))?;
        for member in children.unwrap_or_default().iter().filter_map(|node| Member::parse(node)) {
            if member.label.as_deref() != label || self.owned.contains_key(&member.sequence) {
                continue;
            }
            let found = self.client.get(&self.node(&member.node)).await;
            let found = optional(found).map_err(undone(|| format!("Failed to read '{}'", member.node)))?;
            let ours = |owner: i64| Some(owner) == self.session;
            if found.is_some_and(|(found, stat)| ours(stat.ephemeral_owner) && found == data) {
                return Ok(Some(member));
            }
        }
        Ok(None)
    }

    async fn cancel(&mut self, member: &Member) -> Result<bool, Undone> {
        if !self.owned.contains_key(&member.sequence) {
            return Ok(false);
        }
        let path = self.node(&member.node);
        let deleted = match self.client.delete(&path, -1).await {
            Err(Code::NO_NODE) => false,
            deleted => {
                deleted.map_err(undone(|| format!("Failed to remove ephemeral node '{path}' in ZooKeeper")))?;
                true
            }
        };
        self.owned.remove(&member.sequence);
        self.stale = true;
        Ok(deleted)
    }

    async fn data(&mut self, member: &Member) -> Result<Option<Bytes>, Undone> {
        let path = self.node(&member.node);
        let found = optional(self.client.get(&path).await);
        let found = found.map_err(undone(|| format!("Failed to get data for ephemeral node '{path}' in ZooKeeper")))?;
        Ok(found.map(|(data, _)| data))
    }

    /// Looks who is there, and asks to be told of the next change.
    async fn look(&mut self) -> Result<(), Undone> {
        let children = match self.client.children(&self.path, true).await {
            // Deleted: nobody is in it, and it is made anew.
            Err(Code::NO_NODE) => {
                self.ready = false;
                self.seen(Members::new());
                return Err(Undone::Later(Code::NO_NODE));
            }
            children => children,
        };
        let failed = || format!("Non-retryable error attempting to get children of '{}' in ZooKeeper", self.path);
        let children = children.map_err(undone(failed))?;
        self.stale = false;
        self.seen(children.iter().filter_map(|node| Member::parse(node)).collect());
        Ok(())
    }

    fn seen(&mut self, members: Members) {
        let gone = |member: &Member| !members.contains(member);
        let cancelled: Vec<Member> = self.owned.values().filter(|member| gone(member)).cloned().collect();
        for member in cancelled {
            self.owned.remove(&member.sequence);
            self.tell(Event::Cancelled(member));
        }
        self.tell_members(members);
    }

    /// Ends for good: whatever was or will be asked for fails, and our memberships end with the session.
    async fn fail(mut self, error: Error, mut commands: mpsc::UnboundedReceiver<Command>) {
        tracing::error!(path = self.path, %error, "the group in ZooKeeper cannot be used");
        for member in std::mem::take(&mut self.owned).into_values() {
            self.tell(Event::Cancelled(member));
        }
        self.tell(Event::Failed(error.clone()));
        self.client.close().await;
        for command in self.queue {
            refuse(command, &error);
        }
        while let Some(command) = commands.recv().await {
            refuse(command, &error);
        }
    }
}

/// What may be missing.
fn optional<T>(found: Result<T, Code>) -> Result<Option<T>, Code> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Code::NO_NODE) => Ok(None),
        Err(code) => Err(code),
    }
}

/// Answers who asked, who may have stopped waiting.
fn give<T>(answer: oneshot::Sender<Result<T, Error>>, done: Result<T, Undone>) {
    let _ = answer.send(done.map_err(|undone| match undone {
        Undone::Never(error) => error,
        Undone::Later(code) => Error(code.to_string()),
    }));
}

fn refuse(command: Command, error: &Error) {
    let refused = Undone::Never(error.clone());
    match command {
        Command::Join { answer, .. } => give(answer, Err(refused)),
        Command::Cancel { answer, .. } => give(answer, Err(refused)),
        Command::Data { answer, .. } => give(answer, Err(refused)),
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
