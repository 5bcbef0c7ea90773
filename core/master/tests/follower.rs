//! A master that does not lead: what it answers itself, whom it sends to the leader, and what it says when there is none.

mod harness;

use harness::*;
use std::sync::Arc;
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Wall};
use tepui_master::follower::Input;
use tepui_master::metrics::Counter;
use tepui_master::{Config, Effect, Follower, Master, master_info};
use tepui_proto::MessageField;
use tepui_proto::mesos::domain_info::{FaultDomain, fault_domain::RegionInfo};
use tepui_proto::mesos::{DomainInfo, MasterInfo};
use tepui_wire::{Message, NetEffect, NetInput, Request, RequestId, Response};

fn config() -> Config {
    Config::new(master_pid(), "this.local")
}

fn leader() -> MasterInfo {
    MasterInfo { port: 5051, ..master_info(&Config::new(master_pid(), "leader.local"), 2) }
}

fn handle(follower: &mut Follower, input: Input) -> Vec<Effect> {
    let (now, mut out) = (Now { monotonic: Instant(5), wall: Wall(5) }, Outbox::default());
    follower.handle(now, input, &mut out);
    let free = |entry| if let Entry::Free(effect) = entry { effect } else { panic!("a follower has no disk") };
    out.drain().map(free).collect()
}

fn ask(follower: &mut Follower, request: Request) -> Response {
    let mut effects = handle(follower, Input::Net(NetInput::Http(RequestId(1), request)));
    let Some(Effect::Net(NetEffect::Respond(RequestId(1), response))) = effects.pop() else { panic!("an answer") };
    assert!(effects.is_empty());
    response
}

fn following(leader: Option<MasterInfo>) -> Follower {
    let mut follower = Follower::new(config(), 1);
    assert!(handle(&mut follower, Input::Leader(leader.map(Arc::new))).is_empty());
    follower
}

fn location(response: &Response) -> &str {
    let header = response.headers.iter().find(|(name, _)| *name == "Location");
    header.map_or("", |(_, value)| value)
}

fn requested(line: &str) -> Request {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    request(method, path, query, &[("content-type", "application/json")], b"{}")
}

/// Every route that 1.11 leads to the leader, whatever the method.
const OF_THE_LEADER: [&str; 22] = [
    "POST /master/api/v1",
    "GET /master/api/v1",
    "POST /master/api/v1/scheduler",
    "POST /master/create-volumes",
    "POST /master/destroy-volumes",
    "GET /master/frameworks",
    "POST /master/machine/down",
    "POST /master/machine/up",
    "GET /master/maintenance/schedule",
    "POST /master/maintenance/schedule",
    "GET /master/maintenance/status",
    "PUT /master/quota",
    "POST /master/reserve",
    "GET /master/roles",
    "GET /master/slaves",
    "GET /master/state",
    "GET /master/state-summary",
    "GET /master/tasks",
    "POST /master/teardown",
    "POST /master/unreserve",
    "GET /master/weights",
    "GET /master/state/below",
];

#[test]
fn what_only_the_leader_answers_is_asked_of_it() {
    let (mut led, mut alone) = (following(Some(leader())), following(None));
    for line in OF_THE_LEADER {
        let response = ask(&mut led, requested(line));
        let (_, path) = line.split_once(' ').unwrap();
        assert_eq!((response.status, text(&response).as_str()), (307, ""), "{line}");
        assert_eq!(location(&response), format!("//leader.local:5051{path}"), "{line}");
        let response = ask(&mut alone, requested(line));
        assert_eq!((response.status, text(&response).as_str()), (503, "No leader elected"), "{line}");
    }
}

#[test]
fn the_query_goes_along() {
    let mut led = following(Some(leader()));
    let response = ask(&mut led, requested("GET /master/tasks?limit=1&order=a%20b+c&jsonp="));
    assert_eq!(location(&response), "//leader.local:5051/master/tasks?jsonp&limit=1&order=a%20b%20c");
}

#[test]
fn a_leader_without_a_name_is_reached_at_its_address() {
    let mut led = following(Some(MasterInfo { hostname: None, ..leader() }));
    assert_eq!(location(&ask(&mut led, requested("GET /state"))), "//10.0.0.1:5051/state");
}

#[test]
fn redirect_leads_to_the_root_of_the_leader_and_never_in_a_circle() {
    let (mut led, mut alone) = (following(Some(leader())), following(None));
    for path in ["GET /redirect", "GET /master/redirect", "POST /master/redirect"] {
        let response = ask(&mut led, requested(path));
        assert_eq!((response.status, location(&response)), (307, "//leader.local:5051"), "{path}");
        assert_eq!(ask(&mut alone, requested(path)).status, 503);
    }
    let response = ask(&mut led, requested("GET /master/redirect/state"));
    assert_eq!((response.status, text(&response).as_str()), (404, "404 Not Found."));
    let mut world = World::new();
    assert_eq!(location(&world.get("/master/redirect")), "//master.local:5050", "the leader leads to itself");
    assert_eq!(world.get("/master/redirect/state").status, 404);
}

#[test]
fn what_every_master_answers_it_answers_itself() {
    for leader in [Some(leader()), None] {
        let mut follower = following(leader);
        assert_eq!(ask(&mut follower, requested("GET /master/health")), Response::empty(200));
        let version = ask(&mut follower, requested("GET /version"));
        assert!(version.status == 200 && text(&version).contains(r#""version":"1.11.0""#));
        let flags = ask(&mut follower, requested("GET /master/flags"));
        assert_eq!((flags.status, text(&flags).as_str()), (200, r#"{"flags":{}}"#));
        assert_eq!(ask(&mut follower, requested("GET /master/nothing")).status, 404);
    }
}

#[test]
fn metrics_say_that_it_is_not_elected_and_count_what_it_drops() {
    let mut follower = following(Some(leader())).up_since(Wall(0));
    let message = Message {
        epoch: None,
        from: agent_pid(1),
        to: master_pid(),
        name: "mesos.internal.RegisterSlaveMessage".to_owned(),
        body: Default::default(),
    };
    assert!(handle(&mut follower, Input::Net(NetInput::Message(message))).is_empty(), "nobody is answered");
    assert!(handle(&mut follower, Input::Net(NetInput::Exited(agent_pid(1)))).is_empty());
    let metrics = ask(&mut follower, requested("GET /metrics/snapshot"));
    let metrics: serde_json::Value = serde_json::from_str(&text(&metrics)).unwrap();
    assert_eq!(
        (metrics["master/elected"].as_f64(), metrics["master/dropped_messages"].as_f64()),
        (Some(0.0), Some(1.0))
    );
    assert_eq!(metrics["master/uptime_secs"].as_f64(), Some(5e-9));
    let of_the_leader = World::new().json("/metrics/snapshot");
    for name in of_the_leader.as_object().unwrap().keys().filter(|name| name.starts_with("master/")) {
        assert!(metrics.get(name).is_some(), "{name}");
    }
    assert_eq!(of_the_leader["master/elected"], 1.0);
    assert_eq!(follower.snapshot().metrics.get(Counter::DroppedMessages), 1);
}

fn in_region(name: &str) -> DomainInfo {
    let region = MessageField::some(RegionInfo { name: name.to_owned(), ..Default::default() });
    let fault_domain = MessageField::some(FaultDomain { region, ..Default::default() });
    DomainInfo { fault_domain, ..Default::default() }
}

#[test]
fn masters_of_one_cluster_stand_in_one_region() {
    let of = |ours: Option<&str>, theirs: Option<&str>| {
        let config = Config { domain: ours.map(in_region), ..config() };
        let info = MasterInfo { domain: theirs.map(in_region).into(), ..leader() };
        handle(&mut Follower::new(config, 1), Input::Leader(Some(Arc::new(info))))
    };
    for (ours, theirs) in [(None, None), (Some("a"), None), (None, Some("a")), (Some("a"), Some("a"))] {
        assert!(of(ours, theirs).is_empty(), "{ours:?} {theirs:?}");
    }
    let effects = of(Some("a"), Some("b"));
    let [Effect::Exit(why)] = &effects[..] else { panic!("{effects:?}") };
    assert!(why.starts_with("Leading master uses domain {") && why.ends_with("must use the same region"), "{why}");
}

#[test]
fn a_master_has_the_name_it_contended_under() {
    let master = Master::new(config(), 9, Arc::new(tepui_hooks::NoHooks)).up_since(Wall(3));
    assert_eq!(*master.snapshot().info, master_info(&config(), 9));
    assert_eq!(master.snapshot().started, Some(Wall(3)));
    assert_ne!(master_info(&config(), 9).id, master_info(&config(), 10).id, "every term has an id of its own");
    assert_eq!(Follower::new(config(), 9).snapshot().info.id, master_info(&config(), 9).id);
}
