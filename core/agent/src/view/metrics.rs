//! `/metrics/snapshot` and `GET_METRICS`: every name of the agent's part of 1.11, for monitors drop a whole group when one
//! key of it is missing. One that never moves counts what cannot happen yet. Source: `src/slave/metrics.cpp`.

use super::Snapshot;
use super::resources::thousandths;
use crate::state::{Executor, executor};
use tepui_api::metrics::Values;
use tepui_proto::mesos::value::Type;
use tepui_proto::mesos::{Resource, TaskState};

/// Metrics by name, sorted.
pub fn values(snapshot: &Snapshot) -> Values {
    let mut values: Values = NOT_YET.iter().map(|name| ((*name).to_owned(), 0.0)).collect();
    let mut put = |name: &str, value: f64| values.insert(format!("slave/{name}"), value);
    let uptime = snapshot.now.wall.as_secs_f64() - snapshot.config.start_time.as_secs_f64();
    put("uptime_secs", uptime.max(0.0));
    // Mesos counts the master it knows of, registered with or not.
    put("registered", f64::from(u8::from(snapshot.state.master.is_some())));
    put("frameworks_active", snapshot.state.frameworks.len() as f64);
    counters(snapshot, &mut put);
    gauges(snapshot, &mut put);
    amounts(snapshot, &mut put);
    values
}

/// Of what cannot happen yet: preemption, recovery, collection of sandboxes, images, a cache of the fetcher, resource
/// providers; and of destroying containers, which cannot fail here.
const NOT_YET: [&str; 14] = [
    "containerizer/fetcher/cache_size_total_bytes",
    "containerizer/fetcher/cache_size_used_bytes",
    "containerizer/mesos/container_destroy_errors",
    "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
    "containerizer/mesos/provisioner/remove_container_errors",
    "gc/path_removals_failed",
    "gc/path_removals_pending",
    "gc/path_removals_succeeded",
    "resource_provider_manager/events/disconnect",
    "resource_provider_manager/events/subscribe",
    "resource_provider_manager/subscribed",
    "slave/executors_preempted",
    "slave/recovery_errors",
    "slave/recovery_time_secs",
];

fn counters<R>(snapshot: &Snapshot, put: &mut impl FnMut(&str, f64) -> R) {
    let metrics = &snapshot.state.metrics;
    let counters = [
        ("tasks_finished", metrics.tasks_finished),
        ("tasks_failed", metrics.tasks_failed),
        ("tasks_killed", metrics.tasks_killed),
        ("tasks_lost", metrics.tasks_lost),
        ("tasks_gone", metrics.tasks_gone),
        ("executors_terminated", metrics.executors_terminated),
        ("valid_status_updates", metrics.valid_status_updates),
        ("invalid_status_updates", metrics.invalid_status_updates),
        ("valid_framework_messages", metrics.valid_framework_messages),
        ("invalid_framework_messages", metrics.invalid_framework_messages),
        ("container_launch_errors", metrics.container_launch_errors),
    ];
    for (name, value) in counters {
        put(name, value as f64);
    }
}

fn gauges<R>(snapshot: &Snapshot, put: &mut impl FnMut(&str, f64) -> R) {
    let executors: Vec<&Executor> = snapshot.state.executors().collect();
    let phases = [
        ("executors_registering", executor::Phase::Registering),
        ("executors_running", executor::Phase::Running),
        ("executors_terminating", executor::Phase::Terminating),
    ];
    for (name, phase) in phases {
        put(name, executors.iter().filter(|executor| executor.phase == phase).count() as f64);
    }
    let launched = || executors.iter().flat_map(|executor| executor.launched.values());
    let in_state = |state| launched().filter(|task| task.state == state).count();
    let queued: usize = executors.iter().map(|executor| executor.queued.len()).sum();
    put("tasks_staging", (queued + in_state(TaskState::TASK_STAGING)) as f64);
    put("tasks_starting", in_state(TaskState::TASK_STARTING) as f64);
    put("tasks_running", in_state(TaskState::TASK_RUNNING) as f64);
    put("tasks_killing", in_state(TaskState::TASK_KILLING) as f64);
}

fn amounts<R>(snapshot: &Snapshot, put: &mut impl FnMut(&str, f64) -> R) {
    let used: Vec<Resource> = snapshot.state.executors().flat_map(Executor::allocated).collect();
    for name in ["cpus", "gpus", "mem", "disk"] {
        for (infix, revocable) in [("", false), ("_revocable", true)] {
            let total = sum(&snapshot.config.resources, name, revocable);
            let used = sum(&used, name, revocable);
            put(&format!("{name}{infix}_total"), total);
            put(&format!("{name}{infix}_used"), used);
            put(&format!("{name}{infix}_percent"), if total > 0.0 { used / total } else { 0.0 });
        }
    }
}

fn sum(resources: &[Resource], name: &str, revocable: bool) -> f64 {
    let of_kind = |r: &&Resource| r.name == name && r.r#type == Type::SCALAR && r.revocable.is_set() == revocable;
    thousandths(resources.iter().filter(of_kind).map(|resource| resource.scalar.value).sum())
}
