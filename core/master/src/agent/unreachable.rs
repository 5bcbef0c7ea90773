//! An agent that does not answer is given up, but may come back.

use super::removals::Removal;
use crate::Master;
use crate::cx::Cx;
use crate::event::{Event, NO_PID};
use crate::metrics::Counter;
use crate::pending::Pending;
use crate::state::status;
use std::sync::Arc;
use tepui_base::{AgentId, double, duration};
use tepui_proto::ProtoId;
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{AgentInfo, TaskState};
use tepui_registry::{Operation, Standing};

/// Why an agent that answers no pings is unreachable, in words.
pub(super) const SILENT: &str = "health check timed out";

impl Master {
    /// A disconnected agent has not come back.
    pub(crate) fn reregister_timeout(&mut self, cx: &mut Cx, id: &AgentId, number: u64) {
        if self.is_away(id, number) {
            self.schedule_removal(cx, Removal::Disconnected(id.clone(), number));
        }
    }

    /// Whether an agent has not come back since the disconnection with this number.
    pub(super) fn is_away(&self, id: &AgentId, number: u64) -> bool {
        self.state.agents.get(id).is_some_and(|agent| !agent.connected && agent.disconnection == number)
    }

    /// Agents in the registry have not come back since this master was elected. If they are too many, it is more likely
    /// that something is wrong with the master.
    pub(crate) fn recovered_timeout(&mut self, cx: &mut Cx) {
        let missing: Vec<Arc<AgentInfo>> = self.state.recovered_agents.values().cloned().collect();
        let share = missing.len() as f64 / self.known.recovered.max(1) as f64;
        if share > self.config.recovery_agent_removal_limit {
            return cx.exit(self.too_many_missing(&missing, share));
        }
        for info in missing {
            if !self.known.reregistering.contains(&info.id.id()) {
                self.schedule_removal(cx, Removal::Recovered(info));
            }
        }
    }

    fn too_many_missing(&self, missing: &[Arc<AgentInfo>], share: f64) -> String {
        let patience = duration::format(self.config.agent_reregister_timeout);
        let ids: Vec<&str> = missing.iter().map(|info| info.id.value.as_str()).collect();
        format!(
            "Post-recovery agent removal limit exceeded! After {patience} there were {} ({}%) agents recovered from the \
             registry that did not reregister: \n{{ {} }}\n  The configured removal limit is {}%. Please investigate or \
             increase this limit to proceed further",
            missing.len(),
            percent(share),
            ids.join(", "),
            percent(self.config.recovery_agent_removal_limit),
        )
    }

    /// Asks the registrar to mark a registered agent; says whether it did, for an agent may be on its way elsewhere.
    pub(super) fn mark_unreachable(&mut self, cx: &mut Cx, id: &AgentId, text: &str) -> bool {
        let Some(info) = self.state.agents.get(id).map(|agent| agent.info.clone()) else { return false };
        self.mark_info_unreachable(cx, &info, text)
    }

    pub(super) fn mark_info_unreachable(&mut self, cx: &mut Cx, info: &Arc<AgentInfo>, text: &str) -> bool {
        let id = info.id.id();
        let busy = self.known.is_busy(&id);
        if !busy {
            self.known.marking_unreachable.insert(id);
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
        if agent.standing != Standing::default() {
            self.known.standings.insert(id.clone(), agent.standing.clone());
        }
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

/// A share in percent.
fn percent(share: f64) -> String {
    double::stream(share * 100.0, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_six_digits() {
        let texts = [2.0 / 3.0, 0.55, 1.0, 0.0, 0.01, 1.0 / 30.0, 1.0 / 300.0].map(percent);
        assert_eq!(texts, ["66.6667", "55", "100", "0", "1", "3.33333", "0.333333"]);
    }
}
