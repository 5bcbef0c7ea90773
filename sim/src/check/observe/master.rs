//! What the master learns and does.

use super::{amount_of, client, event_of, read, scalar_of, see, update, update_of};
use crate::check::{Fact, Report, ReportedTask, Update, Via};
use crate::network::{HostId, Process};
use crate::world::World;
use std::rc::Rc;
use tepui_framework::scheduler::is_terminal;
use tepui_master::Effect;
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, AgentReregisteredMessage, ExitedExecutorMessage, FrameworkErrorMessage,
    FrameworkRegisteredMessage, FrameworkReregisteredMessage, InverseOffersMessage, KillTaskMessage,
    ReregisterAgentMessage, RescindInverseOfferMessage, RescindResourceOfferMessage, ResourceOffersMessage,
    RunTaskGroupMessage, RunTaskMessage, ShutdownExecutorMessage, ShutdownFrameworkMessage,
    StatusUpdateAcknowledgementMessage, StatusUpdateMessage, UpdateFrameworkMessage,
};
use tepui_proto::mesos::maintenance::Window;
use tepui_proto::mesos::scheduler::{Call, Event, call, event};
use tepui_proto::mesos::{ExecutorInfo, FrameworkInfo, InverseOffer, MachineID, Offer, Task, TaskInfo};
use tepui_proto::{ContentType, v1};
use tepui_registry::maintenance::{Change, Machine};
use tepui_registry::{Input as RegistryInput, Operation, Output as RegistryOutput};
use tepui_wire::http::Body;
use tepui_wire::{Message, NetEffect, NetInput, Request, RequestId, Response};

/// The master has done all it does about one input.
pub fn step_end(world: &mut World) {
    see(world, &Fact::StepEnd);
}

/// What the master does.
pub fn master_effect(world: &mut World, me: Process, effect: &Effect) {
    match effect {
        Effect::Net(NetEffect::Send(message)) => {
            message_sent(world, message);
        }
        Effect::Net(NetEffect::StreamWrite(id, bytes)) => {
            if let (Some(to), Some(event)) = (client(world, me, *id), event_of(bytes)) {
                framework_event(world, to, Via::Stream(id.0), event);
            }
        }
        Effect::Net(NetEffect::Respond(id, response)) if response.body == Body::Stream => {
            stream_opened(world, me, *id, response);
        }
        _ => {}
    }
}

fn stream_opened(world: &mut World, me: Process, id: RequestId, response: &Response) {
    let stream_id = response.headers.iter().find(|(name, _)| *name == "Mesos-Stream-Id");
    let stream_id = stream_id.map(|(_, value)| value.clone()).unwrap_or_default();
    see(world, &Fact::StreamOpened { request: id.0, stream_id });
    if let Some(of) = client(world, me, id) {
        see(world, &Fact::Subscription { of });
    }
}

fn framework_event(world: &mut World, host: HostId, via: Via, event: Event) {
    match event.r#type {
        Some(event::Type::SUBSCRIBED) => {
            let framework = event.subscribed.framework_id.value.clone();
            see(world, &Fact::Subscribed { framework, host, via });
        }
        Some(event::Type::OFFERS) => {
            event.offers.offers.iter().for_each(|offer| see(world, &offered(host, &via, offer)));
        }
        Some(event::Type::RESCIND) => {
            see(world, &Fact::Rescinded { offer: event.rescind.offer_id.value.clone() });
        }
        Some(event::Type::INVERSE_OFFERS) => asked_back(world, host, &event.inverse_offers.inverse_offers),
        Some(event::Type::RESCIND_INVERSE_OFFER) => {
            let offer = event.rescind_inverse_offer.inverse_offer_id.value.clone();
            see(world, &Fact::InverseRescinded { offer });
        }
        Some(event::Type::UPDATE) => see(world, &Fact::Says { via, update: update_of(&event.update.status) }),
        Some(event::Type::ERROR) => refused(world, host, via, &event.error.message),
        Some(event::Type::FAILURE) => {
            let framework = world.checks.model.roster.known_at(&via).cloned().unwrap_or_default();
            let executor = event.failure.executor_id.as_option().map(|id| id.value.clone());
            let agent = event.failure.agent_id.value.clone();
            let status = event.failure.status.unwrap_or(-1);
            see(world, &Fact::Failure { via, framework, agent, executor, status });
        }
        _ => {}
    }
}

fn refused(world: &mut World, host: HostId, via: Via, text: &str) {
    see(world, &Fact::Refused { host, via, text: text.to_owned() });
    see(world, &Fact::Subscription { of: host });
}

fn offered(to: HostId, via: &Via, offer: &Offer) -> Fact {
    Fact::Offered {
        to,
        via: via.clone(),
        offer: offer.id.value.clone(),
        agent: offer.agent_id.value.clone(),
        role: offer.allocation_info.role.clone().unwrap_or_default(),
        amount: amount_of(&offer.resources),
        disk: scalar_of(&offer.resources, "disk").round() as i64,
        away: offer.unavailability.as_option().map(|window| window.start.nanoseconds),
    }
}

fn asked_back(world: &mut World, to: HostId, offers: &[InverseOffer]) {
    for offer in offers {
        let fact = Fact::InverseOffered {
            to,
            framework: offer.framework_id.value.clone(),
            offer: offer.id.value.clone(),
            agent: offer.agent_id.value.clone(),
            start: offer.unavailability.start.nanoseconds,
        };
        see(world, &fact);
    }
}

fn message_sent(world: &mut World, message: &Message) -> Option<()> {
    let to = world.addresses.get(&message.to.address()).copied();
    let via = Via::Pid(message.to.to_string());
    let name = message.name.strip_prefix("mesos.internal.")?;
    let fact = match (name, to) {
        ("ResourceOffersMessage", Some(to)) => {
            let message = read::<ResourceOffersMessage>(message)?;
            message.offers.iter().for_each(|offer| see(world, &offered(to, &via, offer)));
            return Some(());
        }
        ("RescindResourceOfferMessage", Some(_)) => {
            Fact::Rescinded { offer: read::<RescindResourceOfferMessage>(message)?.offer_id.value.clone() }
        }
        ("InverseOffersMessage", Some(to)) => {
            asked_back(world, to, &read::<InverseOffersMessage>(message)?.inverse_offers);
            return Some(());
        }
        ("RescindInverseOfferMessage", Some(_)) => {
            let message = read::<RescindInverseOfferMessage>(message)?;
            Fact::InverseRescinded { offer: message.inverse_offer_id.value.clone() }
        }
        ("FrameworkRegisteredMessage", Some(host)) => {
            let framework = read::<FrameworkRegisteredMessage>(message)?.framework_id.value.clone();
            let again = world.checks.model.roster.at(&via).is_some_and(|(id, _)| *id == framework);
            see(world, &if again { Fact::ToldAgain { of: host } } else { Fact::Subscription { of: host } });
            Fact::Subscribed { framework, host, via }
        }
        ("FrameworkReregisteredMessage", Some(host)) => {
            see(world, &Fact::Subscription { of: host });
            let framework = read::<FrameworkReregisteredMessage>(message)?.framework_id.value.clone();
            Fact::Subscribed { framework, host, via }
        }
        ("FrameworkErrorMessage", Some(host)) => {
            refused(world, host, via, &read::<FrameworkErrorMessage>(message)?.message);
            return Some(());
        }
        ("StatusUpdateMessage", Some(_)) => {
            Fact::Says { via, update: update(&read::<StatusUpdateMessage>(message)?.update) }
        }
        ("ExitedExecutorMessage", Some(_)) => {
            let message = read::<ExitedExecutorMessage>(message)?;
            Fact::Failure {
                via,
                framework: message.framework_id.value.clone(),
                agent: message.agent_id.value.clone(),
                executor: Some(message.executor_id.value.clone()),
                status: message.status,
            }
        }
        _ => return sent_to_agent(world, name, message),
    };
    see(world, &fact);
    Some(())
}

fn sent_to_agent(world: &mut World, name: &str, message: &Message) -> Option<()> {
    let pid = message.to.to_string();
    let fact = match name {
        "RunTaskMessage" => {
            let run = read::<RunTaskMessage>(message)?;
            return sent(world, &run.framework, None, std::slice::from_ref(&*run.task));
        }
        "RunTaskGroupMessage" => {
            let run = read::<RunTaskGroupMessage>(message)?;
            return sent(world, &run.framework, run.executor.as_option(), &run.task_group.tasks);
        }
        "ShutdownMessage" => Fact::AgentShutdown { pid },
        "UpdateFrameworkMessage" => {
            let framework = read::<UpdateFrameworkMessage>(message)?.framework_id.value.clone();
            Fact::FrameworkUpdate { pid, framework }
        }
        "SlaveRegisteredMessage" => {
            Fact::AgentAt { id: read::<AgentRegisteredMessage>(message)?.agent_id.value.clone(), pid }
        }
        "SlaveReregisteredMessage" => {
            let id = read::<AgentReregisteredMessage>(message)?.agent_id.value.clone();
            see(world, &Fact::Reregistered { id: id.clone() });
            Fact::AgentAt { id, pid }
        }
        "StatusUpdateAcknowledgementMessage" => {
            let message = read::<StatusUpdateAcknowledgementMessage>(message)?;
            Fact::AcknowledgementPassed { pid, task: message.task_id.value.clone(), uuid: message.uuid }
        }
        "KillTaskMessage" => Fact::KillPassed { pid, task: read::<KillTaskMessage>(message)?.task_id.value.clone() },
        "ShutdownExecutorMessage" => {
            let agent = world.checks.model.known.agent_at(&pid).cloned().unwrap_or_default();
            let executor = read::<ShutdownExecutorMessage>(message)?.executor_id.value.clone();
            Fact::ShutdownPassed { agent, executor }
        }
        "ShutdownFrameworkMessage" => {
            Fact::FrameworkShutdown { framework: read::<ShutdownFrameworkMessage>(message)?.framework_id.value.clone() }
        }
        _ => return None,
    };
    see(world, &fact);
    Some(())
}

/// Tasks go to an agent, with the executor of them all if they are a group.
fn sent(world: &mut World, of: &FrameworkInfo, executor: Option<&ExecutorInfo>, tasks: &[TaskInfo]) -> Option<()> {
    let ids = tasks.iter().map(|task| task.task_id.value.clone()).collect();
    see(world, &Fact::Together { tasks: ids, what: "are sent" });
    for task in tasks {
        let executor = executor.or(task.executor.as_option());
        let run = Fact::Run {
            framework: of.id.value.clone(),
            checkpoint: of.checkpoint.unwrap_or(false),
            agent: task.agent_id.value.clone(),
            task: task.task_id.value.clone(),
            amount: amount_of(&task.resources),
            executor: executor.map(|info| (info.executor_id.value.clone(), amount_of(&info.resources))),
        };
        see(world, &run);
    }
    Some(())
}

/// What the master asks of the registry.
pub fn registry_input(world: &mut World, input: &RegistryInput) {
    match input {
        RegistryInput::Apply(_, Operation::MarkAgentReachable(info) | Operation::UpdateAgent(info)) => {
            see(world, &Fact::ReturnBegun { id: info.id.value.clone() });
        }
        RegistryInput::Apply(_, Operation::MarkAgentUnreachable(info, _)) => {
            see(world, &Fact::GivenUp { id: info.id.value.clone() });
        }
        _ => {}
    }
}

/// What the registry holds now, as the master hears it. `operation` is the one that is answered.
pub fn registry_output(world: &mut World, operation: Option<&Operation>, output: &RegistryOutput) {
    let id = |info: &tepui_proto::mesos::AgentInfo| info.id.value.clone();
    let fact = match (output, operation) {
        (RegistryOutput::Recovered(state), _) => Fact::Recovered {
            admitted: state.admitted.keys().map(|id| id.as_str().to_owned()).collect(),
            unreachable: state.unreachable.keys().map(|id| id.as_str().to_owned()).collect(),
            planned: state.maintenance.machines.values().map(planned).collect(),
        },
        (RegistryOutput::Applied(_, Ok(_)), Some(Operation::AdmitAgent(info))) => Fact::Admitted { id: id(info) },
        (RegistryOutput::Applied(_, Ok(_)), Some(Operation::MarkAgentUnreachable(info, _))) => {
            Fact::MarkedUnreachable { id: id(info) }
        }
        (RegistryOutput::Applied(_, Ok(_)), Some(Operation::RemoveAgent(info))) => Fact::AgentRemoved { id: id(info) },
        (RegistryOutput::Applied(_, Ok(_)), Some(Operation::Maintain(change))) => maintained(change),
        _ => return,
    };
    see(world, &fact);
}

fn host_name(id: &MachineID) -> String {
    id.hostname.clone().unwrap_or_default()
}

fn planned(machine: &Machine) -> (String, (i64, bool)) {
    (host_name(&machine.id), (machine.unavailability.start.nanoseconds, machine.is_down))
}

fn maintained(change: &Change) -> Fact {
    let hosts = |ids: &[MachineID]| ids.iter().map(host_name).collect();
    match change {
        Change::Schedule(schedule) => {
            let windows = schedule.windows.iter();
            let of = |window: &Window| {
                let start = window.unavailability.start.nanoseconds;
                window.machine_ids.iter().map(|id| (host_name(id), start)).collect::<Vec<_>>()
            };
            Fact::Scheduled { machines: windows.flat_map(of).collect() }
        }
        Change::Start(ids) => Fact::MachinesDown { hosts: hosts(ids) },
        Change::Stop(ids) => Fact::MachinesUp { hosts: hosts(ids) },
    }
}

/// What the master learns.
pub fn master_input(world: &mut World, me: Process, input: &NetInput) {
    match input {
        NetInput::Http(id, request) => {
            if let (Some(from), Some(call)) = (client(world, me, *id), scheduler_call(request)) {
                let stream = request.header("mesos-stream-id").unwrap_or_default();
                let framework = call.framework_id.value.clone();
                let is_present = world.checks.model.roster.is_present_stream(&framework, stream);
                taken(world, from, &framework, is_present, call);
            }
        }
        NetInput::StreamClosed(id) => {
            lost(world, &Via::Stream(id.0), true);
            if let Some(of) = client(world, me, *id) {
                see(world, &Fact::Subscription { of });
            }
        }
        NetInput::Exited(pid) => {
            lost(world, &Via::Pid(pid.to_string()), false);
            if let Some(id) = world.checks.model.known.agent_at(&pid.to_string()).cloned() {
                see(world, &Fact::AgentLost { id });
            }
            if let Some(&of) = world.addresses.get(&pid.address()) {
                see(world, &Fact::Subscription { of });
            }
        }
        NetInput::Message(message) => {
            message_taken(world, message);
        }
    }
}

/// A stream ends once; a process may be found lost again, which begins its time anew.
fn lost(world: &mut World, via: &Via, once: bool) {
    let roster = &world.checks.model.roster;
    let framework = if once { roster.at(via).map(|(id, _)| id) } else { roster.known_at(via) };
    if let Some(framework) = framework.cloned() {
        see(world, &Fact::FrameworkLost { framework });
    }
}

fn scheduler_call(request: &Request) -> Option<Call> {
    let form = ContentType::from_header(request.header("content-type")?)?;
    v1::decode_scheduler_call(form, &request.body).ok()
}

/// A framework's call reaches the master.
fn taken(world: &mut World, from: HostId, framework: &str, is_present: bool, call: Call) {
    if call.r#type == Some(call::Type::SUBSCRIBE) {
        let info: FrameworkInfo = call.subscribe.framework_info.as_option().cloned().unwrap_or_default();
        return see(world, &Fact::Subscribing { host: from, info: Box::new(info) });
    }
    if is_present {
        if call.r#type == Some(call::Type::TEARDOWN) {
            see(world, &Fact::Subscription { of: from });
        }
        see(world, &Fact::Call { framework: framework.to_owned(), from, call: Box::new(call) });
    }
}

fn message_taken(world: &mut World, message: &Message) -> Option<()> {
    let from = world.addresses.get(&message.from.address()).copied();
    let pid = message.from.to_string();
    let fact = match message.name.as_str() {
        "mesos.scheduler.Call" => {
            let call = read::<Call>(message)?;
            let framework = call.framework_id.value.clone();
            let is_present = world.checks.model.roster.is_present_pid(&framework, &pid);
            taken(world, from?, &framework, is_present, call);
            return Some(());
        }
        "mesos.internal.StatusUpdateAcknowledgementMessage" => {
            let message = read::<StatusUpdateAcknowledgementMessage>(message)?;
            let framework = message.framework_id.value.clone();
            // This message is taken of a process that counts as lost, too.
            let is_own = world.checks.model.roster.known_at(&Via::Pid(pid)) == Some(&framework);
            taken(world, from?, &framework, is_own, acknowledgement(message));
            return Some(());
        }
        "mesos.internal.StatusUpdateMessage" => {
            let message = read::<StatusUpdateMessage>(message)?;
            // The master goes by the latest state the agent knows, which may be ahead of what is being acknowledged.
            let state = message.update.latest_state.unwrap_or(message.update.status.state);
            Fact::UpdateTaken { update: Update { state, ..update(&message.update) } }
        }
        "mesos.internal.PongSlaveMessage" => Fact::Pong { id: world.checks.model.known.agent_at(&pid)?.clone() },
        "mesos.internal.ReregisterSlaveMessage" => {
            let message = read::<ReregisterAgentMessage>(message)?;
            Fact::Reregistering { id: message.agent.id.value.clone(), report: Rc::new(report(&message)) }
        }
        "mesos.internal.ExitedExecutorMessage" => {
            let message = read::<ExitedExecutorMessage>(message)?;
            Fact::ExitedTaken {
                agent: message.agent_id.value.clone(),
                framework: message.framework_id.value.clone(),
                executor: message.executor_id.value.clone(),
            }
        }
        _ => return None,
    };
    see(world, &fact);
    Some(())
}

/// The call that says the same as the old message.
fn acknowledgement(message: StatusUpdateAcknowledgementMessage) -> Call {
    let acknowledge = call::Acknowledge {
        agent_id: message.agent_id,
        task_id: message.task_id,
        uuid: message.uuid,
        ..call::Acknowledge::default()
    };
    Call { r#type: Some(call::Type::ACKNOWLEDGE), acknowledge: acknowledge.into(), ..Call::default() }
}

fn report(message: &ReregisterAgentMessage) -> Report {
    let executors = message.executor_infos.iter();
    let frameworks = message.frameworks.iter();
    Report {
        tasks: message.tasks.iter().map(reported_task).collect(),
        executors: executors
            .map(|info| (info.framework_id.value.clone(), info.executor_id.value.clone(), amount_of(&info.resources)))
            .collect(),
        checkpoints: frameworks.map(|info| (info.id.value.clone(), info.checkpoint.unwrap_or(false))).collect(),
    }
}

fn reported_task(task: &Task) -> ReportedTask {
    let amount = if is_terminal(task.state) { (0, 0) } else { amount_of(&task.resources) };
    ReportedTask {
        framework: task.framework_id.value.clone(),
        task: task.task_id.value.clone(),
        state: task.state,
        forwarded: task.status_update_state.zip(task.status_update_uuid.clone()),
        amount,
    }
}
