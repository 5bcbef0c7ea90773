//! Critical issues that Mesos 1.11.0 was released with, by their numbers; docs/critical-issues.md says which is which.
//!
//! Most of them are one story: something ends while something else still counts on it, and a check fails. So the tests go
//! through those stories and then look at the books.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{UnregisterAgentMessage, UpdateOperationStatusMessage};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{
    AgentID, FrameworkInfo, OperationID, OperationState, OperationStatus, Resource, TaskState, UUID,
};
use tepui_proto::{ContentType, MessageField};
use tepui_wire::NetInput;

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";

fn agent_id(id: &str) -> MessageField<AgentID> {
    MessageField::some(AgentID { value: id.to_owned(), ..Default::default() })
}

/// A framework of these roles that may come back and keeps its tasks while an agent is away.
fn lasting(roles: &[&str]) -> FrameworkInfo {
    FrameworkInfo {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        failover_timeout: Some(3600.0),
        checkpoint: Some(true),
        ..framework("f", &[Capability::MULTI_ROLE, Capability::PARTITION_AWARE])
    }
}

/// Launches a task on the whole of the first offer; whose role that is does not matter.
fn launch(world: &mut World, by: &Scheduler, id: &str) {
    let offer = world.offers(by).remove(0);
    let mut info = task(id, &offer.agent_id.value, "cpus:1;mem:32");
    info.resources.iter_mut().for_each(|resource| resource.allocation_info = offer.allocation_info.clone());
    assert_eq!(world.launch(by, &[&offer], vec![info]).status, 202);
    assert!(world.updates(by).is_empty(), "the launch is not refused");
}

fn leave(world: &mut World, agent: u8) {
    let id = world.agent_id_of(agent);
    world.send(&agent_pid(agent), &UnregisterAgentMessage { agent_id: agent_id(&id), ..Default::default() });
}

/// One framework with two roles and a task in one of them.
fn with_task() -> (World, FrameworkInfo, Scheduler) {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    let scheduler = world.subscribe(lasting(&["a"]), ContentType::Protobuf);
    world.advance(Duration::from_secs(1));
    launch(&mut world, &scheduler, "t");
    let info = FrameworkInfo { id: field_id(&scheduler.id), ..lasting(&["a"]) };
    (world, info, scheduler)
}

/// A role that a framework has left is still known for what it runs there, until that ends.
#[test]
fn mesos_10194_a_role_a_framework_has_left_is_known_while_its_task_runs() {
    let (mut world, mut info, scheduler) = with_task();
    info.roles = vec!["b".to_owned()];
    let moved = world.subscribe(info.clone(), ContentType::Json);
    world.advance(Duration::from_secs(1));
    world.audit();
    let roles = world.json("/roles");
    let names: Vec<_> = roles["roles"].as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    world.update(1, &scheduler.id, "t", TaskState::TASK_FINISHED, 1);
    world.audit();
    assert_eq!(world.json("/roles")["roles"][0]["name"], "b");
    info.roles = vec!["a".to_owned()];
    world.subscribe(info, ContentType::Json);
    leave(&mut world, 1);
    world.audit();
    assert_eq!(world.json("/roles")["roles"].as_array().unwrap().len(), 1, "{moved:?}");
}

/// Every way a task can go while nobody is there to hear of it.
#[test]
fn mesos_10146_a_task_may_go_while_its_framework_is_disconnected() {
    type Way = fn(&mut World, &Scheduler);
    let ways: [(&str, Way); 4] = [
        ("the agent leaves", |world, _| leave(world, 1)),
        ("the agent becomes unreachable", |world, _| world.advance(Duration::from_secs(120))),
        ("the task ends", |world, by| world.update(1, &by.id, "t", TaskState::TASK_FAILED, 1)),
        ("the agent is replaced", |world, _| {
            world.input(NetInput::Exited(agent_pid(1)));
            world.register_agent(1, AGENT);
        }),
    ];
    for (name, way) in ways {
        let (mut world, info, scheduler) = with_task();
        world.input(NetInput::StreamClosed(scheduler.stream));
        way(&mut world, &scheduler);
        world.audit();
        let again = world.subscribe(info, ContentType::Json);
        world.advance(Duration::from_secs(2));
        world.audit();
        assert!(world.events(&again, event::Type::ERROR).is_empty(), "{name}");
    }
}

/// What is said of operations on agents that are gone, or never were, is dropped.
#[test]
fn mesos_10011_news_of_operations_on_stale_agents_is_dropped() {
    let (mut world, _, scheduler) = with_task();
    let stale = world.agent_id_of(1);
    leave(&mut world, 1);
    for agent in [stale.as_str(), "never-S0", ""] {
        let message = UpdateOperationStatusMessage {
            framework_id: field_id(&scheduler.id),
            agent_id: agent_id(agent),
            status: MessageField::some(OperationStatus {
                state: OperationState::OPERATION_FINISHED,
                operation_id: MessageField::some(OperationID { value: "o".to_owned(), ..Default::default() }),
                agent_id: agent_id(agent),
                ..Default::default()
            }),
            operation_uuid: MessageField::some(UUID { value: vec![1; 16], ..Default::default() }),
            ..Default::default()
        };
        world.send(&agent_pid(1), &message);
        let acknowledge = call::AcknowledgeOperationStatus {
            agent_id: agent_id(agent),
            uuid: vec![1; 16],
            operation_id: MessageField::some(OperationID { value: "o".to_owned(), ..Default::default() }),
            ..Default::default()
        };
        let answer = world.call(
            &scheduler,
            Call {
                r#type: Some(call::Type::ACKNOWLEDGE_OPERATION_STATUS),
                acknowledge_operation_status: MessageField::some(acknowledge),
                ..Default::default()
            },
        );
        assert!(answer.status < 500 || answer.status == 501, "{}", text(&answer));
    }
    world.audit();
}

/// Frameworks, roles and agents that end in any order, with offers and tasks still out.
#[test]
fn mesos_7566_whatever_ends_first_was_there_to_be_removed() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut world = World::new();
        world.register_agent(1, AGENT);
        world.register_agent(2, AGENT);
        let one = world.subscribe(lasting(&["a", "a/b"]), ContentType::Json);
        world.advance(Duration::from_secs(1));
        launch(&mut world, &one, "t");
        let two = world.subscribe(lasting(&["a/b", "c"]), ContentType::Json);
        world.advance(Duration::from_secs(2));
        for step in order {
            match step {
                0 => drop(world.call(&one, Call { r#type: Some(call::Type::TEARDOWN), ..Default::default() })),
                1 => leave(&mut world, 1),
                _ => {
                    let info = FrameworkInfo { id: field_id(&two.id), ..lasting(&["c"]) };
                    world.subscribe(info, ContentType::Json);
                }
            }
            world.audit();
            world.advance(Duration::from_secs(1));
            world.audit();
        }
        let left: Vec<_> = world.master.snapshot().frameworks.keys().map(ToString::to_string).collect();
        assert_eq!(left, [two.id], "{order:?}");
    }
}

/// This is how 1.11 behaves, and schedulers count on it: a framework that does not checkpoint loses its tasks at once.
#[test]
fn mesos_7911_tasks_without_checkpoints_are_lost_with_the_link_as_in_1_11() {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[Capability::PARTITION_AWARE]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    launch(&mut world, &scheduler, "t");
    world.input(NetInput::Exited(agent_pid(1)));
    let lost = world.updates(&scheduler);
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].state, lost[0].reason), (TaskState::TASK_LOST, Some(Reason::REASON_AGENT_DISCONNECTED)));
    world.audit();
}

/// An agent may say of itself and of what it runs whatever it likes, and may be wrong.
#[test]
fn an_agent_that_reports_nonsense_breaks_nothing() {
    let resource = |text: &str| -> Vec<Resource> { tepui_resources::Resources::parse(text, "*").unwrap().to_proto() };
    let info = |id: &str| FrameworkInfo { id: field_id(id), ..framework("f", &[]) };
    let reported = |id: &str, framework: &str, resources: &str| tepui_proto::mesos::Task {
        name: id.to_owned(),
        task_id: task(id, "", "cpus:1").task_id,
        framework_id: field_id(framework),
        agent_id: agent_id("x-S0"),
        state: TaskState::TASK_RUNNING,
        resources: resource(resources),
        ..Default::default()
    };
    let many_roles = FrameworkInfo { id: field_id("m"), ..lasting(&[]) };
    let cases = [
        ("more than it has", vec![info("f")], vec![reported("t", "f", "cpus:1000;mem:1000000;gpus:7")]),
        ("a task twice", vec![info("f")], vec![reported("t", "f", "cpus:1"), reported("t", "f", "cpus:2")]),
        ("a framework twice", vec![info("f"), info("f")], vec![]),
        ("a task of nobody", vec![], vec![reported("t", "f", "cpus:1")]),
        ("a task without a role", vec![many_roles], vec![reported("t", "m", "cpus:1")]),
        (
            "a task that uses nothing",
            vec![info("f")],
            vec![tepui_proto::mesos::Task { resources: vec![], ..reported("t", "f", "cpus:1") }],
        ),
    ];
    for (name, frameworks, tasks) in cases {
        let mut world = World::new();
        let other = world.subscribe(framework("other", &[]), ContentType::Json);
        world.register_agent(2, AGENT);
        let message = reregister_message(1, AGENT, "x-S0", frameworks, tasks);
        world.send(&agent_pid(1), &message);
        world.send(&agent_pid(1), &message);
        world.advance(Duration::from_secs(2));
        for owner in ["f", "m"] {
            let update = tepui_proto::mesos::internal::StatusUpdateMessage {
                update: MessageField::some(status_update("x-S0", owner, "t", TaskState::TASK_FINISHED, 1)),
                ..Default::default()
            };
            world.send(&agent_pid(1), &update);
        }
        world.advance(Duration::from_secs(2));
        assert!(!world.offers(&other).is_empty(), "{name}: others are served");
        world.input(NetInput::Exited(agent_pid(1)));
        world.advance(Duration::from_secs(1200));
    }
}
