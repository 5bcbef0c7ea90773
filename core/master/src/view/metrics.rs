//! `/metrics/snapshot`: counters as they are kept, gauges computed here.
//!
//! Every name of the master's part of 1.11 is shown; those of the queues and of what lies around the master are added by
//! whoever runs it. Source: Mesos `src/master/metrics.cpp`.

use crate::metrics::FrameworkMetrics;
use crate::state::{Framework, Snapshot};
use buffa::Enumeration;
use tepui_api::metrics::Values;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::offer::operation::Type as Operation;
use tepui_proto::mesos::scheduler::{call, event};
use tepui_resources::{Resource, Scalar, Value};
use tepui_wire::percent;

/// All metrics of the master, and those of the allocator if they are known. Those of the system and so on are added by whoever runs it.
pub fn collect(snapshot: &Snapshot) -> Values {
    let mut values = Values::new();
    let started = snapshot.started.unwrap_or(snapshot.now);
    let uptime = snapshot.now.0.saturating_sub(started.0) as f64 / 1e9;
    values.insert("master/uptime_secs".to_owned(), uptime);
    values.insert("master/elected".to_owned(), f64::from(u8::from(snapshot.elected.is_some())));
    values.extend(snapshot.metrics.counters().map(|(name, count)| (name.to_owned(), count as f64)));
    values.extend(snapshot.metrics.transitions().map(|(name, count)| (name, count as f64)));
    collect_counts(snapshot, &mut values);
    collect_operations(snapshot, &mut values);
    collect_resources(snapshot, &mut values);
    super::allocator::collect(snapshot, &mut values);
    if snapshot.config.publish_per_framework_metrics {
        for framework in snapshot.frameworks.values().chain(&snapshot.completed) {
            collect_framework(framework, &mut values);
        }
    }
    values
}

fn collect_counts(snapshot: &Snapshot, values: &mut Values) {
    let agents = |keep: fn(bool, bool) -> bool| {
        snapshot.agents.values().filter(|agent| keep(agent.connected, agent.active)).count() as f64
    };
    let frameworks =
        |keep: fn(&Framework) -> bool| snapshot.frameworks.values().filter(|framework| keep(framework)).count() as f64;
    let gauges = [
        ("slaves_connected", agents(|connected, _| connected)),
        ("slaves_disconnected", agents(|connected, _| !connected)),
        ("slaves_active", agents(|_, active| active)),
        ("slaves_inactive", agents(|_, active| !active)),
        ("slaves_unreachable", snapshot.unreachable.len() as f64),
        ("frameworks_connected", frameworks(Framework::is_connected)),
        ("frameworks_disconnected", frameworks(|framework| !framework.is_connected())),
        ("frameworks_active", frameworks(|framework| framework.active)),
        ("frameworks_inactive", frameworks(|framework| !framework.active)),
        ("outstanding_offers", snapshot.offers.len() as f64),
        ("operator_event_stream_subscribers", snapshot.subscribers as f64),
    ];
    for (name, value) in gauges {
        values.insert(format!("master/{name}"), value);
    }
    let mut sums = [0; ACTIVE.len()];
    for framework in snapshot.frameworks.values() {
        sums.iter_mut().zip(active(framework)).for_each(|(sum, count)| *sum += count);
    }
    for (state, count) in ACTIVE.iter().zip(sums) {
        let name = state.proto_name().to_lowercase().replacen("task_", "tasks_", 1);
        values.insert(format!("master/{name}"), count as f64);
    }
}

/// States of tasks that are not over.
const ACTIVE: [TaskState; 5] = [
    TaskState::TASK_STAGING,
    TaskState::TASK_STARTING,
    TaskState::TASK_RUNNING,
    TaskState::TASK_KILLING,
    TaskState::TASK_UNREACHABLE,
];

/// Offer operations that the master keeps track of; their metrics have their names.
const OPERATIONS: [Operation; 8] = [
    Operation::RESERVE,
    Operation::UNRESERVE,
    Operation::CREATE,
    Operation::DESTROY,
    Operation::GROW_VOLUME,
    Operation::SHRINK_VOLUME,
    Operation::CREATE_DISK,
    Operation::DESTROY_DISK,
];

/// Where an operation can stand.
const OPERATION_STATES: [&str; 9] =
    ["total", "pending", "recovering", "unreachable", "finished", "failed", "error", "dropped", "gone_by_operator"];

/// No operation can be made yet, so those there are were refused.
fn collect_operations(snapshot: &Snapshot, values: &mut Values) {
    let kinds = OPERATIONS.iter().map(|kind| (format!("{}/", kind.proto_name().to_lowercase()), Some(*kind)));
    for (name, kind) in std::iter::once((String::new(), None)).chain(kinds) {
        let refused = snapshot.metrics.refused_operations(kind) as f64;
        for state in OPERATION_STATES {
            let count = if matches!(state, "total" | "error") { refused } else { 0.0 };
            values.insert(format!("master/operations/{name}{state}"), count);
        }
    }
}

/// How many tasks of a framework are in each of the states that are not over.
fn active(framework: &Framework) -> [u64; ACTIVE.len()] {
    let mut counts = [0; ACTIVE.len()];
    for task in framework.tasks.values().chain(framework.unreachable.values()) {
        if let Some(at) = ACTIVE.iter().position(|state| *state == task.state) {
            counts[at] += 1;
        }
    }
    counts
}

/// Resources that have gauges.
const MEASURED: [&str; 4] = ["cpus", "gpus", "mem", "disk"];

/// Amounts of the measured resources: those that stay, then those that can be taken back.
#[derive(Default)]
struct Amounts([[Scalar; MEASURED.len()]; 2]);

impl Amounts {
    fn add(&mut self, resource: &Resource) {
        let at = MEASURED.iter().position(|name| *name == resource.name().as_str());
        if let (Some(at), Value::Scalar(amount)) = (at, resource.value()) {
            self.0[usize::from(resource.is_revocable())][at] += *amount;
        }
    }
}

fn collect_resources(snapshot: &Snapshot, values: &mut Values) {
    let (mut total, mut used) = (Amounts::default(), Amounts::default());
    for agent in snapshot.agents.values() {
        // What resource providers add counts only where it can be taken back, as in Mesos.
        let counted = |resource: &&Resource| resource.is_revocable() || resource.provider_id().is_none();
        agent.total.iter().filter(counted).for_each(|resource| total.add(resource));
        agent.used_total().iter().for_each(|resource| used.add(resource));
    }
    for (kind, (total, used)) in ["", "revocable_"].iter().zip(total.0.iter().zip(&used.0)) {
        for (name, (total, used)) in MEASURED.iter().zip(total.iter().zip(used)) {
            let (total, used) = (total.to_f64(), used.to_f64());
            values.insert(format!("master/{name}_{kind}total"), total);
            values.insert(format!("master/{name}_{kind}used"), used);
            values.insert(format!("master/{name}_{kind}percent"), if total > 0.0 { used / total } else { 0.0 });
        }
    }
}

fn collect_framework(framework: &Framework, values: &mut Values) {
    let prefix = format!("master/frameworks/{}/{}", percent::encode(&framework.first_name), framework.id);
    let mut put = |name: &str, value: f64| {
        values.insert(format!("{prefix}/{name}"), value);
    };
    let FrameworkMetrics { calls, events, terminal, .. } = &framework.metrics;
    put("subscribed", f64::from(u8::from(framework.is_connected())));
    put("calls", calls.iter().sum::<u64>() as f64);
    for kind in call::Type::values().iter().filter(|kind| **kind != call::Type::UNKNOWN) {
        let count = calls.get(kind.to_i32() as usize).copied().unwrap_or(0);
        put(&format!("calls/{}", kind.proto_name().to_lowercase()), count as f64);
    }
    put("events", events.iter().sum::<u64>() as f64);
    for kind in event::Type::values().iter().filter(|kind| **kind != event::Type::UNKNOWN) {
        let count = events.get(kind.to_i32() as usize).copied().unwrap_or(0);
        put(&format!("events/{}", kind.proto_name().to_lowercase()), count as f64);
    }
    let metrics = &framework.metrics;
    put("offers/sent", metrics.offers_sent as f64);
    put("offers/accepted", metrics.offers_accepted as f64);
    put("offers/declined", metrics.offers_declined as f64);
    put("offers/rescinded", metrics.offers_rescinded as f64);
    put("operations", (metrics.launch + metrics.launch_group) as f64);
    put("operations/launch", metrics.launch as f64);
    put("operations/launch_group", metrics.launch_group as f64);
    OPERATIONS.iter().for_each(|kind| put(&format!("operations/{}", kind.proto_name().to_lowercase()), 0.0));
    // A task the master keeps is never in the state that stands for not knowing it.
    put("tasks/active/task_unknown", 0.0);
    for (state, count) in ACTIVE.iter().zip(active(framework)) {
        put(&format!("tasks/active/{}", state.proto_name().to_lowercase()), count as f64);
    }
    for (number, count) in (0..).zip(terminal) {
        if let Some(state) = TaskState::from_i32(number).filter(|state| crate::state::task::is_terminal(*state)) {
            put(&format!("tasks/terminal/{}", state.proto_name().to_lowercase()), *count as f64);
        }
    }
    for role in &framework.roles {
        let suppressed = f64::from(u8::from(framework.suppressed.contains(role)));
        put(&format!("roles/{role}/suppressed"), suppressed);
    }
}
