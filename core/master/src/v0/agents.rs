//! What agents send.

use super::decode;
use crate::Master;
use crate::cx::Cx;
use tepui_wire::Message;

impl Master {
    /// Takes a message of an agent; nothing if it is none, or does not parse.
    pub(super) fn agent_message(&mut self, cx: &mut Cx, message: &Message) -> Option<()> {
        let from = message.from.clone();
        match message.name.strip_prefix("mesos.internal.")? {
            "RegisterSlaveMessage" => self.register_agent(cx, from, decode(message)?),
            "ReregisterSlaveMessage" => self.reregister_agent(cx, from, decode(message)?),
            "UnregisterSlaveMessage" => self.unregister_agent(cx, &from, &decode(message)?),
            "UpdateSlaveMessage" => self.update_agent(cx, &decode(message)?),
            "StatusUpdateMessage" => self.status_update(cx, decode(message)?),
            "ExitedExecutorMessage" => self.exited_executor(cx, &decode(message)?),
            "ExecutorToFrameworkMessage" => self.executor_message(cx, decode(message)?),
            _ => return None,
        }
        Some(())
    }
}
