//! What is shown: pure functions of a [`Snapshot`], so that no reader ever stops the master.
//!
//! Legacy endpoints (`/state`, `/slaves`, ...) are written by hand in the shapes of Mesos; `/api/v1` answers in JSON or
//! protobuf. What is not built yet is not found. Source: Mesos `src/master/readonly_handler.cpp`, `src/common/http.cpp`.

mod agents;
pub mod allocator;
pub(crate) mod api;
mod frameworks;
mod json;
pub mod metrics;
mod roles;
mod state;
mod tasks;

use crate::http::route;
use crate::state::Snapshot;
use std::collections::BTreeMap;
use tepui_authz::Action;
use tepui_proto::json::Writer;
use tepui_wire::{Request, Response, query};

/// Parameters of a query.
pub(crate) type Query = BTreeMap<String, String>;

/// Whether a request changes nothing, so that a snapshot suffices to answer it.
pub fn is_read(request: &Request) -> bool {
    match route(&request.path) {
        "api/v1/scheduler" | "teardown" => false,
        "api/v1" => api::is_read(request),
        _ => true,
    }
}

/// Answers a request from a snapshot. What is not known, or not built yet, is not found.
pub fn respond(snapshot: &Snapshot, request: &Request) -> Response {
    let query = query::decode(&request.query).unwrap_or_default();
    let show = |fill: fn(&Snapshot, &Request, &Query, &mut Writer)| {
        let mut writer = Writer::new();
        writer.object(|writer| fill(snapshot, request, &query, writer));
        Response::json(writer.finish(), query.get("jsonp").map(String::as_str))
    };
    match route(&request.path) {
        "api/v1" => api::respond(snapshot, request),
        "health" => Response::empty(200),
        "version" => show(state::write_version),
        "flags" if !snapshot.approvers.approved(&request.principal, Action::ViewFlags, "") => {
            Response::text(403, "403 Forbidden.")
        }
        "flags" => show(state::write_flags),
        "state" => show(state::write_state),
        "slaves" => show(agents::write_agents),
        "frameworks" => show(frameworks::write_frameworks),
        "tasks" => show(tasks::write_tasks),
        "roles" => show(roles::write_roles),
        "redirect" => redirect(snapshot),
        "metrics/snapshot" => metrics::respond(&metrics::collect(snapshot), request),
        _ => Response::text(404, "404 Not Found."),
    }
}

/// This master leads, so it sends clients to itself.
fn redirect(snapshot: &Snapshot) -> Response {
    let (hostname, port) = (&snapshot.config.hostname, snapshot.config.pid.port);
    Response::empty(307).header("Location", format!("//{hostname}:{port}"))
}
