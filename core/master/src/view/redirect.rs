//! Requests that only the leading master answers, at one that does not lead; and `/redirect`, at any.
//!
//! Source: Mesos `src/master/http.cpp`, `Master::Http::redirect` and its callers.

use crate::http::route;
use crate::state::Snapshot;
use std::net::Ipv4Addr;
use tepui_api::is_at;
use tepui_proto::mesos::MasterInfo;
use tepui_wire::{Request, Response, query};

/// What is asked of the leader. Everything else (`/health`, `/flags`, `/version`, metrics, files, ...) each master answers for
/// itself.
const OF_THE_LEADER: [&str; 19] = [
    "api/v1/scheduler",
    "api/v1",
    "create-volumes",
    "destroy-volumes",
    "frameworks",
    "machine/down",
    "machine/up",
    "maintenance/schedule",
    "maintenance/status",
    "quota",
    "reserve",
    "roles",
    "slaves",
    "state",
    "state-summary",
    "tasks",
    "teardown",
    "unreserve",
    "weights",
];

/// Sends a request to the leading master if it is for that one and this is not; nothing if this master is to answer.
pub(super) fn elsewhere(snapshot: &Snapshot, request: &Request) -> Option<Response> {
    let route = route(&request.path);
    if is_at(route, "redirect") {
        return Some(lead(snapshot, |base| match route {
            "redirect" => redirect(base),
            // It would come back here without end.
            _ => Response::status(404),
        }));
    }
    if snapshot.elected.is_some() || !OF_THE_LEADER.iter().any(|theirs| is_at(route, theirs)) {
        return None;
    }
    Some(lead(snapshot, |base| redirect(format!("{base}{}", target(request)))))
}

fn lead(snapshot: &Snapshot, to: impl FnOnce(String) -> Response) -> Response {
    match &snapshot.leader {
        // Without a scheme, so that the client keeps its own.
        Some(leader) => to(format!("//{}:{}", host(leader), leader.port)),
        None => Response::text(503, "No leader elected"),
    }
}

/// The name of a master, or its address (in network byte order, read as a little-endian number) if it has none.
fn host(leader: &MasterInfo) -> String {
    leader.hostname.clone().unwrap_or_else(|| Ipv4Addr::from(leader.ip.to_le_bytes()).to_string())
}

fn redirect(location: String) -> Response {
    Response::empty(307).header("Location", location)
}

/// Path and query as they came. The path is still encoded; the query is written anew, as Mesos does.
fn target(request: &Request) -> String {
    let pairs = request.query_pairs();
    let query = query::encode(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/{}{mark}{query}", request.path.trim_start_matches('/'))
}
