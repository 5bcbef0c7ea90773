//! What is shown: shapes as the real Mesos 1.11.0 showed them when it was recorded.

mod harness;

use harness::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tepui_base::Wall;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::master::Response;
use tepui_proto::{ContentType, codec};

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";

/// A cluster with one running task.
fn cluster() -> (World, Scheduler, String) {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.launch(&scheduler, &[&offer], vec![task("t", &agent, "cpus:1;mem:32")]);
    world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 1);
    (world, scheduler, agent)
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn set(keys: &str) -> BTreeSet<&str> {
    keys.split_whitespace().collect()
}

fn api(world: &mut World, kind: &str) -> Value {
    let response = world.post_json("/api/v1", &format!(r#"{{"type":"{kind}","get_metrics":{{}}}}"#));
    assert_eq!(response.status, 200, "{}", text(&response));
    serde_json::from_str(&text(&response)).unwrap()
}

#[test]
fn the_state_has_the_keys_of_mesos() {
    let (mut world, _, _) = cluster();
    let state = world.json("/state");
    assert_eq!(
        keys(&state),
        set("activated_slaves build_date build_time build_user capabilities completed_frameworks \
             deactivated_slaves elected_time flags frameworks hostname id leader leader_info orphan_tasks \
             pid recovered_slaves slaves start_time unreachable_slaves unregistered_frameworks version")
    );
    assert_eq!(
        keys(&state["slaves"][0]),
        set("active attributes capabilities deactivated hostname id offered_resources pid port \
             registered_time reserved_resources resources unreserved_resources used_resources version")
    );
    let framework = &state["frameworks"][0];
    assert_eq!(
        keys(framework),
        set("active capabilities checkpoint completed_tasks connected executors failover_timeout hostname id \
             name offer_constraints offered_resources offers recovered registered_time resources role tasks \
             unreachable_tasks unregistered_time used_resources user webui_url")
    );
    assert_eq!(
        keys(&framework["tasks"][0]),
        set("executor_id framework_id id name resources role slave_id state statuses")
    );
    assert_eq!(state["version"], "1.11.0");
    assert_eq!(state["activated_slaves"], json!(1.0));
    assert_eq!(state["slaves"][0]["used_resources"], json!({"cpus": 1.0, "gpus": 0.0, "mem": 32.0, "disk": 0.0}));
    assert_eq!(state["slaves"][0]["resources"]["ports"], "[31000-32000]");
    assert_eq!(state["leader_info"]["pid"], "master@10.0.0.1:5050");
}

#[test]
fn agents_of_the_operator_api_are_as_recorded() {
    let (mut world, _, agent) = cluster();
    world.advance(Duration::from_secs(2));
    let answer = api(&mut world, "GET_AGENTS");
    let scalar = |name: &str, value: f64| json!({"name": name, "type": "SCALAR", "scalar": {"value": value}});
    let star = |mut resource: Value| {
        resource["role"] = json!("*");
        resource
    };
    let used = |name: &str, value: f64| {
        let mut resource = star(scalar(name, value));
        resource["allocation_info"] = json!({"role": "*"});
        resource
    };
    let ports = json!({"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 32000}]}});
    let shown = &answer["get_agents"]["agents"][0];
    assert_eq!(
        shown["agent_info"],
        json!({
            "hostname": "agent1.local", "port": 5051,
            "resources": [scalar("cpus", 4.0), scalar("mem", 4096.0), scalar("disk", 4096.0), ports],
            "id": {"value": agent}, "checkpoint": true,
        })
    );
    assert_eq!(shown["total_resources"][0], star(scalar("cpus", 4.0)));
    assert_eq!(shown["allocated_resources"], json!([used("cpus", 1.0), used("mem", 32.0)]));
    assert_eq!(shown["capabilities"][0], json!({"type": "MULTI_ROLE"}));
    assert_eq!(shown["pid"], "slave(1)@10.0.1.1:5051");
    assert_eq!(answer["get_agents"]["recovered_agents"], json!([]));
    assert_eq!(answer["type"], "GET_AGENTS");
}

#[test]
fn empty_lists_are_shown_where_mesos_shows_them() {
    let mut world = World::new();
    assert_eq!(
        api(&mut world, "GET_STATE"),
        json!({"type": "GET_STATE", "get_state": {
            "get_tasks": {"tasks": [], "unreachable_tasks": [], "completed_tasks": []},
            "get_executors": {"executors": []},
            "get_frameworks": {"frameworks": [], "completed_frameworks": []},
            "get_agents": {"agents": [], "recovered_agents": []},
        }})
    );
    assert_eq!(api(&mut world, "GET_ROLES"), json!({"type": "GET_ROLES", "get_roles": {}}));
    assert_eq!(api(&mut world, "GET_HEALTH"), json!({"type": "GET_HEALTH", "get_health": {"healthy": true}}));
    let master = api(&mut world, "GET_MASTER");
    assert_eq!(
        master["get_master"]["master_info"]["capabilities"],
        json!([{"type": "AGENT_UPDATE"}, {"type": "AGENT_DRAINING"}, {}])
    );
}

#[test]
fn both_forms_of_an_answer_say_the_same() {
    let (mut world, scheduler, _) = cluster();
    let call = codec::encode(&tepui_proto::mesos::master::Call {
        r#type: Some(tepui_proto::mesos::master::call::Type::GET_STATE),
        ..Default::default()
    });
    let form = "application/x-protobuf";
    let (_, response) = world.http(request("POST", "/api/v1", "", &[("content-type", form), ("accept", form)], &call));
    let tepui_wire::http::Body::Full(bytes) = &response.body else { panic!("a whole body") };
    let answer: Response = codec::decode(bytes).unwrap();
    let json = api(&mut world, "GET_STATE");
    let task = &answer.get_state.get_tasks.tasks[0];
    assert_eq!(task.task_id.value, json["get_state"]["get_tasks"]["tasks"][0]["task_id"]["value"]);
    assert_eq!(json["get_state"]["get_tasks"]["tasks"][0]["status_update_state"], "TASK_RUNNING");
    let framework = &answer.get_state.get_frameworks.frameworks[0];
    assert_eq!(framework.framework_info.id.value, scheduler.id);
    let shown = &json["get_state"]["get_frameworks"]["frameworks"][0];
    assert_eq!(shown["framework_info"]["failover_timeout"], json!(0.0));
    assert_eq!(shown["offer_constraints"], json!({}));
}

#[test]
fn roles_are_those_in_use() {
    let (mut world, scheduler, _) = cluster();
    world.advance(Duration::from_secs(1));
    let roles = world.json("/roles");
    assert_eq!(
        roles["roles"][0],
        json!({
            "name": "*", "weight": 1.0,
            "quota": {"role": "*", "guarantee": {}, "limit": {}, "consumed": {"cpus": 1.0, "mem": 32.0}},
            // Ranges count their members.
            "resources": {"cpus": 4.0, "disk": 4096.0, "mem": 4096.0, "ports": 1001.0},
            "allocated": {"cpus": 1.0, "mem": 32.0},
            "offered": {"cpus": 3.0, "disk": 4096.0, "mem": 4064.0, "ports": 1001.0},
            "reserved": {}, "frameworks": [scheduler.id],
        })
    );
}

#[test]
fn tasks_come_a_page_at_a_time() {
    let (mut world, scheduler, _) = cluster();
    assert_eq!(world.json("/tasks")["tasks"][0]["id"], "t");
    assert_eq!(world.json("/tasks?limit=0")["tasks"], json!([]));
    assert_eq!(world.json("/tasks?limit=-1")["tasks"][0]["id"], "t", "an int that is taken for a size");
    assert_eq!(world.json("/tasks?limit=5000000000")["tasks"][0]["id"], "t", "no int: the default");
    assert_eq!(world.json("/tasks?offset=-1")["tasks"], json!([]));
    assert_eq!(world.json("/tasks/below/it")["tasks"][0]["id"], "t", "what is below an endpoint is the endpoint");
    assert_eq!(world.get("/api/v1/below").status, 404);
    assert_eq!(world.json("/tasks?offset=1&order=asc")["tasks"], json!([]));
    assert_eq!(world.json("/tasks?task_id=other")["tasks"], json!([]));
    assert_eq!(world.json(&format!("/tasks?framework_id={}", scheduler.id))["tasks"][0]["id"], "t");
    assert_eq!(world.json("/slaves?slave_id=other")["slaves"], json!([]));
    assert_eq!(world.json("/frameworks?framework_id=other")["frameworks"], json!([]));
}

#[test]
fn small_endpoints_answer_as_mesos_does() {
    let mut world = World::new();
    let health = world.get("/health");
    assert_eq!((health.status, text(&health), health.headers.len()), (200, String::new(), 0));
    let version = world.json("/version");
    assert_eq!(version["version"], "1.11.0");
    assert!(version["tepui_version"].is_string());
    let redirect = world.get("/redirect");
    assert_eq!(redirect.status, 307);
    assert_eq!(redirect.headers, [("Location", "//master.local:5050".to_owned())]);
    let called = world.get("/version?jsonp=f");
    assert!(text(&called).starts_with("f({") && text(&called).ends_with("})"));
    assert_eq!(called.headers[0].1, "text/javascript");
    for path in ["/redirect/x", "/nonsense", "/state.json"] {
        let response = world.get(path);
        assert_eq!((response.status, text(&response).as_str()), (404, "404 Not Found."), "{path}");
    }
    let response = world.post_json("/api/v1", "{}");
    assert_eq!(text(&response), "Failed to validate master::Call: Expecting 'type' to be present");
    let response = world.get("/metrics/snapshot?timeout=x");
    assert_eq!(response.status, 400);
}

#[test]
fn counters_move() {
    let (mut world, scheduler, _) = cluster();
    let metrics = world.json("/metrics/snapshot");
    let framework = format!("master/frameworks/f/{}", scheduler.id);
    for (name, expected) in [
        ("master/slaves_connected", 1.0),
        ("master/tasks_running", 1.0),
        ("master/cpus_used", 1.0),
        ("master/cpus_percent", 0.25),
        ("master/messages_launch_tasks", 1.0),
        ("master/valid_status_updates", 1.0),
        ("master/slave_registrations", 1.0),
        ("master/uptime_secs", 1.0),
        (&format!("{framework}/calls/accept"), 1.0),
        (&format!("{framework}/events/subscribed"), 1.0),
        (&format!("{framework}/offers/accepted"), 1.0),
        (&format!("{framework}/tasks/active/task_running"), 1.0),
    ] {
        assert_eq!(metrics[name], json!(expected), "{name}");
    }
    world.update(1, &scheduler.id, "t", TaskState::TASK_FAILED, 2);
    let metrics = world.json("/metrics/snapshot");
    assert_eq!(metrics["master/tasks_failed"], json!(1.0));
    assert_eq!(metrics[format!("{framework}/tasks/terminal/task_failed")], json!(1.0));
}

#[test]
fn a_framework_can_be_torn_down_over_http() {
    let (mut world, scheduler, _) = cluster();
    let mut post = |body: &str| {
        let (_, response) = world.http(request("POST", "/teardown", "", &[], body.as_bytes()));
        (response.status, text(&response))
    };
    assert_eq!(post("x=1"), (400, "Missing 'frameworkId' query parameter in the request body".to_owned()));
    assert_eq!(post("frameworkId=x"), (400, "No framework found with specified ID".to_owned()));
    assert_eq!(post(&format!("frameworkId={}", scheduler.id)), (200, String::new()));
    assert!(world.json("/state")["frameworks"].as_array().unwrap().is_empty());
    assert_eq!(world.get("/teardown").status, 405);
}

#[test]
fn a_reader_keeps_what_it_has_seen() {
    let (mut world, scheduler, _) = cluster();
    let before = world.master.snapshot();
    world.update(1, &scheduler.id, "t", TaskState::TASK_FINISHED, 2);
    let state = |snapshot: &tepui_master::Snapshot| {
        snapshot.frameworks.values().next().unwrap().tasks.values().next().unwrap().state
    };
    assert_eq!(state(&before), TaskState::TASK_RUNNING);
    assert_eq!(state(&world.master.snapshot()), TaskState::TASK_FINISHED);
    assert!(before.started > Some(Wall(0)));
}
