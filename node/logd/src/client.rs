//! The way to a log for who writes and reads it: requests as calls, answers as what they return.

use crate::replica::Keeper;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tepui_driver::Mailbox;
use tepui_log::{Answer, Effect, Figures, Input, Log, Request, RequestId};
use tokio::sync::{oneshot, watch};

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The log does not run just now: its disk failed, or it has ended.
    #[error("the log does not run: its disk failed, or it has ended")]
    Stopped,
    /// This node is not the writer any more. What was to be written may or may not be in the log.
    #[error("exclusive write promise lost")]
    Lost,
    /// A read that cannot be answered.
    #[error("{0}")]
    Read(String),
}

/// The range of positions a writer starts with, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elected {
    /// The first position that is not truncated.
    pub begin: u64,
    /// The last position.
    pub end: u64,
}

/// A client of a log. Clones are the same client.
#[derive(Clone, Default)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Whether the replica takes part.
    recovered: watch::Sender<bool>,
}

#[derive(Default)]
struct Waiting {
    mailbox: Option<Mailbox<Log>>,
    last: u64,
    elections: Vec<oneshot::Sender<Option<Elected>>>,
    requests: BTreeMap<RequestId, oneshot::Sender<Answer>>,
}

impl Client {
    /// Becomes the writer; `None` if another node promised more, or too few replicas vote. Ask again when it is worth it.
    pub async fn elect(&self) -> Result<Option<Elected>, Error> {
        let (sender, receiver) = oneshot::channel();
        self.ask(|waiting| {
            waiting.elections.push(sender);
            Request::Elect
        })?;
        receiver.await.map_err(|_| Error::Stopped)
    }

    /// Gives the writer's place up.
    pub fn resign(&self) -> Result<(), Error> {
        self.ask(|_| Request::Resign)
    }

    /// Appends bytes; the position they have. Several may be under way: they have positions in the order of the calls.
    pub async fn append(&self, bytes: Bytes) -> Result<u64, Error> {
        self.written(|id| Request::Append(id, bytes)).await
    }

    /// Forgets every position before this one; the position where the log says so.
    pub async fn truncate(&self, to: u64) -> Result<u64, Error> {
        self.written(|id| Request::Truncate(id, to)).await
    }

    /// The appended entries of these positions, both included.
    pub async fn read(&self, from: u64, to: u64) -> Result<Vec<(u64, Bytes)>, Error> {
        match self.answer(|id| Request::Read(id, from, to)).await? {
            Answer::Entries(_, entries) => Ok(entries),
            Answer::ReadFailed(_, why) => Err(Error::Read(why)),
            _ => Err(Error::Lost),
        }
    }

    /// Waits until the replica takes part in its group.
    pub async fn recovered(&self) {
        // The sender is as old as this client.
        let _ = self.shared.recovered.subscribe().wait_for(|recovered| *recovered).await;
    }

    /// How the log stands; `None` while it does not run.
    pub async fn figures(&self) -> Option<Figures> {
        let mailbox = self.waiting().mailbox.clone()?;
        mailbox.inspect(Log::figures).await
    }

    async fn written(&self, request: impl FnOnce(RequestId) -> Request) -> Result<u64, Error> {
        match self.answer(request).await? {
            Answer::Written(_, position) => Ok(position),
            _ => Err(Error::Lost),
        }
    }

    async fn answer(&self, request: impl FnOnce(RequestId) -> Request) -> Result<Answer, Error> {
        let (sender, receiver) = oneshot::channel();
        self.ask(|waiting| {
            waiting.last += 1;
            let id = RequestId(waiting.last);
            waiting.requests.insert(id, sender);
            request(id)
        })?;
        // A log that stops answers nothing: what was under way may or may not have happened.
        receiver.await.map_err(|_| Error::Lost)
    }

    /// Requests reach the log in the order of these calls.
    fn ask(&self, request: impl FnOnce(&mut Waiting) -> Request) -> Result<(), Error> {
        let mut waiting = self.waiting();
        let mailbox = waiting.mailbox.clone().ok_or(Error::Stopped)?;
        mailbox.post(Input::Request(request(&mut waiting)));
        Ok(())
    }

    /// An answer of the log.
    fn give(&self, answer: Answer) {
        let mut waiting = self.waiting();
        let elected = match &answer {
            Answer::Recovered => {
                drop(waiting);
                self.shared.recovered.send_replace(true);
                return;
            }
            Answer::Elected { begin, end } => Some(Elected { begin: *begin, end: *end }),
            Answer::NotElected => None,
            // The last four are for masters that elect by the log; this is the way of those who do not.
            Answer::Demoted
            | Answer::Leads { .. }
            | Answer::Follows { .. }
            | Answer::NoLeader
            | Answer::Refused(..) => return,
            Answer::Written(id, _) | Answer::Unknown(id) | Answer::Entries(id, _) | Answer::ReadFailed(id, _) => {
                if let Some(sender) = waiting.requests.remove(id) {
                    // Who asked may have left.
                    let _ = sender.send(answer);
                }
                return;
            }
        };
        for sender in waiting.elections.drain(..) {
            let _ = sender.send(elected);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper for Client {
    type Machine = Log;

    fn build(&self, log: Log) -> Log {
        log
    }

    fn input(input: Input) -> Input {
        input
    }

    fn effect(&self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Answer(answer) => {
                self.give(answer);
                None
            }
            effect => Some(effect),
        }
    }

    fn start(&self, mailbox: Mailbox<Log>) {
        self.waiting().mailbox = Some(mailbox);
    }

    /// Nobody waits for an answer any more.
    fn stop(&self) {
        let last = self.waiting().last;
        *self.waiting() = Waiting { last, ..Waiting::default() };
        self.shared.recovered.send_replace(false);
    }
}
