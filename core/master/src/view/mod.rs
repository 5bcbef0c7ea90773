//! What is shown: pure functions of a [`Snapshot`], so that no reader ever stops the master.
//!
//! Legacy endpoints (`/state`, `/slaves`, ...) are written by hand in the shapes of Mesos; `/api/v1` answers in JSON or
//! protobuf. What is not built yet is not found. Source: Mesos `src/master/readonly_handler.cpp`, `src/common/http.cpp`.

mod agents;
pub mod allocator;
pub(crate) mod api;
mod constraints;
mod frameworks;
mod json;
mod maintenance;
pub mod metrics;
mod redirect;
mod roles;
mod state;
mod summary;
mod tasks;
mod terms;

use crate::http::route;
use crate::state::Snapshot;
use std::collections::BTreeMap;
use tepui_api::Host;
use tepui_authz::Action;
use tepui_proto::json::Writer;
use tepui_wire::{Request, Response, query};

/// Parameters of a query.
pub(crate) type Query = BTreeMap<String, String>;

/// Whether a request changes nothing, so that a snapshot suffices to answer it.
pub fn is_read(request: &Request) -> bool {
    match route(&request.path) {
        "api/v1/scheduler" | "teardown" | "machine/down" | "machine/up" => false,
        "maintenance/schedule" => request.method == "GET",
        "api/v1" => api::is_read(request),
        _ => true,
    }
}

/// Whether the answer to a request grows with the cluster and is the same for everybody who asks the same at the same
/// moment, so that it pays to make it once for all of them.
pub fn is_shared(request: &Request) -> bool {
    match route(&request.path) {
        "state" | "state-summary" | "slaves" | "frameworks" | "tasks" | "roles" => true,
        "api/v1" => api::is_shared(request),
        _ => false,
    }
}

/// Whether a request asks for all metrics, whose answers are limited in number by time.
pub fn is_metrics(request: &Request) -> bool {
    tepui_api::is_at(route(&request.path), "metrics/snapshot")
}

/// Answers a request from a snapshot, with the help of the process around the master. What is not known, or not built
/// yet, is not found; what is below an endpoint is that endpoint, as in Mesos.
pub fn respond(snapshot: &Snapshot, host: &dyn Host, request: &Request) -> Response {
    if let Some(response) = redirect::elsewhere(snapshot, request) {
        return response;
    }
    let answer =
        tepui_api::and_above(route(&request.path)).find_map(|route| respond_at(route, snapshot, host, request));
    answer.unwrap_or_else(|| Response::text(404, "404 Not Found."))
}

fn respond_at(at: &str, snapshot: &Snapshot, host: &dyn Host, request: &Request) -> Option<Response> {
    let query = query::decode(&request.query).unwrap_or_default();
    let show = |fill: fn(&Snapshot, &Request, &Query, &mut Writer)| {
        let mut writer = Writer::with_capacity(room(snapshot));
        writer.object(|writer| fill(snapshot, request, &query, writer));
        Response::json(writer.finish(), query.get("jsonp").map(String::as_str))
    };
    let answer = match at {
        "api/v1" if at == route(&request.path) => api::respond(snapshot, host, request),
        "health" => Response::empty(200),
        "version" => show(state::write_version),
        "flags" if !snapshot.approvers.approved(&request.principal, Action::ViewFlags, "") => {
            Response::text(403, "403 Forbidden.")
        }
        "flags" => show(state::write_flags),
        "state" => show(state::write_state),
        "state-summary" => show(summary::write_summary),
        "slaves" => show(agents::write_agents),
        "frameworks" => show(frameworks::write_frameworks),
        "tasks" => show(tasks::write_tasks),
        "roles" => show(roles::write_roles),
        // A process of its own in Mesos, which a master has from its election on.
        "allocator/offer_constraints_debug" if snapshot.elected.is_some() => constraints::respond(snapshot, request),
        "maintenance/schedule" => show(maintenance::write_schedule),
        "maintenance/status" if request.method != "GET" => Response::method_not_allowed(&["GET"], &request.method),
        "maintenance/status" => show(maintenance::write_status),
        "quota" => fixed(request, &["GET", "POST", "DELETE"], || terms::quota_text(snapshot, &request.principal)),
        "weights" => fixed(request, &["GET", "PUT"], || terms::weights_text(snapshot, &request.principal)),
        "metrics/snapshot" => {
            let mut values = metrics::collect(snapshot);
            values.extend(host.metrics());
            tepui_api::metrics::respond(&values, request)
        }
        _ => return None,
    };
    Some(answer)
}

/// Bytes that an agent takes in most answers, and what else there is.
const AGENT_BYTES: usize = 1024;

/// Room for most answers, so that large ones are not moved while they grow. It costs address space only.
fn room(snapshot: &Snapshot) -> usize {
    snapshot.agents.len().saturating_add(1).saturating_mul(AGENT_BYTES)
}

/// What is shown, and cannot be set yet.
fn fixed(request: &Request, methods: &[&str], text: impl FnOnce() -> String) -> Response {
    match request.method.as_str() {
        "GET" | "HEAD" => Response::json(text(), request.query_pairs().get("jsonp").map(String::as_str)),
        method if methods.contains(&method) => {
            Response::text(501, format!("{method} {} is not implemented by this master", request.path))
        }
        method => Response::method_not_allowed(methods, method),
    }
}
