//! An agent that leaves in good order, or whose place is taken.

use crate::Master;
use crate::cx::Cx;
use crate::event::NO_PID;
use crate::metrics::Counter;
use crate::pending::Pending;
use crate::state::{Framework, status};
use crate::subscribers::Change;
use tepui_allocator::Input;
use tepui_base::AgentId;
use tepui_proto::ProtoId;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::internal::UnregisterAgentMessage;
use tepui_proto::mesos::task_status::Reason;
use tepui_registry::Operation;
use tepui_wire::Upid;

impl Master {
    /// The agent itself says that it leaves.
    pub(crate) fn unregister_agent(&mut self, cx: &mut Cx, from: &Upid, message: &UnregisterAgentMessage) {
        self.state.metrics.count(Counter::UnregisterAgent);
        let id = message.agent_id.id();
        if self.state.agents.get(&id).is_some_and(|agent| agent.pid == *from) {
            let reason = Some(Counter::AgentRemovalsUnregistered);
            self.remove_agent(cx, &id, "the agent unregistered".to_owned(), reason);
        }
    }

    /// Asks the registrar to remove an agent, unless it is on its way out already.
    pub(crate) fn remove_agent(&mut self, cx: &mut Cx, id: &AgentId, cause: String, reason: Option<Counter>) {
        let elsewhere = self.known.marking_unreachable.contains(id) || self.known.marking_gone.contains(id);
        if elsewhere || !self.known.removing.insert(id.clone()) {
            return;
        }
        let info = self.state.agents[id].info.clone();
        self.apply(cx, Operation::RemoveAgent(info), Pending::Remove(id.clone(), cause, reason));
    }

    /// The registrar has it: the agent's tasks are lost.
    pub(crate) fn agent_removed(&mut self, cx: &mut Cx, id: &AgentId, cause: &str, reason: Option<Counter>) {
        self.known.removing.remove(id);
        self.state.metrics.count(Counter::AgentRemovals);
        if let Some(reason) = reason {
            self.state.metrics.count(reason);
        }
        let text = format!("Agent {} removed: {cause}", self.state.agents[id].info.hostname);
        self.take_away(cx, id, &text, |_| (TaskState::TASK_LOST, Reason::REASON_AGENT_REMOVED));
        self.publish(cx, Change::AgentRemoved(id));
    }

    /// Takes an agent away with all that is on it; `end` is what its tasks are said to have come to.
    pub(super) fn take_away(
        &mut self,
        cx: &mut Cx,
        id: &AgentId,
        text: &str,
        end: impl Fn(&Framework) -> (TaskState, Reason),
    ) {
        let agent = self.state.agents[id].clone();
        for (owner, task_id) in &agent.tasks {
            let framework = &self.state.frameworks[owner];
            let (state, reason) = end(framework);
            let update = status::about(&framework.tasks[task_id], state, reason, text.to_owned(), cx.now.wall);
            self.update_task(cx, owner, task_id, &update);
            self.remove_task(cx, owner, task_id, false);
            if self.state.frameworks[owner].is_connected() {
                self.forward(cx, owner, update, NO_PID);
            }
        }
        for (owner, executor) in &agent.executors {
            self.remove_executor(cx, owner, id, executor);
        }
        self.rescind_agent(cx, id);
        self.forget_agent(cx, id);
        self.tell_lost(cx, &agent.info);
    }

    /// Takes the emptied record of an agent away.
    pub(super) fn forget_agent(&mut self, cx: &mut Cx, id: &AgentId) {
        let agent = self.state.agents.remove(id).expect("an agent is forgotten once");
        assert!(
            agent.used.is_empty() && agent.offers.is_empty() && agent.inverse_offers.is_empty(),
            "an agent that goes holds nothing"
        );
        cx.allocator(Input::RemoveAgent(agent.key));
        self.keys.agent_ids.remove(agent.key);
        self.keys.agents.retire(agent.key);
        self.addresses.observers.remove(&agent.observer);
        if self.addresses.agents.get(&agent.pid) == Some(id) {
            self.addresses.agents.remove(&agent.pid);
        }
        self.removals.cancel(id);
        self.known.capacity.forget(id);
        self.known.add_removed(id.clone());
    }
}
