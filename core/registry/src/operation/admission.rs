//! Which list an agent is in.

use super::{Error, id};
use crate::record::{Admitted, Gone, Standing, Unreachable};
use crate::state::State;
use std::sync::Arc;
use tepui_base::AgentId;
use tepui_proto::mesos::AgentInfo;

pub(super) fn admit(state: &mut State, info: &Arc<AgentInfo>) -> Result<bool, Error> {
    if state.admitted.contains_key(&id(info)) {
        return Err(Error::AlreadyAdmitted);
    }
    state.admitted.insert(id(info), Admitted::from(info.clone()));
    Ok(true)
}

pub(super) fn update(state: &mut State, info: &Arc<AgentInfo>) -> Result<bool, Error> {
    let admitted = state.admitted.get_mut(&id(info)).ok_or(Error::NotAdmitted)?;
    let changed = admitted.info != *info;
    if changed {
        admitted.describe(info);
    }
    Ok(changed)
}

/// Whether the agent drains or is deactivated is remembered.
pub(super) fn mark_unreachable(state: &mut State, info: &Arc<AgentInfo>, at: i64) -> Result<bool, Error> {
    let id = id(info);
    let admitted = state.admitted.remove(&id).ok_or(Error::NotAdmitted)?;
    let unreachable = Unreachable::new(&id, at, admitted.standing);
    state.unreachable.insert(id, unreachable);
    Ok(true)
}

pub(super) fn mark_reachable(state: &mut State, info: &Arc<AgentInfo>) -> bool {
    let id = id(info);
    if state.admitted.contains_key(&id) {
        return false;
    }
    let mut admitted = Admitted::from(info.clone());
    if let Some(Unreachable { standing: Standing { drain_info, deactivated }, .. }) = state.unreachable.remove(&id) {
        admitted.change(|fields| {
            if let Some(drain_info) = drain_info {
                *fields.drain_info = tepui_proto::MessageField::some((*drain_info).clone());
            }
            *fields.deactivated = Some(deactivated);
        });
    }
    state.admitted.insert(id, admitted);
    true
}

pub(super) fn mark_gone(state: &mut State, id: &AgentId, at: i64) -> Result<bool, Error> {
    if state.gone.contains_key(id) {
        return Err(Error::AlreadyGone(id.clone()));
    }
    if state.admitted.remove(id).is_none() && state.unreachable.remove(id).is_none() {
        return Err(Error::Unknown(id.clone()));
    }
    state.gone.insert(id.clone(), Gone::new(id, at));
    Ok(true)
}

/// Agents that are in a list no more are no error: they came back meanwhile. (1.11 forgets neighbours of theirs too.)
pub(super) fn prune(state: &mut State, unreachable: &[AgentId], gone: &[AgentId]) -> bool {
    let before = state.unreachable.len() + state.gone.len();
    for id in unreachable {
        state.unreachable.remove(id);
    }
    for id in gone {
        state.gone.remove(id);
    }
    before != state.unreachable.len() + state.gone.len()
}
