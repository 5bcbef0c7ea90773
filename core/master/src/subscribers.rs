//! The operator event stream: SUBSCRIBE of `/api/v1`, and what its subscribers are told from then on.
//!
//! A subscriber first gets all there is (SUBSCRIBED with the answer of GET_STATE), then a heartbeat, then every change.
//! The two never overlap: the state is frozen when the call is handled, and written before anything that comes later. It
//! leaves as [`Effect::Show`], so that whoever carries it out can write a large state down beside the machine.
//!
//! Whoever changes frameworks, agents or tasks says so in one line, [`Master::publish`]. It costs nothing while nobody
//! subscribes, and an event is written once for all who see it in the same form. As in Mesos there is no event for a
//! task that is removed, for a framework that disconnects, or for an agent that becomes unreachable.
//! Source: Mesos `Master::Subscribers` in `src/master/master.cpp`, `src/common/protobuf_utils.cpp`.

use crate::Master;
use crate::cx::Cx;
use crate::event::HEARTBEAT_SECS;
use crate::state::Snapshot;
use crate::timers::Timer;
use crate::view::api::{self, View};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;
use tepui_authz::{Action, Principal};
use tepui_base::{AgentId, FrameworkId, TaskId};
use tepui_proto::json::Writer;
use tepui_proto::mesos::master::Event;
use tepui_proto::mesos::master::event::{
    AgentAdded, AgentRemoved, FrameworkAdded, FrameworkRemoved, FrameworkUpdated, Subscribed, TaskAdded, TaskUpdated,
    Type,
};
use tepui_proto::mesos::{FrameworkInfo, TaskState, TaskStatus};
use tepui_proto::{ContentType, MessageField, ToProto, recordio};
use tepui_wire::{RequestId, Response};

/// One who watches.
pub(crate) struct Subscriber {
    stream: RequestId,
    content: ContentType,
    principal: Principal,
}

/// What happened, by name; the event is made of the records as they are now.
#[derive(Clone, Copy)]
pub(crate) enum Change<'a> {
    /// A task is known from now on.
    TaskAdded(&'a FrameworkId, &'a TaskId),
    /// A task has got a status that says something new, and is in this state now.
    TaskUpdated(&'a FrameworkId, TaskState, &'a TaskStatus),
    /// An agent may be offered.
    AgentAdded(&'a AgentId),
    /// An agent has left for good.
    AgentRemoved(&'a AgentId),
    /// A framework is known from now on.
    FrameworkAdded(&'a FrameworkId),
    /// A framework has said what it is again.
    FrameworkUpdated(&'a FrameworkId),
    /// A framework is over.
    FrameworkRemoved(&'a FrameworkInfo),
}

/// All there is, as one subscriber may see it: its first event.
#[derive(Clone)]
pub struct FirstEvent {
    snapshot: Snapshot,
    principal: Principal,
    content: ContentType,
}

/// Without the state: effects are shown to people, one to a line.
impl fmt::Debug for FirstEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstEvent").field("content", &self.content).finish_non_exhaustive()
    }
}

impl FirstEvent {
    /// Writes SUBSCRIBED down as a record. The only part that takes time in proportion to the cluster; it needs nothing of
    /// the machine.
    pub fn record(&self) -> Bytes {
        let state = View::new(&self.snapshot, &self.principal).state();
        let bytes = match self.content {
            ContentType::Protobuf => {
                let subscribed = Subscribed {
                    get_state: MessageField::some(state),
                    heartbeat_interval_seconds: Some(HEARTBEAT_SECS as f64),
                    ..Default::default()
                };
                let subscribed = MessageField::some(subscribed);
                self.content.encode(&Event { subscribed, ..of(Type::SUBSCRIBED) })
            }
            // By hand, as GET_STATE, because that shows empty lists.
            ContentType::Json => {
                let mut writer = Writer::new();
                writer.object(|w| {
                    w.field_string("type", "SUBSCRIBED");
                    w.field_object("subscribed", |w| {
                        api::write_state(w, &state);
                        w.field_double("heartbeat_interval_seconds", HEARTBEAT_SECS as f64);
                    });
                });
                Bytes::from(writer.finish())
            }
        };
        recordio::encode(&bytes)
    }
}

impl Master {
    /// SUBSCRIBE of `/api/v1`. Who is one too many pushes out the oldest.
    pub(crate) fn operator_subscribe(
        &mut self,
        cx: &mut Cx,
        stream: RequestId,
        principal: &Principal,
        content: ContentType,
    ) {
        cx.respond(stream, Response::stream(content.as_str()));
        let (snapshot, principal) = (self.snapshot(), principal.clone());
        cx.show(stream, FirstEvent { snapshot, principal: principal.clone(), content });
        self.subscribers.push(Subscriber { stream, content, principal });
        self.operator_heartbeat(cx, stream);
        while self.subscribers.len() > self.config.max_operator_event_stream_subscribers {
            let oldest = self.subscribers.remove(0);
            cx.close(oldest.stream);
        }
        self.state.subscribers = self.subscribers.len();
    }

    /// The subscriber has left.
    pub(crate) fn operator_left(&mut self, stream: RequestId) {
        self.subscribers.retain(|subscriber| subscriber.stream != stream);
        self.state.subscribers = self.subscribers.len();
    }

    /// A heartbeat, as long as the stream lives: right after the first event, then every 15 seconds.
    pub(crate) fn operator_heartbeat(&mut self, cx: &mut Cx, stream: RequestId) {
        let Some(subscriber) = self.subscribers.iter().find(|subscriber| subscriber.stream == stream) else { return };
        cx.write(stream, recordio::encode(&subscriber.content.encode(&of(Type::HEARTBEAT))));
        let next = cx.now.monotonic + Duration::from_secs(HEARTBEAT_SECS);
        self.timers.set(next, Timer::OperatorHeartbeat(stream));
    }

    /// Tells every subscriber that may know of it what happened.
    pub(crate) fn publish(&self, cx: &mut Cx, change: Change) {
        let mut written: Vec<(ContentType, &Principal, Option<Bytes>)> = Vec::new();
        for Subscriber { stream, content, principal } in &self.subscribers {
            let same = written.iter().position(|(form, whose, _)| form == content && *whose == principal);
            let at = same.unwrap_or_else(|| {
                let event = event(&View::new(&self.state, principal), change);
                let record = event.map(|event| recordio::encode(&content.encode(&event)));
                written.push((*content, principal, record));
                written.len() - 1
            });
            if let Some(record) = &written[at].2 {
                cx.write(*stream, record.clone());
            }
        }
    }
}

fn of(kind: Type) -> Event {
    Event { r#type: Some(kind), ..Default::default() }
}

/// The event as the viewer may see it, if at all.
fn event(view: &View, change: Change) -> Option<Event> {
    Some(match change {
        Change::TaskAdded(owner, id) => {
            let framework = view.seen(Action::ViewTask, owner)?;
            let task = MessageField::some(framework.tasks.get(id)?.to_proto());
            let task_added = MessageField::some(TaskAdded { task, ..Default::default() });
            Event { task_added, ..of(Type::TASK_ADDED) }
        }
        Change::TaskUpdated(owner, state, status) => {
            view.seen(Action::ViewTask, owner)?;
            let task_updated = MessageField::some(TaskUpdated {
                framework_id: owner.to_field(),
                status: MessageField::some(status.clone()),
                state,
                ..Default::default()
            });
            Event { task_updated, ..of(Type::TASK_UPDATED) }
        }
        Change::AgentAdded(id) => {
            let agent = MessageField::some(view.agent(view.snapshot.agents.get(id)?));
            let agent_added = MessageField::some(AgentAdded { agent, ..Default::default() });
            Event { agent_added, ..of(Type::AGENT_ADDED) }
        }
        Change::AgentRemoved(id) => {
            let agent_removed = MessageField::some(AgentRemoved { agent_id: id.to_field(), ..Default::default() });
            Event { agent_removed, ..of(Type::AGENT_REMOVED) }
        }
        Change::FrameworkAdded(id) => {
            let framework = MessageField::some(view.framework_head(view.seen(Action::ViewFramework, id)?));
            let framework_added = MessageField::some(FrameworkAdded { framework, ..Default::default() });
            Event { framework_added, ..of(Type::FRAMEWORK_ADDED) }
        }
        Change::FrameworkUpdated(id) => {
            let framework = MessageField::some(view.framework_head(view.seen(Action::ViewFramework, id)?));
            let framework_updated = MessageField::some(FrameworkUpdated { framework, ..Default::default() });
            Event { framework_updated, ..of(Type::FRAMEWORK_UPDATED) }
        }
        Change::FrameworkRemoved(info) => {
            if !view.approved(Action::ViewFramework, info) {
                return None;
            }
            let framework_info = MessageField::some(info.clone());
            let framework_removed = MessageField::some(FrameworkRemoved { framework_info, ..Default::default() });
            Event { framework_removed, ..of(Type::FRAMEWORK_REMOVED) }
        }
    })
}
