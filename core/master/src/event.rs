//! What the master tells a framework: one list of events, written in two languages.
//!
//! A V0 framework gets the old internal message of each event, a V1 framework the record of a `scheduler.Event`. The
//! pairs are those of Mesos `src/internal/evolve.cpp`.

use crate::Master;
use crate::cx::Cx;
use crate::state::Http;
use tepui_base::{AgentId, ExecutorId, FrameworkId, OfferId};
use tepui_proto::mesos::internal::{
    ExecutorToFrameworkMessage, ExitedExecutorMessage, FrameworkErrorMessage, FrameworkRegisteredMessage,
    FrameworkReregisteredMessage, InverseOffersMessage, LostAgentMessage, RescindInverseOfferMessage,
    RescindResourceOfferMessage, ResourceOffersMessage, StatusUpdate, StatusUpdateMessage,
};
use tepui_proto::mesos::scheduler::{self, event};
use tepui_proto::mesos::{InverseOffer, MasterInfo, Offer, OperationStatus};
use tepui_proto::{MessageField, ToProto, recordio};
use tepui_wire::Upid;

/// Time between heartbeats on a V1 stream, in seconds.
pub const HEARTBEAT_SECS: u64 = 15;

/// The text form of no process at all, as V0 messages carry it.
pub const NO_PID: &str = "@0.0.0.0:0";

/// One event.
#[derive(Clone, Debug)]
pub enum Event {
    /// The framework is subscribed under this id.
    Registered,
    /// The framework is subscribed again; V1 does not tell this from the first time.
    Reregistered,
    /// Offers, with the pid of each offer's agent.
    Offers(Vec<Offer>, Vec<String>),
    /// An offer no longer stands.
    Rescind(OfferId),
    /// The framework is asked to give back what it holds on agents, with their pids.
    InverseOffers(Vec<InverseOffer>, Vec<String>),
    /// An inverse offer no longer stands.
    RescindInverseOffer(OfferId),
    /// A task's status. The pid is that of whom V0 drivers think they acknowledge to; `None` leaves it out.
    Update(Box<StatusUpdate>, Option<String>),
    /// The status of an operation (V1 only).
    OperationStatus(Box<OperationStatus>),
    /// An agent is lost.
    LostAgent(AgentId),
    /// An executor is over, with its raw wait status.
    ExitedExecutor(AgentId, ExecutorId, i32),
    /// Data from an executor.
    Message(AgentId, ExecutorId, Vec<u8>),
    /// The framework has done something it cannot recover from.
    Error(String),
    /// The stream lives (V1 only).
    Heartbeat,
}

impl Master {
    /// Tells a registered framework something, if it can be reached at all.
    pub(crate) fn tell(&mut self, cx: &mut Cx, id: &FrameworkId, event: Event) {
        let info = self.state.info.clone();
        let Some(framework) = self.state.framework_mut(id) else { return };
        framework.metrics.count_event(event.kind());
        match (&framework.http, &framework.pid) {
            (Some(http), _) => write(cx, http, id, &info, event),
            (None, Some(pid)) => send(cx, &self.config.pid, pid, id, &info, event),
            (None, None) => {}
        }
    }
}

impl Event {
    /// Its type in V1; it counts under this also for a V0 framework.
    pub fn kind(&self) -> event::Type {
        match self {
            Event::Registered | Event::Reregistered => event::Type::SUBSCRIBED,
            Event::Offers(..) => event::Type::OFFERS,
            Event::Rescind(_) => event::Type::RESCIND,
            Event::InverseOffers(..) => event::Type::INVERSE_OFFERS,
            Event::RescindInverseOffer(_) => event::Type::RESCIND_INVERSE_OFFER,
            Event::Update(..) => event::Type::UPDATE,
            Event::OperationStatus(_) => event::Type::UPDATE_OPERATION_STATUS,
            Event::LostAgent(_) | Event::ExitedExecutor(..) => event::Type::FAILURE,
            Event::Message(..) => event::Type::MESSAGE,
            Event::Error(_) => event::Type::ERROR,
            Event::Heartbeat => event::Type::HEARTBEAT,
        }
    }
}

/// Sends an event to a V0 framework.
pub(crate) fn send(cx: &mut Cx, from: &Upid, to: &Upid, id: &FrameworkId, info: &MasterInfo, event: Event) {
    let framework_id = id.to_field();
    let master_info = || MessageField::some(info.clone());
    match event {
        Event::Registered => {
            let message = FrameworkRegisteredMessage { framework_id, master_info: master_info(), ..Default::default() };
            cx.send(from, to, &message);
        }
        Event::Reregistered => {
            let message =
                FrameworkReregisteredMessage { framework_id, master_info: master_info(), ..Default::default() };
            cx.send(from, to, &message);
        }
        Event::Offers(offers, pids) => {
            cx.send(from, to, &ResourceOffersMessage { offers, pids, ..Default::default() });
        }
        Event::Rescind(offer) => {
            cx.send(from, to, &RescindResourceOfferMessage { offer_id: offer.to_field(), ..Default::default() });
        }
        // Drivers do not know these two; Mesos sends them all the same.
        Event::InverseOffers(inverse_offers, pids) => {
            cx.send(from, to, &InverseOffersMessage { inverse_offers, pids, ..Default::default() });
        }
        Event::RescindInverseOffer(offer) => {
            let message = RescindInverseOfferMessage { inverse_offer_id: offer.to_field(), ..Default::default() };
            cx.send(from, to, &message);
        }
        Event::Update(update, pid) => {
            let message = StatusUpdateMessage { update: MessageField::some(*update), pid, ..Default::default() };
            cx.send(from, to, &message);
        }
        Event::LostAgent(agent) => {
            cx.send(from, to, &LostAgentMessage { agent_id: agent.to_field(), ..Default::default() });
        }
        Event::ExitedExecutor(agent, executor, status) => {
            let message = ExitedExecutorMessage {
                agent_id: agent.to_field(),
                framework_id,
                executor_id: executor.to_field(),
                status,
                ..Default::default()
            };
            cx.send(from, to, &message);
        }
        Event::Message(agent, executor, data) => {
            let message = ExecutorToFrameworkMessage {
                agent_id: agent.to_field(),
                framework_id,
                executor_id: executor.to_field(),
                data,
                ..Default::default()
            };
            cx.send(from, to, &message);
        }
        Event::Error(message) => error(cx, from, to, message),
        // V0 has no word for these: its connection has no heartbeat, and it cannot give operations an id.
        Event::OperationStatus(_) | Event::Heartbeat => {}
    }
}

/// Tells a V0 scheduler, known or not, that it has gone wrong.
pub(crate) fn error(cx: &mut Cx, from: &Upid, to: &Upid, message: String) {
    cx.send(from, to, &FrameworkErrorMessage { message, ..Default::default() });
}

/// Writes an event to a V1 stream.
pub(crate) fn write(cx: &mut Cx, http: &Http, id: &FrameworkId, info: &MasterInfo, event: Event) {
    let record = http.content.encode(&to_v1(id, info, event));
    cx.write(http.request, recordio::encode(&record));
}

fn to_v1(id: &FrameworkId, info: &MasterInfo, event: Event) -> scheduler::Event {
    let mut out = scheduler::Event { r#type: Some(event.kind()), ..Default::default() };
    match event {
        Event::Registered | Event::Reregistered => {
            out.subscribed = MessageField::some(event::Subscribed {
                framework_id: id.to_field(),
                heartbeat_interval_seconds: Some(HEARTBEAT_SECS as f64),
                master_info: MessageField::some(info.clone()),
                ..Default::default()
            });
        }
        Event::Offers(offers, _) => {
            out.offers = MessageField::some(event::Offers { offers, ..Default::default() });
        }
        Event::Rescind(offer) => {
            out.rescind = MessageField::some(event::Rescind { offer_id: offer.to_field(), ..Default::default() });
        }
        Event::InverseOffers(inverse_offers, _) => {
            out.inverse_offers = MessageField::some(event::InverseOffers { inverse_offers, ..Default::default() });
        }
        Event::RescindInverseOffer(offer) => {
            out.rescind_inverse_offer = MessageField::some(event::RescindInverseOffer {
                inverse_offer_id: offer.to_field(),
                ..Default::default()
            });
        }
        Event::Update(update, _) => out.update = MessageField::some(update_to_v1(*update)),
        Event::OperationStatus(status) => {
            let status = MessageField::some(*status);
            out.update_operation_status =
                MessageField::some(event::UpdateOperationStatus { status, ..Default::default() });
        }
        Event::LostAgent(agent) => {
            out.failure = MessageField::some(event::Failure { agent_id: agent.to_field(), ..Default::default() });
        }
        Event::ExitedExecutor(agent, executor, status) => {
            out.failure = MessageField::some(event::Failure {
                agent_id: agent.to_field(),
                executor_id: executor.to_field(),
                status: Some(status),
                ..Default::default()
            });
        }
        Event::Message(agent, executor, data) => {
            out.message = MessageField::some(event::Message {
                agent_id: agent.to_field(),
                executor_id: executor.to_field(),
                data,
                ..Default::default()
            });
        }
        Event::Error(message) => out.error = MessageField::some(event::Error { message, ..Default::default() }),
        Event::Heartbeat => {}
    }
    out
}

/// The status carries in V1 what the update around it carries in V0.
fn update_to_v1(update: StatusUpdate) -> event::Update {
    let mut status = update.status.as_option().cloned().unwrap_or_default();
    if update.agent_id.is_set() {
        status.agent_id = update.agent_id;
    }
    if update.executor_id.is_set() {
        status.executor_id = update.executor_id;
    }
    status.timestamp = Some(update.timestamp);
    status.uuid = update.uuid.filter(|uuid| !uuid.is_empty());
    event::Update { status: MessageField::some(status), ..Default::default() }
}
