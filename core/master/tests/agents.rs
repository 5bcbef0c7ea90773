//! Agents that are lost, come back, or leave, and what becomes of their tasks.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_master::Config;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{
    AgentReregisteredMessage, KillTaskMessage, PongAgentMessage, ShutdownFrameworkMessage, ShutdownMessage,
    UnregisterAgentMessage,
};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{AgentID, FrameworkInfo, Task, TaskID, TaskState};
use tepui_proto::{ContentType, MessageField};
use tepui_registry::{Registrar, State};
use tepui_wire::{NetInput, Upid};

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";

/// A cluster with a running task `t` of a framework.
fn running(info: FrameworkInfo) -> (World, String, Scheduler) {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(info, ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.launch(&scheduler, &[&offer], vec![task("t", &agent, "cpus:1;mem:32")]);
    world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 1);
    world.call(&scheduler, acknowledge(&agent, "t", 1));
    world.updates(&scheduler);
    world.sent.clear();
    (world, agent, scheduler)
}

fn checkpointing(capabilities: &[Capability]) -> FrameworkInfo {
    FrameworkInfo { checkpoint: Some(true), ..framework("f", capabilities) }
}

fn reported(agent: &str, framework: &str, state: TaskState) -> Task {
    Task {
        name: "name of t".to_owned(),
        task_id: MessageField::some(TaskID { value: "t".to_owned(), ..Default::default() }),
        framework_id: field_id(framework),
        agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
        state,
        resources: task("t", agent, "cpus:1;mem:32").resources,
        ..Default::default()
    }
}

/// Answers every ping of the agent while time passes.
fn advance_answering(world: &mut World, seconds: u64) {
    for _ in 0..seconds {
        world.advance(Duration::from_secs(1));
        let observer = Upid::new("slave-observer(1)", master_pid().ip, master_pid().port);
        world.send_to(&agent_pid(1), observer, &PongAgentMessage::default());
    }
}

#[test]
fn an_agent_that_answers_stays() {
    let (mut world, _, _) = running(checkpointing(&[]));
    advance_answering(&mut world, 300);
    assert_eq!(world.master.snapshot().agents.len(), 1);
}

#[test]
fn an_agent_that_the_registry_does_not_know_may_come_with_tasks() {
    let mut world = World::new();
    let scheduler = world.subscribe(checkpointing(&[Capability::PARTITION_AWARE]), ContentType::Json);
    let info = (*world.master.snapshot().frameworks.values().next().unwrap().info).clone();
    let tasks = vec![reported("A", &scheduler.id, TaskState::TASK_RUNNING)];
    world.send(&agent_pid(1), &reregister_message(1, AGENT, "A", vec![info], tasks));
    let update = world.updates(&scheduler).remove(0);
    assert_eq!((update.state, update.reason), (TaskState::TASK_RUNNING, Some(Reason::REASON_AGENT_REREGISTERED)));
    assert_eq!(update.message.as_deref(), Some("Unknown agent reregistered"));
    world.audit();
}

#[test]
fn an_agent_that_does_not_answer_is_unreachable_and_may_come_back() {
    let (mut world, agent, scheduler) = running(checkpointing(&[Capability::PARTITION_AWARE]));
    world.advance(Duration::from_secs(76));
    assert!(world.master.snapshot().agents.is_empty());
    let update = world.updates(&scheduler).remove(0);
    assert_eq!((update.state, update.reason), (TaskState::TASK_UNREACHABLE, Some(Reason::REASON_AGENT_REMOVED)));
    assert_eq!(update.message.as_deref(), Some("health check timed out"));
    assert!(update.unreachable_time.is_set() && update.uuid.is_none());
    let snapshot = world.master.snapshot();
    assert_eq!(snapshot.frameworks.values().next().unwrap().unreachable.len(), 1);
    assert_eq!(snapshot.unreachable.len(), 1);

    let info = (*snapshot.frameworks.values().next().unwrap().info).clone();
    let tasks = vec![reported(&agent, &scheduler.id, TaskState::TASK_RUNNING)];
    world.send(&agent_pid(1), &reregister_message(1, AGENT, &agent, vec![info], tasks));
    assert_eq!(world.received::<AgentReregisteredMessage>(&agent_pid(1)).len(), 1);
    let update = world.updates(&scheduler).remove(0);
    assert_eq!((update.state, update.reason), (TaskState::TASK_RUNNING, Some(Reason::REASON_AGENT_REREGISTERED)));
    assert_eq!(update.message.as_deref(), Some("Unreachable agent re-reregistered"));
    let snapshot = world.master.snapshot();
    let record = snapshot.frameworks.values().next().unwrap();
    assert_eq!((record.tasks.len(), record.unreachable.len()), (1, 0));
    world.audit();
}

#[test]
fn frameworks_that_are_not_aware_lose_their_tasks() {
    let (mut world, _, scheduler) = running(checkpointing(&[]));
    world.advance(Duration::from_secs(76));
    let events = world.streams[&scheduler.stream].clone();
    let failure = events.iter().find(|event| event.r#type == Some(event::Type::FAILURE)).unwrap();
    assert!(failure.failure.agent_id.value.ends_with("-S0") && !failure.failure.executor_id.is_set());
    assert_eq!(world.updates(&scheduler)[0].state, TaskState::TASK_LOST);
    world.audit();
}

#[test]
fn a_broken_link_takes_the_tasks_of_frameworks_that_do_not_checkpoint() {
    let (mut world, agent, scheduler) = running(framework("f", &[Capability::PARTITION_AWARE]));
    world.advance(Duration::from_secs(1));
    world.input(NetInput::Exited(agent_pid(1)));
    let events = world.streams[&scheduler.stream].clone();
    assert!(events.iter().any(|event| event.r#type == Some(event::Type::RESCIND)), "its offers are taken back");
    let update = world.updates(&scheduler).remove(0);
    assert_eq!((update.state, update.reason), (TaskState::TASK_LOST, Some(Reason::REASON_AGENT_DISCONNECTED)));
    assert_eq!(update.message.as_deref(), Some("Agent agent1.local disconnected"));
    let ping = world.received::<tepui_proto::mesos::internal::PingAgentMessage>(&agent_pid(1));
    assert!(ping.iter().all(|ping| ping.connected));
    advance_answering(&mut world, 30);
    let ping = world.received::<tepui_proto::mesos::internal::PingAgentMessage>(&agent_pid(1));
    assert!(ping.iter().all(|ping| !ping.connected), "so that it registers again");
    assert!(world.offers(&scheduler).is_empty());
    world.send(&agent_pid(1), &reregister_message(1, AGENT, &agent, vec![], vec![]));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.offers(&scheduler).len(), 1);
    world.audit();
}

#[test]
fn a_disconnected_agent_has_ten_minutes() {
    let (mut world, _, scheduler) = running(checkpointing(&[Capability::PARTITION_AWARE]));
    world.input(NetInput::Exited(agent_pid(1)));
    assert!(world.updates(&scheduler).is_empty(), "a framework that checkpoints waits");
    advance_answering(&mut world, 599);
    assert_eq!(world.master.snapshot().agents.len(), 1);
    advance_answering(&mut world, 1);
    assert_eq!(world.master.snapshot().agents.len(), 0);
    let update = world.updates(&scheduler).remove(0);
    assert_eq!(update.message.as_deref(), Some("agent did not reregister within 10mins after disconnecting"));
}

#[test]
fn a_known_agent_is_told_what_it_misses_and_what_to_kill() {
    let (mut world, agent, scheduler) = running(checkpointing(&[]));
    let info = (*world.master.snapshot().frameworks.values().next().unwrap().info).clone();
    world.input(NetInput::Exited(agent_pid(1)));
    let kill = call::Kill {
        task_id: MessageField::some(TaskID { value: "t".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    world.call(
        &scheduler,
        Call { r#type: Some(call::Type::KILL), kill: MessageField::some(kill), ..Default::default() },
    );
    assert!(world.received::<KillTaskMessage>(&agent_pid(1)).is_empty(), "it cannot be told now");
    let back = reregister_message(1, AGENT, &agent, vec![info.clone()], vec![]);
    world.send(&agent_pid(1), &back);
    let told = world.received::<AgentReregisteredMessage>(&agent_pid(1)).remove(0);
    let missing = &told.reconciliations[0];
    assert_eq!(missing.framework_id.value, scheduler.id);
    assert_eq!(missing.statuses[0].task_id.value, "t");
    let tasks = vec![reported(&agent, &scheduler.id, TaskState::TASK_RUNNING)];
    world.send(&agent_pid(1), &reregister_message(1, AGENT, &agent, vec![info], tasks));
    let told = world.received::<AgentReregisteredMessage>(&agent_pid(1)).remove(0);
    assert!(told.reconciliations.is_empty());
    assert_eq!(world.received::<KillTaskMessage>(&agent_pid(1))[0].task_id.value, "t");
    world.audit();
}

#[test]
fn an_agent_is_known_by_its_address() {
    let (mut world, agent, _) = running(checkpointing(&[]));
    world.send(&agent_pid(2), &reregister_message(1, AGENT, &agent, vec![], vec![]));
    let told = world.received::<ShutdownMessage>(&agent_pid(2)).remove(0);
    assert_eq!(told.message.as_deref(), Some("Agent attempted to reregister with different IP / hostname"));
}

#[test]
fn an_agent_that_unregisters_takes_its_tasks_along() {
    let (mut world, agent, scheduler) = running(checkpointing(&[Capability::PARTITION_AWARE]));
    let agent_id = MessageField::some(AgentID { value: agent.clone(), ..Default::default() });
    world.send(&agent_pid(1), &UnregisterAgentMessage { agent_id, ..Default::default() });
    let update = world.updates(&scheduler).remove(0);
    assert_eq!(update.state, TaskState::TASK_LOST);
    assert_eq!(update.message.as_deref(), Some("Agent agent1.local removed: the agent unregistered"));
    assert!(world.master.snapshot().agents.is_empty());
    world.update_after_removal(&agent, &scheduler);
}

impl World {
    fn update_after_removal(&mut self, agent: &str, scheduler: &Scheduler) {
        let message = tepui_proto::mesos::internal::StatusUpdateMessage {
            update: MessageField::some(status_update(agent, &scheduler.id, "t", TaskState::TASK_RUNNING, 5)),
            pid: Some(agent_pid(1).to_string()),
            ..Default::default()
        };
        self.send(&agent_pid(1), &message);
        assert!(self.updates(scheduler).is_empty(), "nothing is heard of an agent that is gone");
    }
}

#[test]
fn a_new_master_learns_everything_from_agents() {
    let mut registry = State::default();
    let old = "old-S0";
    let info = std::sync::Arc::new(agent_info(1, AGENT, old));
    registry.admitted.insert(old.into(), info.into());
    let mut world = World::with(Config::new(master_pid(), "m"), Registrar::new(registry));
    let info = FrameworkInfo { id: field_id("old-0000"), ..checkpointing(&[]) };
    let scheduler = world.subscribe(info.clone(), ContentType::Json);
    assert_eq!(scheduler.id, "old-0000");
    let reconcile = Call {
        r#type: Some(call::Type::RECONCILE),
        reconcile: MessageField::some(call::Reconcile {
            tasks: vec![call::reconcile::Task {
                task_id: MessageField::some(TaskID { value: "t".to_owned(), ..Default::default() }),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    world.call(&scheduler, reconcile.clone());
    assert!(world.updates(&scheduler).is_empty(), "the task may be on the agent that is not back yet");
    let other = FrameworkInfo { id: field_id("old-0001"), ..checkpointing(&[]) };
    let tasks = vec![
        reported(old, "old-0000", TaskState::TASK_RUNNING),
        Task {
            task_id: MessageField::some(TaskID { value: "u".to_owned(), ..Default::default() }),
            ..reported(old, "old-0001", TaskState::TASK_RUNNING)
        },
    ];
    world.send(&agent_pid(1), &reregister_message(1, AGENT, old, vec![info, other], tasks));
    assert!(world.updates(&scheduler).is_empty(), "tasks of a recovered agent are not announced");
    world.call(&scheduler, reconcile);
    let update = world.updates(&scheduler).remove(0);
    assert_eq!(update.state, TaskState::TASK_RUNNING);
    assert_eq!(update.message.as_deref(), Some("Reconciliation: Latest task state"));
    let snapshot = world.master.snapshot();
    assert!(snapshot.frameworks[&tepui_base::FrameworkId::from("old-0001")].is_recovered());
    assert!(snapshot.recovered_agents.is_empty());
    world.audit();
    world.advance(Duration::from_secs(1));
    assert_eq!(world.master.snapshot().offers.len(), 1, "what is left of the agent is offered");
}

#[test]
fn recovered_agents_that_stay_away_become_unreachable() {
    let mut registry = State::default();
    registry.admitted.insert("old-S0".into(), std::sync::Arc::new(agent_info(1, AGENT, "old-S0")).into());
    let mut world = World::with(Config::new(master_pid(), "m"), Registrar::new(registry));
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(601));
    assert_eq!(world.master.snapshot().unreachable.len(), 1);
    assert_eq!(world.events(&scheduler, event::Type::FAILURE).len(), 1);
}

#[test]
fn explicit_reconciliation_says_where_a_task_must_be() {
    let (mut world, agent, scheduler) = running(checkpointing(&[Capability::PARTITION_AWARE]));
    let ask = |world: &mut World, task: &str, agent: Option<&str>| {
        let agent_id = agent.map(|id| AgentID { value: id.to_owned(), ..Default::default() });
        let task = call::reconcile::Task {
            task_id: MessageField::some(TaskID { value: task.to_owned(), ..Default::default() }),
            agent_id: agent_id.into(),
            ..Default::default()
        };
        let reconcile = call::Reconcile { tasks: vec![task], ..Default::default() };
        let call = Call {
            r#type: Some(call::Type::RECONCILE),
            reconcile: MessageField::some(reconcile),
            ..Default::default()
        };
        world.call(&scheduler, call);
        let update = world.updates(&scheduler).remove(0);
        assert_eq!((update.reason, update.uuid), (Some(Reason::REASON_RECONCILIATION), None));
        (update.state, update.message.unwrap())
    };
    let answer = |state, text: &str| (state, format!("Reconciliation: {text}"));
    let latest = answer(TaskState::TASK_RUNNING, "Latest task state");
    assert_eq!(ask(&mut world, "t", None), latest);
    assert_eq!(ask(&mut world, "x", Some(&agent)), answer(TaskState::TASK_GONE, "Task is unknown to the agent"));
    assert_eq!(ask(&mut world, "x", None), answer(TaskState::TASK_UNKNOWN, "Task is unknown"));
    assert_eq!(ask(&mut world, "x", Some("S9")), answer(TaskState::TASK_UNKNOWN, "Task is unknown"));
    world.advance(Duration::from_secs(76));
    assert_eq!(world.updates(&scheduler).len(), 1);
    let (state, text) = ask(&mut world, "t", Some(&agent));
    assert_eq!((state, text.as_str()), (TaskState::TASK_UNREACHABLE, "Reconciliation: Task is unreachable"));
}

#[test]
fn a_framework_that_ends_is_shut_down_everywhere() {
    let (mut world, agent, scheduler) = running(checkpointing(&[]));
    let response = world.call(&scheduler, Call { r#type: Some(call::Type::TEARDOWN), ..Default::default() });
    assert_eq!(response.status, 202);
    assert!(world.closed.contains(&scheduler.stream));
    assert!(world.updates(&scheduler).is_empty(), "it is not told of its own end");
    let told = world.received::<ShutdownFrameworkMessage>(&agent_pid(1));
    assert_eq!(told[0].framework_id.value, scheduler.id);
    let snapshot = world.master.snapshot();
    let over = &snapshot.completed[0];
    assert_eq!(over.completed[0].state, TaskState::TASK_KILLED);
    assert_eq!(over.completed[0].statuses.last().unwrap().message, Some(format!("Framework {} removed", scheduler.id)));
    let info = FrameworkInfo { id: field_id(&scheduler.id), ..checkpointing(&[]) };
    let tasks = vec![reported(&agent, &scheduler.id, TaskState::TASK_RUNNING)];
    world.send(&agent_pid(1), &reregister_message(1, AGENT, &agent, vec![info], tasks));
    assert_eq!(world.received::<ShutdownFrameworkMessage>(&agent_pid(1)).len(), 1);
    world.audit();
}
