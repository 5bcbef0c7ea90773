//! From SUBSCRIBE to the end of its stream.

use super::{Effect, Event, Scheduler, call, event};
use crate::exchange::{ExchangeId, HttpEffect, Reply, location_address};
use crate::updates::Verdict;
use std::time::Duration;
use tepui_base::{FrameworkId, Instant, Outbox, duration};
use tepui_proto::ToProto;
use tepui_proto::mesos::TaskStatus;
use tepui_proto::mesos::scheduler::call::{Subscribe, Type};
use tepui_proto::mesos::scheduler::{self as wire, Call};

/// How many heartbeats may be missing before the master counts as gone. Mesos' guide to the API names five.
const MISSED_HEARTBEATS: u32 = 5;

impl Scheduler {
    pub(super) fn subscribe(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let subscribe = Subscribe {
            framework_info: self.config.framework.clone().into(),
            suppressed_roles: self.config.suppressed_roles.clone(),
            offer_constraints: self.config.offer_constraints.clone().into(),
            ..Subscribe::default()
        };
        let call = Call {
            r#type: Some(Type::SUBSCRIBE),
            framework_id: self.config.framework.id.clone(),
            subscribe: subscribe.into(),
            ..Call::default()
        };
        let id = self.link.opening(now);
        out.push(Effect::Http(HttpEffect::Subscribe(id, self.post(&call))));
    }

    pub(super) fn opened(&mut self, id: ExchangeId, reply: &Reply) {
        if self.link.opened(id) {
            self.masters.settled();
            self.stream_id = reply.header("mesos-stream-id").map(str::to_owned);
        }
    }

    /// A SUBSCRIBE was answered with another status than 200. What a restart or an election explains is tried again,
    /// anything else is the framework's fault and final.
    pub(super) fn subscribe_refused(&mut self, now: Instant, id: ExchangeId, reply: &Reply, out: &mut Outbox<Effect>) {
        if self.link.exchange() != Some(id) {
            return;
        }
        match reply.status {
            307 => match reply.header("location").and_then(location_address) {
                Some(leader) if self.masters.redirected(leader.clone()) => self.link.start(now),
                _ => self.disconnected(now, "the masters do not agree on a leader".to_owned(), out),
            },
            404 | 500..=599 => self.disconnected(now, reply.reason(), out),
            status => {
                let text = format!("the master refuses the subscription ({status}): {}", reply.reason());
                self.fail(text, out);
            }
        }
    }

    pub(super) fn chunk(&mut self, now: Instant, id: ExchangeId, bytes: &[u8], out: &mut Outbox<Effect>) {
        let records = match self.link.records(now, id, bytes) {
            Ok(records) => records,
            Err(error) => return self.fail(format!("the master's stream cannot be read: {error}"), out),
        };
        for record in records {
            match self.config.content_type.decode::<wire::Event>(&record) {
                Ok(event) => self.event(now, event, out),
                Err(error) => return self.fail(format!("an event of the master cannot be read: {error}"), out),
            }
            // The event may have ended the subscription.
            if self.link.exchange() != Some(id) {
                return;
            }
        }
    }

    fn event(&mut self, now: Instant, event: wire::Event, out: &mut Outbox<Effect>) {
        let heartbeat = event.subscribed.heartbeat_interval_seconds;
        match event::from_proto(event) {
            Some(Event::Subscribed { framework_id, master }) => {
                self.subscribed(now, &framework_id, heartbeat.and_then(duration::from_secs_f64));
                out.push(Effect::Event(Event::Subscribed { framework_id, master }));
                self.ask_about_tasks(now, out);
            }
            Some(Event::Update(status)) => self.update(status, out),
            Some(Event::Error(text)) => self.fail(text, out),
            Some(event) => out.push(Effect::Event(event)),
            None => {}
        }
    }

    fn subscribed(&mut self, now: Instant, framework_id: &FrameworkId, heartbeat: Option<Duration>) {
        self.link.subscribed(now, heartbeat.map(|interval| interval * MISSED_HEARTBEATS));
        self.config.framework.id = framework_id.to_field();
        self.subscribed = true;
    }

    fn ask_about_tasks(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if !self.config.reconcile {
            return;
        }
        let known = self.tasks.subscribed(now);
        if !known.is_empty() {
            self.send(None, call::reconcile(known), out);
        }
        if std::mem::take(&mut self.failover) {
            // The tasks of an earlier instance are known to the master only.
            self.send(None, call::reconcile(Vec::new()), out);
        }
    }

    fn update(&mut self, status: TaskStatus, out: &mut Outbox<Effect>) {
        self.tasks.updated(&status);
        let verdict = match &status.uuid {
            Some(uuid) => self.updates.arrived(uuid),
            None => Verdict::New,
        };
        let acknowledge = match verdict {
            Verdict::New if self.config.implicit_acknowledgements => call::acknowledge(&status),
            Verdict::AcknowledgeAgain => call::acknowledge(&status),
            Verdict::New | Verdict::Waiting => None,
        };
        if verdict == Verdict::New {
            out.push(Effect::Event(Event::Update(status)));
        }
        if let Some(call) = acknowledge {
            self.updates.acknowledged(&call.acknowledge.uuid);
            self.send(None, call, out);
        }
    }

    /// The subscription, or the attempt at one, came to nothing.
    pub(super) fn disconnected(&mut self, now: Instant, reason: String, out: &mut Outbox<Effect>) {
        self.lose_calls(now, &reason, out);
        if self.calls.values().any(|call| call.teardown) {
            // The master ends the stream before it answers the call: this is the end that was asked for.
            self.link.stop();
            self.subscribed = false;
            return self.tasks.disconnected();
        }
        let reason = format!("{}: {reason}", self.masters.current().unwrap_or("no master"));
        out.push(Effect::Event(Event::Disconnected(reason)));
        self.tasks.disconnected();
        self.updates.forget_waiting();
        // After a subscription its master is asked first: it may have closed the stream for reasons that do not last.
        if !std::mem::take(&mut self.subscribed) {
            self.masters.failed();
        }
        self.link.retry(now, &mut self.rng);
    }

    pub(super) fn fail(&mut self, text: String, out: &mut Outbox<Effect>) {
        self.stop(out);
        out.push(Effect::Event(Event::Error(text)));
    }
}
