//! `/frameworks`, and frameworks in `/state`.

use super::{Query, json};
use crate::state::{Framework, Snapshot};
use tepui_authz::{Action, Principal};
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_resources::Resources;
use tepui_wire::Request;

/// `/frameworks?framework_id=`
pub(super) fn write_frameworks(snapshot: &Snapshot, request: &Request, query: &Query, w: &mut Writer) {
    write(snapshot, &request.principal, query.get("framework_id").map(String::as_str), w);
    w.field_array("unregistered_frameworks", [(); 0], |_, ()| {});
}

/// `frameworks` and `completed_frameworks`, all or the one of that id.
pub(super) fn write(snapshot: &Snapshot, principal: &Principal, only: Option<&str>, w: &mut Writer) {
    let shown = |framework: &&Framework| {
        only.is_none_or(|id| framework.id.as_str() == id)
            && snapshot.approvers.approved(principal, Action::ViewFramework, &framework.info.user)
    };
    let registered = snapshot.frameworks.values().map(|framework| &**framework).filter(shown);
    w.field_array("frameworks", registered, |w, one| write_full(snapshot, principal, one, w));
    let completed = snapshot.completed.iter().map(|framework| &**framework).filter(shown);
    w.field_array("completed_frameworks", completed, |w, one| write_full(snapshot, principal, one, w));
}

fn write_full(snapshot: &Snapshot, principal: &Principal, framework: &Framework, w: &mut Writer) {
    w.object(|w| {
        write_summary(framework, w);
        let info = &framework.info;
        w.field_string("user", &info.user);
        w.field_double("failover_timeout", info.failover_timeout.unwrap_or(0.0));
        w.field_bool("checkpoint", info.checkpoint.unwrap_or(false));
        json::time(w, "registered_time", framework.registered);
        json::time(w, "unregistered_time", framework.unregistered);
        if let Some(principal) = &info.principal {
            w.field_string("principal", principal);
        }
        let mut held: Resources = framework.used.clone();
        held += &framework.offered;
        json::resources(w, "resources", &held);
        if framework.registered != framework.reregistered {
            json::time(w, "reregistered_time", framework.reregistered);
        }
        if framework.has(Capability::MULTI_ROLE) {
            json::strings(w, "roles", info.roles.iter().map(String::as_str));
        } else {
            w.field_string("role", info.role.as_deref().unwrap_or("*"));
        }
        write_tasks(snapshot, principal, framework, w);
        let offers = framework.offers.iter().filter_map(|id| snapshot.offers.get(id));
        w.field_array("offers", offers, |w, offer| json::offer(w, offer));
        w.field_array("executors", &framework.executors, |w, ((agent, _), executor)| {
            if snapshot.approvers.approved(principal, Action::ViewExecutor, &info.user) {
                json::executor(w, executor, agent.as_str());
            } else {
                w.object(|_| {});
            }
        });
        json::labels(w, info.labels.as_option());
        w.field_message("offer_constraints", &*framework.offer_constraints, Names::V0);
    });
}

fn write_tasks(snapshot: &Snapshot, principal: &Principal, framework: &Framework, w: &mut Writer) {
    // Everyone who may see one task of a framework may see all: they run as its user, as far as rules go today.
    let shown = snapshot.approvers.approved(principal, Action::ViewTask, &framework.info.user);
    let tasks = framework.tasks.values().filter(|_| shown);
    w.field_array("tasks", tasks, |w, task| json::task(w, task));
    let unreachable = framework.unreachable.values().filter(|_| shown);
    w.field_array("unreachable_tasks", unreachable, |w, task| json::task(w, task));
    let completed = framework.completed.iter().filter(|_| shown);
    w.field_array("completed_tasks", completed, |w, task| json::task(w, task));
}

pub(super) fn write_summary(framework: &Framework, w: &mut Writer) {
    let info = &framework.info;
    w.field_string("id", framework.id.as_str());
    w.field_string("name", &info.name);
    if let Some(pid) = &framework.pid {
        w.field_display("pid", pid);
    }
    json::resources(w, "used_resources", &framework.used);
    json::resources(w, "offered_resources", &framework.offered);
    json::capabilities(w, info.capabilities.iter().map(|capability| capability.r#type));
    w.field_string("hostname", info.hostname.as_deref().unwrap_or_default());
    w.field_string("webui_url", info.webui_url.as_deref().unwrap_or_default());
    w.field_bool("active", framework.active);
    w.field_bool("connected", framework.is_connected());
    w.field_bool("recovered", framework.is_recovered());
}
