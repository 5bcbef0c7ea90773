//! Reads that have a rule of their own: summaries, texts that are kept, what lies around the master, names of metrics.

mod harness;

use harness::*;
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::time::Duration;
use tepui_api::metrics::Values;
use tepui_api::{FilesError, Host};
use tepui_master::view;
use tepui_proto::mesos::{FileInfo, TaskState};
use tepui_proto::{ContentType, codec};

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";

fn cluster() -> (World, Scheduler, String) {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f g", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    let tasks = vec![task("t", &agent, "cpus:1;mem:32"), task("u", &agent, "cpus:1;mem:32")];
    world.launch(&scheduler, &[&offer], tasks);
    world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 1);
    (world, scheduler, agent)
}

#[test]
fn a_summary_counts_tasks_by_state() {
    let (mut world, scheduler, agent) = cluster();
    world.update(1, &scheduler.id, "u", TaskState::TASK_FAILED, 2);
    let summary = world.json("/state-summary");
    assert_eq!(summary["hostname"], "master.local");
    let (shown_agent, framework) = (&summary["slaves"][0], &summary["frameworks"][0]);
    assert_eq!((&shown_agent["id"], &framework["id"]), (&json!(agent), &json!(scheduler.id)));
    for shown in [shown_agent, framework] {
        assert_eq!((&shown["TASK_RUNNING"], &shown["TASK_FAILED"]), (&json!(1), &json!(1)));
        for state in ["STAGING", "STARTING", "KILLING", "FINISHED", "KILLED", "LOST", "ERROR", "UNREACHABLE"] {
            assert_eq!(shown[format!("TASK_{state}")], json!(0), "{state}");
        }
    }
    assert_eq!(shown_agent["framework_ids"], json!([scheduler.id]));
    assert_eq!(framework["slave_ids"], json!([agent]));
    assert!(shown_agent["resources"].is_object() && shown_agent.get("reserved_resources_full").is_none());
    assert!(framework["capabilities"].is_array() && framework.get("tasks").is_none());
}

#[test]
fn an_agent_without_tasks_counts_none() {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    let shown_agent = &world.json("/state-summary")["slaves"][0];
    assert_eq!((&shown_agent["TASK_RUNNING"], &shown_agent["framework_ids"]), (&json!(0), &json!([])));
}

/// What is kept from one answer for the next must show every change in between.
#[test]
fn a_kept_text_is_never_old() {
    let (mut world, scheduler, agent) = cluster();
    let used = |world: &mut World, path: &str| world.json(path)["slaves"][0]["used_resources"]["cpus"].clone();
    for path in ["/state", "/slaves", "/state-summary"] {
        assert_eq!(used(&mut world, path), json!(2.0), "{path}");
    }
    let states = |world: &mut World| -> Vec<Value> {
        let state = world.json("/state");
        let tasks = state["frameworks"][0]["tasks"].as_array().unwrap().clone();
        assert_eq!(world.json("/frameworks")["frameworks"][0]["tasks"], json!(tasks));
        tasks.iter().map(|task| task["state"].clone()).collect()
    };
    assert_eq!(states(&mut world), ["TASK_RUNNING", "TASK_STAGING"]);
    let before = world.master.snapshot();
    world.update(1, &scheduler.id, "u", TaskState::TASK_RUNNING, 3);
    world.update(1, &scheduler.id, "t", TaskState::TASK_FAILED, 2);
    assert_eq!(states(&mut world), ["TASK_FAILED", "TASK_RUNNING"]);
    for path in ["/state", "/slaves", "/state-summary"] {
        assert_eq!(used(&mut world, path), json!(1.0), "{path}");
    }
    let old = respond(&before, &Around::default(), "GET", "/state", "");
    let old: Value = serde_json::from_str(&text(&old)).unwrap();
    assert_eq!(old["slaves"][0]["used_resources"]["cpus"], json!(2.0), "a reader keeps what it has seen");
    assert_eq!(old["slaves"][0]["id"], json!(agent));
}

#[test]
fn resources_are_summed_by_name() {
    let mut world = World::new();
    world.register_agent(
        1,
        "cpus:1;cpus(r):2;gpus:1;mem:10;ports(r):[5-6];ports:[1-2,4-4];names:{a};names(r):{b};x:2.5",
    );
    let shown_agent = &world.json("/state")["slaves"][0];
    assert_eq!(
        shown_agent["resources"],
        json!({"disk": 0.0, "mem": 10.0, "gpus": 1.0, "cpus": 3.0, "x": 2.5,
               "ports": "[1-2, 4-6]", "names": "{a, b}"})
    );
    assert_eq!(
        shown_agent["reserved_resources"],
        json!({"r": {"disk": 0.0, "mem": 0.0, "gpus": 0.0, "cpus": 2.0, "ports": "[5-6]", "names": "{b}"}})
    );
    assert_eq!(shown_agent["unreserved_resources"]["ports"], "[1-2, 4-4]");
    assert_eq!(shown_agent["used_resources"], json!({"disk": 0.0, "mem": 0.0, "gpus": 0.0, "cpus": 0.0}));
}

#[test]
fn every_plain_metric_of_mesos_has_its_name() {
    let (mut world, scheduler, _) = cluster();
    let metrics = world.json("/metrics/snapshot");
    // The queues and the cache are around the machine, and measured there.
    let around = ["master/event_queue_", "master/http_cache_hits", "master/operator_event_stream_subscribers"];
    for name in include_str!("golden/metrics.txt").lines() {
        let elsewhere = around.iter().any(|prefix| name.starts_with(prefix));
        assert!(elsewhere || metrics[name].is_number(), "{name}");
    }
    for name in include_str!("golden/framework_metrics.txt").lines() {
        let full = format!("master/frameworks/f%20g/{}/{name}", scheduler.id);
        assert!(metrics[&full].is_number(), "{full}");
    }
    assert_eq!(metrics[format!("master/frameworks/f%20g/{}/operations/launch", scheduler.id)], json!(2.0));
    assert_eq!(metrics["master/operations/total"], json!(0.0));
    assert_eq!(metrics["master/cpus_used"], json!(2.0));
    assert_eq!(metrics["master/tasks_staging"], json!(1.0));
}

#[test]
fn what_cannot_be_set_is_empty() {
    let mut world = World::new();
    for (path, expected) in [("/quota", "{}"), ("/master/weights", "[]")] {
        let response = world.get(path);
        assert_eq!((response.status, text(&response).as_str()), (200, expected));
    }
    assert_eq!(text(&world.get("/weights?jsonp=f")), "f([])");
    let mut status = |method: &str, path: &str| {
        let (_, response) = world.http(request(method, path, "", &[], b""));
        (response.status, response.headers.iter().find(|(name, _)| *name == "Allow").map(|(_, value)| value.clone()))
    };
    assert_eq!(status("PUT", "/weights"), (501, None));
    assert_eq!(status("POST", "/weights"), (405, Some("GET, PUT".to_owned())));
    assert_eq!(status("PUT", "/quota"), (405, Some("GET, POST, DELETE".to_owned())));
    for (kind, expected) in [
        ("GET_QUOTA", r#"{"type":"GET_QUOTA","get_quota":{"status":{}}}"#),
        ("GET_WEIGHTS", r#"{"type":"GET_WEIGHTS"}"#),
        ("GET_OPERATIONS", r#"{"type":"GET_OPERATIONS","get_operations":{}}"#),
    ] {
        assert_eq!(text(&world.post_json("/api/v1", &format!(r#"{{"type":"{kind}"}}"#))), expected);
    }
}

/// What a test plays around the master.
#[derive(Default)]
struct Around {
    set: OnceLock<(u32, Duration)>,
}

impl Host for Around {
    fn list_files(&self, path: &str) -> Result<Vec<FileInfo>, FilesError> {
        match path {
            "/master" => Ok(vec![FileInfo { path: "/master/log".to_owned(), size: Some(5), ..Default::default() }]),
            "/secret" => Err(FilesError::Invalid("no\n".to_owned())),
            _ => Err(FilesError::NotFound),
        }
    }

    fn read_file(&self, path: &str, offset: u64, length: Option<u64>) -> Result<(u64, Vec<u8>), FilesError> {
        assert_eq!((path, offset, length), ("/master/log", 1, Some(3)));
        Ok((5, b"ell".to_vec()))
    }

    fn logging_level(&self) -> u32 {
        2
    }

    fn set_logging_level(&self, level: u32, time: Duration) {
        self.set.set((level, time)).expect("it is set once");
    }

    fn metrics(&self) -> Values {
        Values::from([("system/cpus_total".to_owned(), 2.0)])
    }
}

fn respond(
    snapshot: &tepui_master::Snapshot,
    host: &Around,
    method: &str,
    path: &str,
    body: &str,
) -> tepui_wire::Response {
    let json = [("content-type", "application/json")];
    view::respond(snapshot, host, &request(method, path, "", &json, body.as_bytes()))
}

#[test]
fn calls_for_the_process_reach_it() {
    let (snapshot, host) = (World::new().master.snapshot(), Around::default());
    let call = |body: &str| {
        let response = respond(&snapshot, &host, "POST", "/api/v1", body);
        (response.status, text(&response))
    };
    assert_eq!(
        call(r#"{"type":"LIST_FILES","list_files":{"path":"/master"}}"#),
        (200, r#"{"type":"LIST_FILES","list_files":{"file_infos":[{"path":"/master/log","size":5}]}}"#.to_owned())
    );
    assert_eq!(call(r#"{"type":"LIST_FILES","list_files":{"path":"/x"}}"#), (404, String::new()));
    assert_eq!(call(r#"{"type":"LIST_FILES","list_files":{"path":"/secret"}}"#), (400, "no\n".to_owned()));
    assert_eq!(
        call(r#"{"type":"READ_FILE","read_file":{"path":"/master/log","offset":1,"length":3}}"#),
        (200, r#"{"type":"READ_FILE","read_file":{"size":5,"data":"ZWxs"}}"#.to_owned())
    );
    assert_eq!(
        call(r#"{"type":"GET_LOGGING_LEVEL"}"#),
        (200, r#"{"type":"GET_LOGGING_LEVEL","get_logging_level":{"level":2}}"#.to_owned())
    );
    let set = r#"{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":3,"duration":{"nanoseconds":1000000000}}}"#;
    assert_eq!(call(set), (200, String::new()));
    assert_eq!(host.set.get(), Some(&(3, Duration::from_secs(1))));
    let (status, metrics) = call(r#"{"type":"GET_METRICS","get_metrics":{}}"#);
    assert_eq!(status, 200);
    assert!(metrics.contains(r#"{"name":"system/cpus_total","value":2.0}"#), "{metrics}");
    assert!(metrics.contains(r#"{"name":"master/elected","value":1.0}"#), "{metrics}");
}

#[test]
fn a_call_without_its_part_is_refused_by_the_name_of_the_part() {
    let mut world = World::new();
    for kind in [
        "GET_METRICS",
        "SET_LOGGING_LEVEL",
        "LIST_FILES",
        "READ_FILE",
        "UPDATE_WEIGHTS",
        "RESERVE_RESOURCES",
        "UNRESERVE_RESOURCES",
        "CREATE_VOLUMES",
        "DESTROY_VOLUMES",
        "GROW_VOLUME",
        "SHRINK_VOLUME",
        "UPDATE_MAINTENANCE_SCHEDULE",
        "START_MAINTENANCE",
        "STOP_MAINTENANCE",
        "DRAIN_AGENT",
        "DEACTIVATE_AGENT",
        "REACTIVATE_AGENT",
        "UPDATE_QUOTA",
        "SET_QUOTA",
        "REMOVE_QUOTA",
        "TEARDOWN",
        "MARK_AGENT_GONE",
    ] {
        let response = world.post_json("/api/v1", &format!(r#"{{"type":"{kind}"}}"#));
        let part = kind.to_lowercase();
        let expected = format!("Failed to validate master::Call: Expecting '{part}' to be present");
        assert_eq!((response.status, text(&response)), (400, expected));
    }
    let response = world.post_json("/api/v1", r#"{"type":"UPDATE_WEIGHTS","update_weights":{}}"#);
    let expected = "UPDATE_WEIGHTS calls are not implemented by this master".to_owned();
    assert_eq!((response.status, text(&response)), (501, expected));
}

#[test]
fn protobuf_answers_say_the_same() {
    use tepui_proto::mesos::master::{Call, Response, call::Type};
    let (snapshot, host) = (World::new().master.snapshot(), Around::default());
    let form = "application/x-protobuf";
    let body = codec::encode(&Call { r#type: Some(Type::GET_LOGGING_LEVEL), ..Default::default() });
    let asked = request("POST", "/api/v1", "", &[("content-type", form), ("accept", form)], &body);
    let response = view::respond(&snapshot, &host, &asked);
    let tepui_wire::http::Body::Full(bytes) = &response.body else { panic!("a whole body") };
    let answer: Response = codec::decode(bytes).unwrap();
    assert_eq!(answer.get_logging_level.level, 2);
}

#[test]
fn large_answers_are_shared_and_small_ones_are_not() {
    let shared = |path: &str, body: &str| {
        let json = [("content-type", "application/json")];
        view::is_shared(&request("POST", path, "", &json, body.as_bytes()))
    };
    for path in ["/state", "/master/state/", "/slaves", "/state-summary", "/frameworks", "/tasks", "/roles"] {
        assert!(shared(path, ""), "{path}");
    }
    for path in ["/health", "/version", "/metrics/snapshot", "/flags", "/redirect", "/nowhere"] {
        assert!(!shared(path, ""), "{path}");
    }
    assert!(shared("/api/v1", r#"{"type":"GET_STATE"}"#));
    assert!(!shared("/api/v1", r#"{"type":"READ_FILE","read_file":{"path":"/x","offset":0}}"#));
    assert!(!shared("/api/v1", r#"{"type":"GET_HEALTH"}"#));
}
