//! KILL: passed on to the agent, now or when it is back.

use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use tepui_base::FrameworkId;
use tepui_proto::mesos::internal::KillTaskMessage;
use tepui_proto::mesos::scheduler::call::{Kill, reconcile};
use tepui_proto::{ProtoId, ToProto};

impl Master {
    /// A task that is not known is answered as RECONCILE would; one on another agent than the call says is left alone.
    /// Each repetition is passed on.
    pub(crate) fn kill(&mut self, cx: &mut Cx, from: &FrameworkId, call: &Kill) {
        self.state.metrics.count(Counter::KillTask);
        let id = call.task_id.id();
        let Some(task) = self.state.frameworks[from].tasks.get(&id).cloned() else {
            let task = reconcile::Task {
                task_id: call.task_id.clone(),
                agent_id: call.agent_id.clone(),
                ..Default::default()
            };
            return self.reconcile(cx, from, &[task]);
        };
        if call.agent_id.as_option().is_some_and(|agent| agent.id() != task.agent) {
            return;
        }
        let agent = self.state.agent_mut(&task.agent).expect("a task's agent is registered");
        agent.killed.insert((from.clone(), id.clone()));
        if agent.connected {
            let message = KillTaskMessage {
                framework_id: from.to_field(),
                task_id: id.to_field(),
                kill_policy: call.kill_policy.clone(),
                ..Default::default()
            };
            let pid = agent.pid.clone();
            cx.send(&self.config.pid, &pid, &message);
        }
    }
}
