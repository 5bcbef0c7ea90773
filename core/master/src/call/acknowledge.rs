//! ACKNOWLEDGE: the framework has an update; the agent may send the next one.

use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use crate::state::task::{is_terminal, uuid};
use tepui_base::FrameworkId;
use tepui_proto::mesos::internal::StatusUpdateAcknowledgementMessage;
use tepui_proto::mesos::scheduler::call::Acknowledge;
use tepui_proto::{ProtoId, ToProto};

impl Master {
    /// Passes the acknowledgement on. That of the terminal update ends the task here. One for an update never
    /// forwarded is dropped; one for a task not known is passed on, for the agent may know it.
    pub(crate) fn acknowledge(&mut self, cx: &mut Cx, from: &FrameworkId, call: &Acknowledge) {
        self.state.metrics.count(Counter::StatusUpdateAcknowledgement);
        let (agent_id, task_id) = (call.agent_id.id(), call.task_id.id());
        let Some(agent) = self.state.agents.get(&agent_id).filter(|agent| agent.connected).cloned() else {
            self.state.metrics.count(Counter::InvalidStatusUpdateAcknowledgements);
            return;
        };
        let task = self.state.frameworks[from].tasks.get(&task_id).filter(|task| task.agent == agent_id);
        if let Some(task) = task {
            let Some((state, forwarded)) = task.forwarded else {
                self.state.metrics.count(Counter::InvalidStatusUpdateAcknowledgements);
                return;
            };
            if is_terminal(state) && uuid(Some(&call.uuid)) == Some(forwarded) {
                self.remove_task(cx, from, &task_id, false);
            }
        }
        let message = StatusUpdateAcknowledgementMessage {
            agent_id: agent_id.to_field(),
            framework_id: from.to_field(),
            task_id: task_id.to_field(),
            uuid: call.uuid.clone(),
            ..Default::default()
        };
        cx.send(&self.config.pid, &agent.pid, &message);
        self.state.metrics.count(Counter::ValidStatusUpdateAcknowledgements);
        self.check_drained(cx, &agent_id);
    }
}
