//! `POST /machine/down` and START_MAINTENANCE: draining machines go down, with their agents. `POST /machine/up` and
//! STOP_MAINTENANCE: machines that are down come up, and leave the schedule.

use super::refuse;
use crate::cx::Cx;
use crate::state::Snapshot;
use crate::{Master, validate};
use tepui_authz::{Action, Principal};
use tepui_proto::mesos::MachineID;
use tepui_registry::maintenance::Change;
use tepui_wire::{Request, RequestId, Response};

/// From one mode to another.
pub(crate) struct Move {
    /// Whether a machine can make it from the mode it is in.
    may: fn(&MachineID, &Snapshot) -> Result<(), String>,
    action: Action,
    change: fn(Vec<MachineID>) -> Change,
}

/// Down: maintenance starts.
pub(crate) const DOWN: Move =
    Move { may: validate::maintenance::may_go_down, action: Action::StartMaintenance, change: Change::Start };

/// Up: maintenance is over.
pub(crate) const UP: Move =
    Move { may: validate::maintenance::may_come_up, action: Action::StopMaintenance, change: Change::Stop };

impl Master {
    /// The legacy endpoints.
    pub(crate) fn post_machines(&mut self, cx: &mut Cx, id: RequestId, request: &Request, by: &Move) {
        match self.read_machines(request) {
            Ok(machines) => self.move_machines(cx, id, &request.principal, machines, by),
            Err(response) => cx.respond(id, response),
        }
    }

    /// All of them, or none.
    pub(crate) fn move_machines(
        &mut self,
        cx: &mut Cx,
        id: RequestId,
        principal: &Principal,
        machines: Vec<MachineID>,
        by: &Move,
    ) {
        match self.check_move(principal, &machines, by) {
            Ok(()) => self.maintain(cx, id, (by.change)(machines)),
            Err(response) => cx.respond(id, response),
        }
    }

    fn check_move(&self, principal: &Principal, machines: &[MachineID], by: &Move) -> Result<(), Response> {
        validate::maintenance::machines(machines).map_err(refuse)?;
        for machine in machines {
            (by.may)(machine, &self.state).map_err(refuse)?;
            self.may_maintain(principal, by.action, machine)?;
        }
        Ok(())
    }
}
