//! What readers see: pure functions of a snapshot.
//!
//! Endpoints of Mesos that are not here answer 404, calls of its API that are not here 501; nothing is made up.

mod containers;
mod metrics;
mod models;
mod operator;
mod resources;
mod state;

use crate::Config;
use crate::state::{Executor, Framework, State};
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_api::Host;
use tepui_authz::{Action, Approvers, Principal};
use tepui_base::Now;
use tepui_proto::json::Writer;
use tepui_proto::mesos::{AgentInfo, Task};
use tepui_proto::{MessageField, ToProto};
use tepui_wire::{Request, Response, query};

/// The agent at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What it was told at its start.
    pub config: Arc<Config>,
    /// What it knows.
    pub state: State,
    /// The rules in force: readers see only what they may.
    pub approvers: Approvers,
    /// When it last took an input; a reader may set the moment of reading.
    pub now: Now,
}

/// What `/containerizer/debug` shows: operations of containers that have not come to an end. None can be watched here.
const NO_OPERATIONS: &str = r#"{"pending":[]}"#;

/// Whether a request asks for all metrics, whose answers are limited in number by time.
pub fn is_metrics(request: &Request) -> bool {
    tepui_api::is_at(path(request), "/metrics/snapshot")
}

/// Whether a request asks for what all containers use, with a limit of its own.
pub fn is_monitor(request: &Request) -> bool {
    tepui_api::is_at(path(request), "/monitor/statistics")
}

/// Answers a request that only reads, with the help of the process around the agent. As in Mesos what is below an endpoint
/// is that endpoint, and without an authorizer any method reads.
pub fn respond(snapshot: &Snapshot, host: &dyn Host, request: &Request) -> Response {
    let answer = tepui_api::and_above(path(request)).find_map(|path| respond_at(path, snapshot, host, request));
    answer.unwrap_or_else(|| Response::text(404, "404 Not Found."))
}

fn respond_at(path: &str, snapshot: &Snapshot, host: &dyn Host, request: &Request) -> Option<Response> {
    let viewer = Viewer { principal: &request.principal, approvers: &snapshot.approvers };
    let answer = match path {
        "/api/v1" if path == self::path(request) => operator::respond(snapshot, host, request, viewer),
        "/health" => Response::empty(200),
        "/version" => json(request, version(&snapshot.config)),
        "/flags" if !viewer.sees(Action::ViewFlags, "") => Response::text(403, "403 Forbidden."),
        "/flags" => json(request, flags(&snapshot.config)),
        "/state" => json(request, state::json(snapshot, viewer)),
        "/containers" => json(request, containers::json(snapshot, host, request, viewer)),
        "/monitor/statistics" => json(request, containers::monitor(snapshot, host, viewer)),
        "/containerizer/debug" => json(request, NO_OPERATIONS.to_owned()),
        "/metrics/snapshot" => {
            let mut values = metrics::values(snapshot);
            values.extend(host.metrics());
            tepui_api::metrics::respond(&values, request)
        }
        _ => return None,
    };
    Some(answer)
}

/// Who looks.
#[derive(Clone, Copy)]
pub(crate) struct Viewer<'a> {
    principal: &'a Principal,
    approvers: &'a Approvers,
}

impl Viewer<'_> {
    fn sees(self, action: Action, object: &str) -> bool {
        self.approvers.approved(self.principal, action, object)
    }

    fn framework(self, framework: &Framework) -> bool {
        self.sees(Action::ViewFramework, framework.info.principal.as_deref().unwrap_or_default())
    }

    fn executor(self, executor: &Executor) -> bool {
        self.sees(Action::ViewExecutor, executor.info.command.user.as_deref().unwrap_or_default())
    }

    fn task(self, task: &Task) -> bool {
        self.sees(Action::ViewTask, task.user.as_deref().unwrap_or_default())
    }
}

/// The path below the agent's own id, without slashes at its end.
pub(crate) fn path(request: &Request) -> &str {
    let path = request.path.trim_end_matches('/');
    let own = ["/slave(1)", "/slave%281%29"].into_iter().find_map(|id| path.strip_prefix(id));
    own.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path)
}

/// JSON, or a script that hands it to the function named by `jsonp`.
fn json(request: &Request, body: String) -> Response {
    let function = query::decode(&request.query).ok().and_then(|mut query| query.remove("jsonp"));
    Response::json(body, function.as_deref())
}

/// How the agent describes itself.
pub fn agent_info(config: &Config, state: &State) -> AgentInfo {
    AgentInfo {
        hostname: config.hostname.clone(),
        port: Some(i32::from(config.pid.port)),
        resources: config.resources.clone(),
        attributes: config.attributes.clone(),
        id: state.id.as_ref().map_or_else(MessageField::none, ToProto::to_field),
        // A V0 field that masters of old take as "can checkpoint"; 1.11 always sets it.
        checkpoint: Some(true),
        domain: config.domain.clone().map_or_else(MessageField::none, MessageField::some),
        ..AgentInfo::default()
    }
}

fn version(config: &Config) -> String {
    let info = &config.version;
    let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
    fields.insert("version", &info.version);
    fields.insert("tepui_version", &config.own_version);
    let optional = [
        ("build_date", &info.build_date),
        ("build_user", &info.build_user),
        ("git_branch", &info.git_branch),
        ("git_sha", &info.git_sha),
        ("git_tag", &info.git_tag),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
    let mut out = Writer::new();
    out.object(|out| {
        for (name, value) in fields {
            out.field_string(name, value);
            if let ("build_date", Some(time)) = (name, info.build_time) {
                out.field_double("build_time", time);
            }
        }
    });
    out.finish()
}

fn flags(config: &Config) -> String {
    let mut out = Writer::new();
    out.object(|out| out.field_object("flags", |out| write_flags(out, config)));
    out.finish()
}

fn write_flags(out: &mut Writer, config: &Config) {
    for (name, value) in &config.flags {
        out.field_string(name, value);
    }
}
