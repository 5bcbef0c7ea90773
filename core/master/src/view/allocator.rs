//! The allocator's part of the metrics.
//!
//! The allocator runs beside the master; whoever runs both puts its figures ([`Figures`]) into the snapshot before a
//! request that asks for metrics is answered. Source: Mesos `src/master/allocator/mesos/metrics.cpp`.

use super::api;
use super::roles::DEFAULT_WEIGHT;
use crate::http::route;
use crate::state::Snapshot;
use std::collections::BTreeMap;
use tepui_allocator::Metrics;
use tepui_api::metrics::Values;
use tepui_base::series::Statistics;
use tepui_proto::mesos::master::call::Type;
use tepui_resources::roles::ancestors;
use tepui_resources::{Name, Quantities, Scalar};
use tepui_wire::Request;

/// What is known of the allocator at the time of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// What it says of itself.
    pub metrics: Metrics,
    /// Inputs that wait for it.
    pub waiting: usize,
    /// How long runs took, in milliseconds.
    pub run: Option<Statistics>,
    /// How long runs waited from their cause to their start, in milliseconds.
    pub latency: Option<Statistics>,
}

/// Whether the answer to a request shows [`Figures`].
pub fn is_wanted(request: &Request) -> bool {
    match route(&request.path) {
        "metrics/snapshot" => true,
        "api/v1" => api::read_call(request).is_ok_and(|(call, _)| call.r#type == Some(Type::GET_METRICS)),
        _ => false,
    }
}

/// Adds every metric of the allocator, if its figures are known.
pub(super) fn collect(snapshot: &Snapshot, values: &mut Values) {
    let Some(figures) = &snapshot.allocator else { return };
    let mut put = |name: String, value: f64| _ = values.insert(name, value);
    for prefix in ["allocator", "allocator/mesos"] {
        put(format!("{prefix}/event_queue_dispatches"), figures.waiting as f64);
    }
    let metrics = &figures.metrics;
    put("allocator/mesos/allocation_runs".to_owned(), metrics.allocation_runs as f64);
    for (name, statistics) in [("allocation_run_ms", &figures.run), ("allocation_run_latency_ms", &figures.latency)] {
        let Some(statistics) = statistics else { continue };
        put(format!("allocator/mesos/{name}"), statistics.last);
        statistics.spread.iter().for_each(|(of, value)| put(format!("allocator/mesos/{name}/{of}"), *value));
    }
    for name in [Name::CPUS, Name::MEM, Name::DISK] {
        put(format!("allocator/mesos/resources/{name}/total"), metrics.total.get(&name).to_f64());
        let held = metrics.offered_or_allocated.get(&name).to_f64();
        put(format!("allocator/mesos/resources/{name}/offered_or_allocated"), held);
    }
    let consumed = consumed(snapshot);
    consumed.keys().for_each(|role| put(format!("allocator/mesos/offer_filters/roles/{role}/active"), 0.0));
    for role in &metrics.roles {
        put(format!("allocator/mesos/offer_filters/roles/{}/active", role.role), role.filters as f64);
        if let Some(share) = role.dominant_share {
            put(format!("allocator/mesos/roles/{}/shares/dominant", role.role), share);
        }
    }
    collect_quota(&consumed, metrics, put);
}

/// What each role of the allocator's tree consumes of its quota, whether it has one or not: what is reserved for it or
/// below, and what its frameworks have of the rest. (`/roles` reckons otherwise, in Mesos too.)
fn consumed(snapshot: &Snapshot) -> BTreeMap<String, Quantities> {
    let mut roles: BTreeMap<String, Quantities> = BTreeMap::new();
    let mut add = |role: &str, amounts: &Quantities| {
        for role in std::iter::once(role).chain(ancestors(role)) {
            *roles.entry(role.to_owned()).or_default() += amounts;
        }
    };
    let none = Quantities::new();
    for framework in snapshot.frameworks.values() {
        framework.roles.iter().for_each(|role| add(role, &none));
        let used = framework.used.filter(|one| one.is_unreserved() && !one.is_revocable());
        used.allocations().iter().for_each(|(role, used)| add(role.as_str(), &Quantities::from_scalars(used)));
    }
    for agent in snapshot.agents.values() {
        let reserved = agent.total.reservations();
        reserved.iter().for_each(|(role, reserved)| add(role.as_str(), &Quantities::from_scalars(reserved)));
    }
    let weighed = snapshot.weights.iter().filter(|(_, weight)| **weight != DEFAULT_WEIGHT).map(|(role, _)| role);
    weighed.chain(snapshot.quotas.keys()).for_each(|role| add(role, &none));
    roles
}

fn collect_quota(consumed: &BTreeMap<String, Quantities>, metrics: &Metrics, mut put: impl FnMut(String, f64)) {
    let mut amount = |role: &str, name: &Name, of: &str, amount: Scalar| {
        put(format!("allocator/mesos/quota/roles/{role}/resources/{name}/{of}"), amount.to_f64());
    };
    for quota in &metrics.quotas {
        let role = quota.role.as_str();
        quota.guarantees.iter().for_each(|(name, value)| amount(role, name, "guarantee", value));
        quota.limits.iter().for_each(|(name, value)| amount(role, name, "limit", value));
        let names = quota.guarantees.iter().chain(quota.limits.iter()).map(|(name, _)| name);
        names.for_each(|name| amount(role, name, "offered_or_allocated", quota.offered_or_allocated.get(name)));
    }
    // Every role that uses something has this one, whether it has quota or not, and so has the root above them all,
    // whose name is empty.
    let mut all = Quantities::new();
    for (role, consumed) in consumed {
        consumed.iter().for_each(|(name, value)| amount(role, name, "consumed", value));
        if !role.contains('/') {
            all += consumed;
        }
    }
    all.iter().for_each(|(name, value)| amount("", name, "consumed", value));
}
