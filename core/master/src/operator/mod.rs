//! Calls of operators that wait for the registrar: one file per call, legacy endpoint and V1 alike.
//!
//! Each function answers the request itself, at once if the call is refused, else when the registrar has the change.

pub(crate) mod move_machines;
mod update_maintenance_schedule;

use crate::Master;
use tepui_authz::{Action, Principal};
use tepui_proto::json::{self, Names};
use tepui_proto::mesos::MachineID;
use tepui_wire::{Request, Response};

impl Master {
    /// 503 until the registry is known.
    fn leading_only(&self) -> Result<(), Response> {
        if self.is_leading() { Ok(()) } else { Err(Response::text(503, "Master has not finished recovery")) }
    }

    /// The machines that the body of a POST lists.
    fn read_machines(&self, request: &Request) -> Result<Vec<MachineID>, Response> {
        self.leading_only()?;
        tepui_api::post_only(request)?;
        let body = json::parse(&request.body).map_err(refuse)?;
        let items = body.as_array().ok_or_else(|| Response::text(400, UNEXPECTED_JSON))?;
        items.iter().map(|item| json::from_value(item, Names::V0).map_err(refuse)).collect()
    }

    fn may_maintain(&self, principal: &Principal, action: Action, machine: &MachineID) -> Result<(), Response> {
        let object = machine.hostname.as_deref().or(machine.ip.as_deref()).unwrap_or_default();
        let approved = self.state.approvers.approved(principal, action, object);
        if approved { Ok(()) } else { Err(Response::text(403, "403 Forbidden.")) }
    }
}

/// A body that is JSON, but no object, or no array.
const UNEXPECTED_JSON: &str = "Unexpected JSON type parsed";

/// 400 with an error's text.
fn refuse(error: impl ToString) -> Response {
    Response::text(400, error.to_string())
}
