//! `/allocator/offer_constraints_debug`: which agents the constraints of each framework keep out of its offers.
//!
//! Source: `HierarchicalAllocatorProcess::offerConstraintsDebug` in `src/master/allocator/mesos/hierarchical.cpp`.

use crate::state::{Framework, Snapshot};
use crate::terms;
use tepui_allocator::AgentFacts;
use tepui_authz::Action;
use tepui_base::AgentId;
use tepui_proto::json::Writer;
use tepui_resources::Role;
use tepui_wire::{Request, Response};

/// All frameworks the principal may see. Mesos does not look at the method, nor does it know JSONP here.
pub(super) fn respond(snapshot: &Snapshot, request: &Request) -> Response {
    let agents: Vec<(&AgentId, AgentFacts)> =
        snapshot.agents.values().map(|agent| (&agent.id, terms::agent(agent))).collect();
    let may_see = |framework: &Framework| {
        snapshot.approvers.approved(&request.principal, Action::ViewFramework, &framework.info.user)
    };
    let mut w = Writer::new();
    w.object(|w| {
        w.field_object("frameworks", |w| {
            for framework in snapshot.frameworks.values().filter(|framework| may_see(framework)) {
                w.field_object(framework.id.as_str(), |w| write_framework(framework, &agents, w));
            }
        });
    });
    Response::json(w.finish(), None)
}

fn write_framework(framework: &Framework, agents: &[(&AgentId, AgentFacts)], w: &mut Writer) {
    w.field_array("suppressed_roles", &framework.suppressed, |w, role| w.string(role));
    w.field_object("excluded_by_attribute_constraints", |w| {
        for name in &framework.roles {
            let role = Role::from(name.as_str());
            let excluded = agents.iter().filter(|(_, facts)| framework.constraints_filter.excludes(&role, facts));
            w.field_array(name, excluded, |w, (id, _)| w.string(id.as_str()));
        }
    });
}
