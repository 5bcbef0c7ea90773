//! SHUTDOWN: an executor is to end.

use crate::Master;
use crate::cx::Cx;
use tepui_base::FrameworkId;
use tepui_proto::mesos::internal::ShutdownExecutorMessage;
use tepui_proto::mesos::scheduler::call::Shutdown;
use tepui_proto::{ProtoId, ToProto};

impl Master {
    /// Dropped when the agent is not known.
    pub(crate) fn shutdown_executor(&mut self, cx: &mut Cx, from: &FrameworkId, call: &Shutdown) {
        let Some(agent) = self.state.agents.get(&call.agent_id.id()) else { return };
        let message = ShutdownExecutorMessage {
            executor_id: call.executor_id.clone(),
            framework_id: from.to_field(),
            ..Default::default()
        };
        cx.send(&self.config.pid, &agent.pid, &message);
    }
}
