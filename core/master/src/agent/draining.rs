//! Agents that an operator has deactivated or drains: they are offered to nobody, and one that drains is told so each
//! time it comes back, until it runs nothing any more. Then it has drained, or is gone if that was asked for.
//!
//! Source: Mesos `src/master/master.cpp`, `checkAndTransitionDrainingAgent`, `markGone`.

use crate::Master;
use crate::cx::Cx;
use crate::pending::Pending;
use std::sync::Arc;
use tepui_allocator::Input;
use tepui_base::AgentId;
use tepui_proto::mesos::agent_info::capability::Type as Capability;
use tepui_proto::mesos::internal::DrainAgentMessage;
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{DrainState, TaskState};
use tepui_registry::{Operation, Standing};

/// Why an agent that is gone is told to end, and what its tasks' frameworks are told.
pub(super) const GONE: &str = "Agent has been marked gone";

impl Master {
    /// Nothing of an agent that is deactivated may be offered.
    pub(super) fn withhold_deactivated(&mut self, cx: &mut Cx, id: &AgentId) {
        let agent = &self.state.agents[id];
        if agent.standing.deactivated {
            cx.allocator(Input::DeactivateAgent(agent.key));
        }
    }

    /// Tells an agent that is back to drain, if it is to: whether it has drained already or not.
    pub(super) fn send_drain(&mut self, cx: &mut Cx, id: &AgentId) {
        let agent = &self.state.agents[id];
        let Some(info) = &agent.standing.drain_info else { return };
        let message = DrainAgentMessage { config: info.config.clone(), ..Default::default() };
        cx.send(&self.config.pid, &agent.pid, &message);
        // One that has resource providers has not said yet which operations they carry out.
        if !agent.has(Capability::RESOURCE_PROVIDER) {
            self.check_drained(cx, id);
        }
    }

    /// Asks the registrar, once an agent that drains runs nothing any more.
    pub(crate) fn check_drained(&mut self, cx: &mut Cx, id: &AgentId) {
        let Some(agent) = self.state.agents.get(id) else { return };
        let Some(info) = agent.standing.drain_info.clone() else { return };
        if info.state != DrainState::DRAINING || !agent.tasks.is_empty() || self.known.is_busy(id) {
            return;
        }
        if info.config.mark_gone.unwrap_or_default() {
            let since = cx.now.wall.as_nanos_i64();
            self.known.marking_gone.insert(id.clone());
            self.apply(cx, Operation::MarkAgentGone(id.clone(), since), Pending::Gone(id.clone(), since));
        } else {
            self.apply(cx, Operation::MarkAgentDrained(id.clone()), Pending::Drained(id.clone()));
        }
    }

    /// The registrar has it, or was asked twice.
    pub(crate) fn drained(&mut self, id: &AgentId, is_news: bool) {
        let standing = match self.state.agent_mut(id) {
            Some(agent) => Some(&mut agent.standing),
            None => self.known.standings.get_mut(id),
        };
        if is_news && let Some(Standing { drain_info: Some(info), .. }) = standing {
            Arc::make_mut(info).state = DrainState::DRAINED;
        }
    }

    /// The registrar has it: the agent is told to end, and never let in again.
    pub(crate) fn marked_gone(&mut self, cx: &mut Cx, id: &AgentId, since: i64) {
        self.known.marking_gone.remove(id);
        self.state.gone.insert(id.clone(), since);
        let pid = self.state.agents[id].pid.clone();
        self.shut_down(cx, &pid, GONE);
        self.take_away(cx, id, GONE, |framework| match framework.lost_as(TaskState::TASK_GONE_BY_OPERATOR) {
            TaskState::TASK_LOST => (TaskState::TASK_LOST, Reason::REASON_AGENT_REMOVED),
            state => (state, Reason::REASON_AGENT_REMOVED_BY_OPERATOR),
        });
    }
}
