//! From what passes a host's boundary to facts. Everything is read from the bytes that pass, as a peer would read them.

mod agent;
mod framework;
mod master;

pub use agent::{agent_effect, agent_input};
pub use framework::{framework_http, framework_input, framework_message, framework_told};
pub use master::{master_effect, master_input, registry_input, registry_output, step_end};

use super::{Amount, Fact, Update};
use crate::network::{HostId, Process};
use crate::world::World;
use tepui_proto::mesos::internal::StatusUpdate;
use tepui_proto::mesos::scheduler::Event;
use tepui_proto::mesos::{Resource, TaskStatus};
use tepui_proto::{ContentType, Message as Proto, MessageName, codec};
use tepui_wire::{Message, RequestId};

fn see(world: &mut World, fact: &Fact) {
    world.checks.see(world.now, fact);
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

/// How much CPU and memory resources are.
pub fn amount_of(resources: &[Resource]) -> Amount {
    let sum = |name| resources.iter().filter(|r| r.name == name).map(|r| r.scalar.value).sum::<f64>();
    ((sum("cpus") * 1000.0).round() as i64, sum("mem").round() as i64)
}

fn update(update: &StatusUpdate) -> Update {
    Update {
        agent: update.agent_id.value.clone(),
        uuid: update.uuid.clone().unwrap_or_default(),
        ..update_of(&update.status)
    }
}

fn update_of(status: &TaskStatus) -> Update {
    Update {
        task: status.task_id.value.clone(),
        agent: status.agent_id.value.clone(),
        uuid: status.uuid.clone().unwrap_or_default(),
        state: status.state,
        reason: status.reason,
        source: status.source,
    }
}
