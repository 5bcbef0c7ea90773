//! A group: processes that are there as long as their sessions are.
//!
//! As in Mesos, what was asked for is retried until it is done, over any number of connections; when a session ends,
//! its memberships do, and a new session is started. Unlike in Mesos, a group whose znode is deleted is created anew.
//!
//! Source: Mesos `src/zookeeper/group.cpp`.

mod member;
mod worker;

pub use member::{Member, Members};

use crate::url::Url;
use crate::zookeeper::Config;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use worker::{Command, Worker};

/// Why something cannot be done, and will not be; retrying is done here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// What becomes of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Who is in it now. None at all also when our session is over: then nobody knows.
    Members(Members),
    /// A membership of ours has ended without being asked to: the session is over, or somebody deleted the znode.
    Cancelled(Member),
    /// The group cannot be used, and never will. Nothing follows.
    Failed(Error),
}

/// A group in ZooKeeper, and our session there. Dropping it ends the session, and our memberships.
#[derive(Debug)]
pub struct Group {
    commands: mpsc::UnboundedSender<Command>,
    until: watch::Receiver<Option<Instant>>,
    worker: JoinHandle<()>,
}

impl Group {
    /// Watches the group at `url` in sessions of this timeout. Answers at once; what becomes of the group arrives as
    /// events.
    pub fn open(url: &Url, session_timeout: Duration) -> (Group, mpsc::UnboundedReceiver<Event>) {
        let config =
            Config { servers: url.servers.clone(), timeout: session_timeout, credentials: url.credentials.clone() };
        let path = url.path.trim_end_matches('/').to_owned();
        let (commands, queue) = mpsc::unbounded_channel();
        let (events, receiver) = mpsc::unbounded_channel();
        let (confirmed, until) = watch::channel(None);
        let worker = Worker::new(config, path, Arc::new(confirmed), events);
        let worker = tokio::spawn(worker.run(queue));
        (Group { commands, until, worker }, receiver)
    }

    /// Adds a member with this data, as often as it takes. The future may be dropped; the member joins all the same.
    pub async fn join(&self, data: Bytes, label: Option<&str>) -> Result<Member, Error> {
        let label = label.map(str::to_owned);
        self.command(|answer| Command::Join { data, label, answer, uncertain: false }).await
    }

    /// Ends a membership of ours. Whether it was one until now.
    pub async fn cancel(&self, member: &Member) -> Result<bool, Error> {
        let member = member.clone();
        self.command(|answer| Command::Cancel { member, answer }).await
    }

    /// The data of a member; none if it is gone.
    pub async fn data(&self, member: &Member) -> Result<Option<Bytes>, Error> {
        let member = member.clone();
        self.command(|answer| Command::Data { member, answer }).await
    }

    /// Until when our session is sure to live: one timeout after the last answered request was sent. None while there is
    /// no session.
    pub fn until(&self) -> watch::Receiver<Option<Instant>> {
        self.until.clone()
    }

    /// Ends the session and waits until ZooKeeper knows, or cannot be told.
    pub async fn close(self) {
        let Group { commands, until, worker } = self;
        drop((commands, until));
        // It fails only if the worker panicked, and then there is nothing left to end.
        let _ = worker.await;
    }

    async fn command<T>(&self, make: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let ended = || Error("The group has ended".to_owned());
        self.commands.send(make(answer)).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}
