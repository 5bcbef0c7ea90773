//! `/state`, `/version` and `/flags`.

use super::{Query, agents, frameworks, json};
use crate::config::Build;
use crate::state::Snapshot;
use tepui_authz::Action;
use tepui_proto::json::Writer;
use tepui_wire::Request;

/// `/version`: what clients compare, and beside it what this is.
pub(super) fn write_version(snapshot: &Snapshot, _: &Request, _: &Query, w: &mut Writer) {
    let build = &snapshot.config.build;
    write_build(build, w);
    w.field_string("tepui_version", &build.own_version);
    w.field_string("version", &build.version);
}

fn write_build(build: &Build, w: &mut Writer) {
    w.field_string("build_date", &build.date);
    w.field_double("build_time", build.time_secs);
    w.field_string("build_user", &build.user);
    if let Some(sha) = &build.git_sha {
        w.field_string("git_sha", sha);
    }
}

/// `/flags`
pub(super) fn write_flags(snapshot: &Snapshot, _: &Request, _: &Query, w: &mut Writer) {
    w.field_object("flags", |w| {
        snapshot.config.flags.iter().for_each(|(name, value)| w.field_string(name, value));
    });
}

/// `/state`
pub(super) fn write_state(snapshot: &Snapshot, request: &Request, query: &Query, w: &mut Writer) {
    let build = &snapshot.config.build;
    w.field_string("version", &build.version);
    if let Some(sha) = &build.git_sha {
        w.field_string("git_sha", sha);
    }
    w.field_string("build_date", &build.date);
    w.field_double("build_time", build.time_secs);
    w.field_string("build_user", &build.user);
    json::time(w, "start_time", snapshot.started.unwrap_or_default());
    json::time(w, "elected_time", snapshot.elected.unwrap_or_default());
    w.field_string("id", &snapshot.info.id);
    w.field_display("pid", &snapshot.config.pid);
    w.field_string("hostname", &snapshot.config.hostname);
    json::capabilities(w, snapshot.info.capabilities.iter().map(|capability| capability.r#type));
    let active = snapshot.agents.values().filter(|agent| agent.active).count();
    w.field_double("activated_slaves", active as f64);
    w.field_double("deactivated_slaves", (snapshot.agents.len() - active) as f64);
    w.field_double("unreachable_slaves", snapshot.unreachable.len() as f64);
    json::optional(w, "domain", snapshot.info.domain.as_option());
    w.field_display("leader", &snapshot.config.pid);
    w.field_object("leader_info", |w| json::master_info(w, &snapshot.info));
    if snapshot.approvers.approved(&request.principal, Action::ViewFlags, "") {
        if let Some(cluster) = &snapshot.config.cluster {
            w.field_string("cluster", cluster);
        }
        if let Some(dir) = snapshot.config.flags.get("log_dir") {
            w.field_string("log_dir", dir);
        }
        if let Some(file) = snapshot.config.flags.get("external_log_file") {
            w.field_string("external_log_file", file);
        }
        write_flags(snapshot, request, query, w);
    }
    agents::write_in_state(snapshot, &request.principal, w);
    frameworks::write(snapshot, &request.principal, None, w);
    w.field_array("orphan_tasks", [(); 0], |_, ()| {});
    w.field_array("unregistered_frameworks", [(); 0], |_, ()| {});
}
