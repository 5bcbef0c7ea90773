//! What the agent shows with the help of the process around it, and the names of its metrics.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_agent::view;
use tepui_api::metrics::Values;
use tepui_api::{FilesError, Host};
use tepui_proto::json;
use tepui_proto::mesos::{FileInfo, ResourceStatistics};
use tepui_wire::{Body, Request};

/// A process in which every container uses something.
struct Around;

impl Host for Around {
    fn list_files(&self, path: &str) -> Result<Vec<FileInfo>, FilesError> {
        assert_eq!(path, "/slave");
        Ok(vec![FileInfo { path: "/slave/log".to_owned(), ..Default::default() }])
    }

    fn read_file(&self, _: &str, _: u64, _: Option<u64>) -> Result<(u64, Vec<u8>), FilesError> {
        Err(FilesError::Failed("broken\n".to_owned()))
    }

    fn logging_level(&self) -> u32 {
        1
    }

    fn set_logging_level(&self, level: u32, time: Duration) {
        assert_eq!((level, time), (2, Duration::from_secs(3)));
    }

    fn metrics(&self) -> Values {
        Values::from([("containerizer/fetcher/task_fetches_succeeded".to_owned(), 1.0)])
    }

    fn usage(&self, _: &str) -> Option<ResourceStatistics> {
        Some(ResourceStatistics {
            cpus_user_time_secs: Some(0.5),
            cpus_system_time_secs: Some(0.25),
            mem_rss_bytes: Some(4096),
            ..Default::default()
        })
    }
}

fn ask(world: &World, request: &Request) -> (u16, String) {
    let response = view::respond(&world.agent.snapshot(), &Around, request);
    let Body::Full(body) = &response.body else { panic!("a whole body") };
    (response.status, String::from_utf8_lossy(body).into_owned())
}

fn running() -> World {
    let mut world = World::registered();
    world.run(&command_task("t"));
    world.call(&subscribe("t"));
    world.containers_updated();
    world
}

#[test]
fn containers_show_what_they_use_and_may_use() {
    let world = running();
    let now = world.agent.snapshot().now.wall.as_secs_f64();
    let (status, text) = ask(&world, &get("/slave(1)/monitor/statistics"));
    assert_eq!(status, 200);
    let shown = &json::parse(text.as_bytes()).unwrap()[0];
    assert_eq!((&shown["executor_id"], &shown["source"]), (&"t".into(), &"t".into()));
    let keys: Vec<&String> = shown["statistics"].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "cpus_soft_limit",
            "cpus_system_time_secs",
            "cpus_user_time_secs",
            "mem_limit_bytes",
            "mem_rss_bytes",
            "mem_soft_limit_bytes",
            "timestamp"
        ]
    );
    assert_eq!(shown["statistics"]["timestamp"].as_f64(), Some(now));
    assert_eq!(shown["statistics"]["cpus_soft_limit"].as_f64(), Some(1.1));
    let (_, containers) = ask(&world, &get("/containers"));
    let shown = &json::parse(containers.as_bytes()).unwrap()[0];
    assert_eq!(shown["statistics"]["mem_rss_bytes"].as_u64(), Some(4096));
    let (_, answer) = ask(&world, &post_json("/api/v1", r#"{"type":"GET_CONTAINERS"}"#));
    assert!(answer.contains(r#""resource_statistics":{"timestamp":"#), "{answer}");
}

#[test]
fn what_cannot_be_measured_is_left_out() {
    let mut world = running();
    assert_eq!(world.ask(get("/monitor/statistics")), (200, "[]".to_owned()));
    let (_, containers) = world.ask(get("/containers"));
    assert!(containers.starts_with(r#"[{"container_id":""#) && !containers.contains("statistics"), "{containers}");
}

#[test]
fn without_containers_the_type_is_the_whole_answer() {
    let (_, answer) = ask(&World::registered(), &post_json("/api/v1", r#"{"type":"GET_CONTAINERS"}"#));
    assert_eq!(answer, r#"{"type":"GET_CONTAINERS"}"#);
}

#[test]
fn calls_that_come_later_are_checked_as_if_they_were_there() {
    let world = World::registered();
    for (kind, part) in [("LAUNCH_NESTED_CONTAINER", "launch_nested_container"), ("KILL_CONTAINER", "kill_container")] {
        let (status, text) = ask(&world, &post_json("/api/v1", &format!(r#"{{"type":"{kind}"}}"#)));
        assert_eq!((status, text), (400, format!("Failed to validate agent::Call: Expecting '{part}' to be present")));
    }
    let (status, _) = ask(&world, &post_json("/api/v1", r#"{"type":"PRUNE_IMAGES"}"#));
    assert_eq!(status, 501);
    let (status, text) = ask(&world, &post("/api/v1", "application/recordio", Vec::new()));
    assert_eq!((status, text.as_str()), (400, "Expecting 'Message-Content-Type' to be set for streaming requests"));
}

#[test]
fn containers_can_be_asked_for_by_their_id_alone() {
    let world = running();
    let count = |query: &str| {
        let request = Request { query: query.to_owned(), ..get("/containers") };
        json::parse(ask(&world, &request).1.as_bytes()).unwrap().as_array().unwrap().len()
    };
    // The others came after 1.11.
    assert_eq!([count(""), count("container_id=x"), count("executor_id=u"), count("framework_id=x")], [1, 0, 1, 1]);
}

#[test]
fn calls_for_the_process_reach_it() {
    let world = World::registered();
    let call = |body: &str| ask(&world, &post_json("/api/v1", body));
    assert_eq!(
        call(r#"{"type":"LIST_FILES","list_files":{"path":"/slave"}}"#),
        (200, r#"{"type":"LIST_FILES","list_files":{"file_infos":[{"path":"/slave/log"}]}}"#.to_owned())
    );
    assert_eq!(call(r#"{"type":"READ_FILE","read_file":{"path":"/x","offset":0}}"#), (500, "broken\n".to_owned()));
    assert_eq!(
        call(r#"{"type":"GET_LOGGING_LEVEL"}"#),
        (200, r#"{"type":"GET_LOGGING_LEVEL","get_logging_level":{"level":1}}"#.to_owned())
    );
    let set = r#"{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":2,"duration":{"nanoseconds":3000000000}}}"#;
    assert_eq!(call(set), (200, String::new()));
    for part in ["get_metrics", "set_logging_level", "list_files", "read_file"] {
        let expected = format!("Failed to validate agent::Call: Expecting '{part}' to be present");
        assert_eq!(call(&format!(r#"{{"type":"{}"}}"#, part.to_uppercase())), (400, expected));
    }
}

#[test]
fn every_metric_of_mesos_has_its_name() {
    let (status, text) = ask(&World::registered(), &get("/metrics/snapshot"));
    assert_eq!(status, 200);
    let metrics = json::parse(text.as_bytes()).unwrap();
    // How old a sandbox may become depends on their collection, which is not built; failed fetches are counted around.
    let absent = ["slave/executor_directory_max_allowed_age_secs", "containerizer/fetcher/task_fetches_failed"];
    for name in include_str!("golden/metrics.txt").lines() {
        assert!(absent.contains(&name) || metrics[name].is_number(), "{name}");
    }
}

#[test]
fn small_reads() {
    let mut world = World::registered();
    assert_eq!(world.ask(get("/containerizer/debug")), (200, r#"{"pending":[]}"#.to_owned()));
    let wrong = Request { query: "timeout=soon".to_owned(), ..get("/metrics/snapshot") };
    let (status, text) = world.ask(wrong);
    assert_eq!(status, 400);
    assert!(text.starts_with("Invalid timeout 'soon': "), "{text}");
}
