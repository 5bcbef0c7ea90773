//! Which libprocess message goes to which handler. A message that does not decode, or whose name is unknown, is
//! dropped, as libprocess does.

use crate::messages;
use crate::status_update::Sender;
use crate::{Agent, Cx};
use tepui_proto::{MessageName, codec};
use tepui_wire::Message;

impl Agent {
    pub(crate) fn message(&mut self, cx: &mut Cx<'_>, message: &Message) {
        // An undecodable message is the sender's mistake and changes nothing here.
        let _ = self.dispatch(cx, message);
    }

    fn dispatch(&mut self, cx: &mut Cx<'_>, message: &Message) -> Result<(), codec::Error> {
        let from = &message.from;
        match message.name.as_str() {
            "mesos.internal.SlaveRegisteredMessage" => self.registered(cx, from, &read(message)?),
            "mesos.internal.SlaveReregisteredMessage" => self.reregistered(cx, from, &read(message)?),
            "mesos.internal.PingSlaveMessage" => {
                let ping: tepui_proto::mesos::internal::PingAgentMessage = read(message)?;
                self.ping(cx, from, ping.connected);
            }
            "mesos.internal.RunTaskMessage" => self.run_task(cx, from, read(message)?),
            "mesos.internal.RunTaskGroupMessage" => self.run_task_group(cx, from, read(message)?),
            "mesos.internal.KillTaskMessage" => self.kill_task(cx, from, &read(message)?),
            "mesos.internal.StatusUpdateAcknowledgementMessage" => self.acknowledged(cx, from, &read(message)?),
            "mesos.internal.CheckpointResourcesMessage" => self.checkpoint_resources(cx, from, &read(message)?),
            "mesos.internal.FrameworkToExecutorMessage" => self.message_to_executor(cx, read(message)?),
            "mesos.internal.UpdateFrameworkMessage" => self.update_framework(cx, read(message)?),
            "mesos.internal.ShutdownFrameworkMessage" => self.shutdown_framework_message(cx, from, &read(message)?),
            "mesos.internal.ShutdownExecutorMessage" => self.shutdown_executor_message(cx, from, &read(message)?),
            "mesos.internal.ShutdownMessage" => self.told_to_shut_down(cx, from, &read(message)?),
            "mesos.internal.RegisterExecutorMessage" => self.register_executor(cx, from, &read(message)?),
            "mesos.internal.ReregisterExecutorMessage" => self.refuse_executor(cx, from),
            "mesos.internal.StatusUpdateMessage" => {
                let update: tepui_proto::mesos::internal::StatusUpdateMessage = read(message)?;
                // The executor's address stands in the message; libprocess's sender is the same but for odd drivers.
                let pid = update.pid.as_deref().and_then(messages::process).unwrap_or_else(|| from.clone());
                let update = update.update.into_option().unwrap_or_default();
                self.status_update(cx, update, &Sender::Libprocess(pid));
            }
            "mesos.internal.ExecutorToFrameworkMessage" => self.message_to_framework(cx, &read(message)?),
            _ => {}
        }
        Ok(())
    }
}

fn read<M: tepui_proto::Message + MessageName>(message: &Message) -> Result<M, codec::Error> {
    codec::decode(&message.body)
}
