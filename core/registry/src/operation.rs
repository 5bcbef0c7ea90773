//! The mutations of a registry, one pure object each: the sixteen of Mesos 1.11.

mod admission;
mod draining;
mod quota;

use crate::maintenance::Change;
use crate::state::State;
use std::sync::Arc;
use tepui_base::AgentId;
use tepui_proto::mesos::internal::registry;
use tepui_proto::mesos::quota::QuotaConfig;
use tepui_proto::mesos::{AgentInfo, DurationInfo, WeightInfo};

/// Why a mutation was refused. The texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An id may be admitted once.
    #[error("Agent already admitted")]
    AlreadyAdmitted,
    /// The agent must be admitted first.
    #[error("Agent not yet admitted")]
    NotAdmitted,
    /// An agent is given up once.
    #[error("Agent {0} already marked as gone")]
    AlreadyGone(AgentId),
    /// The agent is neither admitted nor unreachable.
    #[error("Failed to find agent {0}")]
    Unknown(AgentId),
    /// Only a draining agent can have drained.
    #[error("Agent {0} is not DRAINING")]
    NotDraining(AgentId),
    /// A quota that nobody can be given: it, as JSON, and why.
    #[error("Invalid quota config '{0}': {1}")]
    InvalidQuota(String, String),
}

/// One mutation. The `AgentInfo` always carries its id, and resources in the new format.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// `AdmitSlave`: a new agent may run tasks.
    AdmitAgent(Arc<AgentInfo>),
    /// `UpdateSlave`: an admitted agent has changed its attributes, resources, host name, ...
    UpdateAgent(Arc<AgentInfo>),
    /// `MarkSlaveUnreachable`: an admitted agent stopped answering, at this time (nanoseconds since the epoch).
    MarkAgentUnreachable(Arc<AgentInfo>, i64),
    /// `MarkSlaveReachable`: an unreachable (or unknown: the registry forgets old ones) agent is back.
    MarkAgentReachable(Arc<AgentInfo>),
    /// `MarkSlaveGone`: an operator gives an agent up for good, at this time.
    MarkAgentGone(AgentId, i64),
    /// `RemoveSlave`: an admitted agent is gone in good order.
    RemoveAgent(Arc<AgentInfo>),
    /// `Prune`: these agents are forgotten.
    Prune {
        /// Of the unreachable ones.
        unreachable: Vec<AgentId>,
        /// Of those that are gone.
        gone: Vec<AgentId>,
    },
    /// `DrainAgent`: an agent is to run nothing any more, and is deactivated.
    DrainAgent {
        /// Which.
        id: AgentId,
        /// The longest time its tasks may take to end.
        max_grace_period: Option<DurationInfo>,
        /// Whether it is gone once it has drained.
        mark_gone: bool,
    },
    /// `MarkAgentDrained`: it runs nothing any more.
    MarkAgentDrained(AgentId),
    /// `DeactivateAgent`: an agent is offered to nobody.
    DeactivateAgent(AgentId),
    /// `ReactivateAgent`: it neither drains nor is deactivated any more.
    ReactivateAgent(AgentId),
    /// `UpdateSchedule`, `StartMaintenance`, `StopMaintenance`.
    Maintain(Change),
    /// `UpdateQuota`: quotas of these roles; one that guarantees and limits nothing is taken away.
    UpdateQuota(Vec<QuotaConfig>),
    /// `UpdateWeights`: weights of these roles.
    UpdateWeights(Vec<WeightInfo>),
}

fn id(info: &AgentInfo) -> AgentId {
    assert!(info.id.is_set(), "an agent in a registry operation has an id");
    AgentId::from(info.id.value.as_str())
}

impl Operation {
    /// Applies the mutation; says whether anything changed. On an error the state is as before.
    pub fn perform(&self, state: &mut State) -> Result<bool, Error> {
        match self {
            Operation::AdmitAgent(info) => admission::admit(state, info),
            Operation::UpdateAgent(info) => admission::update(state, info),
            Operation::MarkAgentUnreachable(info, at) => admission::mark_unreachable(state, info, *at),
            Operation::MarkAgentReachable(info) => Ok(admission::mark_reachable(state, info)),
            Operation::MarkAgentGone(id, at) => admission::mark_gone(state, id, *at),
            Operation::RemoveAgent(info) => state.admitted.remove(&id(info)).map(|_| true).ok_or(Error::NotAdmitted),
            Operation::Prune { unreachable, gone } => Ok(admission::prune(state, unreachable, gone)),
            Operation::DrainAgent { id, max_grace_period, mark_gone } => {
                Ok(draining::drain(state, id, max_grace_period.as_ref(), *mark_gone))
            }
            Operation::MarkAgentDrained(id) => draining::mark_drained(state, id),
            Operation::DeactivateAgent(id) => Ok(draining::deactivate(state, id)),
            Operation::ReactivateAgent(id) => Ok(draining::reactivate(state, id)),
            Operation::Maintain(change) => Ok(state.maintenance.apply(change)),
            Operation::UpdateQuota(configs) => quota::update(state, configs),
            Operation::UpdateWeights(weights) => Ok(update_weights(state, weights)),
        }
    }
}

fn update_weights(state: &mut State, weights: &[WeightInfo]) -> bool {
    let mut changed = false;
    for info in weights {
        let known = state.weights().position(|known| known.role == info.role);
        if known.is_some_and(|at| state.weights().nth(at).is_some_and(|known| known.weight == info.weight)) {
            continue;
        }
        let weight = registry::Weight { info: tepui_proto::MessageField::some(info.clone()), ..Default::default() };
        let all = &mut state.rest_mut().weights;
        match known {
            Some(at) => all[at] = weight,
            None => all.push(weight),
        }
        changed = true;
    }
    changed
}
