//! `/roles`, and what GET_ROLES says.

use super::{Query, json};
use crate::state::Snapshot;
use std::collections::{BTreeMap, BTreeSet};
use tepui_authz::{Action, Principal};
use tepui_base::FrameworkId;
use tepui_proto::json::Writer;
use tepui_proto::mesos::value::Scalar;
use tepui_resources::roles::ancestors;
use tepui_resources::{Quantities, Resources, Role};
use tepui_wire::Request;

/// The weight of a role that was given none.
pub(super) const DEFAULT_WEIGHT: f64 = 1.0;

/// The weight of a role.
pub(super) fn weight(snapshot: &Snapshot, role: &str) -> f64 {
    snapshot.weights.get(role).copied().unwrap_or(DEFAULT_WEIGHT)
}

/// Makes amounts of resources: of all, or of the scalars alone.
type Count = fn(&Resources) -> Quantities;

/// What one role's subtree holds.
#[derive(Default)]
pub(super) struct Holdings {
    /// Frameworks that subscribe to the role, or hold something of it.
    pub frameworks: BTreeSet<FrameworkId>,
    /// In use.
    pub allocated: Quantities,
    /// In offers.
    pub offered: Quantities,
    /// Reserved on agents.
    pub reserved: Quantities,
    /// Reserved, and neither in use nor in offers.
    idle: Quantities,
}

impl Holdings {
    /// In use or in offers.
    pub fn held(&self) -> Quantities {
        let mut held = self.allocated.clone();
        held += &self.offered;
        held
    }

    /// What counts against the role's quota: in use, or reserved.
    pub fn consumed(&self) -> Quantities {
        let mut consumed = self.allocated.clone();
        consumed += &self.idle;
        consumed
    }
}

/// Roles that have a framework, an allocation, a reservation, a weight or a quota, and those above them; with `--roles`, the roles given
/// and those above them. Only those the principal may see. `count` makes amounts of what they hold.
pub(super) fn known(snapshot: &Snapshot, principal: &Principal, count: Count) -> BTreeMap<String, Holdings> {
    let mut roles: BTreeMap<String, Holdings> = BTreeMap::new();
    for framework in snapshot.frameworks.values() {
        for role in &framework.roles {
            roles.entry(role.clone()).or_default().frameworks.insert(framework.id.clone());
        }
        add(&mut roles, &framework.used, &framework.id, count, |holdings| &mut holdings.allocated);
        add(&mut roles, &framework.offered, &framework.id, count, |holdings| &mut holdings.offered);
    }
    for agent in snapshot.agents.values() {
        let mut idle = agent.total.reserved();
        idle -= &agent.used_total().reserved().unallocated();
        for (role, reserved) in agent.total.reservations() {
            for_subtree(&mut roles, &role, |holdings| holdings.reserved += &count(&reserved));
        }
        for (role, idle) in idle.reservations() {
            for_subtree(&mut roles, &role, |holdings| holdings.idle += &count(&idle));
        }
    }
    if let Some(allowed) = &snapshot.config.roles {
        let mut allowed = allowed.clone();
        allowed.insert("*".to_owned());
        let above: Vec<String> = allowed.iter().flat_map(|role| ancestors(role)).map(str::to_owned).collect();
        allowed.extend(above);
        roles.retain(|role, _| allowed.contains(role));
        for role in allowed {
            roles.entry(role).or_default();
        }
    } else {
        for role in snapshot.weights.keys().chain(snapshot.quotas.keys()) {
            roles.entry(role.clone()).or_default();
        }
        let above: Vec<String> = roles.keys().flat_map(|role| ancestors(role)).map(str::to_owned).collect();
        for role in above {
            roles.entry(role).or_default();
        }
    }
    roles.retain(|role, _| snapshot.approvers.approved(principal, Action::ViewRole, role));
    roles
}

fn add(
    roles: &mut BTreeMap<String, Holdings>,
    resources: &Resources,
    owner: &FrameworkId,
    count: Count,
    part: fn(&mut Holdings) -> &mut Quantities,
) {
    for (role, allocated) in resources.allocations() {
        roles.entry(role.to_string()).or_default().frameworks.insert(owner.clone());
        for_subtree(roles, &role, |holdings| *part(holdings) += &count(&allocated));
    }
}

/// What a role holds, the roles above it hold too.
fn for_subtree(roles: &mut BTreeMap<String, Holdings>, role: &Role, change: impl Fn(&mut Holdings)) {
    for name in std::iter::once(role.as_str()).chain(ancestors(role.as_str())) {
        change(roles.entry(name.to_owned()).or_default());
    }
}

/// What a quota guarantees, or limits, if there is one.
fn amounts(w: &mut Writer, key: &str, amounts: Option<&BTreeMap<String, Scalar>>) {
    let amounts = amounts.into_iter().flatten();
    w.field_object(key, |w| amounts.for_each(|(name, amount)| w.field_double(name, amount.value)));
}

/// `/roles`
pub(super) fn write_roles(snapshot: &Snapshot, request: &Request, _: &Query, w: &mut Writer) {
    let known = known(snapshot, &request.principal, Quantities::from_resources);
    w.field_array("roles", known, |w, (name, holdings)| {
        w.object(|w| {
            w.field_string("name", &name);
            w.field_double("weight", weight(snapshot, &name));
            w.field_object("quota", |w| {
                w.field_string("role", &name);
                let quota = snapshot.quotas.get(&name);
                amounts(w, "guarantee", quota.map(|quota| &quota.guarantees));
                amounts(w, "limit", quota.map(|quota| &quota.limits));
                json::quantities(w, "consumed", &holdings.consumed());
            });
            json::quantities(w, "resources", &holdings.held());
            json::quantities(w, "allocated", &holdings.allocated);
            json::quantities(w, "offered", &holdings.offered);
            json::quantities(w, "reserved", &holdings.reserved);
            w.field_array("frameworks", &holdings.frameworks, |w, id| w.string(id.as_str()));
        });
    });
}
