//! The mutations of a registry, one pure object each.

use crate::maintenance::Change;
use crate::state::State;
use std::sync::Arc;
use tepui_base::AgentId;
use tepui_proto::mesos::AgentInfo;

/// Why a mutation was refused. The texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An id may be admitted once.
    #[error("Agent already admitted")]
    AlreadyAdmitted,
    /// The agent must be admitted first.
    #[error("Agent not yet admitted")]
    NotAdmitted,
}

/// One mutation. The `AgentInfo` always carries its id.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A new agent may run tasks.
    AdmitAgent(Arc<AgentInfo>),
    /// An admitted agent has changed its attributes, resources, host name, ...
    UpdateAgent(Arc<AgentInfo>),
    /// An admitted agent stopped answering, at this time (nanoseconds since the epoch).
    MarkAgentUnreachable(Arc<AgentInfo>, i64),
    /// An unreachable (or unknown: the registry forgets old ones) agent is back.
    MarkAgentReachable(Arc<AgentInfo>),
    /// An admitted agent is gone in good order.
    RemoveAgent(Arc<AgentInfo>),
    /// These agents are forgotten.
    Prune {
        /// Of the unreachable ones.
        unreachable: Vec<AgentId>,
        /// Of those that are gone.
        gone: Vec<AgentId>,
    },
    /// The maintenance schedule changed, or machines go down or come up.
    Maintain(Change),
}

fn id(info: &AgentInfo) -> AgentId {
    assert!(info.id.is_set(), "an agent in a registry operation has an id");
    AgentId::from(info.id.value.as_str())
}

impl Operation {
    /// Applies the mutation; says whether anything changed. On an error the state is as before.
    pub fn perform(&self, state: &mut State) -> Result<bool, Error> {
        match self {
            Operation::AdmitAgent(info) => admit(state, info),
            Operation::UpdateAgent(info) => update(state, info),
            Operation::MarkAgentUnreachable(info, at) => mark_unreachable(state, info, *at),
            Operation::MarkAgentReachable(info) => Ok(mark_reachable(state, info)),
            Operation::Prune { unreachable, gone } => Ok(prune(state, unreachable, gone)),
            Operation::RemoveAgent(info) => state.admitted.remove(&id(info)).map(|_| true).ok_or(Error::NotAdmitted),
            Operation::Maintain(change) => Ok(state.maintenance.apply(change)),
        }
    }
}

fn admit(state: &mut State, info: &Arc<AgentInfo>) -> Result<bool, Error> {
    if state.admitted.contains_key(&id(info)) {
        return Err(Error::AlreadyAdmitted);
    }
    state.admitted.insert(id(info), info.clone());
    Ok(true)
}

fn update(state: &mut State, info: &Arc<AgentInfo>) -> Result<bool, Error> {
    let admitted = state.admitted.get_mut(&id(info)).ok_or(Error::NotAdmitted)?;
    let changed = admitted != info;
    *admitted = info.clone();
    Ok(changed)
}

fn mark_unreachable(state: &mut State, info: &Arc<AgentInfo>, at: i64) -> Result<bool, Error> {
    state.admitted.remove(&id(info)).ok_or(Error::NotAdmitted)?;
    state.unreachable.insert(id(info), at);
    Ok(true)
}

fn prune(state: &mut State, unreachable: &[AgentId], gone: &[AgentId]) -> bool {
    let before = state.unreachable.len() + state.gone.len();
    for id in unreachable {
        state.unreachable.remove(id);
    }
    for id in gone {
        state.gone.remove(id);
    }
    before != state.unreachable.len() + state.gone.len()
}

fn mark_reachable(state: &mut State, info: &Arc<AgentInfo>) -> bool {
    if state.admitted.contains_key(&id(info)) {
        return false;
    }
    state.unreachable.remove(&id(info));
    state.admitted.insert(id(info), info.clone());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use buffa::MessageField;
    use tepui_proto::mesos::AgentID;

    fn agent(id: &str, hostname: &str) -> Arc<AgentInfo> {
        Arc::new(AgentInfo {
            hostname: hostname.to_owned(),
            id: MessageField::some(AgentID { value: id.to_owned(), ..Default::default() }),
            ..Default::default()
        })
    }

    #[test]
    fn an_agent_is_admitted_once() {
        let mut state = State::default();
        assert_eq!(Operation::AdmitAgent(agent("S0", "a")).perform(&mut state), Ok(true));
        assert_eq!(Operation::AdmitAgent(agent("S0", "a")).perform(&mut state), Err(Error::AlreadyAdmitted));
    }

    #[test]
    fn an_update_needs_an_admitted_agent_and_says_whether_it_changed() {
        let mut state = State::default();
        assert_eq!(Operation::UpdateAgent(agent("S0", "a")).perform(&mut state), Err(Error::NotAdmitted));
        Operation::AdmitAgent(agent("S0", "a")).perform(&mut state).unwrap();
        assert_eq!(Operation::UpdateAgent(agent("S0", "a")).perform(&mut state), Ok(false));
        assert_eq!(Operation::UpdateAgent(agent("S0", "b")).perform(&mut state), Ok(true));
        assert_eq!(state.admitted[&AgentId::from("S0")].hostname, "b");
    }

    #[test]
    fn an_agent_is_in_one_list_only() {
        let mut state = State::default();
        Operation::AdmitAgent(agent("S0", "a")).perform(&mut state).unwrap();
        Operation::MarkAgentUnreachable(agent("S0", "a"), 7).perform(&mut state).unwrap();
        assert!(state.admitted.is_empty());
        assert_eq!(state.unreachable[&AgentId::from("S0")], 7);
        assert_eq!(Operation::MarkAgentUnreachable(agent("S0", "a"), 8).perform(&mut state), Err(Error::NotAdmitted));
        assert_eq!(Operation::MarkAgentReachable(agent("S0", "a")).perform(&mut state), Ok(true));
        assert!(state.unreachable.is_empty());
        assert_eq!(Operation::MarkAgentReachable(agent("S0", "a")).perform(&mut state), Ok(false));
        assert_eq!(Operation::RemoveAgent(agent("S0", "a")).perform(&mut state), Ok(true));
        assert_eq!(Operation::RemoveAgent(agent("S0", "a")).perform(&mut state), Err(Error::NotAdmitted));
    }

    #[test]
    fn agents_are_forgotten_from_the_list_they_are_in() {
        let mut state = State::default();
        state.unreachable.insert("a".into(), 1);
        state.unreachable.insert("b".into(), 2);
        state.gone.insert("c".into(), 3);
        let prune = Operation::Prune { unreachable: vec!["a".into(), "c".into()], gone: vec!["b".into()] };
        assert_eq!(prune.perform(&mut state), Ok(true));
        assert_eq!((state.unreachable.len(), state.gone.len()), (1, 1));
        assert_eq!(prune.perform(&mut state), Ok(false));
        let prune = Operation::Prune { unreachable: vec![], gone: vec!["c".into()] };
        assert_eq!(prune.perform(&mut state), Ok(true));
        assert!(state.gone.is_empty() && state.unreachable.contains_key(&AgentId::from("b")));
    }

    #[test]
    fn an_unknown_agent_may_come_back() {
        let mut state = State::default();
        assert_eq!(Operation::MarkAgentReachable(agent("S9", "a")).perform(&mut state), Ok(true));
        assert!(state.admitted.contains_key(&AgentId::from("S9")));
    }

    #[test]
    fn the_stored_form_round_trips() {
        let mut state = State::default();
        Operation::AdmitAgent(agent("S0", "a")).perform(&mut state).unwrap();
        Operation::AdmitAgent(agent("S1", "b")).perform(&mut state).unwrap();
        Operation::MarkAgentUnreachable(agent("S1", "b"), 7).perform(&mut state).unwrap();
        assert_eq!(State::from_proto(&state.to_proto()), state);
    }
}
