//! Bugs on purpose, to prove that the checkers bite. Each changes what passes the boundary of a machine, chosen at run
//! time in one build; the machines themselves stay as they are.

use crate::check::observe::event_of;
use crate::network::Process;
use crate::packet::digest;
use crate::world::World;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use tepui_agent::{ContainerEvent, Effect as AgentEffect, Input as AgentInput};
use tepui_allocator::Effect as AllocatorEffect;
use tepui_framework::scheduler::is_terminal;
use tepui_master::Effect as MasterEffect;
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, KillTaskMessage, RunTaskMessage, StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use tepui_proto::mesos::scheduler::{Event, event};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{AgentID, TaskState};
use tepui_proto::{ContentType, codec, recordio};
use tepui_wire::{Message, NetEffect, NetInput, Upid};

macro_rules! bugs {
    ($($bug:ident $name:literal $what:literal),+ $(,)?) => {
        /// One bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { $(#[doc = $what] $bug),+ }

        impl Bug {
            /// All of them.
            pub const ALL: &[Bug] = &[$(Bug::$bug),+];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Bug::$bug => $name),+ }
            }

            /// What it does.
            pub fn what(self) -> &'static str {
                match self { $(Bug::$bug => $what),+ }
            }
        }
    };
}

bugs! {
    AckLost "ack-lost" "The master loses one of eight acknowledgements for good.",
    DoubleLaunch "double-launch" "The master sends one of ten tasks to its agent twice.",
    LaunchTwice "launch-twice" "The agent hands one of five tasks to a custom executor twice.",
    OfferNotRescinded "offer-not-rescinded" "The master forgets to say that offers are void.",
    OfferAgain "offer-again" "The master sends one of twenty events with offers twice.",
    LeakOnDecline "leak-on-decline" "One of two hundred declined offers does not go back to the allocator.",
    UpdateDropped "update-dropped" "The agent never sends one of ten updates.",
    NotRetried "not-retried" "The agent sends each update once only.",
    TerminalUndone "terminal-undone" "After one of twenty ends the master says that the task runs.",
    OvercommitOffer "overcommit-offer" "The allocator gives one of twenty shares away twice.",
    KillForgotten "kill-forgotten" "The master forgets to pass on the kills of one of three tasks.",
    AgentIdReused "agent-id-reused" "The master gives each agent's id to the next one too.",
    ShutdownForgotten "shutdown-forgotten" "The master does not tell agents that a framework has ended.",
    AckBeforeForward "ack-before-forward" "The agent counts one of ten updates as acknowledged and does not send it.",
    ReconcileSilent "reconcile-silent" "The master answers no questions about tasks.",
    DeathUnseen "death-unseen" "The agent does not hear of one of five containers that end.",
}

/// The planted bug and what it remembers.
#[derive(Default)]
pub struct Planted {
    /// Which, if any.
    pub bug: Option<Bug>,
    sent: BTreeSet<Vec<u8>>,
    first_id: Option<(Upid, AgentID)>,
    acknowledge: BTreeMap<Process, Vec<AgentInput>>,
    count: u64,
}

impl Planted {
    /// With this bug.
    pub fn new(bug: Option<Bug>) -> Planted {
        Planted { bug, ..Planted::default() }
    }

    /// One in so many.
    fn every(&mut self, many: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(many)
    }
}

fn one_of(many: u64, bytes: &[u8]) -> bool {
    digest(bytes).is_multiple_of(many)
}

fn body<M: tepui_proto::Message + tepui_proto::MessageName>(message: &Message) -> M {
    codec::decode(&message.body).unwrap_or_default()
}

/// What the master does, with the bug.
pub fn master_effect(world: &mut World, _: Process, effect: MasterEffect) -> Vec<MasterEffect> {
    let Some(bug) = world.planted.bug else { return vec![effect] };
    match effect {
        MasterEffect::Net(NetEffect::Send(message)) => {
            let messages = master_message(&mut world.planted, bug, message);
            messages.into_iter().map(|message| MasterEffect::Net(NetEffect::Send(message))).collect()
        }
        MasterEffect::Net(NetEffect::StreamWrite(id, bytes)) => {
            let chunks = master_chunk(&mut world.planted, bug, bytes);
            chunks.into_iter().map(|bytes| MasterEffect::Net(NetEffect::StreamWrite(id, bytes))).collect()
        }
        MasterEffect::Allocator(tepui_allocator::Input::Recover { allocated: false, .. })
            if bug == Bug::LeakOnDecline && world.planted.every(200) =>
        {
            Vec::new()
        }
        other => vec![other],
    }
}

fn master_message(planted: &mut Planted, bug: Bug, mut message: Message) -> Vec<Message> {
    let name = message.name.strip_prefix("mesos.internal.").unwrap_or_default();
    let lost = match (bug, name) {
        (Bug::AckLost, "StatusUpdateAcknowledgementMessage") => {
            one_of(8, &body::<StatusUpdateAcknowledgementMessage>(&message).uuid)
        }
        (Bug::KillForgotten, "KillTaskMessage") => {
            one_of(3, body::<KillTaskMessage>(&message).task_id.value.as_bytes())
        }
        (Bug::ShutdownForgotten, "ShutdownFrameworkMessage") => true,
        (Bug::OfferNotRescinded, "RescindResourceOfferMessage") => true,
        (Bug::ReconcileSilent, "StatusUpdateMessage") => {
            let update = body::<StatusUpdateMessage>(&message);
            update.update.status.reason == Some(Reason::REASON_RECONCILIATION)
        }
        (Bug::DoubleLaunch, "RunTaskMessage") => {
            let run = body::<RunTaskMessage>(&message);
            if one_of(10, run.task.task_id.value.as_bytes()) {
                return vec![message.clone(), message];
            }
            false
        }
        (Bug::AgentIdReused, "SlaveRegisteredMessage") => {
            let registered = body::<AgentRegisteredMessage>(&message);
            let id = (*registered.agent_id).clone();
            let (owner, first) = planted.first_id.get_or_insert_with(|| (message.to.clone(), id)).clone();
            if owner != message.to {
                let wrong = AgentRegisteredMessage { agent_id: first.into(), ..registered };
                message.body = codec::encode(&wrong);
            }
            false
        }
        _ => false,
    };
    if lost { Vec::new() } else { vec![message] }
}

fn master_chunk(planted: &mut Planted, bug: Bug, bytes: Bytes) -> Vec<Bytes> {
    let kinds = [Bug::OfferNotRescinded, Bug::ReconcileSilent, Bug::TerminalUndone, Bug::OfferAgain];
    let Some(event) = kinds.contains(&bug).then(|| event_of(&bytes)).flatten() else { return vec![bytes] };
    let status = &event.update.status;
    match (bug, event.r#type) {
        (Bug::OfferNotRescinded, Some(event::Type::RESCIND)) => Vec::new(),
        (Bug::ReconcileSilent, Some(event::Type::UPDATE)) if status.reason == Some(Reason::REASON_RECONCILIATION) => {
            Vec::new()
        }
        (Bug::OfferAgain, Some(event::Type::OFFERS)) if planted.every(20) => vec![bytes.clone(), bytes],
        (Bug::TerminalUndone, Some(event::Type::UPDATE)) if is_terminal(status.state) && planted.every(20) => {
            let json = bytes.iter().position(|byte| *byte == b'\n').is_some_and(|at| bytes.get(at + 1) == Some(&b'{'));
            vec![bytes.clone(), undone(&event, json)]
        }
        _ => vec![bytes],
    }
}

/// The same update, but the task runs.
fn undone(event: &Event, json: bool) -> Bytes {
    let mut event = event.clone();
    if let Some(status) = event.update.as_option_mut().and_then(|update| update.status.as_option_mut()) {
        status.state = TaskState::TASK_RUNNING;
        status.uuid = None;
    }
    let form = if json { ContentType::Json } else { ContentType::Protobuf };
    recordio::encode(&form.encode(&event))
}

/// What the master learns, with the bug.
pub fn master_input(_: &mut World, input: NetInput) -> Vec<NetInput> {
    vec![input]
}

/// What the allocator does, with the bug.
pub fn allocator_effect(world: &mut World, effect: AllocatorEffect) -> Vec<AllocatorEffect> {
    if world.planted.bug == Some(Bug::OvercommitOffer) && world.planted.every(20) {
        return vec![effect.clone(), effect];
    }
    vec![effect]
}

/// What an agent does, with the bug.
pub fn agent_effect(world: &mut World, me: Process, effect: AgentEffect) -> Vec<AgentEffect> {
    let planted = &mut world.planted;
    match (planted.bug, effect) {
        (Some(bug), AgentEffect::Net(NetEffect::Send(message)))
            if message.name == "mesos.internal.StatusUpdateMessage" =>
        {
            let update = body::<StatusUpdateMessage>(&message).update;
            let uuid = update.uuid.clone().unwrap_or_default();
            let lost = match bug {
                Bug::UpdateDropped => one_of(10, &uuid),
                Bug::NotRetried => !planted.sent.insert(uuid.clone()),
                Bug::AckBeforeForward => one_of(10, &uuid),
                _ => false,
            };
            if lost && bug == Bug::AckBeforeForward {
                let acknowledgement = StatusUpdateAcknowledgementMessage {
                    agent_id: update.agent_id.clone(),
                    framework_id: update.framework_id.clone(),
                    task_id: update.status.task_id.clone(),
                    uuid,
                    ..Default::default()
                };
                let forged = Message {
                    from: message.to.clone(),
                    to: message.from.clone(),
                    name: "mesos.internal.StatusUpdateAcknowledgementMessage".to_owned(),
                    body: codec::encode(&acknowledgement),
                };
                let input = AgentInput::Net(NetInput::Message(forged));
                planted.acknowledge.entry(me).or_default().push(input);
            }
            if lost { Vec::new() } else { vec![AgentEffect::Net(NetEffect::Send(message))] }
        }
        (Some(Bug::LaunchTwice), AgentEffect::Net(NetEffect::StreamWrite(id, bytes))) => {
            let again = is_custom_launch(&bytes) && planted.every(5);
            let count = if again { 2 } else { 1 };
            (0..count).map(|_| AgentEffect::Net(NetEffect::StreamWrite(id, bytes.clone()))).collect()
        }
        (_, effect) => vec![effect],
    }
}

fn is_custom_launch(chunk: &[u8]) -> bool {
    use tepui_proto::mesos::executor::{Event, event::Type};
    let start = chunk.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let event = codec::decode::<Event>(&chunk[start..]);
    event.is_ok_and(|event| event.r#type == Some(Type::LAUNCH) && event.launch.task.executor.is_set())
}

/// What an agent learns, with the bug.
pub fn agent_input(world: &mut World, me: Process, input: AgentInput) -> Vec<AgentInput> {
    let planted = &mut world.planted;
    if let AgentInput::Container(ContainerEvent::Terminated { id, .. }) = &input
        && planted.bug == Some(Bug::DeathUnseen)
        && one_of(5, id.as_str().as_bytes())
    {
        return Vec::new();
    }
    let mut inputs = planted.acknowledge.remove(&me).unwrap_or_default();
    inputs.push(input);
    inputs
}
