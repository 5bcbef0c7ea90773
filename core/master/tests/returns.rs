//! Agents that come, come back, and come anew: what they are told, and what of theirs is kept.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_base::FrameworkId;
use tepui_master::Config;
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, AgentReregisteredMessage, ExitedExecutorMessage, KillTaskMessage, ShutdownMessage,
    UnregisterAgentMessage, UpdateFrameworkMessage, archive,
};
use tepui_proto::mesos::offer::{Operation, operation};
use tepui_proto::mesos::scheduler::event;
use tepui_proto::mesos::{
    AgentID, CommandInfo, DiscoveryInfo, ExecutorID, ExecutorInfo, FrameworkInfo, Label, Labels, Task, TaskID,
    TaskInfo, TaskState,
};
use tepui_proto::{ContentType, MessageField};
use tepui_registry::{Gone, Registrar, State};
use tepui_resources::Resources;
use tepui_wire::NetInput;

const AGENT: &str = "cpus:4;mem:4096;disk:4096";

fn checkpointing(name: &str) -> FrameworkInfo {
    FrameworkInfo { checkpoint: Some(true), failover_timeout: Some(60.0), ..framework(name, &[]) }
}

fn reported(agent: &str, framework: &str, id: &str, state: TaskState) -> Task {
    Task {
        name: "name".to_owned(),
        task_id: MessageField::some(TaskID { value: id.to_owned(), ..Default::default() }),
        framework_id: field_id(framework),
        agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
        state,
        resources: task(id, agent, "cpus:1;mem:32").resources,
        ..Default::default()
    }
}

/// A framework that has launched a task `t` with these resources on the only agent.
fn running(world: &mut World, agent: &str, resources: &str) -> Scheduler {
    let scheduler = world.subscribe(checkpointing("f"), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.launch(&scheduler, &[&offer], vec![task("t", agent, resources)]);
    scheduler
}

#[test]
fn an_agent_that_registers_again_at_the_same_address() {
    let mut world = World::new();
    let first = world.register_agent(1, AGENT);
    assert_eq!(world.register_agent(1, AGENT), first, "it did not get the first answer");
    let scheduler = running(&mut world, &first, "cpus:1;mem:32");
    world.input(NetInput::Exited(agent_pid(1)));
    let second = world.register_agent(1, AGENT);
    assert_ne!(second, first, "a removed id never comes back");
    let update = world.updates(&scheduler).remove(0);
    assert_eq!(update.state, TaskState::TASK_LOST);
    let text = "Agent agent1.local removed: a new agent registered at the same address";
    assert_eq!(update.message.as_deref(), Some(text));
    assert_eq!(world.master.snapshot().agents.len(), 1);
    world.audit();
}

#[test]
fn a_restarted_agent_gets_its_own_id_even_if_the_broken_link_was_not_seen_yet() {
    let mut world = World::new();
    let first = world.register_agent(1, AGENT);
    let scheduler = running(&mut world, &first, "cpus:1;mem:32");
    let mut message = register_message(1, AGENT);
    message.resource_version_uuid.get_or_insert_default().value = vec![8; 16];
    world.send(&agent_pid(1), &message);
    assert_ne!(world.agent_id_of(1), first, "the first process is gone, and its tasks with it");
    assert_eq!(world.updates(&scheduler).remove(0).state, TaskState::TASK_LOST);
    assert_eq!(world.master.snapshot().agents.len(), 1);
    world.audit();
}

#[test]
fn a_known_agent_may_come_back_at_another_port() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let mut moved = agent_pid(1);
    moved.port = 6000;
    world.send(&moved, &reregister_message(1, AGENT, &agent, vec![], vec![]));
    assert_eq!(world.received::<AgentReregisteredMessage>(&moved).len(), 1);
    world.input(NetInput::Exited(agent_pid(1)));
    assert!(world.master.snapshot().agents.values().all(|agent| agent.connected), "nobody is there any more");
    let mut other = reregister_message(1, AGENT, &agent, vec![], vec![]);
    other.agent.as_option_mut().unwrap().hostname = "other.local".to_owned();
    world.send(&moved, &other);
    let told = world.received::<ShutdownMessage>(&moved).remove(0);
    assert_eq!(told.message.as_deref(), Some("Agent attempted to reregister with different IP / hostname"));
}

#[test]
fn an_agent_that_is_gone_is_told_so_whatever_else_it_says() {
    let mut registry = State::default();
    registry.gone.insert("gone".into(), Gone::new(&"gone".into(), 7));
    let mut world = World::with(Config::new(master_pid(), "m"), Registrar::new(registry));
    let mut message = reregister_message(1, AGENT, "gone", vec![], vec![]);
    message.version = Some("nonsense".to_owned());
    world.send(&agent_pid(1), &message);
    let told = world.received::<ShutdownMessage>(&agent_pid(1)).remove(0);
    assert_eq!(told.message.as_deref(), Some("Agent has been marked gone"));
    assert!(world.master.snapshot().agents.is_empty());
}

#[test]
fn agents_of_versions_that_are_too_old_are_not_answered() {
    let mut world = World::new();
    let mut number = 0;
    for (version, taken) in [(Some("0.28.3"), 0), (Some("1.0.0-rc1"), 0), (Some("x"), 0), (None, 0), (Some("1.0.0"), 1)]
    {
        number += 1;
        let mut message = register_message(number, AGENT);
        message.version = version.map(str::to_owned);
        world.send(&agent_pid(number), &message);
        let answers = world.received::<AgentRegisteredMessage>(&agent_pid(number));
        assert_eq!(answers.len(), taken, "{version:?}");
    }
}

#[test]
fn agents_hear_of_frameworks_that_were_known_before() {
    let mut registry = State::default();
    for number in 1..=2 {
        let id = format!("old-S{number}");
        registry.admitted.insert(id.as_str().into(), std::sync::Arc::new(agent_info(number, AGENT, &id)).into());
    }
    let mut world = World::with(Config::new(master_pid(), "m"), Registrar::new(registry));
    let info = FrameworkInfo { id: field_id("old-0000"), ..checkpointing("f") };
    for (number, told) in [(1, 0), (2, 1)] {
        let id = format!("old-S{number}");
        world.send(&agent_pid(number), &reregister_message(number, AGENT, &id, vec![info.clone()], vec![]));
        assert_eq!(world.received::<UpdateFrameworkMessage>(&agent_pid(number)).len(), told);
    }
    assert!(world.master.snapshot().frameworks[&FrameworkId::from("old-0000")].is_recovered());
}

#[test]
fn tasks_of_completed_frameworks_on_an_agent_are_kept_where_the_framework_is_known() {
    let mut world = World::new();
    let scheduler = world.subscribe(checkpointing("f"), ContentType::Json);
    let of = |framework: &str| archive::Framework {
        framework_info: MessageField::some(FrameworkInfo { id: field_id(framework), ..checkpointing("f") }),
        tasks: vec![reported("S", framework, "done", TaskState::TASK_FINISHED)],
        ..Default::default()
    };
    let mut message = reregister_message(1, AGENT, "S", vec![], vec![]);
    message.completed_frameworks = vec![of(&scheduler.id), of("unknown")];
    world.send(&agent_pid(1), &message);
    let snapshot = world.master.snapshot();
    assert_eq!(snapshot.frameworks.len(), 1);
    assert_eq!(snapshot.frameworks.values().next().unwrap().completed[0].id.as_str(), "done");
}

#[test]
fn a_foreign_process_cannot_unregister_an_agent() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let agent_id = MessageField::some(AgentID { value: agent, ..Default::default() });
    let message = UnregisterAgentMessage { agent_id, ..Default::default() };
    world.send(&agent_pid(2), &message);
    assert_eq!(world.master.snapshot().agents.len(), 1);
    world.send(&agent_pid(1), &message);
    assert!(world.master.snapshot().agents.is_empty());
}

/// A task with an executor that uses something itself.
fn with_executor(id: &str, agent: &str) -> TaskInfo {
    let executor = ExecutorInfo {
        executor_id: MessageField::some(ExecutorID { value: "e".to_owned(), ..Default::default() }),
        command: MessageField::some(CommandInfo { value: Some("true".to_owned()), ..Default::default() }),
        resources: Resources::parse("cpus:1;mem:32", "*").unwrap().to_proto(),
        ..Default::default()
    };
    TaskInfo {
        command: MessageField::none(),
        executor: MessageField::some(executor),
        ..task(id, agent, "cpus:1;mem:32")
    }
}

#[test]
fn what_an_executor_used_is_free_when_it_has_exited() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(checkpointing("f"), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.launch(&scheduler, &[&offer], vec![with_executor("t", &agent)]);
    let used = |world: &World| world.master.snapshot().agents.values().next().unwrap().used_total().to_string();
    assert_eq!(used(&world), "cpus(allocated: *):2; mem(allocated: *):64");
    let exited = |executor: &str| ExitedExecutorMessage {
        agent_id: MessageField::some(AgentID { value: agent.clone(), ..Default::default() }),
        framework_id: field_id(&scheduler.id),
        executor_id: MessageField::some(ExecutorID { value: executor.to_owned(), ..Default::default() }),
        status: 256,
        ..Default::default()
    };
    world.send(&agent_pid(1), &exited("unknown"));
    assert!(world.events(&scheduler, event::Type::FAILURE).is_empty());
    world.send(&agent_pid(1), &exited("e"));
    let failure = world.events(&scheduler, event::Type::FAILURE).remove(0).failure;
    assert_eq!((failure.executor_id.value.as_str(), failure.status), ("e", Some(256)));
    assert_eq!(used(&world), "cpus(allocated: *):1; mem(allocated: *):32", "its task is not over");
    world.update(1, &scheduler.id, "t", TaskState::TASK_FAILED, 1);
    assert_eq!(used(&world), "{}");
    world.audit();
}

#[test]
fn an_executor_keeps_its_id_and_its_description() {
    let mut world = World::new();
    let agent = world.register_agent(1, "cpus:16;mem:8192;disk:4096");
    let scheduler = world.subscribe(checkpointing("f"), ContentType::Json);
    let mut launch = |tasks: Vec<TaskInfo>| {
        world.advance(Duration::from_secs(1));
        let offer = world.master.snapshot().offers.keys().next().unwrap().to_string();
        let launch = operation::Launch { task_infos: tasks, ..Default::default() };
        let launch = MessageField::some(launch);
        let operation = Operation { r#type: Some(operation::Type::LAUNCH), launch, ..Default::default() };
        world.call(&scheduler, accept_ids(&[&offer], vec![operation]));
        world.updates(&scheduler).pop().map(|update| update.message.unwrap())
    };
    assert_eq!(launch(vec![with_executor("a", &agent)]), None);
    let mut relabelled = with_executor("b", &agent);
    relabelled.executor.as_option_mut().unwrap().shutdown_grace_period =
        MessageField::some(tepui_proto::mesos::DurationInfo { nanoseconds: 1, ..Default::default() });
    assert_eq!(launch(vec![relabelled]), None, "a grace period is not compared");
    let discovery = |labels: [&str; 2]| {
        let label = |key: &str| Label { key: key.to_owned(), ..Default::default() };
        let labels = Labels { labels: labels.map(label).to_vec(), ..Default::default() };
        DiscoveryInfo { labels: MessageField::some(labels), ..Default::default() }
    };
    for (task, labels) in [("d", ["x", "y"]), ("e", ["y", "x"])] {
        let mut found = with_executor(task, &agent);
        let executor = found.executor.as_option_mut().unwrap();
        executor.executor_id.get_or_insert_default().value = "found".to_owned();
        executor.discovery = MessageField::some(discovery(labels));
        assert_eq!(launch(vec![found]), None, "the order of labels says nothing");
    }
    let mut renamed = with_executor("c", &agent);
    renamed.executor.as_option_mut().unwrap().name = Some("other".to_owned());
    let text = launch(vec![renamed]).unwrap();
    assert!(text.starts_with(
        "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n\
         ------------------------------------------------------------\nExisting ExecutorInfo:\n"
    ));
    world.audit();
}

#[test]
fn an_update_that_says_unreachable_frees_the_resources_once() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = running(&mut world, &agent, "cpus:2;mem:32");
    world.update(1, &scheduler.id, "t", TaskState::TASK_UNREACHABLE, 1);
    world.call(&scheduler, acknowledge(&agent, "t", 1));
    world.advance(Duration::from_secs(10));
    let all = world.offers(&scheduler).pop().unwrap();
    assert!(Resources::from_proto(&all.resources).cpus().unwrap().to_f64() > 3.9, "all is free again: {all:?}");
    world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 2);
    world.call(&scheduler, acknowledge(&agent, "t", 2));
    world.audit();
    world.update(1, &scheduler.id, "t", TaskState::TASK_FINISHED, 3);
    world.call(&scheduler, acknowledge(&agent, "t", 3));
    world.audit();
    world.launch(&scheduler, &[&all], vec![task("u", &agent, "cpus:4;mem:32")]);
    world.audit();
    world.update(1, &scheduler.id, "u", TaskState::TASK_FINISHED, 4);
    world.audit();
}

fn with_port(agent: &str, framework: &str, id: &str, state: TaskState) -> Task {
    let resources = task(id, agent, "cpus:1;ports:[31000-31000]").resources;
    Task { resources, ..reported(agent, framework, id, state) }
}

#[test]
fn an_agent_whose_tasks_share_a_port_is_not_taken() {
    let ports = "cpus:4;mem:4096;ports:[31000-32000]";
    let back = |second: TaskState| {
        let mut world = World::new();
        let tasks = vec![
            with_port("old-S0", "old-0000", "a", TaskState::TASK_RUNNING),
            with_port("old-S0", "old-0000", "b", second),
        ];
        let info = FrameworkInfo { id: field_id("old-0000"), ..framework("f", &[]) };
        world.send(&agent_pid(1), &reregister_message(1, ports, "old-S0", vec![info], tasks));
        world.audit();
        world.master.snapshot().agents.len()
    };
    assert_eq!(back(TaskState::TASK_RUNNING), 0);
    assert_eq!(back(TaskState::TASK_FINISHED), 1, "what has ended holds nothing any more");
}

#[test]
fn an_agent_says_nothing_that_cannot_be_counted_or_is_no_role() {
    let refused = |change: fn(&mut Task)| {
        let mut world = World::new();
        let mut one = reported("old-S0", "old-0000", "a", TaskState::TASK_RUNNING);
        change(&mut one);
        let info = FrameworkInfo { id: field_id("old-0000"), ..framework("f", &[]) };
        world.send(&agent_pid(1), &reregister_message(1, AGENT, "old-S0", vec![info], vec![one]));
        world.master.snapshot().agents.is_empty()
    };
    assert!(!refused(|_| {}));
    assert!(refused(|task| task.resources[0].scalar.get_or_insert_default().value = 1e16));
    assert!(refused(|task| task.resources[0].allocation_info.get_or_insert_default().role = Some("a/.".to_owned())));
}

#[test]
fn a_task_whose_id_runs_elsewhere_is_killed_where_it_comes_back_if_it_runs_there() {
    for (state, killed) in [(TaskState::TASK_RUNNING, true), (TaskState::TASK_FINISHED, false)] {
        let mut world = World::new();
        let agent = world.register_agent(2, AGENT);
        let scheduler = running(&mut world, &agent, "cpus:1;mem:32");
        let info = FrameworkInfo { id: field_id(&scheduler.id), ..checkpointing("f") };
        let tasks = vec![reported("old-S0", &scheduler.id, "t", state)];
        world.send(&agent_pid(1), &reregister_message(1, AGENT, "old-S0", vec![info], tasks));
        assert_eq!(world.received::<AgentReregisteredMessage>(&agent_pid(1)).len(), 1);
        let kills: Vec<KillTaskMessage> = world.received(&agent_pid(1));
        let told = |kill: &KillTaskMessage| (kill.framework_id.value.clone(), kill.task_id.value.clone());
        let expected = killed.then(|| (scheduler.id.clone(), "t".to_owned()));
        assert_eq!(kills.iter().map(told).collect::<Vec<_>>(), Vec::from_iter(expected), "{state:?}");
        assert!(world.received::<KillTaskMessage>(&agent_pid(2)).is_empty());
        let snapshot = world.master.snapshot();
        assert_eq!(snapshot.frameworks.values().next().unwrap().tasks.values().next().unwrap().agent.as_str(), agent);
        world.audit();
    }
}

#[test]
fn an_agent_that_guesses_the_id_of_one_about_to_be_admitted_is_not_taken_for_it() {
    let mut world = World::new();
    let id = format!("{}-S0", world.master.snapshot().info.id);
    world.hold_registry = true;
    world.send(&agent_pid(1), &register_message(1, AGENT));
    world.send(&agent_pid(2), &reregister_message(2, AGENT, &id, vec![], vec![]));
    world.hold_registry = false;
    world.release_registry();
    assert_eq!(world.agent_id_of(1), id);
    assert!(world.received::<AgentReregisteredMessage>(&agent_pid(2)).is_empty());
    let snapshot = world.master.snapshot();
    assert_eq!(snapshot.agents.len(), 1);
    assert_eq!(snapshot.agents.values().next().unwrap().pid, agent_pid(1));
    world.audit();
}
