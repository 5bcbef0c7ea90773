//! The executor's side of the V1 protocol.
//!
//! The machine keeps one executor subscribed to its agent, repeats what the agent has not acknowledged, and tells the
//! executor to shut down when the agent stays away for too long. Source: Mesos `docs/executor-http-api.md`,
//! `src/executor/executor.cpp`.

mod config;
mod event;
mod unacknowledged;

pub use config::{Config, ConfigError};
pub use event::Event;

use crate::backoff::Backoff;
use crate::exchange::{ExchangeId, HttpEffect, HttpInput, Post, Reply};
use crate::link::{Due, Link};
use std::collections::BTreeSet;
use std::time::Duration;
use tepui_base::{Instant, Machine, Now, Outbox, Rng};
use tepui_proto::ToProto;
use tepui_proto::mesos::executor::call::{Message, Type, Update};
use tepui_proto::mesos::executor::{self as wire, Call};
use tepui_proto::mesos::{TaskStatus, task_status};
use unacknowledged::Unacknowledged;

/// Path of the executor API.
pub const PATH: &str = "/api/v1/executor";

/// How often an executor shows that its connection for calls is alive.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30 * 60);

/// What the machine can learn.
#[derive(Clone, Debug)]
pub enum Input {
    /// Subscribe.
    Start,
    /// What the network did.
    Http(HttpInput),
    /// A task's state. Uuid, timestamp, source and executor id are put in here if they are missing; the update is sent
    /// again until the agent has acknowledged it.
    Update(Box<TaskStatus>),
    /// Bytes for the scheduler; lost when there is no subscription.
    Message(Vec<u8>),
    /// Leave.
    Stop,
}

/// What the machine does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Talk to the agent.
    Http(HttpEffect),
    /// Tell the executor.
    Event(Event),
}

/// See the module's text.
#[derive(Debug)]
pub struct Executor {
    config: Config,
    rng: Rng,
    link: Link,
    subscribed: bool,
    /// When the agent counts as gone for good; set while it is away.
    give_up_at: Option<Instant>,
    heartbeat_at: Option<Instant>,
    unacknowledged: Unacknowledged,
    calls: BTreeSet<ExchangeId>,
}

impl Executor {
    /// An executor that waits for [`Input::Start`]. Uuids of updates come from the seed, so it must be a random one.
    pub fn new(config: Config, seed: u64) -> Executor {
        Executor {
            rng: Rng::new(seed),
            link: Link::new(Backoff::new(config.backoff_max, config.backoff_max)),
            subscribed: false,
            give_up_at: None,
            heartbeat_at: None,
            unacknowledged: Unacknowledged::default(),
            calls: BTreeSet::new(),
            config,
        }
    }

    /// Whether nothing follows any more, after a stop, a shutdown or an error. Also true before the start.
    pub fn is_stopped(&self) -> bool {
        self.link.is_idle() && self.calls.is_empty()
    }

    fn blank(&self, kind: Type) -> Call {
        Call {
            r#type: Some(kind),
            executor_id: self.config.executor_id.to_field(),
            framework_id: self.config.framework_id.to_field(),
            ..Call::default()
        }
    }

    fn post(&self, call: &Call) -> Post {
        let form = self.config.content_type.as_str().to_owned();
        let mut headers = vec![("Content-Type", form.clone()), ("Accept", form)];
        headers.extend(self.config.authorization.clone().map(|value| ("Authorization", value)));
        Post { to: self.config.agent.clone(), path: PATH, headers, body: self.config.content_type.encode(call) }
    }

    fn send(&mut self, call: &Call, out: &mut Outbox<Effect>) {
        let id = self.link.fresh_id();
        self.calls.insert(id);
        out.push(Effect::Http(HttpEffect::Call(id, self.post(call))));
    }

    fn subscribe(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let call = Call { subscribe: self.unacknowledged.subscribe().into(), ..self.blank(Type::SUBSCRIBE) };
        let id = self.link.opening(now);
        out.push(Effect::Http(HttpEffect::Subscribe(id, self.post(&call))));
    }

    fn update(&mut self, now: Now, mut status: TaskStatus, out: &mut Outbox<Effect>) {
        let rng = &mut self.rng;
        status.uuid.get_or_insert_with(|| rng.uuid().to_vec());
        status.timestamp.get_or_insert_with(|| now.wall.as_secs_f64());
        status.source = Some(task_status::Source::SOURCE_EXECUTOR);
        status.executor_id = self.config.executor_id.to_field();
        let update = Update { status: status.into(), ..Update::default() };
        self.unacknowledged.updated(update.clone());
        // While there is no subscription the next SUBSCRIBE carries it.
        if self.subscribed {
            let call = Call { update: update.into(), ..self.blank(Type::UPDATE) };
            self.send(&call, out);
        }
    }

    fn message(&mut self, data: Vec<u8>, out: &mut Outbox<Effect>) {
        if self.subscribed {
            let message = Message { data, ..Message::default() };
            let call = Call { message: message.into(), ..self.blank(Type::MESSAGE) };
            self.send(&call, out);
        }
    }

    fn http(&mut self, now: Instant, input: HttpInput, out: &mut Outbox<Effect>) {
        match input {
            HttpInput::Opened(id, _) => {
                self.link.opened(id);
            }
            HttpInput::Chunk(id, bytes) => self.chunk(now, id, &bytes, out),
            HttpInput::Answered(id, reply) if self.calls.remove(&id) => Self::call_answered(&reply, out),
            HttpInput::Answered(id, reply) if self.link.exchange() == Some(id) => {
                self.subscribe_refused(now, &reply, out);
            }
            HttpInput::Closed(id, reason) if !self.calls.remove(&id) && self.link.exchange() == Some(id) => {
                self.disconnected(now, reason, out);
            }
            HttpInput::Answered(..) | HttpInput::Closed(..) => {}
        }
    }

    fn call_answered(reply: &Reply, out: &mut Outbox<Effect>) {
        // 503 means that the agent has restarted; the stream ends by itself and the update is repeated.
        if !matches!(reply.status, 200 | 202 | 503) {
            out.push(Effect::Event(Event::CallRefused(reply.reason())));
        }
    }

    /// A restarting agent answers 503, and 404 before its routes exist; anything else is final.
    fn subscribe_refused(&mut self, now: Instant, reply: &Reply, out: &mut Outbox<Effect>) {
        match reply.status {
            404 | 503 => self.retry(now),
            status => {
                self.fail(format!("the agent refuses the subscription ({status}): {}", reply.reason()), out);
            }
        }
    }

    fn chunk(&mut self, now: Instant, id: ExchangeId, bytes: &[u8], out: &mut Outbox<Effect>) {
        let records = match self.link.records(now, id, bytes) {
            Ok(records) => records,
            Err(error) => return self.fail(format!("the agent's stream cannot be read: {error}"), out),
        };
        for record in records {
            match self.config.content_type.decode::<wire::Event>(&record) {
                Ok(event) => self.event(now, event, out),
                Err(error) => return self.fail(format!("an event of the agent cannot be read: {error}"), out),
            }
            // The event may have ended the subscription.
            if self.link.exchange() != Some(id) {
                return;
            }
        }
    }

    fn event(&mut self, now: Instant, event: wire::Event, out: &mut Outbox<Effect>) {
        let Some(event) = event::from_proto(event) else { return };
        match &event {
            Event::Subscribed(_) => {
                // An agent's heartbeats come each 30 minutes: its silence says nothing.
                self.link.subscribed(now, None);
                self.subscribed = true;
                self.give_up_at = None;
                self.heartbeat_at = Some(now + HEARTBEAT_INTERVAL);
            }
            Event::Launch(tasks) | Event::LaunchGroup(tasks) => self.unacknowledged.launched(tasks),
            Event::Acknowledged { task_id, uuid } => self.unacknowledged.acknowledged(task_id, uuid),
            Event::Error(text) => return self.fail(text.clone(), out),
            _ => {}
        }
        out.push(Effect::Event(event));
    }

    fn disconnected(&mut self, now: Instant, reason: String, out: &mut Outbox<Effect>) {
        if std::mem::take(&mut self.subscribed) {
            out.push(Effect::Event(Event::Disconnected(reason)));
        }
        self.heartbeat_at = None;
        match self.config.recovery_timeout {
            Some(timeout) => {
                self.give_up_at.get_or_insert(now + timeout);
                self.retry(now);
            }
            None => {
                self.link.stop();
                self.shutdown(out);
            }
        }
    }

    fn retry(&mut self, now: Instant) {
        self.link.retry(now, &mut self.rng);
    }

    fn shutdown(&mut self, out: &mut Outbox<Effect>) {
        self.stop(out);
        out.push(Effect::Event(Event::Shutdown));
    }

    fn fail(&mut self, text: String, out: &mut Outbox<Effect>) {
        self.stop(out);
        out.push(Effect::Event(Event::Error(text)));
    }

    fn stop(&mut self, out: &mut Outbox<Effect>) {
        out_abort(self.link.stop(), out);
        self.subscribed = false;
        self.give_up_at = None;
        self.heartbeat_at = None;
    }

    fn do_due(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if self.give_up_at.is_some_and(|at| now >= at) {
            return self.shutdown(out);
        }
        match self.link.due(now) {
            Some(Due::Subscribe) => self.subscribe(now, out),
            Some(Due::Silent) => {
                out_abort(self.link.exchange(), out);
                self.disconnected(now, "the agent has been silent for too long".to_owned(), out);
            }
            None => {}
        }
        if self.heartbeat_at.is_some_and(|at| now >= at) {
            self.heartbeat_at = Some(now + HEARTBEAT_INTERVAL);
            self.send(&self.blank(Type::HEARTBEAT), out);
        }
    }
}

fn out_abort(exchange: Option<ExchangeId>, out: &mut Outbox<Effect>) {
    if let Some(id) = exchange {
        out.push(Effect::Http(HttpEffect::Abort(id)));
    }
}

impl Machine for Executor {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Effect>) {
        match input {
            Input::Start => self.link.start(now.monotonic),
            Input::Http(input) => self.http(now.monotonic, input, out),
            Input::Update(status) => self.update(now, *status, out),
            Input::Message(data) => self.message(data, out),
            Input::Stop => self.stop(out),
        }
        self.do_due(now.monotonic, out);
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Effect>) {
        self.do_due(now.monotonic, out);
    }

    fn deadline(&self) -> Option<Instant> {
        self.link.deadline().into_iter().chain(self.give_up_at).chain(self.heartbeat_at).min()
    }
}
