//! An agent that does not answer is given up, but may come back.

use crate::Master;
use crate::cx::Cx;
use crate::event::{Event, NO_PID};
use crate::metrics::Counter;
use crate::pending::Pending;
use crate::state::status;
use std::sync::Arc;
use tepui_base::{AgentId, duration};
use tepui_proto::ProtoId;
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{AgentInfo, TaskState};
use tepui_registry::Operation;

impl Master {
    /// A disconnected agent has not come back.
    pub(crate) fn reregister_timeout(&mut self, cx: &mut Cx, id: &AgentId, number: u64) {
        let expired = self.state.agents.get(id).is_some_and(|agent| !agent.connected && agent.disconnections == number);
        if expired {
            let patience = duration::format(self.config.agent_reregister_timeout);
            let text = format!("agent did not reregister within {patience} after disconnecting");
            self.state.metrics.count(Counter::AgentUnreachableScheduled);
            self.count_marked(|master| master.mark_unreachable(cx, id, &text));
        }
    }

    /// Agents in the registry have not come back since this master was elected.
    pub(crate) fn recovered_timeout(&mut self, cx: &mut Cx) {
        let missing: Vec<Arc<AgentInfo>> = self.state.recovered_agents.values().cloned().collect();
        let patience = duration::format(self.config.agent_reregister_timeout);
        for info in missing {
            let text = format!("did not reregister within {patience} after master failover");
            self.state.metrics.count(Counter::AgentUnreachableScheduled);
            self.count_marked(|master| master.mark_info_unreachable(cx, &info, &text));
        }
    }

    pub(super) fn count_marked(&mut self, mark: impl FnOnce(&mut Master) -> bool) {
        let marked = mark(self);
        let counter = if marked { Counter::AgentUnreachableCompleted } else { Counter::AgentUnreachableCanceled };
        self.state.metrics.count(counter);
    }

    /// Asks the registrar to mark a registered agent; says whether it did, for an agent may be on its way elsewhere.
    pub(super) fn mark_unreachable(&mut self, cx: &mut Cx, id: &AgentId, text: &str) -> bool {
        let Some(info) = self.state.agents.get(id).map(|agent| agent.info.clone()) else { return false };
        self.mark_info_unreachable(cx, &info, text)
    }

    fn mark_info_unreachable(&mut self, cx: &mut Cx, info: &Arc<AgentInfo>, text: &str) -> bool {
        let id = info.id.id();
        let busy = self.known.reregistering.contains(&id)
            || self.known.removing.contains(&id)
            || !self.known.marking_unreachable.insert(id);
        if !busy {
            let since = cx.now.wall.as_nanos_i64();
            let operation = Operation::MarkAgentUnreachable(info.clone(), since);
            self.apply(cx, operation, Pending::Unreachable(info.clone(), since, text.to_owned()));
        }
        !busy
    }

    /// The registrar has it: the agent's tasks are unreachable, or lost to frameworks that do not know the word.
    pub(crate) fn marked_unreachable(&mut self, cx: &mut Cx, info: &AgentInfo, since: i64, text: &str) {
        let id = info.id.id();
        self.known.marking_unreachable.remove(&id);
        self.state.metrics.count(Counter::AgentRemovals);
        self.state.metrics.count(Counter::AgentRemovalsUnhealthy);
        self.state.unreachable.insert(id.clone(), since);
        if self.state.recovered_agents.remove(&id).is_some() {
            self.state.metrics.count(Counter::RecoveryAgentRemovals);
            return self.tell_lost(cx, info);
        }
        let agent = self.state.agents[&id].clone();
        for (owner, task_id) in &agent.tasks {
            let framework = &self.state.frameworks[owner];
            let (state, reason) = (framework.lost_as(TaskState::TASK_UNREACHABLE), Reason::REASON_AGENT_REMOVED);
            let mut update = status::about(&framework.tasks[task_id], state, reason, text.to_owned(), cx.now.wall);
            status::add_unreachable_time(&mut update, since);
            let connected = framework.is_connected();
            self.update_task(cx, owner, task_id, &update);
            self.remove_task(cx, owner, task_id, true);
            if connected {
                self.forward(cx, owner, update, NO_PID);
            }
        }
        for (owner, executor) in &agent.executors {
            self.remove_executor(cx, owner, &id, executor);
        }
        self.rescind_agent(cx, &id);
        self.forget_agent(cx, &id);
        self.tell_lost(cx, info);
    }

    /// Every framework hears of a lost agent.
    pub(super) fn tell_lost(&mut self, cx: &mut Cx, info: &AgentInfo) {
        let id = info.id.id();
        let connected: Vec<_> = self
            .state
            .frameworks
            .values()
            .filter(|framework| framework.is_connected())
            .map(|framework| framework.id.clone())
            .collect();
        for framework in connected {
            self.tell(cx, &framework, Event::LostAgent(id.clone()));
        }
        self.hooks.master_agent_lost(info);
    }
}
