//! What waits for the registrar, and what is known of agents that are on their way in or out.

use crate::Master;
use crate::agent::Arrival;
use crate::agent::capacity::Capacity;
use crate::cx::Cx;
use crate::metrics::Counter;
use crate::names::Names;
use std::collections::VecDeque;
use std::sync::Arc;
use tepui_base::{AgentId, FrameworkId, Map, Set, TaskId};
use tepui_proto::mesos::AgentInfo;
use tepui_proto::mesos::internal::ReregisterAgentMessage;
use tepui_registry::maintenance::Change;
use tepui_registry::{Input, Operation, OperationId, Output, Standing};
use tepui_wire::{RequestId, Upid};

/// So many ids of removed agents are remembered, to tell their late messages from those of strangers (the same number
/// as in Mesos).
const MAX_REMOVED: usize = 100_000;

/// Goes on when the registrar has answered.
pub(crate) enum Pending {
    /// A new agent; its description has its new id.
    Admit(Box<Arrival>),
    /// A registered agent that came back with another description.
    UpdateKnown(Upid, Box<ReregisterAgentMessage>),
    /// An agent that this master did not know registered comes back.
    Reachable(Upid, Box<ReregisterAgentMessage>),
    /// An agent that stopped answering, since when (nanoseconds), and why, in words.
    Unreachable(Arc<AgentInfo>, i64, String),
    /// An agent that leaves, why, and what that counts as, if as anything.
    Remove(AgentId, String, Option<Counter>),
    /// Agents that are forgotten.
    Prune {
        /// Of the unreachable ones.
        unreachable: Vec<AgentId>,
        /// Of those that are gone.
        gone: Vec<AgentId>,
    },
    /// A change of the maintenance schedule or its machines, and the request that wants it.
    Maintain(RequestId, Change),
    /// The weights of the flag go into a registry that had none.
    Weights,
    /// An agent that drains runs nothing any more.
    Drained(AgentId),
    /// An agent that is given up for good, since when (nanoseconds).
    Gone(AgentId, i64),
}

/// Agents on their way in or out, and the tasks they took with them.
#[derive(Default)]
pub(crate) struct Known {
    /// Being admitted, by where they listen.
    pub registering: Set<Upid>,
    /// Coming back.
    pub reregistering: Set<AgentId>,
    /// Being marked unreachable.
    pub marking_unreachable: Set<AgentId>,
    /// Being removed.
    pub removing: Set<AgentId>,
    /// Being marked gone.
    pub marking_gone: Set<AgentId>,
    /// What operators have said of agents that are not registered: those of the registry that have not come back, and
    /// unreachable ones.
    pub standings: Map<AgentId, Standing>,
    /// Tasks that became unreachable with their agent.
    pub unreachable_tasks: Map<AgentId, Vec<(FrameworkId, TaskId)>>,
    /// What the large ones of the registered agents have, and of those being let in.
    pub capacity: Capacity,
    /// Names of resources that were met.
    pub names: Names,
    /// How many agents the registry had when it was recovered.
    pub recovered: usize,
    removed: Set<AgentId>,
    removed_order: VecDeque<AgentId>,
}

impl Known {
    /// Whether the registrar is being asked about the agent, so that nothing else can be decided of it now.
    pub fn is_busy(&self, agent: &AgentId) -> bool {
        [&self.reregistering, &self.removing, &self.marking_unreachable, &self.marking_gone]
            .into_iter()
            .any(|busy| busy.contains(agent))
    }

    /// Whether the agent was removed and has not come back.
    pub fn is_removed(&self, agent: &AgentId) -> bool {
        self.removed.contains(agent)
    }

    /// Remembers a removed agent.
    pub fn add_removed(&mut self, agent: AgentId) {
        if self.removed.insert(agent.clone()) {
            self.removed_order.push_back(agent);
        }
        if self.removed_order.len() > MAX_REMOVED
            && let Some(oldest) = self.removed_order.pop_front()
        {
            self.removed.remove(&oldest);
        }
    }

    /// The agent is back.
    pub fn forget_removed(&mut self, agent: &AgentId) {
        if self.removed.remove(agent) {
            self.removed_order.retain(|known| known != agent);
        }
    }
}

impl Master {
    /// Asks the registrar and remembers what comes next.
    pub(crate) fn apply(&mut self, cx: &mut Cx, operation: Operation, then: Pending) {
        let id = OperationId(self.counts.operations);
        self.counts.operations += 1;
        self.pending.insert(id, then);
        cx.registry(Input::Apply(id, operation));
    }

    pub(crate) fn registry(&mut self, cx: &mut Cx, output: Output) {
        match output {
            Output::Recovered(registry) => self.recovered(cx, registry),
            // They end the term, or are the log's: whoever runs this machine keeps them.
            Output::Aborted(_) | Output::Log(_) => {}
            Output::Applied(id, result) => {
                let then = self.pending.remove(&id).expect("the registrar answers what it was asked, once");
                match then {
                    Pending::Admit(arrival) => self.admitted(cx, *arrival, result.is_ok()),
                    Pending::UpdateKnown(pid, message) => {
                        assert!(result.is_ok(), "a registered agent is in the registry");
                        self.known_agent_back(cx, pid, *message);
                    }
                    Pending::Reachable(pid, message) => {
                        assert!(result.is_ok(), "any agent may be marked reachable, and a recovered one is admitted");
                        self.agent_back(cx, pid, *message);
                    }
                    Pending::Unreachable(info, since, message) => {
                        assert!(result.is_ok(), "an agent that becomes unreachable is in the registry");
                        self.marked_unreachable(cx, &info, since, &message);
                    }
                    Pending::Remove(agent, cause, reason) => {
                        assert!(result.is_ok(), "an agent that is removed is in the registry");
                        self.agent_removed(cx, &agent, &cause, reason);
                    }
                    Pending::Prune { unreachable, gone } => {
                        assert!(result.is_ok(), "any list of agents may be pruned");
                        self.pruned(&unreachable, &gone);
                    }
                    // Two changes may cross, so that the later changes nothing; neither is refused.
                    Pending::Maintain(request, change) => self.maintained(cx, request, &change),
                    Pending::Weights => {}
                    Pending::Drained(agent) => self.drained(&agent, result.is_ok()),
                    Pending::Gone(agent, since) => {
                        assert!(result.is_ok(), "a registered agent that is marked gone was admitted");
                        self.marked_gone(cx, &agent, since);
                    }
                }
            }
        }
    }
}
