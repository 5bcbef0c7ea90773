//! `POST /machine/up` and STOP_MAINTENANCE: machines that are down come up, and leave the schedule.

use super::refuse;
use crate::cx::Cx;
use crate::{Master, validate};
use tepui_authz::{Action, Principal};
use tepui_proto::mesos::MachineID;
use tepui_registry::maintenance::Change;
use tepui_wire::{Request, RequestId, Response};

impl Master {
    /// The legacy endpoint.
    pub(crate) fn post_machine_up(&mut self, cx: &mut Cx, id: RequestId, request: &Request) {
        match self.read_machines(request) {
            Ok(machines) => self.stop_maintenance(cx, id, &request.principal, machines),
            Err(response) => cx.respond(id, response),
        }
    }

    pub(crate) fn stop_maintenance(
        &mut self,
        cx: &mut Cx,
        id: RequestId,
        principal: &Principal,
        machines: Vec<MachineID>,
    ) {
        match self.check_stop(principal, &machines) {
            Ok(()) => self.maintain(cx, id, Change::Stop(machines)),
            Err(response) => cx.respond(id, response),
        }
    }

    fn check_stop(&self, principal: &Principal, machines: &[MachineID]) -> Result<(), Response> {
        validate::maintenance::machines(machines).map_err(refuse)?;
        for machine in machines {
            validate::maintenance::may_come_up(machine, &self.state).map_err(refuse)?;
            self.may_maintain(principal, Action::StopMaintenance, machine)?;
        }
        Ok(())
    }
}
