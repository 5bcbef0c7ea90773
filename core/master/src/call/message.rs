//! MESSAGE: data for an executor, passed on as best as can be.

use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use tepui_base::FrameworkId;
use tepui_proto::mesos::internal::FrameworkToExecutorMessage;
use tepui_proto::mesos::scheduler::call::Message;
use tepui_proto::{ProtoId, ToProto};

impl Master {
    /// Dropped when the agent is not known or not connected.
    pub(crate) fn message(&mut self, cx: &mut Cx, from: &FrameworkId, call: Message) {
        self.state.metrics.count(Counter::FrameworkToExecutor);
        let Some(agent) = self.state.agents.get(&call.agent_id.id()).filter(|agent| agent.connected) else {
            self.state.metrics.count(Counter::InvalidFrameworkToExecutor);
            return;
        };
        let message = FrameworkToExecutorMessage {
            agent_id: call.agent_id,
            framework_id: from.to_field(),
            executor_id: call.executor_id,
            data: call.data,
            ..Default::default()
        };
        cx.send(&self.config.pid, &agent.pid, &message);
        self.state.metrics.count(Counter::ValidFrameworkToExecutor);
    }
}
