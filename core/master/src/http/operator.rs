//! What operators ask of the machine itself: calls of `/api/v1` that change something or open a stream, and `POST /teardown`.

use super::route;
use crate::Master;
use crate::cx::Cx;
use crate::operator::move_machines;
use crate::view::api;
use tepui_authz::Action;
use tepui_base::FrameworkId;
use tepui_proto::ProtoId;
use tepui_proto::mesos::master::call::Type;
use tepui_wire::{Request, RequestId, Response, query};

impl Master {
    /// Carries out a call of `/api/v1` that a snapshot cannot answer and sees to its answer; says whether this is one.
    pub(super) fn operator_write(&mut self, cx: &mut Cx, id: RequestId, request: &Request) -> bool {
        if route(&request.path) != "api/v1" || !self.is_leading() {
            return false;
        }
        let (Ok((call, accepted)), principal) = (api::read_call(request), &request.principal) else { return false };
        match call.r#type {
            Some(Type::TEARDOWN) => {
                let response = self.teardown_checked(cx, request, &call.teardown.framework_id.id());
                cx.respond(id, response);
            }
            Some(Type::SUBSCRIBE) => self.operator_subscribe(cx, id, principal, accepted),
            Some(Type::UPDATE_MAINTENANCE_SCHEDULE) => {
                let call = call.update_maintenance_schedule.into_option().unwrap_or_default();
                let schedule = call.schedule.into_option().unwrap_or_default();
                self.update_maintenance_schedule(cx, id, principal, schedule);
            }
            Some(Type::START_MAINTENANCE) => {
                let call = call.start_maintenance.into_option().unwrap_or_default();
                self.move_machines(cx, id, principal, call.machines, &move_machines::DOWN);
            }
            Some(Type::STOP_MAINTENANCE) => {
                let call = call.stop_maintenance.into_option().unwrap_or_default();
                self.move_machines(cx, id, principal, call.machines, &move_machines::UP);
            }
            _ => return false,
        }
        true
    }

    /// `frameworkId=<id>` in a form body.
    pub(super) fn teardown_request(&mut self, cx: &mut Cx, request: &Request) -> Response {
        if !self.is_leading() {
            return Response::text(503, "Master has not finished recovery");
        }
        if let Err(response) = tepui_api::post_only(request) {
            return response;
        }
        let body = String::from_utf8_lossy(&request.body);
        let values = match query::decode(&body) {
            Ok(values) => values,
            Err(error) => return Response::text(400, format!("Unable to decode query string: {error}")),
        };
        match values.get("frameworkId") {
            None => Response::text(400, "Missing 'frameworkId' query parameter in the request body"),
            Some(id) => self.teardown_checked(cx, request, &FrameworkId::from(id.as_str())),
        }
    }

    fn teardown_checked(&mut self, cx: &mut Cx, request: &Request, id: &FrameworkId) -> Response {
        let Some(framework) = self.state.frameworks.get(id) else {
            return Response::text(400, "No framework found with specified ID");
        };
        let owner = framework.info.principal.as_deref().unwrap_or_default();
        if !self.state.approvers.approved(&request.principal, Action::TeardownFramework, owner) {
            return Response::text(403, "403 Forbidden.");
        }
        self.remove_framework(cx, id);
        Response::empty(200)
    }
}
