//! Dynamic reservations and persistent volumes: what a master says of them is shown, and told to the next master.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_agent::Input;
use tepui_proto::json;
use tepui_proto::mesos::internal::*;
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{Resource, TaskState};
use tepui_wire::Upid;

const VOLUME: &str = r#","disk":{"persistence":{"id":"data"},"volume":{"mode":"RW","container_path":"data"}}"#;

fn reserved(name: &str, amount: u32, rest: &str) -> Resource {
    let reservations = r#"[{"type":"DYNAMIC","role":"db"}]"#;
    let text = format!(
        r#"{{"name":"{name}","type":"SCALAR","scalar":{{"value":{amount}}},"reservations":{reservations}{rest}}}"#
    );
    json::from_slice(text.as_bytes(), json::Names::V1).unwrap()
}

fn told(resources: Vec<Resource>) -> CheckpointResourcesMessage {
    CheckpointResourcesMessage { resources, ..Default::default() }
}

/// An agent whose master has reserved two of four cpus, and half of its memory.
fn world() -> World {
    let mut world = World::registered();
    world.master_sends(&told(vec![reserved("cpus", 2, ""), reserved("mem", 512, "")]));
    world
}

fn reserved_cpus(world: &mut World) -> serde_json::Value {
    let (_, state) = world.ask(get("/state"));
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["resources"]["cpus"], 4.0);
    state["reserved_resources"]["db"]["cpus"].clone()
}

#[test]
fn what_the_master_has_reserved_is_shown_and_the_next_master_hears_of_it() {
    let mut world = world();
    assert_eq!(reserved_cpus(&mut world), 2.0);
    world.clear();
    world.input(Input::Detected(None));
    world.input(Input::Detected(Some(master())));
    world.pass(Duration::from_secs(2));
    let sent = world.sent::<ReregisterAgentMessage>(&master());
    let roles: Vec<_> = sent[0].checkpointed_resources.iter().map(|one| one.role.as_deref()).collect();
    assert_eq!(roles, [Some("db"), Some("db")], "in the form old masters understand");
    assert_eq!(sent[0].agent.resources.len(), 2, "the flags' own are as before");
}

#[test]
fn the_last_word_of_the_leading_master_counts() {
    let mut world = world();
    let other = Upid::new("master", std::net::Ipv4Addr::new(10, 0, 0, 9), 5050);
    world.message(&other, &told(vec![]));
    assert_eq!(reserved_cpus(&mut world), 2.0, "that was somebody else");
    world.master_sends(&told(vec![reserved("cpus", 5, "")]));
    assert_eq!(reserved_cpus(&mut world), 2.0, "there is not as much");
    world.master_sends(&told(vec![reserved("cpus", 1, "")]));
    assert_eq!(reserved_cpus(&mut world), 1.0);
    world.master_sends(&told(vec![]));
    assert_eq!(reserved_cpus(&mut world), serde_json::Value::Null);
}

/// What becomes of a task, or an executor, on these resources.
fn outcome(world: &mut World, on_executor: bool, resource: Resource) -> Option<(TaskState, Option<Reason>, String)> {
    let mut message = executor_task("t", "e", true);
    let task = message.task.get_or_insert_default();
    let list = if on_executor { &mut task.executor.get_or_insert_default().resources } else { &mut task.resources };
    list.push(resource);
    world.master_sends(&message);
    world.statuses().pop()
}

#[test]
fn a_task_on_what_is_not_reserved_here_is_dropped() {
    for (on_executor, expected) in [
        (false, "The checkpointed resources being used by the task or task group are unknown to the agent"),
        (true, "The checkpointed resources being used by the executor are unknown to the agent"),
    ] {
        let mut world = world();
        let (state, reason, text) = outcome(&mut world, on_executor, reserved("cpus", 3, "")).unwrap();
        assert_eq!((state, reason), (TaskState::TASK_LOST, Some(Reason::REASON_RESOURCES_UNKNOWN)));
        assert_eq!(text, expected);
        assert!(world.launches().is_empty());
        assert_eq!(world.sent::<ExitedExecutorMessage>(&master()).len(), 1, "the master counted on an executor");
        outcome(&mut world, on_executor, reserved("cpus", 2, ""));
        assert_eq!(world.launches().len(), 1, "that much is");
    }
}

#[test]
fn a_task_on_a_volume_is_not_run_without_it() {
    let mut world = World::new(tepui_agent::Config {
        resources: vec![scalar("cpus", 4.0, None), scalar("mem", 1024.0, None), scalar("disk", 100.0, None)],
        ..config()
    });
    world.input(Input::Detected(Some(master())));
    world.pass(Duration::from_secs(2));
    world.confirm();
    world.master_sends(&told(vec![reserved("disk", 64, VOLUME)]));
    let (_, reason, text) = outcome(&mut world, false, reserved("disk", 64, VOLUME)).unwrap();
    assert_eq!(reason, Some(Reason::REASON_RESOURCES_UNKNOWN));
    assert_eq!(text, "Persistent volumes are not mounted by this agent yet");
    assert!(world.launches().is_empty());
}
