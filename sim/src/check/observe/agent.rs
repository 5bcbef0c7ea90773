//! What agents do and learn.

use super::{decode, read, see, update, update_of};
use crate::check::{Fact, Sender};
use crate::network::Process;
use crate::world::World;
use tepui_agent::{Effect, Input};
use tepui_proto::mesos::executor::{Call, call::Type};
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, ExitedExecutorMessage, ShutdownExecutorMessage, ShutdownFrameworkMessage,
    StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use tepui_wire::{Message, NetEffect, NetInput};

/// What an agent does.
pub fn agent_effect(world: &mut World, agent: Process, effect: &Effect) {
    match effect {
        Effect::Redetect => see(world, &Fact::Detached { agent, master: None }),
        Effect::Net(NetEffect::Send(message)) => match message.name.as_str() {
            "mesos.internal.StatusUpdateMessage" => {
                let Some(message) = read::<StatusUpdateMessage>(message) else { return };
                see(world, &Fact::UpdateSent { agent, update: update(&message.update) });
            }
            "mesos.internal.ExitedExecutorMessage" => {
                let Some(message) = read::<ExitedExecutorMessage>(message) else { return };
                let id = message.agent_id.value.clone();
                let framework = message.framework_id.value.clone();
                let executor = message.executor_id.value.clone();
                see(world, &Fact::ExitedSent { agent, id, framework, executor });
            }
            _ => {}
        },
        _ => {}
    }
}

/// What an agent learns.
pub fn agent_input(world: &mut World, agent: Process, input: &Input) {
    match input {
        // Whoever leads, it has to register first.
        Input::Detected(master) => see(world, &Fact::Detached { agent, master: master.clone() }),
        Input::Net(NetInput::Message(message)) => {
            message_taken(world, agent, message);
        }
        Input::Net(NetInput::Http(_, request)) => {
            let Some(call) = decode::<Call>(&request.body) else { return };
            if call.r#type == Some(Type::UPDATE) {
                see(world, &Fact::ExecutorUpdate { agent, update: update_of(&call.update.status) });
            }
        }
        _ => {}
    }
}

fn message_taken(world: &mut World, agent: Process, message: &Message) -> Option<()> {
    let by = Sender { pid: message.from.clone(), epoch: message.epoch };
    let fact = match message.name.strip_prefix("mesos.internal.")? {
        "SlaveRegisteredMessage" => {
            see(world, &Fact::Attached { agent, by });
            let message = read::<AgentRegisteredMessage>(message)?;
            Fact::Registered { agent, id: message.agent_id.value.clone() }
        }
        "SlaveReregisteredMessage" => Fact::Attached { agent, by },
        "StatusUpdateAcknowledgementMessage" => {
            let message = read::<StatusUpdateAcknowledgementMessage>(message)?;
            Fact::AcknowledgementTaken { task: message.task_id.value.clone(), uuid: message.uuid }
        }
        "ShutdownExecutorMessage" => {
            let message = read::<ShutdownExecutorMessage>(message)?;
            let executor = Some(message.executor_id.value.clone());
            Fact::ShutdownTaken { agent, by, framework: message.framework_id.value.clone(), executor }
        }
        "ShutdownFrameworkMessage" => {
            let message = read::<ShutdownFrameworkMessage>(message)?;
            Fact::ShutdownTaken { agent, by, framework: message.framework_id.value.clone(), executor: None }
        }
        _ => return None,
    };
    see(world, &fact);
    Some(())
}
