//! The executor's end of the connection to its agent.
//!
//! Connected, it subscribes at once and again each second until the agent has answered. Without checkpointing the loss
//! of the connection is the end; with it, attempts follow one another at random intervals until the recovery timeout,
//! counted from the first failure, is over.

use crate::effect::Effect;
use crate::status::update_of;
use crate::{Executor, Out, call_of, log};
use buffa::MessageField;
use std::time::Duration;
use tepui_base::{Instant, Now};
use tepui_proto::mesos::executor::event::Subscribed;
use tepui_proto::mesos::executor::{Call, call};
use tepui_proto::mesos::framework_info::capability;

/// Time between two attempts to subscribe.
const SUBSCRIBE_INTERVAL: Duration = Duration::from_secs(1);
/// Time between HEARTBEAT calls, which keep middle boxes from dropping a silent connection.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30 * 60);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No connection; `Connect` may be under way.
    #[default]
    Disconnected,
    Connected,
    Subscribing,
    Subscribed,
}

#[derive(Debug, Default)]
pub(crate) struct Connection {
    state: State,
    subscribe_at: Option<Instant>,
    reconnect_at: Option<Instant>,
    give_up_at: Option<Instant>,
    heartbeat_at: Option<Instant>,
    is_given_up: bool,
}

impl Connection {
    pub(crate) fn start(&mut self, now: Now, out: &mut Out) {
        self.heartbeat_at = Some(now.monotonic + HEARTBEAT_INTERVAL);
        out.push(Effect::Connect);
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        self.state == State::Subscribed
    }

    /// Whether nobody tries to reach the agent any more.
    pub(crate) fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.subscribe_at, self.reconnect_at, self.give_up_at, self.heartbeat_at].into_iter().flatten().min()
    }
}

impl Executor {
    pub(crate) fn connected(&mut self, now: Now, out: &mut Out) {
        self.connection.state = State::Connected;
        self.connection.reconnect_at = None;
        self.connection.give_up_at = None;
        self.subscribe(now, out);
    }

    fn subscribe(&mut self, now: Now, out: &mut Out) {
        self.connection.subscribe_at = Some(now.monotonic + SUBSCRIBE_INTERVAL);
        if self.connection.state != State::Connected {
            return; // An answer is still under way.
        }
        self.connection.state = State::Subscribing;
        let unsure = self.task.as_ref().filter(|task| !task.is_acknowledged());
        let subscribe = call::Subscribe {
            unacknowledged_tasks: unsure.map(|task| task.info().clone()).into_iter().collect(),
            unacknowledged_updates: self.unacknowledged.iter().map(|kept| update_of(&kept.status)).collect(),
            ..Default::default()
        };
        self.unacknowledged.iter_mut().for_each(|kept| kept.is_sent = true);
        let call = Call { subscribe: MessageField::some(subscribe), ..call_of(&self.config, call::Type::SUBSCRIBE) };
        out.push(Effect::Call(Box::new(call)));
    }

    pub(crate) fn subscribed(&mut self, subscribed: &Subscribed, out: &mut Out) {
        self.connection.state = State::Subscribed;
        self.connection.subscribe_at = None;
        let wanted = capability::Type::TASK_KILLING_STATE;
        self.reports_killing = subscribed.framework_info.capabilities.iter().any(|c| c.r#type == Some(wanted));
        self.send_updates(out);
    }

    pub(crate) fn refused(&mut self, call: call::Type, status: u16, reason: &str, body: &str, out: &mut Out) {
        if call == call::Type::SUBSCRIBE && self.connection.state == State::Subscribing {
            self.connection.state = State::Connected;
        }
        // 503 and 404 are what an agent says while it starts.
        let surprise = if matches!(status, 503 | 404) { "Received" } else { "Error: Received unexpected" };
        log(out, format!("{surprise} '{status} {reason}' ({body}) for {call:?}"));
    }

    pub(crate) fn disconnected(&mut self, now: Now, why: &str, out: &mut Out) {
        let was_connected = self.connection.state != State::Disconnected;
        self.connection.state = State::Disconnected;
        self.connection.subscribe_at = None;
        if self.connection.is_given_up || self.connection.give_up_at.is_some() {
            return;
        }
        match (&self.config.recovery, was_connected) {
            (Some(recovery), true) => {
                let (timeout, backoff) = (recovery.timeout, recovery.backoff_max);
                log(out, format!("Disconnected from agent: {why}; reconnecting"));
                self.connection.give_up_at = Some(now.monotonic + timeout);
                self.connection.reconnect_at = Some(now.monotonic + self.rng.up_to(backoff));
            }
            _ => {
                log(out, format!("Disconnected from agent: {why}; Shutting down"));
                self.give_up(now, out);
            }
        }
    }

    fn give_up(&mut self, now: Now, out: &mut Out) {
        self.connection.is_given_up = true;
        self.connection.reconnect_at = None;
        self.connection.give_up_at = None;
        self.connection.heartbeat_at = None;
        self.shutdown(now, out);
    }

    pub(crate) fn tick_connection(&mut self, now: Now, out: &mut Out) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now.monotonic);
        if is_due(self.connection.subscribe_at) {
            self.subscribe(now, out);
        }
        if is_due(self.connection.heartbeat_at) {
            self.connection.heartbeat_at = Some(now.monotonic + HEARTBEAT_INTERVAL);
            if self.connection.is_subscribed() {
                out.push(Effect::Call(Box::new(call_of(&self.config, call::Type::HEARTBEAT))));
            }
        }
        if is_due(self.connection.give_up_at) {
            log(out, "Recovery timeout exceeded; Shutting down");
            self.give_up(now, out);
        } else if is_due(self.connection.reconnect_at) {
            self.reconnect(now, out);
        }
    }

    fn reconnect(&mut self, now: Now, out: &mut Out) {
        let backoff = self.config.recovery.as_ref().map_or(SUBSCRIBE_INTERVAL, |recovery| recovery.backoff_max);
        // A back-off of zero must not become a busy loop.
        let wait = self.rng.up_to(backoff).max(Duration::from_millis(10));
        self.connection.reconnect_at = Some(now.monotonic + wait);
        out.push(Effect::Connect);
    }
}
