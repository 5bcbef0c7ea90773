//! What agents report of tasks and executors.

use crate::Master;
use crate::cx::Cx;
use crate::event::Event;
use crate::metrics::Counter;
use crate::state::task::uuid;
use tepui_proto::ProtoId;
use tepui_proto::mesos::internal::{ExecutorToFrameworkMessage, ExitedExecutorMessage, StatusUpdateMessage};

impl Master {
    /// Forwards an update to its framework, if that is connected (otherwise the agent tries again), and takes over the
    /// task's newest state. Nothing is done with updates of agents that are not registered.
    pub(crate) fn status_update(&mut self, cx: &mut Cx, message: StatusUpdateMessage) {
        self.state.metrics.count(Counter::StatusUpdate);
        let update = message.update.into_option().unwrap_or_default();
        let (agent, owner, task) = (update.agent_id.id(), update.framework_id.id(), update.status.task_id.id());
        if !self.state.agents.contains_key(&agent) || uuid(update.uuid.as_deref()).is_none() {
            self.state.metrics.count(Counter::InvalidStatusUpdates);
            return;
        }
        let framework = self.state.frameworks.get(&owner);
        let connected = framework.is_some_and(|framework| framework.is_connected());
        let known = framework.and_then(|framework| framework.tasks.get(&task)).is_some_and(|task| task.agent == agent);
        if connected {
            self.forward(cx, &owner, update.clone(), &message.pid.unwrap_or_default());
        }
        if known {
            self.update_task(cx, &owner, &task, &update);
        }
        let valid = connected && known;
        self.state.metrics.count(if valid { Counter::ValidStatusUpdates } else { Counter::InvalidStatusUpdates });
    }

    /// An executor is over; its framework hears of it.
    pub(crate) fn exited_executor(&mut self, cx: &mut Cx, message: &ExitedExecutorMessage) {
        self.state.metrics.count(Counter::ExitedExecutor);
        let (agent, owner, executor) = (message.agent_id.id(), message.framework_id.id(), message.executor_id.id());
        let known = self
            .state
            .agents
            .get(&agent)
            .is_some_and(|agent| agent.executors.contains(&(owner.clone(), executor.clone())));
        if !known {
            return;
        }
        self.remove_executor(cx, &owner, &agent, &executor);
        if self.state.frameworks[&owner].is_connected() {
            self.tell(cx, &owner, Event::ExitedExecutor(agent, executor, message.status));
        }
    }

    /// Data of an executor for its framework.
    pub(crate) fn executor_message(&mut self, cx: &mut Cx, message: ExecutorToFrameworkMessage) {
        self.state.metrics.count(Counter::ExecutorToFramework);
        let (agent, owner) = (message.agent_id.id(), message.framework_id.id());
        let connected = self.state.frameworks.get(&owner).is_some_and(|framework| framework.is_connected());
        if !connected || !self.state.agents.contains_key(&agent) {
            self.state.metrics.count(Counter::InvalidExecutorToFramework);
            return;
        }
        self.tell(cx, &owner, Event::Message(agent, message.executor_id.id(), message.data));
        self.state.metrics.count(Counter::ValidExecutorToFramework);
    }
}
