//! From what passes a host's boundary to facts. Everything is read from the bytes that pass, as a peer would read them.

use super::{Amount, Fact, Update};
use crate::network::{HostId, Process};
use crate::workload::amount;
use crate::world::World;
use tepui_agent::{Effect as AgentEffect, Input as AgentInput};
use tepui_framework::exchange::{HttpEffect, HttpInput};
use tepui_framework::scheduler::is_terminal;
use tepui_master::Effect as MasterEffect;
use tepui_proto::mesos::executor::{Call as ExecutorCall, call::Type as ExecutorType};
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, AgentReregisteredMessage, ReregisterAgentMessage, RescindResourceOfferMessage,
    ResourceOffersMessage, RunTaskMessage, StatusUpdate, StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use tepui_proto::mesos::scheduler::{Call, Event, call, event};
use tepui_proto::mesos::{Offer, Resource, TaskStatus};
use tepui_proto::{ContentType, Message as Proto, MessageName, codec, v1};
use tepui_wire::http::Body;
use tepui_wire::{Message, NetEffect, NetInput, Request, RequestId};

fn see(world: &mut World, fact: &Fact) {
    world.checks.see(world.now, fact);
}

/// What the master does.
pub fn master_effect(world: &mut World, me: Process, effect: &MasterEffect) {
    match effect {
        MasterEffect::Net(NetEffect::Send(message)) => master_message(world, message),
        MasterEffect::Net(NetEffect::StreamWrite(id, bytes)) => {
            let Some(to) = client(world, me, *id) else { return };
            if let Some(event) = event_of(bytes) {
                framework_event(world, to, event);
            }
        }
        MasterEffect::Net(NetEffect::Respond(id, response)) if response.body == Body::Stream => {
            if let Some(of) = client(world, me, *id) {
                see(world, &Fact::Subscription { of });
            }
        }
        _ => {}
    }
}

/// The host whose request a process answers.
pub fn client(world: &World, me: Process, id: RequestId) -> Option<HostId> {
    let (conn, _) = world.network.requests.get(&(me, id))?;
    Some(world.network.conns.get(conn)?.client.host)
}

/// The event in one chunk of a scheduler's stream, in either form.
pub fn event_of(chunk: &[u8]) -> Option<Event> {
    let start = chunk.iter().position(|byte| *byte == b'\n')? + 1;
    let record = &chunk[start..];
    let form = if record.first() == Some(&b'{') { ContentType::Json } else { ContentType::Protobuf };
    form.decode(record).ok()
}

fn read<M: Proto + MessageName>(message: &Message) -> Option<M> {
    codec::decode(&message.body).ok()
}

fn framework_event(world: &mut World, to: HostId, event: Event) {
    match event.r#type {
        Some(event::Type::OFFERS) => {
            event.offers.offers.iter().for_each(|offer| see(world, &offered(to, offer)));
        }
        Some(event::Type::RESCIND) => {
            see(world, &Fact::Rescinded { offer: event.rescind.offer_id.value.clone() });
        }
        _ => {}
    }
}

fn offered(to: HostId, offer: &Offer) -> Fact {
    let amount = ((amount(offer, "cpus") * 1000.0).round() as i64, amount(offer, "mem").round() as i64);
    Fact::Offered { to, offer: offer.id.value.clone(), agent: offer.agent_id.value.clone(), amount }
}

fn amount_of(resources: &[Resource]) -> Amount {
    let sum = |name| resources.iter().filter(|r| r.name == name).map(|r| r.scalar.value).sum::<f64>();
    ((sum("cpus") * 1000.0).round() as i64, sum("mem").round() as i64)
}

fn master_message(world: &mut World, message: &Message) {
    let to = world.addresses.get(&message.to.address()).copied();
    let Some(name) = message.name.strip_prefix("mesos.internal.") else { return };
    match (name, to) {
        ("RunTaskMessage", _) => {
            let Some(run) = read::<RunTaskMessage>(message) else { return };
            let (agent, task) = (run.task.agent_id.value.clone(), run.task.task_id.value.clone());
            see(world, &Fact::Run { agent, task, amount: amount_of(&run.task.resources) });
        }
        ("SlaveReregisteredMessage", _) => {
            let Some(message) = read::<AgentReregisteredMessage>(message) else { return };
            see(world, &Fact::Reregistered { id: message.agent_id.value.clone() });
        }
        ("ResourceOffersMessage", Some(to)) => {
            let Some(message) = read::<ResourceOffersMessage>(message) else { return };
            message.offers.iter().for_each(|offer| see(world, &offered(to, offer)));
        }
        ("RescindResourceOfferMessage", Some(_)) => {
            let Some(message) = read::<RescindResourceOfferMessage>(message) else { return };
            see(world, &Fact::Rescinded { offer: message.offer_id.value.clone() });
        }
        ("FrameworkRegisteredMessage" | "FrameworkReregisteredMessage" | "FrameworkErrorMessage", Some(of)) => {
            see(world, &Fact::Subscription { of });
        }
        _ => {}
    }
}

/// What the master learns.
pub fn master_input(world: &mut World, me: Process, input: &NetInput) {
    match input {
        NetInput::Http(id, request) => {
            let Some(from) = client(world, me, *id) else { return };
            if let Some(call) = scheduler_call(request) {
                taken(world, from, &call);
            }
        }
        NetInput::StreamClosed(id) => {
            if let Some(of) = client(world, me, *id) {
                see(world, &Fact::Subscription { of });
            }
        }
        NetInput::Exited(pid) => {
            if let Some(&of) = world.addresses.get(&pid.address()) {
                see(world, &Fact::Subscription { of });
            }
        }
        NetInput::Message(message) => master_message_taken(world, message),
    }
}

fn scheduler_call(request: &Request) -> Option<Call> {
    let form = ContentType::from_header(request.header("content-type")?)?;
    v1::decode_scheduler_call(form, &request.body).ok()
}

fn master_message_taken(world: &mut World, message: &Message) {
    let from = world.addresses.get(&message.from.address()).copied();
    match message.name.as_str() {
        "mesos.scheduler.Call" => {
            if let (Some(from), Some(call)) = (from, read::<Call>(message)) {
                taken(world, from, &call);
            }
        }
        "mesos.internal.StatusUpdateMessage" => {
            let Some(message) = read::<StatusUpdateMessage>(message) else { return };
            // The master goes by the latest state the agent knows, which may be ahead of what is being acknowledged.
            let state = message.update.latest_state.unwrap_or(message.update.status.state);
            see(world, &Fact::UpdateTaken { update: Update { state, ..update(&message.update) } });
        }
        "mesos.internal.ReregisterSlaveMessage" => {
            let Some(message) = read::<ReregisterAgentMessage>(message) else { return };
            let live = message.tasks.iter().filter(|task| !is_terminal(task.state));
            let live = live.map(|task| task.task_id.value.clone()).collect();
            see(world, &Fact::Reregistering { id: message.agent.id.value.clone(), live });
        }
        _ => {}
    }
}

/// A framework's call reaches the master.
fn taken(world: &mut World, from: HostId, call: &Call) {
    match call.r#type {
        Some(call::Type::ACCEPT) => {
            let offers = call.accept.offer_ids.iter().map(|id| id.value.clone()).collect();
            let launches = call.accept.operations.iter().flat_map(|operation| &operation.launch.task_infos);
            let tasks = launches.map(|task| task.task_id.value.clone()).collect();
            see(world, &Fact::Answered { offers, tasks });
        }
        Some(call::Type::DECLINE) => {
            let offers = call.decline.offer_ids.iter().map(|id| id.value.clone()).collect();
            see(world, &Fact::Answered { offers, tasks: Vec::new() });
        }
        Some(call::Type::TEARDOWN) => see(world, &Fact::Subscription { of: from }),
        Some(call::Type::RECONCILE) => {
            let tasks = call.reconcile.tasks.iter().map(|task| task.task_id.value.clone()).collect();
            see(world, &Fact::Asked { framework: from, tasks });
        }
        _ => {}
    }
}

fn update(update: &StatusUpdate) -> Update {
    let uuid = update.uuid.clone().unwrap_or_default();
    Update { task: update.status.task_id.value.clone(), uuid, state: update.status.state }
}

fn update_of(status: &TaskStatus) -> Update {
    let uuid = status.uuid.clone().unwrap_or_default();
    Update { task: status.task_id.value.clone(), uuid, state: status.state }
}

/// What an agent does.
pub fn agent_effect(world: &mut World, me: Process, effect: &AgentEffect) {
    let AgentEffect::Net(NetEffect::Send(message)) = effect else { return };
    if message.name == "mesos.internal.StatusUpdateMessage"
        && let Some(message) = read::<StatusUpdateMessage>(message)
    {
        see(world, &Fact::UpdateSent { agent: me, update: update(&message.update) });
    }
}

/// What an agent learns.
pub fn agent_input(world: &mut World, me: Process, input: &AgentInput) {
    match input {
        AgentInput::Net(NetInput::Message(message)) => match message.name.as_str() {
            "mesos.internal.SlaveRegisteredMessage" => {
                let Some(message) = read::<AgentRegisteredMessage>(message) else { return };
                see(world, &Fact::Registered { agent: me, id: message.agent_id.value.clone() });
            }
            "mesos.internal.StatusUpdateAcknowledgementMessage" => {
                let Some(message) = read::<StatusUpdateAcknowledgementMessage>(message) else { return };
                let task = message.task_id.value.clone();
                see(world, &Fact::AcknowledgementTaken { task, uuid: message.uuid });
            }
            _ => {}
        },
        AgentInput::Net(NetInput::Http(_, request)) => {
            let Ok(call) = codec::decode::<ExecutorCall>(&request.body) else { return };
            if call.r#type == Some(ExecutorType::UPDATE) {
                see(world, &Fact::ExecutorUpdate { agent: me, update: update_of(&call.update.status) });
            }
        }
        _ => {}
    }
}

/// What a V1 framework sends.
pub fn framework_http(world: &mut World, me: Process, effect: &HttpEffect) {
    let HttpEffect::Call(_, post) = effect else { return };
    let form = post.headers.iter().find(|(name, _)| *name == "Content-Type");
    let form = form.and_then(|(_, value)| ContentType::from_header(value));
    if let Some(Ok(call)) = form.map(|form| v1::decode_scheduler_call(form, &post.body)) {
        sent(world, me, &call);
    }
}

fn sent(world: &mut World, _: Process, call: &Call) {
    let ids = |ids: &[tepui_proto::mesos::OfferID]| ids.iter().map(|id| id.value.clone()).collect();
    match call.r#type {
        Some(call::Type::ACKNOWLEDGE) => see(world, &Fact::Acknowledged { uuid: call.acknowledge.uuid.clone() }),
        Some(call::Type::ACCEPT) => see(world, &Fact::OfferAnswered { offers: ids(&call.accept.offer_ids) }),
        Some(call::Type::DECLINE) => see(world, &Fact::OfferAnswered { offers: ids(&call.decline.offer_ids) }),
        _ => {}
    }
}

/// What a V1 framework hears.
pub fn framework_input(world: &mut World, me: Process, form: ContentType, input: &HttpInput) {
    let framework = me.host;
    match input {
        HttpInput::Opened(..) | HttpInput::Closed(..) => see(world, &Fact::Connected { framework }),
        HttpInput::Chunk(_, bytes) => {
            let start = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let Ok(event) = form.decode::<Event>(&bytes[start..]) else { return };
            match event.r#type {
                Some(event::Type::OFFERS) => {
                    for offer in &event.offers.offers {
                        see(world, &Fact::OfferArrived { to: framework, offer: offer.id.value.clone() });
                    }
                }
                Some(event::Type::RESCIND) => {
                    see(world, &Fact::RescindArrived { offer: event.rescind.offer_id.value.clone() });
                }
                Some(event::Type::UPDATE) => {
                    see(world, &Fact::Told { framework, update: update_of(&event.update.status) });
                }
                _ => {}
            }
        }
        HttpInput::Answered(..) => {}
    }
}

/// What a V0 framework sends.
pub fn framework_message(world: &mut World, me: Process, message: &Message) {
    match message.name.as_str() {
        "mesos.scheduler.Call" => {
            if let Some(call) = read::<Call>(message) {
                sent(world, me, &call);
            }
        }
        "mesos.internal.StatusUpdateAcknowledgementMessage" => {
            let Some(message) = read::<StatusUpdateAcknowledgementMessage>(message) else { return };
            see(world, &Fact::Acknowledged { uuid: message.uuid });
        }
        _ => {}
    }
}

/// What a V0 framework hears.
pub fn framework_told(world: &mut World, me: Process, message: &Message) {
    let framework = me.host;
    match message.name.as_str() {
        "mesos.internal.ResourceOffersMessage" => {
            let Some(message) = read::<ResourceOffersMessage>(message) else { return };
            for offer in &message.offers {
                see(world, &Fact::OfferArrived { to: framework, offer: offer.id.value.clone() });
            }
        }
        "mesos.internal.RescindResourceOfferMessage" => {
            let Some(message) = read::<RescindResourceOfferMessage>(message) else { return };
            see(world, &Fact::RescindArrived { offer: message.offer_id.value.clone() });
        }
        "mesos.internal.StatusUpdateMessage" => {
            let Some(message) = read::<StatusUpdateMessage>(message) else { return };
            see(world, &Fact::Told { framework, update: update(&message.update) });
        }
        "mesos.internal.FrameworkRegisteredMessage" | "mesos.internal.FrameworkReregisteredMessage" => {
            see(world, &Fact::Connected { framework });
        }
        _ => {}
    }
}
