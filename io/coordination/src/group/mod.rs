//! A group: processes that are there as long as their sessions are.
//!
//! As in Mesos, what was asked for is retried until it is done, over any number of connections; when a session ends,
//! its memberships do, and a new session is started. Unlike in Mesos, a group whose znode is deleted is created anew.
//!
//! Source: Mesos `src/zookeeper/group.cpp`.

mod member;
#[cfg(test)]
mod tests;
mod worker;

pub use member::{Member, Members};

use crate::url::Url;
use crate::zookeeper::Config;
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
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
    /// A member that was asked for is there. It is also the answer to who asked; here it is told in order with the rest.
    Joined(Member),
    /// Who is in it now. None at all also when our session is over: then nobody knows.
    Members(Members),
    /// Our session is sure to live until then: one timeout after the last request that was answered was sent.
    Confirmed(Instant),
    /// A membership of ours has ended without being asked to: the session is over, or somebody deleted the znode.
    Cancelled(Member),
    /// The group cannot be used, and never will. Nothing follows.
    Failed(Error),
}

/// A group in ZooKeeper, and our session there. Dropping it ends the session, and our memberships.
#[derive(Debug)]
pub struct Group {
    commands: mpsc::UnboundedSender<Command>,
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
        let worker = tokio::spawn(Worker::new(config, path, events).run(queue));
        (Group { commands, worker }, receiver)
    }

    /// Adds a member with this data, as often as it takes.
    pub fn join(&self, data: Bytes, label: Option<&str>) -> Answer<Member> {
        let label = label.map(str::to_owned);
        self.command(|answer| Command::Join { data, label, answer, uncertain: false })
    }

    /// Ends a membership of ours. Whether it was one until now.
    pub fn cancel(&self, member: &Member) -> Answer<bool> {
        let member = member.clone();
        self.command(|answer| Command::Cancel { member, answer })
    }

    /// The data of a member; none if it is gone.
    pub fn data(&self, member: &Member) -> Answer<Option<Bytes>> {
        let member = member.clone();
        self.command(|answer| Command::Data { member, answer })
    }

    /// Ends the session and waits until ZooKeeper knows, or cannot be told.
    pub async fn close(self) {
        let Group { commands, worker } = self;
        drop(commands);
        // It fails only if the worker panicked, and then there is nothing left to end.
        let _ = worker.await;
    }

    fn command<T>(&self, make: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        // If the worker has ended the command is dropped, and the answer with it.
        let _ = self.commands.send(make(answer));
        Answer(answered)
    }
}

/// An answer to come. What was asked for is done whether or not anybody waits for it.
#[derive(Debug)]
pub struct Answer<T>(oneshot::Receiver<Result<T, Error>>);

impl<T> Future for Answer<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = |_| Err(Error("The group has ended".to_owned()));
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or_else(ended))
    }
}
