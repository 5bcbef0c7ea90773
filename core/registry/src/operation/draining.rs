//! Agents that are to run nothing, for a while or for good. While there is one, a master must know what that is.

use super::Error;
use crate::record::{Fields, Standing};
use crate::state::State;
use tepui_base::AgentId;
use tepui_proto::MessageField;
use tepui_proto::mesos::master_info::capability::Type as Capability;
use tepui_proto::mesos::{DrainInfo, DrainState, DurationInfo};

/// Changes an agent, admitted or unreachable; whether there is one.
fn change(state: &mut State, id: &AgentId, change: impl FnOnce(&mut Fields<'_>)) -> bool {
    if let Some(admitted) = state.admitted.get_mut(id) {
        admitted.change(change);
    } else if let Some(unreachable) = state.unreachable.get_mut(id) {
        unreachable.change(change);
    } else {
        return false;
    }
    true
}

fn standing<'a>(state: &'a State, id: &AgentId) -> Option<&'a Standing> {
    let admitted = state.admitted.get(id).map(|admitted| &admitted.standing);
    admitted.or_else(|| state.unreachable.get(id).map(|unreachable| &unreachable.standing))
}

pub(super) fn drain(state: &mut State, id: &AgentId, grace: Option<&DurationInfo>, mark_gone: bool) -> bool {
    let found = change(state, id, |fields| {
        // What was asked for before and is not asked for now stays, as in Mesos.
        let mut info: DrainInfo = fields.drain_info.take().unwrap_or_default();
        info.state = DrainState::DRAINING;
        let mut config = info.config.take().unwrap_or_default();
        if let Some(grace) = grace {
            config.max_grace_period = MessageField::some(grace.clone());
        }
        config.mark_gone = Some(mark_gone);
        info.config = MessageField::some(config);
        *fields.drain_info = MessageField::some(info);
        *fields.deactivated = Some(true);
    });
    if found {
        state.require(Capability::AGENT_DRAINING, true);
    }
    found
}

pub(super) fn mark_drained(state: &mut State, id: &AgentId) -> Result<bool, Error> {
    let Some(standing) = standing(state, id) else { return Ok(false) };
    if standing.drain_info.as_ref().is_none_or(|info| info.state != DrainState::DRAINING) {
        return Err(Error::NotDraining(id.clone()));
    }
    Ok(change(state, id, |fields| {
        if let Some(mut info) = fields.drain_info.take() {
            info.state = DrainState::DRAINED;
            *fields.drain_info = MessageField::some(info);
        }
    }))
}

pub(super) fn deactivate(state: &mut State, id: &AgentId) -> bool {
    let found = change(state, id, |fields| *fields.deactivated = Some(true));
    if found {
        state.require(Capability::AGENT_DRAINING, true);
    }
    found
}

pub(super) fn reactivate(state: &mut State, id: &AgentId) -> bool {
    let found = change(state, id, |fields| {
        *fields.drain_info = MessageField::none();
        *fields.deactivated = None;
    });
    let admitted = state.admitted.values().map(|admitted| &admitted.standing);
    let unreachable = state.unreachable.values().map(|unreachable| &unreachable.standing);
    if found && !admitted.chain(unreachable).any(|standing| standing.deactivated) {
        state.require(Capability::AGENT_DRAINING, false);
    }
    found
}
