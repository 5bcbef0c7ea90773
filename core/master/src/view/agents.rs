//! `/slaves`, and agents in `/state`.

use super::{Query, json};
use crate::state::{Agent, Snapshot};
use tepui_authz::{Action, Principal};
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::Resource;
use tepui_resources::Resources;
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

fn write_agent(snapshot: &Snapshot, principal: &Principal, agent: &Agent, w: &mut Writer) {
    json::agent_info(w, &agent.info);
    w.field_string("pid", &agent.pid.to_string());
    json::time(w, "registered_time", agent.registered);
    if let Some(reregistered) = agent.reregistered {
        json::time(w, "reregistered_time", reregistered);
    }
    json::resources(w, "resources", &agent.total);
    json::resources(w, "used_resources", &agent.used_total());
    json::resources(w, "offered_resources", &agent.offered);
    w.field_object("reserved_resources", |w| {
        for (role, reserved) in reservations(snapshot, principal, agent) {
            json::resources(w, &role, &reserved);
        }
    });
    json::resources(w, "unreserved_resources", &agent.total.unreserved());
    w.field_bool("active", agent.active);
    // Deactivation by an operator belongs to a room not built yet.
    w.field_bool("deactivated", false);
    w.field_string("version", &agent.version);
    json::capabilities(w, agent.capabilities.iter().map(|capability| capability.r#type));
}

fn write_full_resources(snapshot: &Snapshot, principal: &Principal, agent: &Agent, w: &mut Writer) {
    let visible = |resource: &Resource| {
        let role = resource.reservations.last().and_then(|last| last.role.as_deref());
        role.is_none_or(|role| snapshot.approvers.approved(principal, Action::ViewRole, role))
    };
    let array = |w: &mut Writer, key: &str, resources: &Resources| {
        let shown = resources.to_endpoint().into_iter().filter(visible);
        w.field_array(key, shown, |w, resource| w.message(&resource, Names::V0));
    };
    w.field_object("reserved_resources_full", |w| {
        for (role, reserved) in reservations(snapshot, principal, agent) {
            array(w, &role, &reserved);
        }
    });
    array(w, "unreserved_resources_full", &agent.total.unreserved());
    array(w, "used_resources_full", &agent.used_total());
    array(w, "offered_resources_full", &agent.offered);
}

/// Reserved resources by role, for the roles a principal may see.
fn reservations(snapshot: &Snapshot, principal: &Principal, agent: &Agent) -> Vec<(String, Resources)> {
    agent
        .total
        .reservations()
        .into_iter()
        .map(|(role, reserved)| (role.to_string(), reserved))
        .filter(|(role, _)| snapshot.approvers.approved(principal, Action::ViewRole, role))
        .collect()
}
