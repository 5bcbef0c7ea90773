//! Bugs of agents.

use super::{Bug, body, one_of};
use crate::network::Process;
use crate::world::World;
use bytes::Bytes;
use tepui_agent::{ContainerEvent, Effect as AgentEffect, Input as AgentInput};

use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::executor::{Event, event::Type};
use tepui_proto::mesos::internal::{StatusUpdate, StatusUpdateAcknowledgementMessage, StatusUpdateMessage};
use tepui_proto::{codec, recordio};
use tepui_wire::{Message, NetEffect, NetInput};

/// What an agent does, with the bug.
pub fn agent_effect(world: &mut World, me: Process, effect: AgentEffect) -> Vec<AgentEffect> {
    let Some(bug) = world.planted.bug else { return vec![effect] };
    match (bug, effect) {
        (_, AgentEffect::Net(NetEffect::Send(message))) => {
            let sent = message_sent(world, me, bug, message);
            sent.into_iter().map(|message| AgentEffect::Net(NetEffect::Send(message))).collect()
        }
        (Bug::LaunchTwice, AgentEffect::Net(NetEffect::StreamWrite(id, bytes))) => {
            let again = is_custom_launch(&bytes) && world.planted.every(5);
            let count = if again { 2 } else { 1 };
            (0..count).map(|_| AgentEffect::Net(NetEffect::StreamWrite(id, bytes.clone()))).collect()
        }
        (Bug::GroupSplit, AgentEffect::Net(NetEffect::StreamWrite(id, bytes))) => {
            vec![AgentEffect::Net(NetEffect::StreamWrite(id, without_the_last(bytes)))]
        }
        (_, effect) => vec![effect],
    }
}

/// A LAUNCH_GROUP of more than one task loses its last.
fn without_the_last(chunk: Bytes) -> Bytes {
    let start = chunk.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let Ok(mut event) = codec::decode::<Event>(&chunk[start..]) else { return chunk };
    let group = event.launch_group.as_option_mut().and_then(|launch| launch.task_group.as_option_mut());
    match group {
        Some(group) if group.tasks.len() > 1 => drop(group.tasks.pop()),
        _ => return chunk,
    }
    recordio::encode(&codec::encode(&event))
}

fn message_sent(world: &mut World, me: Process, bug: Bug, mut message: Message) -> Option<Message> {
    let planted = &mut world.planted;
    match (bug, message.name.as_str()) {
        (Bug::ExitSilent, "mesos.internal.ExitedExecutorMessage") => return None,
        (Bug::DroppedAsLost, "mesos.internal.StatusUpdateMessage") => {
            let mut update = body::<StatusUpdateMessage>(&message);
            if update.update.status.state == TaskState::TASK_DROPPED {
                let status = update.update.as_option_mut().and_then(|update| update.status.as_option_mut());
                status?.state = TaskState::TASK_LOST;
                message.body = codec::encode(&update);
            }
        }
        (_, "mesos.internal.StatusUpdateMessage") => {
            let update = body::<StatusUpdateMessage>(&message).update;
            let uuid = update.uuid.clone().unwrap_or_default();
            let lost = match bug {
                Bug::UpdateDropped | Bug::AckBeforeForward => one_of(10, &uuid),
                Bug::NotRetried => !planted.sent.insert(uuid.clone()),
                _ => false,
            };
            if lost && bug == Bug::AckBeforeForward {
                let forged = acknowledgement(&message, &update, uuid);
                planted.acknowledge.entry(me).or_default().push(AgentInput::Net(NetInput::Message(forged)));
            }
            if lost {
                return None;
            }
        }
        _ => {}
    }
    Some(message)
}

/// What the master would send if the framework had acknowledged.
fn acknowledgement(message: &Message, update: &StatusUpdate, uuid: Vec<u8>) -> Message {
    let acknowledgement = StatusUpdateAcknowledgementMessage {
        agent_id: update.agent_id.clone(),
        framework_id: update.framework_id.clone(),
        task_id: update.status.task_id.clone(),
        uuid,
        ..Default::default()
    };
    Message {
        from: message.to.clone(),
        to: message.from.clone(),
        name: "mesos.internal.StatusUpdateAcknowledgementMessage".to_owned(),
        epoch: None,
        body: codec::encode(&acknowledgement),
    }
}

fn is_custom_launch(chunk: &[u8]) -> bool {
    let start = chunk.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let event = codec::decode::<Event>(&chunk[start..]);
    event.is_ok_and(|event| event.r#type == Some(Type::LAUNCH) && event.launch.task.executor.is_set())
}

/// What an agent learns, with the bug.
pub fn agent_input(world: &mut World, me: Process, input: AgentInput) -> Vec<AgentInput> {
    let planted = &mut world.planted;
    if let AgentInput::Net(NetInput::Message(message)) = &input
        && planted.bug == Some(Bug::ShutdownIgnored)
        && message.name == "mesos.internal.ShutdownExecutorMessage"
    {
        return Vec::new();
    }
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
