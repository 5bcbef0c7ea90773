//! The scheduler's side of the V1 protocol.
//!
//! The machine keeps one framework subscribed to the leading master: it finds the leader by following redirects,
//! subscribes again with the same framework id when the stream ends or falls silent, asks about tasks after each
//! subscription, hands each update over once, and stamps calls with framework and stream id. Source: Mesos
//! `docs/scheduler-http-api.md`, `src/scheduler/scheduler.cpp`.

pub mod call;
mod config;
mod event;
mod masters;
mod subscription;
mod tasks;

pub use config::Config;
pub use event::Event;
pub use tasks::is_terminal;

use crate::backoff::Backoff;
use crate::exchange::{ExchangeId, HttpEffect, HttpInput, Post, Reply};
use crate::link::{Due, Link};
use crate::updates::Updates;
use masters::Masters;
use std::collections::BTreeMap;
use tasks::Tasks;
use tepui_base::{Instant, Machine, Now, Outbox, Rng};
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::scheduler::call::Type;
use tepui_proto::v1;

/// Path of the scheduler API.
pub const PATH: &str = "/api/v1/scheduler";

/// Names a call of the framework until it is answered. Chosen by whoever makes the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What the machine can learn.
#[derive(Clone, Debug)]
pub enum Input {
    /// Subscribe.
    Start,
    /// A detector has found the leader, under these names (`host:port`, the one to connect to first), or that there is
    /// none.
    Leader(Vec<String>),
    /// It will never be known who leads; why.
    Undetectable(String),
    /// What the network did.
    Http(HttpInput),
    /// The framework makes a call (anything but SUBSCRIBE); see [`call`]. Framework and stream id are put in here.
    Call(CallId, Box<Call>),
    /// Leave without ending the framework: its tasks run on until its failover timeout.
    Stop,
}

/// What the machine does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Talk to a master.
    Http(HttpEffect),
    /// Tell the framework.
    Event(Event),
    /// Tell the framework what became of its call.
    Answered(CallId, Result<(), Refusal>),
}

/// Why a call had no effect, as far as one can know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no subscription at present; the call was not sent.
    #[error("the framework is not subscribed at present")]
    NotSubscribed,
    /// The master refused it.
    #[error("the master refused the call ({status}): {reason}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The master's words.
        reason: String,
    },
    /// The connection broke; the call may or may not have been taken.
    #[error("the connection broke before the answer: {0}")]
    Lost(String),
}

#[derive(Debug)]
struct Pending {
    /// The framework's name for the call; none for the machine's own.
    id: Option<CallId>,
    teardown: bool,
}

/// See the module's text.
#[derive(Debug)]
pub struct Scheduler {
    config: Config,
    rng: Rng,
    link: Link,
    masters: Masters,
    stream_id: Option<String>,
    subscribed: bool,
    /// Whether this is the first subscription of an id that was given, whose tasks are not known here.
    failover: bool,
    tasks: Tasks,
    updates: Updates,
    calls: BTreeMap<ExchangeId, Pending>,
}

impl Scheduler {
    /// A scheduler that waits for [`Input::Start`]. Different seeds give different back-off.
    pub fn new(config: Config, seed: u64) -> Scheduler {
        Scheduler {
            rng: Rng::new(seed),
            link: Link::new(Backoff::new(config.backoff_first, config.backoff_max)),
            masters: Masters::new(config.masters.clone()),
            stream_id: None,
            subscribed: false,
            failover: config.framework.id.is_set(),
            tasks: Tasks::default(),
            updates: Updates::default(),
            calls: BTreeMap::new(),
            config,
        }
    }

    /// Whether nothing follows any more, after a stop, a teardown or an error. Also true before the start.
    pub fn is_stopped(&self) -> bool {
        self.link.is_idle() && self.calls.is_empty()
    }

    /// Whether calls can be made at present.
    pub fn is_subscribed(&self) -> bool {
        self.subscribed
    }

    fn call(&mut self, id: CallId, call: Call, out: &mut Outbox<Effect>) {
        if !self.subscribed {
            return out.push(Effect::Answered(id, Err(Refusal::NotSubscribed)));
        }
        match call.r#type {
            Some(Type::ACCEPT) => self.tasks.launched(&call.accept.operations),
            Some(Type::ACKNOWLEDGE) => self.updates.acknowledged(&call.acknowledge.uuid),
            _ => {}
        }
        self.send(Some(id), call, out);
    }

    fn send(&mut self, id: Option<CallId>, mut call: Call, out: &mut Outbox<Effect>) {
        call.framework_id = self.config.framework.id.clone();
        let exchange = self.link.fresh_id();
        self.calls.insert(exchange, Pending { id, teardown: call.r#type == Some(Type::TEARDOWN) });
        let mut post = self.post(&call);
        post.headers.extend(self.stream_id.clone().map(|stream| ("Mesos-Stream-Id", stream)));
        out.push(Effect::Http(HttpEffect::Call(exchange, post)));
    }

    fn post(&self, call: &Call) -> Post {
        let content = self.config.content_type;
        let form = content.as_str().to_owned();
        let mut headers = vec![("Content-Type", form.clone()), ("Accept", form)];
        headers.extend(self.config.authorization.clone().map(|value| ("Authorization", value)));
        let body = v1::encode_scheduler_call(content, call);
        let to = self.masters.current().unwrap_or_default().to_owned();
        Post { to, path: PATH, headers, body }
    }

    fn call_answered(&mut self, now: Instant, pending: Pending, reply: &Reply, out: &mut Outbox<Effect>) {
        let taken = matches!(reply.status, 200 | 202);
        if let Some(id) = pending.id {
            let refusal = || Refusal::Rejected { status: reply.status, reason: reply.reason() };
            out.push(Effect::Answered(id, if taken { Ok(()) } else { Err(refusal()) }));
        }
        if taken && pending.teardown {
            self.stop(out);
        } else if pending.teardown && self.link.is_idle() {
            self.link.start(now);
        } else if matches!(reply.status, 307 | 503) && self.subscribed {
            // Whoever sends calls elsewhere does not lead any more, even if it has not closed the stream yet.
            self.abort(out);
            self.disconnected(now, format!("the master no longer leads: {}", reply.reason()), out);
        }
    }

    fn call_lost(&mut self, now: Instant, pending: &Pending, reason: String, out: &mut Outbox<Effect>) {
        if let Some(id) = pending.id {
            out.push(Effect::Answered(id, Err(Refusal::Lost(reason))));
        }
        if pending.teardown && self.link.is_idle() {
            // The stream has ended too, but perhaps not by the teardown: subscribing again will tell.
            self.link.start(now);
        }
    }

    fn http(&mut self, now: Instant, input: HttpInput, out: &mut Outbox<Effect>) {
        match input {
            HttpInput::Opened(id, reply) => self.opened(id, &reply),
            HttpInput::Chunk(id, bytes) => self.chunk(now, id, &bytes, out),
            HttpInput::Answered(id, reply) => match self.calls.remove(&id) {
                Some(pending) => self.call_answered(now, pending, &reply, out),
                None => self.subscribe_refused(now, id, &reply, out),
            },
            HttpInput::Closed(id, reason) => match self.calls.remove(&id) {
                Some(pending) => self.call_lost(now, &pending, reason, out),
                None if self.link.exchange() == Some(id) => self.disconnected(now, reason, out),
                None => {}
            },
        }
    }

    /// Calls that were made over a subscription end with it: an answer of its master says nothing of the next one, and
    /// may never come. Only a teardown is waited for, because nothing follows if it was taken.
    fn lose_calls(&mut self, now: Instant, reason: &str, out: &mut Outbox<Effect>) {
        let lost: Vec<_> = self.calls.extract_if(.., |_, call| !call.teardown).collect();
        for (exchange, call) in lost {
            out.push(Effect::Http(HttpEffect::Abort(exchange)));
            self.call_lost(now, &call, reason.to_owned(), out);
        }
    }

    fn stop(&mut self, out: &mut Outbox<Effect>) {
        self.abort(out);
        self.link.stop();
        self.subscribed = false;
        self.tasks.disconnected();
    }

    /// Turns to another leader at once, and waits for one if there is none.
    fn leader(&mut self, now: Instant, names: Vec<String>, out: &mut Outbox<Effect>) {
        if !self.masters.detected(names) || self.link.is_idle() {
            return;
        }
        if self.link.exchange().is_some() {
            self.abort(out);
            self.disconnected(now, "the leading master has changed".to_owned(), out);
        }
        // Unless this was the end that a teardown had asked for.
        if !self.link.is_idle() {
            self.link.start(now);
        }
    }

    fn abort(&mut self, out: &mut Outbox<Effect>) {
        if let Some(id) = self.link.exchange() {
            out.push(Effect::Http(HttpEffect::Abort(id)));
        }
    }

    fn do_due(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        match self.link.due(now) {
            Some(Due::Subscribe) if self.masters.current().is_none() => self.link.park(),
            Some(Due::Subscribe) => self.subscribe(now, out),
            Some(Due::Silent) => {
                self.abort(out);
                self.disconnected(now, "the master has been silent for too long".to_owned(), out);
            }
            None => {}
        }
        let unanswered = self.tasks.due(now);
        if !unanswered.is_empty() {
            self.send(None, call::reconcile(unanswered), out);
        }
    }
}

impl Machine for Scheduler {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Effect>) {
        match input {
            Input::Start => {
                self.link.start(now.monotonic);
                self.do_due(now.monotonic, out);
            }
            Input::Http(input) => {
                self.http(now.monotonic, input, out);
                self.do_due(now.monotonic, out);
            }
            Input::Leader(names) => {
                self.leader(now.monotonic, names, out);
                self.do_due(now.monotonic, out);
            }
            Input::Undetectable(why) => self.fail(format!("Failed to detect a master: {why}"), out),
            Input::Call(id, call) => self.call(id, *call, out),
            Input::Stop => self.stop(out),
        }
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Effect>) {
        self.do_due(now.monotonic, out);
    }

    fn deadline(&self) -> Option<Instant> {
        self.link.deadline().into_iter().chain(self.tasks.deadline()).min()
    }
}
