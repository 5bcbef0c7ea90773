//! What the master tells and shows of the allocator.

mod harness;

use harness::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tepui_allocator::{Allocator, Input, RoleQuota};
use tepui_base::series::Series;
use tepui_base::{Instant, Machine, Outbox};
use tepui_master::view::allocator::Figures;
use tepui_master::{Config, Snapshot, view};
use tepui_proto::ContentType;
use tepui_registry::Registrar;
use tepui_resources::{Limits, Quantities};

/// Of a Mesos 1.11.0 master with one agent, the keys of the allocator.
const GOLDEN: [&str; 11] = [
    "allocator/event_queue_dispatches",
    "allocator/mesos/allocation_run_latency_ms",
    "allocator/mesos/allocation_run_ms",
    "allocator/mesos/allocation_runs",
    "allocator/mesos/event_queue_dispatches",
    "allocator/mesos/resources/cpus/offered_or_allocated",
    "allocator/mesos/resources/cpus/total",
    "allocator/mesos/resources/disk/offered_or_allocated",
    "allocator/mesos/resources/disk/total",
    "allocator/mesos/resources/mem/offered_or_allocated",
    "allocator/mesos/resources/mem/total",
];

fn metrics(world: &World, figures: Option<Figures>) -> Value {
    let snapshot = Snapshot { allocator: figures.map(Arc::new), ..world.master.snapshot() };
    let response = view::respond(&snapshot, &tepui_api::NoHost, &request("GET", "/metrics/snapshot", "", &[], b""));
    serde_json::from_str(&text(&response)).unwrap()
}

#[test]
fn metrics_of_the_allocator_have_the_names_of_mesos() {
    let mut world = World::new();
    let agent = world.register_agent(1, "cpus:4;mem:4096;disk:4096");
    world.register_agent(2, "cpus(idle):0.5;ports(idle):[1-2]");
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.launch(&scheduler, &[&offer], vec![task("t", &agent, "cpus:1;mem:32")]);
    let role = "*";
    let (guarantees, limits) = (Quantities::parse("cpus:2").unwrap(), Limits::parse("cpus:3;mem:100").unwrap());
    let quota = Input::UpdateQuota(RoleQuota { role: role.into(), guarantees, limits });
    world.allocator.handle(world.now, quota, &mut Outbox::default());

    let mut run = Series::default();
    (1..=2).for_each(|millis| run.push(Instant(0), f64::from(millis)));
    let run = run.statistics();
    let figures = Figures { metrics: world.allocator.metrics(), waiting: 3, run: run.clone(), latency: run };
    let shown = metrics(&world, Some(figures));
    let keys = shown.as_object().unwrap();
    for key in GOLDEN {
        assert!(keys.contains_key(key), "{key}");
    }
    for of in ["count", "max", "min", "p50", "p90", "p95", "p99", "p999", "p9999"] {
        assert!(keys.contains_key(&format!("allocator/mesos/allocation_run_ms/{of}")), "{of}");
    }
    let of_quota = |name: &str| shown[format!("allocator/mesos/quota/roles/{role}/resources/{name}")].clone();
    for (name, expected) in [
        ("cpus/guarantee", json!(2.0)),
        ("cpus/limit", json!(3.0)),
        ("mem/limit", json!(100.0)),
        ("mem/guarantee", Value::Null),
        ("cpus/consumed", json!(1.0)),
        ("mem/consumed", json!(32.0)),
    ] {
        assert_eq!(of_quota(name), expected, "{name}");
    }
    assert_eq!(of_quota("cpus/offered_or_allocated"), shown["allocator/mesos/resources/cpus/offered_or_allocated"]);
    assert_eq!(shown["allocator/mesos/event_queue_dispatches"], json!(3.0));
    assert_eq!(shown["allocator/mesos/allocation_run_ms"], json!(2.0));
    assert!(keys.contains_key(&format!("allocator/mesos/offer_filters/roles/{role}/active")));
    assert!(keys.contains_key(&format!("allocator/mesos/roles/{role}/shares/dominant")));
    assert_eq!(shown["allocator/mesos/offer_filters/roles/idle/active"], json!(0.0), "reservations make a role known");
    assert_eq!(shown["allocator/mesos/quota/roles//resources/cpus/consumed"], json!(1.5), "the root has what all have");
    assert!(!keys.contains_key("allocator/mesos/quota/roles/idle/resources/ports/consumed"), "only scalars count");
}

#[test]
fn nothing_is_made_up_when_nothing_is_known() {
    let shown = metrics(&World::new(), None);
    assert!(!shown.as_object().unwrap().keys().any(|key| key.starts_with("allocator/")));
}

#[test]
fn only_requests_for_metrics_ask_the_allocator() {
    let get = |path: &str| view::allocator::is_wanted(&request("GET", path, "", &[], b""));
    assert!(get("/metrics/snapshot") && !get("/state") && !get("/api/v1"));
    let call = |body: &str| {
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        view::allocator::is_wanted(&request("POST", "/api/v1", "", &headers, body.as_bytes()))
    };
    assert!(call(r#"{"type": "GET_METRICS", "get_metrics": {}}"#));
    assert!(!call(r#"{"type": "GET_STATE"}"#) && !call("{"));
}

#[test]
fn weights_of_the_flag_count_and_are_shown() {
    let mut config = Config::new(master_pid(), "master.local");
    config.weights.insert("*".to_owned(), 2.5);
    let mut world = World::with(config, Registrar::default());
    world.register_agent(1, "cpus:4;mem:4096");
    world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let role = world.json("/roles")["roles"][0].clone();
    assert_eq!((&role["name"], &role["weight"]), (&json!("*"), &json!(2.5)));
    let share = world.allocator.metrics().roles[0].dominant_share.unwrap();
    assert!((share - 1.0 / 2.5).abs() < 1e-9, "the share {share} is divided by the weight");
}
