//! Bugs of the master, its allocator and its registry.

use super::{Bug, Planted, body, one_of};
use crate::check::Via;
use crate::check::observe::event_of;
use crate::host::FAILED_OVER;
use crate::network::Process;
use crate::world::World;
use bytes::Bytes;
use tepui_allocator::{Effect as AllocatorEffect, Input as AllocatorInput};
use tepui_framework::scheduler::is_terminal;
use tepui_master::Effect;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, FrameworkErrorMessage, FrameworkRegisteredMessage, KillTaskMessage, ReregisterAgentMessage,
    RunTaskMessage, StatusUpdateAcknowledgementMessage, StatusUpdateMessage, UnregisterFrameworkMessage,
};
use tepui_proto::mesos::scheduler::call::Type;
use tepui_proto::mesos::scheduler::{Call, Event, event};
use tepui_proto::mesos::task_status::{Reason, Source};
use tepui_proto::mesos::{Offer, TaskStatus};
use tepui_proto::{ContentType, codec, recordio, v1};
use tepui_registry::{Output as RegistryOutput, State};
use tepui_wire::{Message, NetEffect, NetInput, Upid};

/// What the master does, with the bug.
pub fn master_effect(world: &mut World, _: Process, effect: Effect) -> Vec<Effect> {
    let Some(bug) = world.planted.bug else { return vec![effect] };
    let planted = &mut world.planted;
    match effect {
        Effect::Net(NetEffect::Send(message)) => {
            let messages = message_sent(planted, bug, message);
            messages.into_iter().map(|message| Effect::Net(NetEffect::Send(message))).collect()
        }
        Effect::Net(NetEffect::StreamWrite(id, bytes)) => {
            let chunks = chunk_written(planted, bug, bytes);
            chunks.into_iter().map(|bytes| Effect::Net(NetEffect::StreamWrite(id, bytes))).collect()
        }
        Effect::Allocator(input) => to_allocator(planted, bug, input).map(Effect::Allocator).into_iter().collect(),
        other => vec![other],
    }
}

fn to_allocator(planted: &mut Planted, bug: Bug, mut input: AllocatorInput) -> Option<AllocatorInput> {
    match (bug, &mut input) {
        (Bug::LeakOnDecline, AllocatorInput::Recover { allocated: false, .. }) if planted.every(200) => return None,
        (Bug::LeakOnEnd, AllocatorInput::Recover { allocated: true, .. }) if planted.every(100) => return None,
        (Bug::FilterIgnored, AllocatorInput::Recover { refuse, .. }) => *refuse = None,
        (Bug::SuppressIgnored, AllocatorInput::Suppress { .. }) => return None,
        (Bug::ReviveForgotten, AllocatorInput::Revive { .. }) => return None,
        _ => {}
    }
    Some(input)
}

fn message_sent(planted: &mut Planted, bug: Bug, mut message: Message) -> Vec<Message> {
    let name = message.name.strip_prefix("mesos.internal.").unwrap_or_default();
    let lost = match (bug, name) {
        (Bug::AckLost, "StatusUpdateAcknowledgementMessage") => {
            one_of(8, &body::<StatusUpdateAcknowledgementMessage>(&message).uuid)
        }
        (Bug::KillForgotten, "KillTaskMessage") => {
            one_of(3, body::<KillTaskMessage>(&message).task_id.value.as_bytes())
        }
        (Bug::ShutdownForgotten, "ShutdownFrameworkMessage")
        | (Bug::ShutdownLost, "ShutdownExecutorMessage")
        | (Bug::OfferNotRescinded, "RescindResourceOfferMessage")
        | (Bug::FailureSilent, "ExitedExecutorMessage") => true,
        (Bug::FailoverSilent, "FrameworkErrorMessage") => {
            body::<FrameworkErrorMessage>(&message).message == FAILED_OVER
        }
        (_, "StatusUpdateMessage") => {
            let update = body::<StatusUpdateMessage>(&message);
            is_kept_back(planted, bug, &update.update.status)
        }
        _ => false,
    };
    if lost {
        return Vec::new();
    }
    let more = sent_besides(planted, bug, &message);
    if bug == Bug::AgentIdReused && message.name == "mesos.internal.SlaveRegisteredMessage" {
        reuse_agent_id(planted, &mut message);
    }
    std::iter::once(message).chain(more).collect()
}

/// Updates for frameworks that the bug swallows, in either protocol.
fn is_kept_back(planted: &mut Planted, bug: Bug, status: &TaskStatus) -> bool {
    let is_answer = status.reason == Some(Reason::REASON_RECONCILIATION);
    match bug {
        Bug::ReconcileSilent => is_answer,
        Bug::ReconcilePartly => is_answer && std::mem::take(&mut planted.leave_out),
        Bug::ReturnUntold => status.reason == Some(Reason::REASON_AGENT_REREGISTERED),
        _ => false,
    }
}

/// What the bug sends in addition.
fn sent_besides(planted: &mut Planted, bug: Bug, message: &Message) -> Option<Message> {
    let name = message.name.strip_prefix("mesos.internal.").unwrap_or_default();
    match (bug, name) {
        (Bug::DoubleLaunch, "RunTaskMessage") => {
            let run = body::<RunTaskMessage>(message);
            one_of(10, run.task.task_id.value.as_bytes()).then(|| message.clone())
        }
        (Bug::AckTwice, "StatusUpdateAcknowledgementMessage") => planted.every(20).then(|| message.clone()),
        (Bug::ExecutorUncounted, "RunTaskMessage") => {
            let run = body::<RunTaskMessage>(message);
            if run.task.executor.is_set() {
                planted.executors.insert(run.task.agent_id.value.clone());
            }
            None
        }
        (Bug::KillStray, "RunTaskMessage") => {
            let run = body::<RunTaskMessage>(message);
            planted.last_task.insert(message.to.clone(), (*run.task.task_id).clone());
            None
        }
        (Bug::KillStray, "KillTaskMessage") if planted.every(5) => {
            let task_id = planted.last_task.get(&message.to)?.clone();
            let stray = KillTaskMessage { task_id: task_id.into(), ..body(message) };
            Some(Message { body: codec::encode(&stray), ..message.clone() })
        }
        (Bug::OldInstanceTold, "FrameworkRegisteredMessage") => {
            let id = body::<FrameworkRegisteredMessage>(message).framework_id.value.clone();
            planted.first_pid.entry(id).or_insert_with(|| message.to.clone());
            None
        }
        (Bug::OldInstanceTold, "StatusUpdateMessage") => {
            let update = body::<StatusUpdateMessage>(message).update;
            let first = planted.first_pid.get(&update.framework_id.value).filter(|pid| **pid != message.to)?;
            Some(Message { to: first.clone(), ..message.clone() })
        }
        _ => None,
    }
}

fn reuse_agent_id(planted: &mut Planted, message: &mut Message) {
    let registered = body::<AgentRegisteredMessage>(message);
    let id = (*registered.agent_id).clone();
    let (owner, first) = planted.first_id.get_or_insert_with(|| (message.to.clone(), id)).clone();
    if owner != message.to {
        let wrong = AgentRegisteredMessage { agent_id: first.into(), ..registered };
        message.body = codec::encode(&wrong);
    }
}

/// V1 events, decoded, changed, and written again.
fn chunk_written(planted: &mut Planted, bug: Bug, bytes: Bytes) -> Vec<Bytes> {
    let Some(event) = event_of(&bytes) else { return vec![bytes] };
    let is_json = bytes.iter().position(|byte| *byte == b'\n').is_some_and(|at| bytes.get(at + 1) == Some(&b'{'));
    let form = if is_json { ContentType::Json } else { ContentType::Protobuf };
    let events = event_written(planted, bug, event);
    events.into_iter().map(|event| recordio::encode(&form.encode(&event))).collect()
}

fn event_written(planted: &mut Planted, bug: Bug, mut event: Event) -> Vec<Event> {
    let lost = match (bug, event.r#type) {
        (Bug::OfferNotRescinded, Some(event::Type::RESCIND)) => true,
        (Bug::FailureSilent, Some(event::Type::FAILURE)) => event.failure.executor_id.is_set(),
        (Bug::FailoverSilent, Some(event::Type::ERROR)) => event.error.message == FAILED_OVER,
        (_, Some(event::Type::UPDATE)) => is_kept_back(planted, bug, &event.update.status),
        _ => false,
    };
    if lost {
        return Vec::new();
    }
    match (bug, event.r#type) {
        (Bug::OfferAgain, Some(event::Type::OFFERS)) if planted.every(20) => return vec![event.clone(), event],
        (Bug::ExecutorUncounted, Some(event::Type::OFFERS)) => {
            let offers = event.offers.as_option_mut().map(|offers| &mut offers.offers);
            let wrong = offers.into_iter().flatten().filter(|offer| planted.executors.contains(&offer.agent_id.value));
            wrong.for_each(enlarge);
        }
        (Bug::FailureStatus, Some(event::Type::FAILURE)) => {
            if let Some(failure) = event.failure.as_option_mut().filter(|failure| failure.executor_id.is_set()) {
                failure.status = Some(77);
            }
        }
        (Bug::TerminalUndone, Some(event::Type::UPDATE))
            if is_terminal(event.update.status.state) && event.update.status.uuid.is_some() && planted.every(20) =>
        {
            let mut undone = event.clone();
            if let Some(status) = undone.update.as_option_mut().and_then(|update| update.status.as_option_mut()) {
                status.state = TaskState::TASK_RUNNING;
                status.uuid = None;
            }
            return vec![event, undone];
        }
        (_, Some(event::Type::UPDATE)) => {
            if let Some(status) = event.update.as_option_mut().and_then(|update| update.status.as_option_mut()) {
                change_status(bug, status);
            }
        }
        _ => {}
    }
    vec![event]
}

fn enlarge(offer: &mut Offer) {
    let cpus = offer.resources.iter_mut().find(|resource| resource.name == "cpus");
    if let Some(scalar) = cpus.and_then(|cpus| cpus.scalar.as_option_mut()) {
        scalar.value += 0.1;
    }
}

fn change_status(bug: Bug, status: &mut TaskStatus) {
    use TaskState::{TASK_GONE, TASK_LOST, TASK_RUNNING, TASK_STAGING, TASK_UNREACHABLE};
    let is_answer = status.reason == Some(Reason::REASON_RECONCILIATION);
    let is_own = status.source == Some(Source::SOURCE_MASTER);
    match (bug, status.state) {
        (Bug::WrongWord, TASK_UNREACHABLE) if is_own && !is_answer => status.state = TASK_LOST,
        (Bug::WrongWord, TASK_LOST) if is_own && !is_answer => status.state = TASK_UNREACHABLE,
        (Bug::ReconcileStale, TASK_RUNNING) if is_answer => status.state = TASK_STAGING,
        (Bug::ReconcileGone, TASK_UNREACHABLE) if is_answer => status.state = TASK_GONE,
        _ => {}
    }
}

/// What the master learns, with the bug.
pub fn master_input(world: &mut World, me: Process, mut input: NetInput) -> Vec<NetInput> {
    let Some(bug) = world.planted.bug else { return vec![input] };
    match bug {
        Bug::FailoverImpatient => edit_call(&mut input, |call| set_patience(call, 1.0)),
        Bug::FailoverPatient => edit_call(&mut input, |call| set_patience(call, 86_400.0)),
        Bug::ReconcilePartly => {
            let planted = &mut world.planted;
            edit_call(&mut input, |call| {
                planted.leave_out = call.r#type == Some(Type::RECONCILE) && call.reconcile.tasks.is_empty();
            });
        }
        Bug::FailoverTimerKept => return timer_kept(world, me, input),
        _ => {}
    }
    if let NetInput::Message(message) = &mut input {
        match (bug, message.name.as_str()) {
            (Bug::ExitUnseen, "mesos.internal.ExitedExecutorMessage") if world.planted.every(3) => return Vec::new(),
            (Bug::TasksNotRestored, "mesos.internal.ReregisterSlaveMessage") => {
                let report = ReregisterAgentMessage { tasks: Vec::new(), ..body(message) };
                message.body = codec::encode(&report);
            }
            (Bug::Resurrected, "mesos.internal.ReregisterSlaveMessage") => {
                let mut report = body::<ReregisterAgentMessage>(message);
                report.tasks.iter_mut().for_each(|task| task.state = TaskState::TASK_RUNNING);
                message.body = codec::encode(&report);
            }
            _ => {}
        }
    }
    vec![input]
}

fn set_patience(call: &mut Call, secs: f64) {
    if let Some(info) = call.subscribe.as_option_mut().and_then(|call| call.framework_info.as_option_mut()) {
        info.failover_timeout = Some(secs);
    }
}

/// Changes a scheduler's call, in whichever protocol it comes.
fn edit_call(input: &mut NetInput, edit: impl FnOnce(&mut Call)) {
    match input {
        NetInput::Message(message) if message.name == "mesos.scheduler.Call" => {
            let mut call = body::<Call>(message);
            edit(&mut call);
            message.body = codec::encode(&call);
        }
        NetInput::Http(_, request) => {
            let form = request.header("content-type").and_then(ContentType::from_header);
            let Some(form) = form else { return };
            let Ok(mut call) = v1::decode_scheduler_call(form, &request.body) else { return };
            edit(&mut call);
            request.body = v1::encode_scheduler_call(form, &call);
        }
        _ => {}
    }
}

/// How long after a loss the timer comes due that should have been cancelled.
const KEPT_NANOS: u64 = 15_000_000_000;

fn timer_kept(world: &mut World, me: Process, input: NetInput) -> Vec<NetInput> {
    let mut inputs = Vec::new();
    if let Some((_, pid)) = world.planted.timer.clone().filter(|(at, _)| *at <= world.now) {
        world.planted.timer = None;
        if let Some((id, _)) = world.checks.model.roster.at(&Via::Pid(pid.to_string())) {
            let framework_id = tepui_proto::mesos::FrameworkID { value: id.clone(), ..Default::default() };
            let message = UnregisterFrameworkMessage { framework_id: framework_id.into(), ..Default::default() };
            inputs.push(NetInput::Message(Message {
                to: Upid::at("master", world.slots[me.host].address),
                from: pid,
                name: "mesos.internal.UnregisterFrameworkMessage".to_owned(),
                body: codec::encode(&message),
            }));
        }
    }
    if let NetInput::Exited(pid) = &input
        && world.checks.model.roster.known_at(&Via::Pid(pid.to_string())).is_some()
    {
        world.planted.timer = Some((world.now + KEPT_NANOS, pid.clone()));
    }
    inputs.push(input);
    inputs
}

/// What the master hears of the registry, with the bug.
pub fn registry_output(world: &World, output: RegistryOutput) -> RegistryOutput {
    match output {
        RegistryOutput::Recovered(_) if world.planted.bug == Some(Bug::RegistryUnread) => {
            RegistryOutput::Recovered(State::default())
        }
        output => output,
    }
}

/// What the allocator does, with the bug.
pub fn allocator_effect(world: &mut World, effect: AllocatorEffect) -> Vec<AllocatorEffect> {
    if world.planted.bug == Some(Bug::OvercommitOffer) && world.planted.every(20) {
        return vec![effect.clone(), effect];
    }
    vec![effect]
}
