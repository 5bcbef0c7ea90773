//! `/slaves`, and agents in `/state` and `/state-summary`.

use super::{Query, json};
use crate::state::{Agent, Shown, Snapshot};
use tepui_authz::{Action, Principal};
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos;
use tepui_resources::{Resource, Resources};
use tepui_wire::Request;

/// `/slaves?slave_id=`
pub(super) fn write_agents(snapshot: &Snapshot, request: &Request, query: &Query, w: &mut Writer) {
    let only = query.get("slave_id");
    let shown = |id: &str| only.is_none_or(|only| only == id);
    let agents = snapshot.agents.values().filter(|agent| shown(agent.id.as_str()));
    w.field_array("slaves", agents, |w, agent| {
        w.object(|w| {
            write_agent(snapshot, &request.principal, agent, w);
            write_full_resources(snapshot, &request.principal, agent, w);
        });
    });
    let recovered = snapshot.recovered_agents.values().filter(|info| shown(&info.id.value));
    w.field_array("recovered_slaves", recovered, |w, info| w.object(|w| json::agent_info(w, info)));
}

/// `slaves` and `recovered_slaves` of `/state`.
pub(super) fn write_in_state(snapshot: &Snapshot, principal: &Principal, w: &mut Writer) {
    w.field_array("slaves", snapshot.agents.values(), |w, agent| {
        w.object(|w| write_agent(snapshot, principal, agent, w));
    });
    let recovered = snapshot.recovered_agents.values();
    w.field_array("recovered_slaves", recovered, |w, info| w.object(|w| json::agent_info(w, info)));
}

/// The fields of an agent. The text beside the record has all roles it is reserved for; who may not see one of them gets
/// a text of their own.
pub(super) fn write_agent(snapshot: &Snapshot, principal: &Principal, agent: &Shown<Agent>, w: &mut Writer) {
    let may_see = |role: &str| snapshot.approvers.approved(principal, Action::ViewRole, role);
    let mut roles = agent.total.iter().filter_map(Resource::reservation_role);
    if roles.all(|role| may_see(role.as_str())) {
        w.raw(agent.text(|agent| {
            let mut w = Writer::with_capacity(json::TEXT_ROOM);
            write_fields(agent, |_| true, &mut w);
            w.finish()
        }));
    } else {
        write_fields(agent, may_see, w);
    }
}

fn write_fields(agent: &Agent, may_see: impl Fn(&str) -> bool, w: &mut Writer) {
    json::agent_info(w, &agent.info);
    w.field_display("pid", &agent.pid);
    json::time(w, "registered_time", agent.registered);
    if let Some(reregistered) = agent.reregistered {
        json::time(w, "reregistered_time", reregistered);
    }
    w.key("resources");
    let start = w.len();
    json::sums(w, &agent.total);
    let total = start..w.len();
    json::resources(w, "used_resources", &agent.used_total());
    json::resources(w, "offered_resources", &agent.offered);
    w.field_object("reserved_resources", |w| {
        for (role, reserved) in reservations(agent, may_see) {
            json::resources(w, &role, &reserved);
        }
    });
    w.key("unreserved_resources");
    match agent.total.iter().all(Resource::is_unreserved) {
        true => w.again(total),
        false => json::sums(w, agent.total.iter().filter(|one| one.is_unreserved())),
    }
    w.field_bool("active", agent.active);
    w.field_bool("deactivated", agent.standing.deactivated);
    w.field_string("version", &agent.version);
    json::capabilities(w, agent.capabilities.iter().map(|capability| capability.r#type));
    if let Some(drain_info) = &agent.standing.drain_info {
        w.field_message("drain_info", &**drain_info, Names::V0);
    }
}

fn write_full_resources(snapshot: &Snapshot, principal: &Principal, agent: &Agent, w: &mut Writer) {
    let may_see = |role: &str| snapshot.approvers.approved(principal, Action::ViewRole, role);
    let visible = |resource: &mesos::Resource| {
        resource.reservations.last().and_then(|last| last.role.as_deref()).is_none_or(may_see)
    };
    let array = |w: &mut Writer, key: &str, resources: &Resources| {
        let shown = resources.to_endpoint().into_iter().filter(visible);
        w.field_array(key, shown, |w, resource| w.message(&resource, Names::V0));
    };
    w.field_object("reserved_resources_full", |w| {
        for (role, reserved) in reservations(agent, may_see) {
            array(w, &role, &reserved);
        }
    });
    array(w, "unreserved_resources_full", &agent.total.unreserved());
    array(w, "used_resources_full", &agent.used_total());
    array(w, "offered_resources_full", &agent.offered);
}

/// Reserved resources by role, for the roles a principal may see.
fn reservations(agent: &Agent, may_see: impl Fn(&str) -> bool) -> Vec<(String, Resources)> {
    if agent.total.iter().all(Resource::is_unreserved) {
        return Vec::new();
    }
    let by_role = agent.total.reservations().into_iter().map(|(role, reserved)| (role.to_string(), reserved));
    by_role.filter(|(role, _)| may_see(role)).collect()
}
