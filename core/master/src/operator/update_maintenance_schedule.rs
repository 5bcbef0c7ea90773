//! `POST /maintenance/schedule` and UPDATE_MAINTENANCE_SCHEDULE: another schedule in place of the present one.

use super::{UNEXPECTED_JSON, refuse};
use crate::cx::Cx;
use crate::{Master, validate};
use std::sync::Arc;
use tepui_authz::{Action, Principal};
use tepui_proto::json::{self, Names};
use tepui_proto::mesos::maintenance::Schedule;
use tepui_registry::maintenance::Change;
use tepui_wire::{Request, RequestId, Response};

impl Master {
    /// The legacy endpoint; a GET is a view.
    pub(crate) fn post_maintenance_schedule(&mut self, cx: &mut Cx, id: RequestId, request: &Request) {
        match self.read_schedule(request) {
            Ok(schedule) => self.update_maintenance_schedule(cx, id, &request.principal, schedule),
            Err(response) => cx.respond(id, response),
        }
    }

    pub(crate) fn update_maintenance_schedule(
        &mut self,
        cx: &mut Cx,
        id: RequestId,
        principal: &Principal,
        schedule: Schedule,
    ) {
        match self.check_schedule(principal, &schedule) {
            Ok(()) => self.maintain(cx, id, Change::Schedule(Arc::new(schedule))),
            Err(response) => cx.respond(id, response),
        }
    }

    fn read_schedule(&self, request: &Request) -> Result<Schedule, Response> {
        self.leading_only()?;
        if request.method != "POST" {
            return Err(Response::method_not_allowed(&["GET", "POST"], &request.method));
        }
        let body = json::parse(&request.body).map_err(refuse)?;
        if !body.is_object() {
            return Err(Response::text(400, UNEXPECTED_JSON));
        }
        json::from_value(&body, Names::V0).map_err(refuse)
    }

    fn check_schedule(&self, principal: &Principal, schedule: &Schedule) -> Result<(), Response> {
        validate::maintenance::schedule(schedule, &self.state.maintenance).map_err(refuse)?;
        let mut machines = schedule.windows.iter().flat_map(|window| &window.machine_ids);
        machines.try_for_each(|machine| self.may_maintain(principal, Action::UpdateMaintenanceSchedule, machine))
    }
}
