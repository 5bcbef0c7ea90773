//! LAUNCH_GROUP and custom executors.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_proto::mesos::command_info::URI as Uri;
use tepui_proto::mesos::internal::{ExitedExecutorMessage, RunTaskGroupMessage, ShutdownExecutorMessage};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{AgentID, CommandInfo, ExecutorID, ExecutorInfo, Offer, TaskInfo, TaskState};
use tepui_proto::{ContentType, MessageField};
use tepui_resources::Resources;

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";

fn executor(framework: &str, resources: &str) -> ExecutorInfo {
    default_executor(framework, Resources::parse(resources, "*").unwrap().to_proto())
}

fn one(id: &str, agent: &str) -> TaskInfo {
    TaskInfo { command: MessageField::some(CommandInfo::default()), ..task(id, agent, "cpus:0.5;mem:64") }
}

fn cluster() -> (World, String, Scheduler, Offer) {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    (world, agent, scheduler, offer)
}

#[test]
fn a_group_shares_one_executor() {
    let (mut world, agent, scheduler, offer) = cluster();
    let executor = executor(&scheduler.id, "cpus:0.1;mem:32;disk:32");
    let first = group_operation(executor.clone(), vec![one("a", &agent), one("b", &agent)]);
    let second = group_operation(executor, vec![one("c", &agent)]);
    world.call(&scheduler, accept(&[&offer], vec![first, second]));
    let run: Vec<RunTaskGroupMessage> = world.received(&agent_pid(1));
    assert_eq!(run.iter().map(|group| group.launch_executor.unwrap()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(run[0].task_group.tasks.len(), 2);
    assert!(run[0].task_group.tasks.iter().all(|task| task.executor.executor_id.value == "e"));
    world.audit();
    let used = world.master.snapshot().agents.values().next().unwrap().used_total();
    assert!((used.cpus().unwrap().to_f64() - 1.6).abs() < 1e-9, "the executor counts once: {used}");
    let offered = world.json("/state")["frameworks"][0]["executors"][0].clone();
    assert_eq!((offered["executor_id"].as_str(), offered["type"].as_str()), (Some("e"), Some("DEFAULT")));

    let exited = ExitedExecutorMessage {
        agent_id: offer.agent_id.clone(),
        framework_id: field_id(&scheduler.id),
        executor_id: run[0].executor.executor_id.clone(),
        status: 9,
        ..Default::default()
    };
    world.send(&agent_pid(1), &exited);
    let failure = world.events(&scheduler, event::Type::FAILURE).remove(0);
    assert_eq!((failure.failure.status, failure.failure.executor_id.value.as_str()), (Some(9), "e"));
    world.audit();
}

#[test]
fn an_executor_is_told_to_end_by_its_agent() {
    let (mut world, agent, scheduler, _) = cluster();
    let shutdown = |agent: &str| {
        let shutdown = call::Shutdown {
            agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
            executor_id: MessageField::some(ExecutorID { value: "e".to_owned(), ..Default::default() }),
            ..Default::default()
        };
        Call { r#type: Some(call::Type::SHUTDOWN), shutdown: MessageField::some(shutdown), ..Default::default() }
    };
    world.sent.clear();
    assert_eq!(world.call(&scheduler, shutdown("nobody")).status, 202);
    assert!(world.sent.is_empty(), "nobody can tell it");
    assert_eq!(world.call(&scheduler, shutdown(&agent)).status, 202);
    let told: Vec<ShutdownExecutorMessage> = world.received(&agent_pid(1));
    assert_eq!(told.len(), 1);
    let ids = (told[0].framework_id.value.as_str(), told[0].executor_id.value.as_str());
    assert_eq!(ids, (scheduler.id.as_str(), "e"));
}

fn refused(change: impl FnOnce(&mut ExecutorInfo, &mut Vec<TaskInfo>)) -> String {
    let (mut world, agent, scheduler, offer) = cluster();
    let mut executor = executor(&scheduler.id, "cpus:0.1;mem:32;disk:32");
    let mut tasks = vec![one("a", &agent), one("b", &agent)];
    change(&mut executor, &mut tasks);
    world.call(&scheduler, accept(&[&offer], vec![group_operation(executor, tasks)]));
    let updates = world.updates(&scheduler);
    assert_eq!(updates.len(), 2, "the whole group is refused");
    assert!(updates.iter().all(|update| update.state == TaskState::TASK_ERROR));
    assert!(updates.iter().all(|update| update.reason == Some(Reason::REASON_TASK_GROUP_INVALID)));
    assert!(world.received::<RunTaskGroupMessage>(&agent_pid(1)).is_empty());
    world.audit();
    updates[0].message.clone().unwrap()
}

#[test]
fn groups_are_refused_in_the_words_of_mesos() {
    let parse = |text| Resources::parse(text, "*").unwrap().to_proto();
    assert_eq!(refused(|executor, _| executor.r#type = None), "'ExecutorInfo.type' must be set");
    assert_eq!(
        refused(|executor, _| executor.resources = parse("cpus:0.001;mem:32;disk:32")),
        "Executor 'e' uses less CPUs (0.001) than the minimum required (0.01)"
    );
    assert_eq!(
        refused(|executor, _| executor.resources = parse("cpus:1;mem:16;disk:32")),
        "Executor 'e' uses less memory (16MB) than the minimum required (32MB)"
    );
    assert_eq!(refused(|executor, _| executor.resources = parse("cpus:1;mem:32")), "Executor 'e' uses no disk");
    assert_eq!(
        refused(|_, tasks| tasks[1].task_id = tasks[0].task_id.clone()),
        "Task 'a' is invalid: Task has duplicate ID: a"
    );
    assert_eq!(refused(|_, tasks| tasks[1].resources.clear()), "Task 'b' is invalid: Task uses no resources");
    assert_eq!(
        refused(|executor, _| executor.command = MessageField::some(CommandInfo::default())),
        "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"
    );
}

#[test]
fn an_executor_is_the_same_as_far_as_mesos_compares() {
    let (mut world, agent, scheduler, offer) = cluster();
    let uri = |cache, extract| Uri { value: "http://u".to_owned(), cache, extract, ..Default::default() };
    let custom = |uri: Uri, shell: Option<bool>, name: Option<&str>| ExecutorInfo {
        r#type: None,
        command: MessageField::some(CommandInfo {
            value: Some("run".to_owned()),
            uris: vec![uri],
            shell,
            ..Default::default()
        }),
        name: name.map(str::to_owned),
        ..executor(&scheduler.id, "cpus:0.1;mem:32")
    };
    let with = |id: &str, executor: ExecutorInfo| TaskInfo {
        command: MessageField::none(),
        executor: MessageField::some(executor),
        ..task(id, &agent, "cpus:0.5;mem:64")
    };
    let tasks = vec![
        with("a", custom(uri(None, None), None, None)),
        with("b", custom(uri(Some(true), Some(true)), Some(true), Some(""))),
        with("c", custom(uri(None, Some(false)), None, None)),
    ];
    world.launch(&scheduler, &[&offer], tasks);
    assert_eq!(
        world.launched(1).iter().map(|run| run.task.name.clone()).collect::<Vec<_>>(),
        ["name of a", "name of b"]
    );
    let update = world.updates(&scheduler).remove(0);
    assert_eq!((update.task_id.value.as_str(), update.state), ("c", TaskState::TASK_ERROR));
    assert!(update.message.unwrap().starts_with("ExecutorInfo is not compatible with existing ExecutorInfo"));
    world.audit();
}
