//! Every metric of the agent is seen to move, or named here as one that cannot yet.

mod harness;

use harness::*;
use std::collections::BTreeMap;
use std::time::Duration;
use tepui_agent::{Config, ContainerEvent, Input};
use tepui_proto::mesos::internal::{ExecutorToFrameworkMessage, FrameworkToExecutorMessage, ShutdownExecutorMessage};
use tepui_proto::mesos::{Resource, TaskState};

/// What they count cannot happen yet: preemption, recovery, collection of sandboxes, images, a cache of the fetcher,
/// resource providers, oversubscription; and destroying a container, which cannot fail.
const LATER: [&str; 12] = [
    "containerizer/fetcher/cache_size_",
    "containerizer/mesos/",
    "gc/",
    "resource_provider_manager/",
    "slave/cpus_revocable_",
    "slave/disk_revocable_",
    "slave/gpus_revocable_",
    "slave/mem_revocable_",
    "slave/executor_directory_max_allowed_age_secs",
    "slave/executors_preempted",
    "slave/recovery_errors",
    "slave/recovery_time_secs",
];

/// Counted by the process around the agent (`node/agentd`).
const ELSEWHERE: &str = "containerizer/fetcher/task_fetches_";

const RESOURCES: [&str; 4] = ["cpus", "gpus", "mem", "disk"];

/// The highest value of each metric so far.
type Peaks = BTreeMap<String, f64>;

fn look(world: &mut World, peaks: &mut Peaks) {
    let (status, text) = world.ask(get("/metrics/snapshot"));
    assert_eq!(status, 200);
    world.clear();
    let metrics: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    for (name, value) in metrics {
        let peak = peaks.entry(name).or_default();
        *peak = peak.max(value.as_f64().unwrap());
    }
}

fn some(amount: f64) -> Vec<Resource> {
    RESOURCES.iter().map(|name| scalar(name, amount, None)).collect()
}

/// A task with all kinds of resources goes through its states to this end.
fn task_to(world: &mut World, peaks: &mut Peaks, end: TaskState) {
    let name = format!("{end:?}");
    let mut message = executor_task(&name, &name, true);
    message.task.get_or_insert_default().resources = some(1.0);
    let container = world.run(&message);
    look(world, peaks);
    world.message(&executor_pid(), &registration(&name));
    world.containers_updated();
    look(world, peaks);
    let states = [TaskState::TASK_STARTING, TaskState::TASK_RUNNING, TaskState::TASK_KILLING, end];
    for (uuid, state) in (1..).zip(states) {
        world.message(&executor_pid(), &update(&name, status(&name, state, uuid)));
        world.containers_updated();
        look(world, peaks);
    }
    messages(world, &name);
    world.master_sends(&ShutdownExecutorMessage {
        executor_id: executor_id(&name),
        framework_id: framework_id(),
        ..Default::default()
    });
    look(world, peaks);
    world.terminated(&container, 0);
}

/// Messages from and to an executor, and from one that nobody knows.
fn messages(world: &mut World, executor: &str) {
    for framework_id in
        [framework_id(), field(tepui_proto::mesos::FrameworkID { value: "x".into(), ..Default::default() })]
    {
        world.master_sends(&FrameworkToExecutorMessage {
            agent_id: agent_id(),
            framework_id: framework_id.clone(),
            executor_id: executor_id(executor),
            ..Default::default()
        });
        world.message(
            &executor_pid(),
            &ExecutorToFrameworkMessage {
                agent_id: agent_id(),
                framework_id,
                executor_id: executor_id(executor),
                ..Default::default()
            },
        );
    }
    let mut nameless = update(executor, status("nothing", TaskState::TASK_RUNNING, 1));
    nameless.update.get_or_insert_default().uuid = None;
    world.message(&executor_pid(), &nameless);
}

fn lives() -> Peaks {
    let mut peaks = Peaks::new();
    let mut world = World::new(Config { resources: some(1024.0), ..config() });
    world.input(Input::Detected(Some(master())));
    world.pass(Duration::from_secs(2));
    world.confirm();
    for end in [
        TaskState::TASK_FINISHED,
        TaskState::TASK_FAILED,
        TaskState::TASK_KILLED,
        TaskState::TASK_LOST,
        TaskState::TASK_GONE,
    ] {
        task_to(&mut world, &mut peaks, end);
    }
    world.master_sends(&command_task("unstarted"));
    let id = world.launches().last().expect("a launch").0.clone();
    world.container(ContainerEvent::LaunchFailed { id, message: "no such user".into() });
    look(&mut world, &mut peaks);
    peaks
}

#[test]
fn every_metric_moves_or_is_named_as_one_that_cannot() {
    let peaks = lives();
    let mut wrong = Vec::new();
    for name in include_str!("golden/metrics.txt").lines().filter(|name| !name.starts_with(ELSEWHERE)) {
        let moves = peaks.get(name).is_some_and(|peak| *peak > 0.0);
        if moves == LATER.iter().any(|prefix| name.starts_with(prefix)) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "neither moved nor named, or both: {wrong:?}");
}
