//! From assignment to the end of the executor, with a V0 executor.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_agent::{ContainerCommand, ContainerEvent, Effect, FilesCommand, Input};
use tepui_proto::mesos::framework_info::capability;
use tepui_proto::mesos::internal::*;
use tepui_proto::mesos::task_status::{Reason, Source};
use tepui_proto::mesos::*;
use tepui_wire::NetEffect;

const FAILED: TaskState = TaskState::TASK_FAILED;
const KILLED: TaskState = TaskState::TASK_KILLED;
const LOST: TaskState = TaskState::TASK_LOST;
const RUNNING: TaskState = TaskState::TASK_RUNNING;
const FINISHED: TaskState = TaskState::TASK_FINISHED;

/// A world with task `t` running in custom executor `e`.
fn running() -> (World, tepui_base::ContainerId) {
    let mut world = World::registered();
    let container = world.run(&executor_task("t", "e", true));
    world.message(&executor_pid(), &registration("e"));
    world.containers_updated();
    world.message(&executor_pid(), &update("e", status("t", RUNNING, 1)));
    (world, container)
}

#[test]
fn a_command_task_gets_an_executor_of_its_own() {
    let mut world = World::registered();
    world.master_sends(&command_task("t"));
    let (container, config, environment) = world.launches()[0].clone();
    let sandbox = format!("/work/slaves/M-S0/frameworks/M-0000/executors/t/runs/{container}");
    assert_eq!(config.directory, sandbox);
    assert_eq!(config.user.as_deref(), Some("nobody"));
    let executor = &config.executor_info;
    assert_eq!(executor.name.as_deref(), Some("Command Executor (Task: t) (Command: sh -c 'sleep 100')"));
    assert_eq!(executor.source.as_deref(), Some("t"));
    assert_eq!(config.command_info.value.as_deref(), Some("/libexec/mesos-executor"));
    assert_eq!(config.command_info.shell, Some(false));
    assert_eq!(config.command_info.arguments, ["mesos-executor", "--launcher_dir=/libexec"]);
    let cpus = config.resources.iter().find(|resource| resource.name == "cpus").unwrap();
    assert_eq!(cpus.scalar.value, 1.1, "the task's and the executor's own");
    assert_eq!(cpus.allocation_info.role.as_deref(), Some("*"));
    for (name, value) in [
        ("LIBPROCESS_PORT", "0"),
        ("MESOS_FRAMEWORK_ID", "M-0000"),
        ("MESOS_EXECUTOR_ID", "t"),
        ("MESOS_DIRECTORY", sandbox.as_str()),
        ("MESOS_SLAVE_ID", "M-S0"),
        ("MESOS_SLAVE_PID", "slave(1)@127.0.0.1:5051"),
        ("MESOS_AGENT_ENDPOINT", "127.0.0.1:5051"),
        ("MESOS_CHECKPOINT", "0"),
        ("MESOS_HTTP_COMMAND_EXECUTOR", "0"),
        ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"),
    ] {
        assert_eq!(environment.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!environment.contains_key("MESOS_RECOVERY_TIMEOUT"));
    let attached = |virtual_path: &str| {
        let (virtual_path, real_path) = (virtual_path.to_owned(), sandbox.clone());
        world.effects.contains(&Effect::Files(FilesCommand::Attach { virtual_path, real_path }))
    };
    assert!(attached(&sandbox));
    assert!(attached("/frameworks/M-0000/executors/t/runs/latest"));
    assert!(attached("/work/slaves/M-S0/frameworks/M-0000/executors/t/runs/latest"));
}

#[test]
fn a_checkpointing_framework_tells_its_executors_how_long_to_wait() {
    let mut world = World::registered();
    let mut message = command_task("t");
    message.framework.get_or_insert_default().checkpoint = Some(true);
    world.master_sends(&message);
    let (.., environment) = &world.launches()[0];
    assert_eq!(environment["MESOS_CHECKPOINT"], "1");
    assert_eq!(environment["MESOS_RECOVERY_TIMEOUT"], "15mins");
    assert_eq!(environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"], "2secs");
}

#[test]
fn tasks_reach_a_registered_executor_once_its_container_has_their_resources() {
    let mut world = World::registered();
    world.run(&executor_task("t", "e", true));
    world.message(&executor_pid(), &registration("e"));
    assert!(world.effects.contains(&Effect::Net(NetEffect::Link { to: executor_pid(), reconnect: false })));
    let greeting = &world.sent::<ExecutorRegisteredMessage>(&executor_pid())[0];
    assert_eq!(greeting.executor_info.executor_id.value, "e");
    assert_eq!(greeting.agent_info.id.value, AGENT_ID);
    assert!(world.sent::<RunTaskMessage>(&executor_pid()).is_empty());
    world.containers_updated();
    let run = world.sent::<RunTaskMessage>(&executor_pid());
    assert_eq!(run.len(), 1);
    assert_eq!(run[0].task.task_id.value, "t");
    assert_eq!(run[0].pid.as_deref(), Some("scheduler-1@127.0.0.1:6000"));
    world.clear();
    world.master_sends(&executor_task("u", "e", false));
    let resources = world.effects.iter().find_map(|effect| match effect {
        Effect::Container(ContainerCommand::Update { resources, .. }) => Some(resources.clone()),
        _ => None,
    });
    let cpus: f64 = resources.unwrap().iter().filter(|r| r.name == "cpus").map(|r| r.scalar.value).sum();
    assert_eq!(cpus, 2.5, "executor and two tasks");
    world.containers_updated();
    assert_eq!(world.sent::<RunTaskMessage>(&executor_pid())[0].task.task_id.value, "u");
}

#[test]
fn an_update_is_completed_acknowledged_and_forwarded() {
    let (world, container) = running();
    let ack = &world.sent::<StatusUpdateAcknowledgementMessage>(&executor_pid())[0];
    assert_eq!(ack.task_id.value, "t");
    let message = &world.sent::<StatusUpdateMessage>(&master())[0];
    assert_eq!(message.pid.as_deref(), Some("slave(1)@127.0.0.1:5051"), "the scheduler's answer comes here first");
    let update = &message.update;
    assert_eq!(update.latest_state, Some(RUNNING));
    assert_eq!(update.status.source, Some(Source::SOURCE_EXECUTOR));
    assert_eq!(update.status.uuid, update.uuid);
    assert_eq!(update.status.executor_id.value, "e");
    let container_status = &update.status.container_status;
    assert_eq!(container_status.container_id.value, container.as_str());
    assert_eq!(container_status.executor_pid, Some(4242));
    assert_eq!(container_status.network_infos[0].ip_addresses[0].ip_address.as_deref(), Some("127.0.0.1"));
}

#[test]
fn updates_leave_one_at_a_time_with_the_latest_state() {
    let (mut world, _) = running();
    let first = world.updates()[0].clone();
    world.message(&executor_pid(), &update("e", status("t", FINISHED, 2)));
    assert_eq!(world.updates().len(), 1);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.updates()[1].status.state, RUNNING);
    assert_eq!(world.updates()[1].latest_state, Some(FINISHED), "the master can free the resources now");
    world.acknowledge(&first);
    assert_eq!(world.updates()[2].status.state, FINISHED);
}

#[test]
fn a_terminal_state_is_final() {
    let (mut world, _) = running();
    let first = world.updates()[0].clone();
    world.acknowledge(&first);
    world.message(&executor_pid(), &update("e", status("t", FINISHED, 2)));
    world.clear();
    world.message(&executor_pid(), &update("e", status("t", FAILED, 3)));
    let acks = world.sent::<StatusUpdateAcknowledgementMessage>(&executor_pid());
    assert_eq!(acks.len(), 1, "or the executor would send it for ever");
    let sent = StatusUpdate { uuid: status("t", FINISHED, 2).uuid, ..first };
    world.acknowledge(&sent);
    world.pass(Duration::from_secs(1000));
    assert!(world.updates().is_empty(), "the second end is never forwarded");
    assert_eq!(world.agent.snapshot().state.metrics.tasks_finished, 1);
    assert_eq!(world.agent.snapshot().state.metrics.tasks_failed, 0);
}

#[test]
fn a_duplicate_update_is_acknowledged_again_and_not_forwarded() {
    let (mut world, _) = running();
    world.clear();
    world.message(&executor_pid(), &update("e", status("t", RUNNING, 1)));
    assert_eq!(world.sent::<StatusUpdateAcknowledgementMessage>(&executor_pid()).len(), 1);
    assert!(world.updates().is_empty());
}

#[test]
fn updates_that_can_not_be_right_are_dropped() {
    let (mut world, _) = running();
    world.clear();
    let mut foreign = update("e", status("t", RUNNING, 2));
    foreign.update.get_or_insert_default().agent_id = field(AgentID { value: "other".into(), ..AgentID::default() });
    world.message(&executor_pid(), &foreign);
    let mut nameless = update("e", status("t", RUNNING, 3));
    nameless.update.get_or_insert_default().uuid = None;
    world.message(&executor_pid(), &nameless);
    assert!(world.effects.is_empty());
    assert_eq!(world.agent.snapshot().state.metrics.invalid_status_updates, 2);
}

#[test]
fn an_executor_that_claims_staging_is_shut_down() {
    let (mut world, _) = running();
    world.message(&executor_pid(), &update("e", status("t", TaskState::TASK_STAGING, 2)));
    assert_eq!(world.sent::<ShutdownExecutorMessage>(&executor_pid()).len(), 1);
}

#[test]
fn a_terminated_executor_fails_its_tasks_and_is_told_to_the_master() {
    let (mut world, container) = running();
    let first = world.updates()[0].clone();
    world.acknowledge(&first);
    world.clear();
    world.terminated(&container, 256);
    let text = "Executor terminated".to_owned();
    assert_eq!(world.statuses(), [(FAILED, Some(Reason::REASON_EXECUTOR_TERMINATED), text)]);
    assert_eq!(world.updates()[0].status.source, Some(Source::SOURCE_AGENT));
    assert!(!world.updates()[0].status.container_status.is_set(), "there is no container any more");
    let exited = &world.sent::<ExitedExecutorMessage>(&master())[0];
    assert_eq!((exited.executor_id.value.as_str(), exited.status), ("e", 256));
    assert_eq!(world.agent.snapshot().state.frameworks.len(), 1, "until the update is acknowledged");
    let last = world.updates()[0].clone();
    world.acknowledge(&last);
    let state = world.agent.snapshot().state;
    assert!(state.frameworks.is_empty());
    assert_eq!(state.completed_frameworks.len(), 1);
}

#[test]
fn the_end_of_a_command_executor_is_no_news_to_the_master() {
    let mut world = World::registered();
    let container = world.run(&command_task("t"));
    world.terminated(&container, 0);
    assert_eq!(world.updates().len(), 1);
    assert!(world.sent::<ExitedExecutorMessage>(&master()).is_empty());
}

#[test]
fn an_executor_that_does_not_register_is_destroyed() {
    let mut world = World::registered();
    let container = world.run(&executor_task("t", "e", true));
    world.pass(Duration::from_secs(59));
    assert!(world.destroyed().is_empty());
    world.pass(Duration::from_secs(1));
    assert_eq!(world.destroyed(), std::slice::from_ref(&container));
    world.terminated(&container, 9);
    let text = "Executor did not register within 1mins".to_owned();
    assert_eq!(world.statuses(), [(FAILED, Some(Reason::REASON_EXECUTOR_REGISTRATION_TIMEOUT), text)]);
}

#[test]
fn a_container_that_can_not_be_launched_fails_its_task() {
    let mut world = World::registered();
    world.master_sends(&executor_task("t", "e", true));
    let (id, ..) = world.launches()[0].clone();
    world.container(ContainerEvent::LaunchFailed { id, message: "no such user".into() });
    let text = "Failed to launch container: no such user; Abnormal executor termination: unknown container".to_owned();
    assert_eq!(world.statuses(), [(FAILED, Some(Reason::REASON_CONTAINER_LAUNCH_FAILED), text)]);
    assert_eq!(world.sent::<ExitedExecutorMessage>(&master())[0].status, -1);
    assert_eq!(world.agent.snapshot().state.metrics.container_launch_errors, 1);
}

#[test]
fn a_container_that_can_not_be_updated_is_destroyed() {
    let mut world = World::registered();
    let id = world.run(&executor_task("t", "e", true));
    world.message(&executor_pid(), &registration("e"));
    let error = Some("no memory".to_owned());
    world.container(ContainerEvent::Updated { id: id.clone(), sequence: 1, error });
    assert_eq!(world.destroyed(), std::slice::from_ref(&id));
    world.terminated(&id, 9);
    let text = "Failed to update resources for container: no memory".to_owned();
    assert_eq!(world.statuses(), [(LOST, Some(Reason::REASON_CONTAINER_UPDATE_FAILED), text)]);
}

#[test]
fn default_executors_are_refused_by_name() {
    let mut world = World::registered();
    let mut message = executor_task("t", "e", true);
    message.task.get_or_insert_default().executor.get_or_insert_default().r#type = Some(executor_info::Type::DEFAULT);
    world.master_sends(&message);
    let (state, reason, text) = world.statuses().remove(0);
    assert_eq!((state, reason), (FAILED, Some(Reason::REASON_CONTAINER_LAUNCH_FAILED)));
    assert!(text.contains("executors of type DEFAULT"), "{text}");
    assert!(world.launches().is_empty());
}

#[test]
fn launches_that_do_not_fit_what_runs_are_dropped() {
    let (mut world, _) = running();
    world.clear();
    world.master_sends(&executor_task("u", "other", false));
    let text = "No executor is expected to launch and there is none running".to_owned();
    assert_eq!(world.statuses(), [(LOST, Some(Reason::REASON_EXECUTOR_TERMINATED), text)]);
    world.clear();
    world.master_sends(&executor_task("v", "e", true));
    let text = "Master wants to launch executor, but one already exists".to_owned();
    assert_eq!(world.statuses(), [(LOST, Some(Reason::REASON_EXECUTOR_TERMINATED), text)]);
    assert_eq!(world.sent::<ShutdownExecutorMessage>(&executor_pid()).len(), 1, "the master does not know it");
    world.clear();
    world.master_sends(&executor_task("w", "e", false));
    let text = "Executor terminating".to_owned();
    assert_eq!(world.statuses(), [(LOST, Some(Reason::REASON_EXECUTOR_TERMINATED), text)]);
    assert!(!world.updates()[0].executor_id.is_set(), "who comes too late is told without it, as in Mesos");
}

#[test]
fn partition_aware_frameworks_hear_that_a_task_was_dropped() {
    let mut world = World::registered();
    let mut message = executor_task("t", "e", false);
    message.framework = field(framework(&[capability::Type::PARTITION_AWARE]));
    world.master_sends(&message);
    assert_eq!(world.statuses()[0].0, TaskState::TASK_DROPPED);
    let update = world.updates().remove(0);
    world.clear();
    world.pass(Duration::from_secs(10));
    assert_eq!(world.updates().remove(0).uuid, update.uuid, "it is told until it is acknowledged");
    world.master_sends(&StatusUpdateAcknowledgementMessage {
        agent_id: update.agent_id.clone(),
        framework_id: update.framework_id.clone(),
        task_id: update.status.task_id.clone(),
        uuid: update.uuid.clone().unwrap(),
        ..Default::default()
    });
    assert!(world.agent.snapshot().state.frameworks.is_empty(), "nothing of it remains");
}

#[test]
fn a_task_for_outdated_resources_is_dropped() {
    let mut world = World::registered();
    let mut message = executor_task("t", "e", true);
    let uuid = field(UUID { value: vec![9; 16], ..UUID::default() });
    message.resource_version_uuids.push(ResourceVersionUUID { uuid, ..Default::default() });
    world.master_sends(&message);
    let text = "Task assumes outdated resource state".to_owned();
    assert_eq!(world.statuses(), [(LOST, Some(Reason::REASON_INVALID_OFFERS), text)]);
    assert_eq!(world.sent::<ExitedExecutorMessage>(&master())[0].status, -1, "the master counted on an executor");
}

#[test]
fn limits_need_isolators() {
    let mut world = World::registered();
    let mut message = command_task("t");
    let limit = value::Scalar { value: 2.0, ..Default::default() };
    message.task.get_or_insert_default().limits.insert("cpus".into(), limit);
    world.master_sends(&message);
    let (_, reason, text) = world.statuses().remove(0);
    assert_eq!(reason, Some(Reason::REASON_GC_ERROR));
    assert!(text.starts_with("CPU limits can only be set"), "{text}");
}

#[test]
fn an_executor_id_that_could_leave_its_directory_is_refused() {
    let mut world = World::registered();
    world.master_sends(&executor_task("t", "../../etc", true));
    assert!(world.launches().is_empty());
    assert_eq!(world.statuses()[0].0, LOST);
}

#[test]
fn a_task_meant_for_another_agent_is_ignored() {
    let mut world = World::registered();
    let mut message = command_task("t");
    message.task.get_or_insert_default().agent_id = field(AgentID { value: "M-S9".into(), ..AgentID::default() });
    world.master_sends(&message);
    assert!(world.effects.is_empty());
}

#[test]
fn a_queued_task_is_killed_by_the_agent() {
    let mut world = World::registered();
    world.run(&executor_task("t", "e", true));
    world.master_sends(&kill("t"));
    let text = "Killed before delivery to the executor".to_owned();
    assert_eq!(world.statuses(), [(KILLED, Some(Reason::REASON_TASK_KILLED_DURING_LAUNCH), text)]);
    world.message(&executor_pid(), &registration("e"));
    assert_eq!(world.sent::<ShutdownExecutorMessage>(&executor_pid()).len(), 1, "it has nothing to do");
    assert!(world.sent::<ExecutorRegisteredMessage>(&executor_pid()).is_empty());
}

#[test]
fn a_running_task_is_killed_by_its_executor() {
    let (mut world, _) = running();
    world.clear();
    world.master_sends(&kill("t"));
    assert_eq!(world.sent::<KillTaskMessage>(&executor_pid())[0].task_id.value, "t");
    assert!(world.updates().is_empty());
    world.master_sends(&kill("nobody's"));
    let text = "Cannot find executor".to_owned();
    assert_eq!(world.statuses(), [(LOST, Some(Reason::REASON_EXECUTOR_TERMINATED), text)]);
}

#[test]
fn an_executor_told_to_leave_is_destroyed_after_its_grace_period() {
    let (mut world, container) = running();
    let message =
        ShutdownExecutorMessage { executor_id: executor_id("e"), framework_id: framework_id(), ..Default::default() };
    world.master_sends(&message);
    assert_eq!(world.sent::<ShutdownExecutorMessage>(&executor_pid()).len(), 1);
    world.pass(Duration::from_millis(4999));
    assert!(world.destroyed().is_empty());
    world.pass(Duration::from_millis(1));
    assert_eq!(world.destroyed(), [container]);
}

#[test]
fn a_framework_told_to_leave_leaves_without_updates() {
    let (mut world, container) = running();
    world.clear();
    world.master_sends(&ShutdownFrameworkMessage { framework_id: framework_id(), ..Default::default() });
    assert_eq!(world.sent::<ShutdownExecutorMessage>(&executor_pid()).len(), 1);
    world.message(&executor_pid(), &update("e", status("t", KILLED, 2)));
    world.terminated(&container, 0);
    assert!(world.updates().is_empty());
    let state = world.agent.snapshot().state;
    assert!(state.frameworks.is_empty());
    let executor = &state.completed_frameworks[0].completed_executors[0];
    assert!(executor.terminated.contains_key(&tepui_base::TaskId::from("t")), "readers still see it");
    world.clear();
    world.pass(Duration::from_secs(30));
    assert!(world.updates().is_empty() && world.destroyed().is_empty());
}

#[test]
fn messages_pass_between_scheduler_and_executor() {
    let (mut world, _) = running();
    let down = FrameworkToExecutorMessage {
        agent_id: agent_id(),
        framework_id: framework_id(),
        executor_id: executor_id("e"),
        data: b"down".to_vec(),
        ..Default::default()
    };
    world.master_sends(&down);
    assert_eq!(world.sent::<FrameworkToExecutorMessage>(&executor_pid()), [down]);
    let up = ExecutorToFrameworkMessage {
        agent_id: agent_id(),
        framework_id: framework_id(),
        executor_id: executor_id("e"),
        data: b"up".to_vec(),
        ..Default::default()
    };
    world.message(&executor_pid(), &up);
    let scheduler = tepui_wire::Upid::parse("scheduler-1@127.0.0.1:6000").unwrap();
    assert_eq!(
        world.sent::<ExecutorToFrameworkMessage>(&scheduler),
        std::slice::from_ref(&up),
        "directly to a V0 scheduler"
    );
    let http =
        UpdateFrameworkMessage { framework_id: framework_id(), pid: Some("@0.0.0.0:0".into()), ..Default::default() };
    world.master_sends(&http);
    world.message(&executor_pid(), &up);
    assert_eq!(world.sent::<ExecutorToFrameworkMessage>(&master()), [up], "through the master to a V1 scheduler");
}

#[test]
fn a_framework_that_comes_back_gets_its_updates_again() {
    let (mut world, _) = running();
    world.clear();
    world.master_sends(&UpdateFrameworkMessage { framework_id: framework_id(), ..Default::default() });
    assert_eq!(world.updates().len(), 1);
}

#[test]
fn unexpected_executors_are_told_to_leave() {
    let (mut world, _) = running();
    let stranger = tepui_wire::Upid::new("executor(2)", std::net::Ipv4Addr::LOCALHOST, 40001);
    world.message(&stranger, &registration("e"));
    world.message(&stranger, &registration("unknown"));
    let again =
        ReregisterExecutorMessage { executor_id: executor_id("e"), framework_id: framework_id(), ..Default::default() };
    world.message(&stranger, &again);
    assert_eq!(world.sent::<ShutdownExecutorMessage>(&stranger).len(), 3);
}

#[test]
fn an_agent_told_to_leave_takes_its_executors_along() {
    let (mut world, container) = running();
    world.input(Input::Terminate { unregister: true });
    assert_eq!(world.sent::<UnregisterAgentMessage>(&master()).len(), 1);
    assert_eq!(world.sent::<ShutdownExecutorMessage>(&executor_pid()).len(), 1);
    assert!(!world.effects.iter().any(|effect| matches!(effect, Effect::Exit(_))));
    world.terminated(&container, 0);
    assert!(world.effects.iter().any(|effect| matches!(effect, Effect::Exit(_))));
}

#[test]
fn garbage_changes_nothing() {
    let (mut world, _) = running();
    world.clear();
    for name in ["mesos.internal.RunTaskMessage", "mesos.internal.KillTaskMessage", "nonsense"] {
        for body in [&b""[..], b"\xff\xff", b"\x0a\x7f"] {
            world.input(Input::Net(tepui_wire::NetInput::Message(tepui_wire::Message {
                from: master(),
                to: config().pid,
                name: name.into(),
                epoch: None,
                body: bytes::Bytes::copy_from_slice(body),
            })));
        }
    }
    assert!(world.effects.is_empty());
}
