//! `/state`.

use super::{Snapshot, Viewer, models, resources, write_flags};
use crate::state::Framework;
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_authz::Action;
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::Resource;
use tepui_resources::format;

pub fn json(snapshot: &Snapshot, viewer: Viewer<'_>) -> String {
    let mut out = Writer::new();
    out.object(|out| {
        identity(out, snapshot);
        amounts(out, snapshot, viewer);
        out.key("attributes");
        resources::write_attributes(out, &snapshot.config.attributes);
        let hostname = snapshot.state.master_hostname.as_ref().or(snapshot.config.master_hostname.as_ref());
        if let Some(name) = hostname.filter(|_| snapshot.state.master.is_some()) {
            out.field_string("master_hostname", name);
        }
        if viewer.sees(Action::ViewFlags, "") {
            for name in ["log_dir", "external_log_file"] {
                if let Some(path) = snapshot.config.flags.get(name) {
                    out.field_string(name, path);
                }
            }
            out.field_object("flags", |out| write_flags(out, &snapshot.config));
        }
        let seen = |framework: &&Arc<Framework>| viewer.framework(framework);
        let current = snapshot.state.frameworks.values().filter(seen);
        out.field_array("frameworks", current, |out, framework| models::framework(out, framework, viewer));
        let completed = snapshot.state.completed_frameworks.iter().filter(seen);
        out.field_array("completed_frameworks", completed, |out, framework| models::framework(out, framework, viewer));
    });
    out.finish()
}

fn identity(out: &mut Writer, snapshot: &Snapshot) {
    let config = &snapshot.config;
    let version = &config.version;
    out.field_string("version", &version.version);
    let texts = [
        ("git_sha", &version.git_sha),
        ("git_branch", &version.git_branch),
        ("git_tag", &version.git_tag),
        ("build_date", &version.build_date),
    ];
    for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
        out.field_string(name, text);
    }
    if let Some(time) = version.build_time {
        out.field_double("build_time", time);
    }
    if let Some(user) = &version.build_user {
        out.field_string("build_user", user);
    }
    out.field_double("start_time", config.start_time.as_secs_f64());
    out.field_string("id", snapshot.state.id.as_ref().map_or("", |id| id.as_str()));
    out.field_string("pid", &config.pid.to_string());
    out.field_string("hostname", &config.hostname);
    out.field_array("capabilities", crate::register::capabilities(), |out, capability| {
        out.string(&format!("{:?}", capability.r#type.unwrap_or_default()));
    });
    if let Some(domain) = &config.domain {
        out.field_message("domain", domain, Names::V0);
    }
}

fn amounts(out: &mut Writer, snapshot: &Snapshot, viewer: Viewer<'_>) {
    let total = snapshot.state.checkpointed.total(&snapshot.config.resources);
    let allocated: Vec<Resource> = snapshot.state.executors().flat_map(|executor| executor.allocated()).collect();
    out.key("resources");
    resources::write(out, total);
    out.field_object("reserved_resources", |out| write_reserved(out, total, viewer));
    out.key("unreserved_resources");
    resources::write(out, unreserved(total));
    out.field_object("reserved_resources_full", |out| {
        for (role, list) in by_role(total, viewer) {
            out.field_array(role, list, write_full);
        }
    });
    out.field_array("unreserved_resources_full", unreserved(total), write_full);
    out.field_object("reserved_resources_allocated", |out| write_reserved(out, &allocated, viewer));
    out.key("unreserved_resources_allocated");
    resources::write(out, unreserved(&allocated));
    // This agent has no resource providers.
    out.field_array("resource_providers", [(); 0], |_, ()| {});
}

fn write_full(out: &mut Writer, resource: &Resource) {
    let mut resource = resource.clone();
    format::to_endpoint(&mut resource);
    out.message(&resource, Names::V0);
}

fn write_reserved(out: &mut Writer, list: &[Resource], viewer: Viewer<'_>) {
    for (role, list) in by_role(list, viewer) {
        out.key(role);
        resources::write(out, list);
    }
}

fn unreserved(list: &[Resource]) -> impl Iterator<Item = &Resource> {
    list.iter().filter(|resource| resources::reservation(resource).is_none())
}

/// What is reserved for the roles the viewer may see.
fn by_role<'a>(list: &'a [Resource], viewer: Viewer<'_>) -> BTreeMap<&'a str, Vec<&'a Resource>> {
    let mut roles: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
    for resource in list {
        if let Some(role) = resources::reservation(resource).filter(|role| viewer.sees(Action::ViewRole, role)) {
            roles.entry(role).or_default().push(resource);
        }
    }
    roles
}
