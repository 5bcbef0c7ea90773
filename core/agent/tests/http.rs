//! V1 executors, and what requests are answered.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_agent::Effect;
use tepui_proto::mesos::executor::{call, event};
use tepui_proto::mesos::internal::*;
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::*;
use tepui_wire::NetEffect;

const EXECUTOR: &str = "/slave(1)/api/v1/executor";
const OPERATOR: &str = "/slave(1)/api/v1";

fn group(tasks: &[&str]) -> RunTaskGroupMessage {
    let tasks = tasks.iter().map(|id| TaskInfo { executor: field(executor_info("e")), ..task(id) }).collect();
    RunTaskGroupMessage {
        framework: field(framework(&[])),
        executor: field(executor_info("e")),
        task_group: field(TaskGroupInfo { tasks, ..TaskGroupInfo::default() }),
        launch_executor: Some(true),
        ..RunTaskGroupMessage::default()
    }
}

#[test]
fn an_executor_subscribes_gets_its_task_and_reports() {
    let mut world = World::registered();
    world.run(&command_task("t"));
    let stream = world.call(&subscribe("t"));
    assert_eq!(world.response(stream).status, 200);
    world.containers_updated();
    let events = world.events(stream);
    let kinds: Vec<_> = events.iter().map(|event| event.r#type.unwrap()).collect();
    assert_eq!(kinds, [event::Type::SUBSCRIBED, event::Type::LAUNCH]);
    assert_eq!(events[0].subscribed.agent_info.id.value, AGENT_ID);
    assert!(events[0].subscribed.container_id.is_set());
    assert_eq!(events[1].launch.task.task_id.value, "t");
    let call = world.call(&update_call("t", status("t", TaskState::TASK_RUNNING, 1)));
    assert_eq!(world.response(call).status, 202);
    assert_eq!(world.updates()[0].status.state, TaskState::TASK_RUNNING);
    let last = world.events(stream).pop().unwrap();
    assert_eq!(last.acknowledged.uuid, status("t", TaskState::TASK_RUNNING, 1).uuid.unwrap());
    world.master_sends(&kill("t"));
    assert_eq!(world.events(stream).pop().unwrap().kill.task_id.value, "t");
}

#[test]
fn a_group_is_launched_whole() {
    let mut world = World::registered();
    world.master_sends(&group(&["a", "b"]));
    let stream = world.call(&subscribe("e"));
    world.containers_updated();
    let events = world.events(stream);
    assert_eq!(events.len(), 2);
    let tasks: Vec<_> = events[1].launch_group.task_group.tasks.iter().map(|t| t.task_id.value.clone()).collect();
    assert_eq!(tasks, ["a", "b"]);
    assert_eq!(world.agent.snapshot().state.executors().next().unwrap().launched.len(), 2);
}

#[test]
fn a_group_dies_whole() {
    let mut world = World::registered();
    world.master_sends(&group(&["a", "b"]));
    world.master_sends(&kill("b"));
    let text = "A task within the task group was killed before delivery to the executor".to_owned();
    let each = (TaskState::TASK_KILLED, Some(Reason::REASON_TASK_KILLED_DURING_LAUNCH), text);
    assert_eq!(world.statuses(), [each.clone(), each]);
}

#[test]
fn a_second_subscription_replaces_the_first() {
    let mut world = World::registered();
    world.run(&command_task("t"));
    let first = world.call(&subscribe("t"));
    world.containers_updated();
    let mut again = subscribe("t");
    let unacknowledged = call::Subscribe {
        unacknowledged_tasks: vec![task("t")],
        unacknowledged_updates: vec![call::Update {
            status: field(status("t", TaskState::TASK_STARTING, 1)),
            ..Default::default()
        }],
        ..Default::default()
    };
    again.subscribe = field(unacknowledged);
    let second = world.call(&again);
    assert!(world.is_closed(first));
    assert_eq!(world.updates()[0].status.state, TaskState::TASK_STARTING);
    let kinds: Vec<_> = world.events(second).iter().map(|event| event.r#type.unwrap()).collect();
    assert_eq!(kinds, [event::Type::ACKNOWLEDGED, event::Type::SUBSCRIBED]);
}

#[test]
fn a_task_lost_on_the_way_to_a_returning_executor_is_reported() {
    let mut world = World::registered();
    world.run(&command_task("t"));
    world.call(&subscribe("t"));
    world.containers_updated();
    world.call(&subscribe("t"));
    let text = "Task launched during agent restart".to_owned();
    assert_eq!(world.statuses(), [(TaskState::TASK_LOST, Some(Reason::REASON_AGENT_RESTARTED), text)]);
}

#[test]
fn an_executor_of_a_leaving_framework_is_told_to_go() {
    let mut world = World::registered();
    world.run(&command_task("t"));
    world.master_sends(&ShutdownFrameworkMessage { framework_id: framework_id(), ..Default::default() });
    let stream = world.call(&subscribe("t"));
    assert_eq!(world.events(stream)[0].r#type, Some(event::Type::SHUTDOWN));
    assert!(world.is_closed(stream));
}

#[test]
fn a_silent_stream_gets_a_heartbeat_every_half_hour() {
    let mut world = World::registered();
    world.run(&command_task("t"));
    let stream = world.call(&subscribe("t"));
    world.containers_updated();
    world.pass(Duration::from_secs(3600));
    let beats = world.events(stream).iter().filter(|e| e.r#type == Some(event::Type::HEARTBEAT)).count();
    assert_eq!(beats, 2);
}

#[test]
fn the_end_of_a_container_ends_its_stream() {
    let mut world = World::registered();
    let container = world.run(&command_task("t"));
    let stream = world.call(&subscribe("t"));
    world.terminated(&container, 0);
    assert!(world.effects.contains(&Effect::Net(NetEffect::StreamClose(stream))));
}

#[test]
fn a_message_of_an_executor_reaches_its_scheduler() {
    let mut world = World::registered();
    let mut message = command_task("t");
    message.pid = None;
    world.run(&message);
    world.call(&subscribe("t"));
    let mut call = call_of("t", call::Type::MESSAGE);
    call.message = field(call::Message { data: b"hi".to_vec(), ..Default::default() });
    let id = world.call(&call);
    assert_eq!(world.response(id).status, 202);
    assert_eq!(world.sent::<ExecutorToFrameworkMessage>(&master())[0].data, b"hi");
}

#[test]
fn executor_requests_are_checked_in_order() {
    let mut world = World::registered();
    world.run(&command_task("t"));
    let ids = r#""executor_id":{"value":"t"},"framework_id":{"value":"M-0000"}"#;
    let uuid = "AAAAAAAAQACAAAAAAAAAAA==";
    let status =
        |more: &str| format!(r#"{{{ids},"type":"UPDATE","update":{{"status":{{"task_id":{{"value":"t"}},{more}}}}}}}"#);
    let ok = format!(r#""state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","uuid":"{uuid}""#);
    let cases: Vec<(String, u16, String)> = vec![
        ("{".into(), 400, "Failed to parse body into JSON".into()),
        ("{}".into(), 400, "Failed to convert JSON into Call protobuf: Missing required fields".into()),
        (format!("{{{ids}}}"), 400, "Failed to validate Executor::Call: Expecting 'type' to be present".into()),
        (format!(r#"{{{ids},"type":"SUBSCRIBE"}}"#), 400, "Failed to validate Executor::Call: Expecting 'subscribe' to be present".into()),
        (format!(r#"{{{ids},"type":"MESSAGE"}}"#), 400, "Failed to validate Executor::Call: Expecting 'message' to be present".into()),
        (format!(r#"{{{ids},"type":"UPDATE"}}"#), 400, "Failed to validate Executor::Call: Expecting 'update' to be present".into()),
        (status(r#""state":"TASK_RUNNING""#), 400, "Failed to validate Executor::Call: Expecting 'uuid' to be present".into()),
        (status(r#""state":"TASK_RUNNING","uuid":"AAAA""#), 400, "Failed to validate Executor::Call: Not a valid UUID".into()),
        (
            status(&format!(r#""state":"TASK_RUNNING","uuid":"{uuid}""#)),
            400,
            "Failed to validate Executor::Call: Received Call from executor t of framework M-0000 with invalid source, expecting 'SOURCE_EXECUTOR'".into(),
        ),
        (
            status(&format!(r#""state":"TASK_STAGING","source":"SOURCE_EXECUTOR","uuid":"{uuid}""#)),
            400,
            "Failed to validate Executor::Call: Received TASK_STAGING from executor t of framework M-0000 which is not allowed".into(),
        ),
        (
            status(&format!(r#"{ok},"check_status":{{}}"#)),
            400,
            "Failed to validate Executor::Call: CheckStatusInfo must specify 'type'".into(),
        ),
        (
            status(&format!(r#"{ok},"check_status":{{"type":"HTTP","tcp":{{}}}}"#)),
            400,
            "Failed to validate Executor::Call: Expecting 'http' to be set for HTTP check's status".into(),
        ),
        (
            status(&format!(r#"{ok},"check_status":{{"type":"UNKNOWN"}}"#)),
            400,
            "Failed to validate Executor::Call: 'UNKNOWN' is not a valid check's status type".into(),
        ),
        (
            status(&format!(r#"{ok},"executor_id":{{"value":"u"}}"#)),
            400,
            "Failed to validate Executor::Call: ExecutorID in Call: t does not match ExecutorID in TaskStatus: u".into(),
        ),
        (status(&ok), 403, "Executor is not subscribed".into()),
        (format!(r#"{{{ids},"type":"HEARTBEAT"}}"#), 202, String::new()),
        (format!(r#"{{{ids},"type":"UNKNOWN"}}"#), 403, "Executor is not subscribed".into()),
    ];
    for (body, expected, text) in cases {
        let (code, answer) = world.ask(post_json(EXECUTOR, &body));
        assert_eq!(code, expected, "{body}: {answer}");
        assert!(answer.starts_with(&text), "{body}: {answer}");
    }
    for (id, framework, text) in
        [("u", FRAMEWORK, "Executor cannot be found"), ("t", "other", "Framework cannot be found")]
    {
        let body = format!(
            r#"{{"executor_id":{{"value":"{id}"}},"framework_id":{{"value":"{framework}"}},"type":"SUBSCRIBE","subscribe":{{}}}}"#
        );
        assert_eq!(world.ask(post_json(EXECUTOR, &body)), (400, text.into()));
    }
}

#[test]
fn executor_requests_must_be_posts_of_a_known_type() {
    let mut world = World::registered();
    let text = "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.";
    assert_eq!(world.ask(get(EXECUTOR)), (405, text.into()));
    let mut bare = post(EXECUTOR, "", Vec::new());
    bare.headers.clear();
    assert_eq!(world.ask(bare), (400, "Expecting 'Content-Type' to be present".into()));
    let text = "Expecting 'Content-Type' of application/json or application/x-protobuf";
    assert_eq!(world.ask(post(EXECUTOR, "text/plain", Vec::new())), (415, text.into()));
    let text = "Failed to parse body into Call protobuf";
    assert_eq!(world.ask(post(EXECUTOR, "application/x-protobuf", vec![0xff])), (400, text.into()));
    world.run(&command_task("t"));
    let body = tepui_proto::codec::encode(&subscribe("t"));
    let mut request = post(EXECUTOR, "application/x-protobuf", body.to_vec());
    request.headers.push(("accept".into(), "text/plain".into()));
    let text = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";
    assert_eq!(world.ask(request), (406, text.into()));
}

#[test]
fn the_operator_api_answers_what_the_agent_knows() {
    let mut world = World::registered();
    world.run(&command_task("t"));
    let mut ask = |kind: &str| world.ask(post_json(OPERATOR, &format!(r#"{{"type":"{kind}"}}"#)));
    assert_eq!(ask("GET_HEALTH"), (200, r#"{"type":"GET_HEALTH","get_health":{"healthy":true}}"#.into()));
    let version = r#"{"type":"GET_VERSION","get_version":{"version_info":{"version":"1.11.0"}}}"#;
    assert_eq!(ask("GET_VERSION"), (200, version.into()));
    let flags = r#"{"type":"GET_FLAGS","get_flags":{"flags":[{"name":"port","value":"5051"}]}}"#;
    assert_eq!(ask("GET_FLAGS"), (200, flags.into()));
    let (_, agent) = ask("GET_AGENT");
    let start = r#"{"type":"GET_AGENT","get_agent":{"agent_info":{"hostname":"localhost","port":5051,"resources":["#;
    assert!(agent.starts_with(start), "{agent}");
    let (_, tasks) = ask("GET_TASKS");
    let start = r#"{"type":"GET_TASKS","get_tasks":{"pending_tasks":[],"queued_tasks":[{"name":"t","task_id":"#;
    assert!(tasks.starts_with(start), "{tasks}");
    let end = r#""launched_tasks":[],"terminated_tasks":[],"completed_tasks":[]}}"#;
    assert!(tasks.ends_with(end), "empty lists are shown: {tasks}");
    let (_, state) = ask("GET_STATE");
    let order = [r#""get_tasks":{"#, r#""get_executors":{"#, r#""get_frameworks":{"#, r#""completed_frameworks":[]"#];
    let places: Vec<usize> = order.iter().map(|key| state.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{state}");
    assert_eq!(ask("GET_METRICS").0, 400);
    assert_eq!(ask("GET_OPERATIONS"), (200, r#"{"type":"GET_OPERATIONS","get_operations":{}}"#.into()));
    let none = r#"{"type":"GET_RESOURCE_PROVIDERS","get_resource_providers":{}}"#;
    assert_eq!(ask("GET_RESOURCE_PROVIDERS"), (200, none.into()));
    assert_eq!(ask("PRUNE_IMAGES"), (501, "PRUNE_IMAGES calls are not implemented by this agent".into()));
    assert_eq!(ask("UNKNOWN"), (501, "501 Not Implemented.".into()));
    let text = "Failed to validate agent::Call: Expecting 'type' to be present";
    assert_eq!(ask("NO_SUCH_CALL"), (400, text.into()));
}

#[test]
fn state_shows_frameworks_executors_and_tasks() {
    let mut world = World::registered();
    let container = world.run(&command_task("t"));
    world.call(&subscribe("t"));
    world.containers_updated();
    world.call(&update_call("t", status("t", TaskState::TASK_RUNNING, 1)));
    let (code, state) = world.ask(get("/slave(1)/state"));
    assert_eq!(code, 200);
    let value = tepui_proto::json::parse(state.as_bytes()).expect("it is JSON");
    assert_eq!(value["id"], AGENT_ID);
    assert_eq!(value["pid"], "slave(1)@127.0.0.1:5051");
    assert_eq!(value["unreserved_resources_full"][0]["role"], "*");
    let executor = &value["frameworks"][0]["executors"][0];
    assert_eq!(executor["container"], container.as_str());
    assert_eq!(executor["role"], "*");
    let task = &executor["tasks"][0];
    assert_eq!((&task["id"], &task["state"], &task["executor_id"]), (&"t".into(), &"TASK_RUNNING".into(), &"".into()));
    assert_eq!(task["slave_id"], AGENT_ID);
    assert_eq!(task["statuses"][0]["container_status"]["container_id"]["value"], container.as_str());
    let used = &value["unreserved_resources_allocated"];
    assert_eq!(used["cpus"].to_string(), "1.1");
    let (_, containers) = world.ask(get("/slave(1)/containers"));
    assert!(containers.contains(r#""executor_pid":4242"#), "{containers}");
    let (_, metrics) = world.ask(get("/slave(1)/metrics/snapshot"));
    for entry in [r#""slave/tasks_running":1.0"#, r#""slave/cpus_used":1.1"#, r#""slave/registered":1.0"#] {
        assert!(metrics.contains(entry), "{metrics}");
    }
}

#[test]
fn the_command_of_a_queued_task_has_the_short_form_of_mesos() {
    let mut world = World::registered();
    world.run(&command_task("t"));
    let (_, state) = world.ask(get("/state"));
    let value = tepui_proto::json::parse(state.as_bytes()).expect("it is JSON");
    let queued = &value["frameworks"][0]["executors"][0]["queued_tasks"][0];
    assert_eq!(queued["id"], "t");
    assert_eq!(queued["command"], serde_json::json!({"value": "sleep 100", "argv": [], "uris": []}));
}

#[test]
fn keys_of_state_come_in_the_order_of_mesos() {
    let mut world = World::registered();
    let (_, state) = world.ask(get("/state"));
    let keys = [
        "version",
        "start_time",
        "id",
        "pid",
        "hostname",
        "capabilities",
        "resources",
        "reserved_resources",
        "unreserved_resources",
        "reserved_resources_full",
        "unreserved_resources_full",
        "reserved_resources_allocated",
        "unreserved_resources_allocated",
        "resource_providers",
        "attributes",
        "flags",
        "frameworks",
        "completed_frameworks",
    ];
    let places: Vec<usize> = keys.iter().map(|key| state.find(&format!("\"{key}\":")).expect(key)).collect();
    assert!(places.is_sorted(), "{state}");
}

#[test]
fn small_endpoints() {
    let mut world = World::registered();
    assert_eq!(world.ask(get("/slave(1)/health")), (200, String::new()));
    assert_eq!(world.ask(get("/slave(1)/flags")), (200, r#"{"flags":{"port":"5051"}}"#.into()));
    let version = r#"{"tepui_version":"0.1.0","version":"1.11.0"}"#;
    assert_eq!(world.ask(get("/slave(1)/version")), (200, version.into()));
    let mut padded = get("/flags");
    padded.query = "jsonp=show".into();
    assert_eq!(world.ask(padded), (200, r#"show({"flags":{"port":"5051"}})"#.into()));
    assert_eq!(world.ask(get("/slave(1)/nothing")), (404, "404 Not Found.".into()));
    // Without an authorizer any method reads, and what is below an endpoint is that endpoint.
    assert_eq!(world.ask(post_json("/slave(1)/state", "{}")).0, 200);
    assert_eq!(world.ask(post_json("/health", "")).0, 200);
    assert_eq!(world.ask(get("/flags/x/y")).0, 200);
    assert_eq!(world.ask(get("/api/v1/x")).0, 404);
}
