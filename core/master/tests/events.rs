//! The operator event stream: what its subscribers are told, in which order and in which form.

mod harness;

use harness::*;
use serde_json::{Value, json};
use std::time::Duration;
use tepui_master::Config;
use tepui_proto::mesos::internal::UnregisterAgentMessage;
use tepui_proto::mesos::master::event::Type;
use tepui_proto::mesos::master::{Call, call};
use tepui_proto::mesos::scheduler::event;
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{AgentID, FrameworkInfo, TaskState};
use tepui_proto::{ContentType, MessageField, codec};
use tepui_registry::Registrar;
use tepui_wire::{NetInput, RequestId};

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";

/// Subscribes an operator.
fn watch(world: &mut World, form: ContentType) -> RequestId {
    let call = Call { r#type: Some(call::Type::SUBSCRIBE), ..Default::default() };
    let headers = [("content-type", "application/x-protobuf"), ("accept", form.as_str())];
    let (stream, response) = world.http(request("POST", "/api/v1", "", &headers, &codec::encode(&call)));
    assert_eq!(response.status, 200, "{}", text(&response));
    assert_eq!(world.header(stream, "Content-Type"), form.as_str());
    assert_eq!(world.header(stream, "Mesos-Stream-Id"), "", "operators have none");
    stream
}

/// What the stream said since it was asked last, as JSON.
fn heard(world: &mut World, stream: RequestId) -> Vec<Value> {
    let records = world.records.remove(&stream).unwrap_or_default();
    records.iter().map(|record| serde_json::from_slice(record).unwrap()).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// A cluster with a watching operator, whose first events are read.
fn watched() -> (World, RequestId) {
    let mut world = World::new();
    let stream = watch(&mut world, ContentType::Json);
    assert_eq!(kinds(&heard(&mut world, stream)), ["SUBSCRIBED", "HEARTBEAT"]);
    (world, stream)
}

/// Launches tasks on the first offer of a framework.
fn launch(world: &mut World, by: &Scheduler, ids: &[&str]) -> String {
    let offers = world.offers(by);
    let agent = offers[0].agent_id.value.clone();
    let tasks = ids.iter().map(|id| task(id, &agent, "cpus:1;mem:32")).collect();
    assert_eq!(world.launch(by, &[&offers[0]], tasks).status, 202);
    agent
}

fn subscribe(world: &mut World) -> Scheduler {
    world.subscribe(framework("f", &[]), ContentType::Json)
}

#[test]
fn the_first_event_is_the_state_as_recorded() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = subscribe(&mut world);
    world.advance(Duration::from_secs(1));
    launch(&mut world, &scheduler, &["t"]);
    let state = world.post_json("/api/v1", r#"{"type":"GET_STATE"}"#);
    let state: Value = serde_json::from_str(&text(&state)).unwrap();
    let stream = watch(&mut world, ContentType::Json);
    let first = &world.records[&stream][0];
    let raw = std::str::from_utf8(first).unwrap();
    assert!(
        raw.starts_with(r#"{"type":"SUBSCRIBED","subscribed":{"get_state":{"get_tasks":{"tasks":[{"name":"#),
        "{raw}"
    );
    assert!(raw.ends_with(r#","recovered_agents":[]}},"heartbeat_interval_seconds":15.0}}"#), "{raw}");
    let events = heard(&mut world, stream);
    assert_eq!(events[0]["subscribed"]["get_state"], state["get_state"]);
    assert_eq!(events[0]["subscribed"]["get_state"]["get_agents"]["agents"][0]["agent_info"]["id"]["value"], agent);
    assert_eq!(events[1..], [json!({"type": "HEARTBEAT"})]);
}

#[test]
fn a_heartbeat_comes_every_15_seconds_until_the_subscriber_leaves() {
    let (mut world, stream) = watched();
    world.advance(Duration::from_secs(14));
    assert!(heard(&mut world, stream).is_empty());
    world.advance(Duration::from_secs(31));
    assert_eq!(kinds(&heard(&mut world, stream)), ["HEARTBEAT"; 3]);
    assert_eq!(world.json("/metrics/snapshot")["master/operator_event_stream_subscribers"], 1.0);
    world.input(NetInput::StreamClosed(stream));
    world.advance(Duration::from_secs(60));
    assert!(heard(&mut world, stream).is_empty());
    assert_eq!(world.json("/metrics/snapshot")["master/operator_event_stream_subscribers"], 0.0);
}

#[test]
fn the_life_of_a_task_is_told_in_order() {
    let (mut world, stream) = watched();
    let agent = world.register_agent(1, AGENT);
    let scheduler = subscribe(&mut world);
    world.advance(Duration::from_secs(1));
    launch(&mut world, &scheduler, &["t"]);
    let events = heard(&mut world, stream);
    assert_eq!(kinds(&events), ["AGENT_ADDED", "FRAMEWORK_ADDED", "TASK_ADDED"]);
    let shown = &events[0]["agent_added"]["agent"];
    assert_eq!(shown["agent_info"]["id"]["value"], agent);
    assert_eq!(shown["agent_info"].get("checkpoint"), None, "events are V1 messages, unlike the answer of GET_AGENTS");
    assert_eq!((&shown["active"], &shown["deactivated"]), (&json!(true), &json!(false)));
    assert_eq!(
        events[1]["framework_added"]["framework"],
        json!({
            "framework_info": {
                "user": "user", "name": "f", "id": {"value": scheduler.id},
                "failover_timeout": 0.0, "checkpoint": false,
            },
            "active": true, "connected": true, "recovered": false,
            "registered_time": {"nanoseconds": 1_700_000_000_000_000_000u64},
            "reregistered_time": {"nanoseconds": 1_700_000_000_000_000_000u64},
            "unregistered_time": {"nanoseconds": 0},
        })
    );
    let added = &events[2]["task_added"]["task"];
    assert_eq!((&added["state"], &added["task_id"]["value"]), (&json!("TASK_STAGING"), &json!("t")));

    world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 1);
    world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 1);
    world.update(1, &scheduler.id, "t", TaskState::TASK_FINISHED, 2);
    world.call(&scheduler, acknowledge(&agent, "t", 1));
    world.call(&scheduler, acknowledge(&agent, "t", 2));
    let events = heard(&mut world, stream);
    assert_eq!(
        kinds(&events),
        ["TASK_UPDATED", "TASK_UPDATED"],
        "a repeated state is no news, nor is an end acknowledged"
    );
    let states: Vec<_> = events.iter().map(|event| event["task_updated"]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["TASK_RUNNING", "TASK_FINISHED"]);
    assert_eq!(events[0]["task_updated"]["framework_id"]["value"], scheduler.id);
    assert_eq!(events[0]["task_updated"]["status"]["uuid"], "AAAAAAAAQACAAAAAAAAAAQ==");

    let leaves = UnregisterAgentMessage {
        agent_id: MessageField::some(AgentID { value: agent.clone(), ..Default::default() }),
        ..Default::default()
    };
    world.send(&agent_pid(1), &leaves);
    let events = heard(&mut world, stream);
    assert_eq!(events, [json!({"type": "AGENT_REMOVED", "agent_removed": {"agent_id": {"value": agent}}})]);
}

#[test]
fn a_changed_check_of_a_task_in_the_same_state_is_news() {
    let (mut world, stream) = watched();
    let agent = world.register_agent(1, AGENT);
    let scheduler = subscribe(&mut world);
    world.advance(Duration::from_secs(1));
    launch(&mut world, &scheduler, &["t"]);
    world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 1);
    heard(&mut world, stream);
    let mut update = status_update(&agent, &scheduler.id, "t", TaskState::TASK_RUNNING, 2);
    let mut status = update.status.into_option().unwrap();
    status.reason = Some(Reason::REASON_TASK_HEALTH_CHECK_STATUS_UPDATED);
    status.healthy = Some(false);
    update.status = MessageField::some(status);
    let message =
        tepui_proto::mesos::internal::StatusUpdateMessage { update: MessageField::some(update), ..Default::default() };
    world.send(&agent_pid(1), &message);
    let events = heard(&mut world, stream);
    assert_eq!(kinds(&events), ["TASK_UPDATED"]);
    assert_eq!(events[0]["task_updated"]["status"]["healthy"], false);
}

#[test]
fn a_framework_that_ends_takes_its_tasks_with_it() {
    let (mut world, stream) = watched();
    world.register_agent(1, AGENT);
    let info = FrameworkInfo { failover_timeout: Some(100.0), ..framework("f", &[]) };
    let scheduler = world.subscribe(info.clone(), ContentType::Protobuf);
    world.advance(Duration::from_secs(1));
    launch(&mut world, &scheduler, &["t"]);
    heard(&mut world, stream);

    world.input(NetInput::StreamClosed(scheduler.stream));
    assert!(heard(&mut world, stream).is_empty(), "no event for a framework that disconnects");
    let again = FrameworkInfo { id: field_id(&scheduler.id), webui_url: Some("http://w".into()), ..info };
    world.subscribe(again, ContentType::Json);
    let events = heard(&mut world, stream);
    assert_eq!(kinds(&events), ["FRAMEWORK_UPDATED"]);
    let shown = &events[0]["framework_updated"]["framework"];
    assert_eq!((&shown["connected"], &shown["framework_info"]["webui_url"]), (&json!(true), &json!("http://w")));

    world.post_json(
        "/api/v1",
        &format!(r#"{{"type":"TEARDOWN","teardown":{{"framework_id":{{"value":"{}"}}}}}}"#, scheduler.id),
    );
    let events = heard(&mut world, stream);
    assert_eq!(kinds(&events), ["TASK_UPDATED", "FRAMEWORK_REMOVED"]);
    assert_eq!(events[0]["task_updated"]["state"], "TASK_KILLED");
    assert_eq!(events[1]["framework_removed"]["framework_info"]["id"]["value"], scheduler.id);
}

#[test]
fn what_an_unknown_agent_brings_is_told_after_the_agent() {
    let (mut world, stream) = watched();
    let info = FrameworkInfo { id: field_id("old-0000"), ..framework("f", &[]) };
    let staging = task("t", "old-S0", "cpus:1;mem:32");
    let running = tepui_proto::mesos::Task {
        name: "t".to_owned(),
        task_id: staging.task_id.clone(),
        framework_id: field_id("old-0000"),
        agent_id: staging.agent_id.clone(),
        state: TaskState::TASK_RUNNING,
        resources: staging.resources.clone(),
        ..Default::default()
    };
    world.send(&agent_pid(1), &reregister_message(1, AGENT, "old-S0", vec![info], vec![running]));
    let events = heard(&mut world, stream);
    assert_eq!(kinds(&events), ["AGENT_ADDED", "FRAMEWORK_ADDED", "TASK_ADDED"]);
    let framework = &events[1]["framework_added"]["framework"];
    assert_eq!((&framework["recovered"], &framework["connected"]), (&json!(true), &json!(false)));
    world.audit();
}

#[test]
fn both_forms_say_the_same_and_a_subscriber_of_now_misses_what_was_before() {
    let (mut world, early) = watched();
    let scheduler = subscribe(&mut world);
    let late = watch(&mut world, ContentType::Protobuf);
    let agent = world.register_agent(1, AGENT);
    let events: Vec<tepui_proto::mesos::master::Event> =
        world.records[&late].iter().map(|record| codec::decode(record).unwrap()).collect();
    let types: Vec<Type> = events.iter().map(|event| event.r#type.unwrap()).collect();
    assert_eq!(types, [Type::SUBSCRIBED, Type::HEARTBEAT, Type::AGENT_ADDED]);
    let first = &events[0].subscribed;
    assert_eq!(first.heartbeat_interval_seconds, Some(15.0));
    assert_eq!(first.get_state.get_frameworks.frameworks[0].framework_info.id.value, scheduler.id);
    assert!(first.get_state.get_agents.agents.is_empty(), "what comes as an event is not in the state");
    assert_eq!(events[2].agent_added.agent.agent_info.id.value, agent);
    assert_eq!(kinds(&heard(&mut world, early)), ["FRAMEWORK_ADDED", "AGENT_ADDED"]);
}

#[test]
fn one_subscriber_too_many_pushes_out_the_oldest() {
    let config = Config { max_operator_event_stream_subscribers: 2, ..Config::new(master_pid(), "master.local") };
    let mut world = World::with(config, Registrar::default());
    let streams = [(); 3].map(|()| watch(&mut world, ContentType::Json));
    assert_eq!(world.closed.iter().copied().collect::<Vec<_>>(), streams[..1]);
    world.register_agent(1, AGENT);
    let last = streams.map(|stream| kinds(&heard(&mut world, stream)).last().unwrap().to_string());
    assert_eq!(last, ["HEARTBEAT", "AGENT_ADDED", "AGENT_ADDED"]);
}

#[test]
fn an_operator_that_leaves_is_no_framework_that_leaves() {
    let (mut world, stream) = watched();
    world.register_agent(1, AGENT);
    let scheduler = subscribe(&mut world);
    world.input(NetInput::StreamClosed(stream));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.offers(&scheduler).len(), 1);
    assert!(world.events(&scheduler, event::Type::ERROR).is_empty());
}

#[test]
fn subscribe_is_checked_as_every_call_is() {
    let mut world = World::new();
    let refused = world
        .http(request(
            "POST",
            "/api/v1",
            "",
            &[("content-type", "application/json"), ("accept", "text/html")],
            br#"{"type":"SUBSCRIBE"}"#,
        ))
        .1;
    assert_eq!(refused.status, 406);
    let mut young = World::recovering();
    let answer = young.post_json("/api/v1", r#"{"type":"SUBSCRIBE"}"#);
    assert_eq!((answer.status, text(&answer).as_str()), (503, "Master has not finished recovery"));
}
