//! `/metrics/snapshot`: counters as they are kept, gauges computed here.
//!
//! Only what is fed is shown: a key of Mesos that would always be zero is left out.

use crate::metrics::FrameworkMetrics;
use crate::state::{Framework, Snapshot};
use buffa::Enumeration;
use std::collections::BTreeMap;
use tepui_base::duration;
use tepui_proto::json::Writer;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::scheduler::{call, event};
use tepui_resources::{Name, Resources};
use tepui_wire::{Request, Response, query};

/// Names and values, sorted.
pub type Values = BTreeMap<String, f64>;

/// All metrics of the master. Those of the allocator, the system and so on are added by whoever runs it.
pub fn collect(snapshot: &Snapshot) -> Values {
    let mut values = Values::new();
    let uptime = snapshot.now.0.saturating_sub(snapshot.started.0) as f64 / 1e9;
    values.insert("master/uptime_secs".to_owned(), uptime);
    values.insert("master/elected".to_owned(), 1.0);
    values.extend(snapshot.metrics.counters().map(|(name, count)| (name.to_owned(), count as f64)));
    values.extend(snapshot.metrics.transitions().map(|(name, count)| (name, count as f64)));
    collect_counts(snapshot, &mut values);
    collect_resources(snapshot, &mut values);
    if snapshot.config.publish_per_framework_metrics {
        for framework in snapshot.frameworks.values().chain(&snapshot.completed) {
            collect_framework(framework, &mut values);
        }
    }
    values
}

/// The answer, with these values.
pub fn respond(values: &Values, request: &Request) -> Response {
    let query = query::decode(&request.query).unwrap_or_default();
    if let Some(timeout) = query.get("timeout")
        && let Err(error) = duration::parse(timeout)
    {
        return Response::text(400, format!("Invalid timeout '{timeout}': {error}.\n"));
    }
    let mut writer = Writer::new();
    writer.object(|w| values.iter().for_each(|(name, value)| w.field_double(name, *value)));
    Response::json(writer.finish(), query.get("jsonp").map(String::as_str))
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
    for state in ACTIVE {
        let count: usize = snapshot.frameworks.values().map(|framework| active(framework, state)).sum();
        values.insert(
            format!("master/{}", state.proto_name().to_lowercase().replacen("task_", "tasks_", 1)),
            count as f64,
        );
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

fn active(framework: &Framework, state: TaskState) -> usize {
    let tasks = framework.tasks.values().chain(framework.unreachable.values());
    tasks.filter(|task| task.state == state).count()
}

fn collect_resources(snapshot: &Snapshot, values: &mut Values) {
    let mut total = Resources::new();
    let mut used = Resources::new();
    for agent in snapshot.agents.values() {
        total += &agent.total;
        used += &agent.used_total();
    }
    let parts =
        [("", total.non_revocable(), used.non_revocable()), ("revocable_", total.revocable(), used.revocable())];
    for (kind, total, used) in &parts {
        for name in ["cpus", "gpus", "mem", "disk"] {
            let amount = |resources: &Resources| resources.amount(&Name::from(name)).map_or(0.0, |a| a.to_f64());
            let (total, used) = (amount(total), amount(used));
            values.insert(format!("master/{name}_{kind}total"), total);
            values.insert(format!("master/{name}_{kind}used"), used);
            values.insert(format!("master/{name}_{kind}percent"), if total > 0.0 { used / total } else { 0.0 });
        }
    }
}

fn collect_framework(framework: &Framework, values: &mut Values) {
    let prefix = format!("master/frameworks/{}/{}", framework.info.name.replace('/', "%2F"), framework.id);
    let mut put = |name: &str, value: f64| {
        values.insert(format!("{prefix}/{name}"), value);
    };
    let FrameworkMetrics { calls, events, terminal, .. } = &framework.metrics;
    put("subscribed", f64::from(u8::from(framework.is_connected())));
    put("calls", calls.iter().sum::<u64>() as f64);
    for (number, count) in (0..).zip(calls).filter(|(_, count)| **count > 0) {
        if let Some(kind) = call::Type::from_i32(number) {
            put(&format!("calls/{}", kind.proto_name().to_lowercase()), *count as f64);
        }
    }
    put("events", events.iter().sum::<u64>() as f64);
    for (number, count) in (0..).zip(events).filter(|(_, count)| **count > 0) {
        if let Some(kind) = event::Type::from_i32(number) {
            put(&format!("events/{}", kind.proto_name().to_lowercase()), *count as f64);
        }
    }
    let metrics = &framework.metrics;
    put("offers/sent", metrics.offers_sent as f64);
    put("offers/accepted", metrics.offers_accepted as f64);
    put("offers/declined", metrics.offers_declined as f64);
    put("offers/rescinded", metrics.offers_rescinded as f64);
    put("operations", (metrics.launch + metrics.launch_group) as f64);
    put("operations/launch", metrics.launch as f64);
    put("operations/launch_group", metrics.launch_group as f64);
    for state in ACTIVE {
        put(&format!("tasks/active/{}", state.proto_name().to_lowercase()), active(framework, state) as f64);
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
