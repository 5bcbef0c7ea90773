//! Maintenance: the schedule, machines that go down and come up, and what frameworks are asked.

mod harness;

use harness::*;
use serde_json::json;
use std::time::Duration;
use tepui_master::Config;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, FrameworkRegisteredMessage, InverseOffersMessage, RegisterFrameworkMessage,
    ReregisterAgentMessage, ResourceOffersMessage, ShutdownMessage,
};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::{Filters, InverseOffer, OfferID, TaskState};
use tepui_proto::{ContentType, MessageField};
use tepui_registry::{Registrar, State};
use tepui_wire::{NetInput, RequestId};

const AGENT: &str = "cpus:4;mem:4096";
const SCHEDULE: &str = "/maintenance/schedule";
const STATUS: &str = "/maintenance/status";

/// The machine of agent `number`.
fn machine(number: u8) -> serde_json::Value {
    json!({"hostname": format!("agent{number}.local"), "ip": format!("10.0.1.{number}")})
}

fn window(machines: &[serde_json::Value], start: i64) -> serde_json::Value {
    json!({"machine_ids": machines, "unavailability": {"start": {"nanoseconds": start}}})
}

/// A schedule with one window.
fn schedule(machines: &[serde_json::Value], start: i64) -> String {
    json!({"windows": [window(machines, start)]}).to_string()
}

fn post(world: &mut World, path: &str, body: &str) -> (u16, String) {
    let response = world.post_json(path, body);
    (response.status, text(&response))
}

/// Posts what is taken.
fn done(world: &mut World, path: &str, body: &str) {
    assert_eq!(post(world, path, body), (200, String::new()), "{body}");
}

fn inverse_offers(world: &mut World, by: &Scheduler) -> Vec<InverseOffer> {
    let events = world.events(by, event::Type::INVERSE_OFFERS);
    events.into_iter().flat_map(|event| event.inverse_offers.inverse_offers.clone()).collect()
}

fn rescinded(world: &mut World, by: &Scheduler) -> Vec<OfferID> {
    let events = world.events(by, event::Type::RESCIND_INVERSE_OFFER);
    events.into_iter().map(|event| (*event.rescind_inverse_offer.inverse_offer_id).clone()).collect()
}

fn filters(refuse_seconds: f64) -> MessageField<Filters> {
    MessageField::some(Filters { refuse_seconds: Some(refuse_seconds), ..Default::default() })
}

fn accept_inverse(ids: &[&OfferID], refuse_seconds: f64) -> Call {
    let inverse_offer_ids = ids.iter().map(|id| (*id).clone()).collect();
    let accept =
        call::AcceptInverseOffers { inverse_offer_ids, filters: filters(refuse_seconds), ..Default::default() };
    Call {
        r#type: Some(call::Type::ACCEPT_INVERSE_OFFERS),
        accept_inverse_offers: MessageField::some(accept),
        ..Default::default()
    }
}

fn decline_inverse(ids: &[&OfferID], refuse_seconds: f64) -> Call {
    let inverse_offer_ids = ids.iter().map(|id| (*id).clone()).collect();
    let decline =
        call::DeclineInverseOffers { inverse_offer_ids, filters: filters(refuse_seconds), ..Default::default() };
    Call {
        r#type: Some(call::Type::DECLINE_INVERSE_OFFERS),
        decline_inverse_offers: MessageField::some(decline),
        ..Default::default()
    }
}

/// A framework with a task on agent 1, and nothing on offer.
fn with_task(world: &mut World, content: ContentType) -> Scheduler {
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[Capability::PARTITION_AWARE]), content);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.launch(&scheduler, &[&offer], vec![task("t", &agent, AGENT)]);
    world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 1);
    world.audit();
    scheduler
}

/// What `/maintenance/status` says of the only machine: each framework's answer.
fn answers(world: &mut World) -> Vec<(String, String)> {
    let status = world.json(STATUS);
    let Some(answers) = status["draining_machines"][0]["statuses"].as_array() else { return Vec::new() };
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    answers.iter().map(|answer| (word(&answer["framework_id"]["value"]), word(&answer["status"]))).collect()
}

#[test]
fn a_schedule_is_shown_as_it_was_posted() {
    let mut world = World::new();
    for path in [SCHEDULE, STATUS] {
        assert_eq!(text(&world.get(path)), "{}");
    }
    let named = json!({"hostname": "b"});
    let body = json!({"windows": [
        window(&[machine(1), named.clone()], 10),
        {"machine_ids": [{"ip": "10.0.0.9"}], "unavailability": {"start": {"nanoseconds": 5}, "duration": {"nanoseconds": 7}}},
    ]});
    done(&mut world, SCHEDULE, &body.to_string());
    assert_eq!(world.json(SCHEDULE), body);
    let expected = concat!(
        r#"{"windows":[{"machine_ids":[{"hostname":"agent1.local","ip":"10.0.1.1"},{"hostname":"b"}],"#,
        r#""unavailability":{"start":{"nanoseconds":10}}},{"machine_ids":[{"ip":"10.0.0.9"}],"#,
        r#""unavailability":{"duration":{"nanoseconds":7},"start":{"nanoseconds":5}}}]}"#
    );
    assert_eq!(text(&world.get("/master/maintenance/schedule?jsonp=f")), format!("f({expected})"));
    done(&mut world, "/machine/down", &json!([named]).to_string());
    let status = r#"{"down_machines":[{"hostname":"b"}],"draining_machines":[{"id":{"ip":"10.0.0.9"}},{"id":{"hostname":"agent1.local","ip":"10.0.1.1"}}]}"#;
    assert_eq!(text(&world.get(STATUS)), status);
    done(&mut world, "/machine/up", r#"[{"hostname":"B"}]"#);
    done(&mut world, SCHEDULE, "{}");
    assert_eq!(text(&world.get(SCHEDULE)) + &text(&world.get(STATUS)), "{}{}");
}

#[test]
fn the_operator_api_does_the_same() {
    let mut world = World::new();
    let api = |world: &mut World, call: serde_json::Value| post(world, "/api/v1", &call.to_string());
    let update = |schedule: &str| {
        let schedule: serde_json::Value = serde_json::from_str(schedule).unwrap();
        json!({"type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": {"schedule": schedule}})
    };
    let none = api(&mut world, json!({"type": "GET_MAINTENANCE_SCHEDULE"}));
    assert_eq!(none.1, r#"{"type":"GET_MAINTENANCE_SCHEDULE","get_maintenance_schedule":{"schedule":{}}}"#);
    assert_eq!(api(&mut world, update(&schedule(&[machine(1), machine(2)], 3))), (200, String::new()));
    let start = json!({"type": "START_MAINTENANCE", "start_maintenance": {"machines": [machine(2)]}});
    assert_eq!(api(&mut world, start), (200, String::new()));
    let status = api(&mut world, json!({"type": "GET_MAINTENANCE_STATUS"})).1;
    let expected = concat!(
        r#"{"type":"GET_MAINTENANCE_STATUS","get_maintenance_status":{"status":{"draining_machines":[{"id":"#,
        r#"{"hostname":"agent1.local","ip":"10.0.1.1"}}],"down_machines":[{"hostname":"agent2.local","ip":"10.0.1.2"}]}}}"#
    );
    assert_eq!(status, expected);
    let stop = json!({"type": "STOP_MAINTENANCE", "stop_maintenance": {"machines": [machine(2)]}});
    assert_eq!(api(&mut world, stop), (200, String::new()));
    let shown = api(&mut world, json!({"type": "GET_MAINTENANCE_SCHEDULE"})).1;
    let expected = concat!(
        r#"{"type":"GET_MAINTENANCE_SCHEDULE","get_maintenance_schedule":{"schedule":{"windows":[{"machine_ids":"#,
        r#"[{"hostname":"agent1.local","ip":"10.0.1.1"}],"unavailability":{"start":{"nanoseconds":3}}}]}}}"#
    );
    assert_eq!(shown, expected);
    for part in ["update_maintenance_schedule", "start_maintenance", "stop_maintenance"] {
        let refused = api(&mut world, json!({"type": part.to_uppercase()}));
        let expected = format!("Failed to validate master::Call: Expecting '{part}' to be present");
        assert_eq!(refused, (400, expected));
    }
}

#[test]
fn what_is_wrong_is_refused_in_the_words_of_mesos() {
    let mut world = World::new();
    world.register_agent(3, AGENT);
    done(&mut world, SCHEDULE, &schedule(&[machine(1), machine(2)], 1));
    done(&mut world, "/machine/down", &json!([machine(1)]).to_string());
    let one = r#"{"hostname":"agent1.local","ip":"10.0.1.1"}"#;
    let two = r#"{"hostname":"agent2.local","ip":"10.0.1.2"}"#;
    let negative = r#"{"windows":[{"machine_ids":[{"hostname":"a"}],"unavailability":{"start":{"nanoseconds":1},"duration":{"nanoseconds":-1}}}]}"#;
    for (path, body, expected) in [
        (SCHEDULE, "[]".to_owned(), "Unexpected JSON type parsed".to_owned()),
        (SCHEDULE, r#"{"windows":[{"machine_ids":[{"hostname":"a"}]}]}"#.to_owned(), "Missing required fields: windows[0].unavailability".to_owned()),
        (SCHEDULE, schedule(&[], 1), "List of machines in the maintenance window is empty".to_owned()),
        (SCHEDULE, negative.to_owned(), "Unavailability 'duration' is negative".to_owned()),
        (SCHEDULE, schedule(&[json!({})], 1), "Both 'hostname' and 'ip' for a machine are empty".to_owned()),
        (SCHEDULE, schedule(&[json!({"ip": "1.2.3"})], 1), "Failed to parse IPv4: 1.2.3".to_owned()),
        (SCHEDULE, schedule(&[machine(2), machine(2)], 1), format!("Machine '{two}' appears more than once in the schedule")),
        (SCHEDULE, schedule(&[machine(2)], 1), format!("Machine '{one}' is deactivated and cannot be removed from the schedule")),
        ("/machine/down", "{}".to_owned(), "Unexpected JSON type parsed".to_owned()),
        ("/machine/down", "[1]".to_owned(), "Expecting a JSON object".to_owned()),
        ("/machine/down", "[]".to_owned(), "List of machines is empty".to_owned()),
        ("/machine/down", "[{}]".to_owned(), "Both 'hostname' and 'ip' for a machine are empty".to_owned()),
        ("/machine/down", json!([machine(2), machine(2)]).to_string(), format!("Machine '{two}' appears more than once in the schedule")),
        ("/machine/down", r#"[{"hostname":"a"}]"#.to_owned(), r#"Machine '{"hostname":"a"}' is not part of a maintenance schedule"#.to_owned()),
        ("/machine/down", json!([machine(1)]).to_string(), format!("Machine '{one}' is not in DRAINING mode and cannot be brought down")),
        ("/machine/down", json!([machine(3)]).to_string(), r#"Machine '{"hostname":"agent3.local","ip":"10.0.1.3"}' is not in DRAINING mode and cannot be brought down"#.to_owned()),
        ("/machine/up", r#"[{"hostname":"a"}]"#.to_owned(), r#"Machine '{"hostname":"a"}' is not part of a maintenance schedule"#.to_owned()),
        ("/machine/up", json!([machine(2)]).to_string(), format!("Machine '{two}' is not in DOWN mode and cannot be brought up")),
    ] {
        assert_eq!(post(&mut world, path, &body), (400, expected), "{path} {body}");
    }
    for (path, method, allowed) in [
        (SCHEDULE, "PUT", "GET, POST"),
        (STATUS, "POST", "GET"),
        ("/machine/down", "GET", "POST"),
        ("/machine/up", "GET", "POST"),
    ] {
        let (id, response) = world.http(request(method, path, "", &[], b""));
        assert_eq!((response.status, world.header(id, "Allow").as_str()), (405, allowed), "{path}");
    }
    assert_eq!(world.json(SCHEDULE)["windows"][0]["machine_ids"], json!([machine(1), machine(2)]), "nothing changed");
}

#[test]
fn an_answer_waits_for_the_registrar() {
    let mut world = World::new();
    world.hold_registry = true;
    let body = schedule(&[machine(1)], 1);
    world.input(NetInput::Http(RequestId(900), request("POST", SCHEDULE, "", &[], body.as_bytes())));
    assert!(!world.responses.contains_key(&RequestId(900)));
    assert_eq!(text(&world.get(SCHEDULE)), "{}");
    world.release_registry();
    world.tick();
    assert_eq!(world.responses[&RequestId(900)].status, 200);
    assert_eq!(world.json(STATUS), json!({"draining_machines": [{"id": machine(1)}]}));
}

#[test]
fn agents_of_a_machine_that_goes_down_are_removed_and_refused() {
    let mut world = World::new();
    let scheduler = with_task(&mut world, ContentType::Json);
    let other = world.register_agent(2, AGENT);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 1));
    world.events(&scheduler, event::Type::OFFERS);
    done(&mut world, "/machine/down", &json!([machine(1)]).to_string());
    let shutdown: Vec<ShutdownMessage> = world.received(&agent_pid(1));
    assert_eq!(shutdown[0].message.as_deref(), Some("Operator initiated 'Machine DOWN'"));
    let kinds: Vec<_> = world.streams[&scheduler.stream].iter().map(|event| event.r#type.unwrap()).collect();
    assert_eq!(kinds, [event::Type::UPDATE, event::Type::RESCIND_INVERSE_OFFER, event::Type::FAILURE]);
    let update = world.updates(&scheduler).remove(0);
    assert_eq!(update.state, TaskState::TASK_LOST);
    assert_eq!(update.message.as_deref(), Some("Agent agent1.local removed: Operator initiated 'Machine DOWN'"));
    let left: Vec<String> = world.master.snapshot().agents.keys().map(ToString::to_string).collect();
    assert_eq!(left, [other]);
    let metrics = world.json("/metrics/snapshot");
    assert_eq!(metrics["master/slave_removals"], 1.0);
    assert_eq!(metrics["master/slave_removals/reason_unregistered"], 0.0);

    world.send(&agent_pid(1), &register_message(1, AGENT));
    world.send(&agent_pid(1), &reregister_message(1, AGENT, "S-of-old", Vec::new(), Vec::new()));
    let refused: Vec<ShutdownMessage> = world.received(&agent_pid(1));
    let texts: Vec<_> = refused.iter().map(|refused| refused.message.as_deref()).collect();
    assert_eq!(texts, [Some("Machine is `DOWN`"); 2]);
    assert!(world.received::<AgentRegisteredMessage>(&agent_pid(1)).is_empty());

    done(&mut world, "/machine/up", &json!([machine(1)]).to_string());
    assert_eq!(text(&world.get(SCHEDULE)), "{}", "the window was empty");
    world.register_agent(1, AGENT);
    world.advance(Duration::from_secs(1));
    let offers = world.offers(&scheduler);
    assert!(!offers.is_empty() && offers.iter().all(|offer| !offer.unavailability.is_set()));
    world.audit();
}

#[test]
fn offers_tell_of_the_window_and_end_with_it() {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Protobuf);
    world.advance(Duration::from_secs(1));
    let before = world.offers(&scheduler).remove(0);
    assert!(!before.unavailability.is_set());
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    let kinds: Vec<_> = world.streams[&scheduler.stream].iter().map(|event| event.r#type.unwrap()).collect();
    // Whoever is offered something of the agent is asked to give it back, too.
    assert_eq!(kinds, [event::Type::RESCIND, event::Type::OFFERS, event::Type::INVERSE_OFFERS]);
    let after = world.offers(&scheduler).remove(0);
    assert_eq!(after.unavailability.start.nanoseconds, 77);
}

fn check_inverse_offers(content: ContentType) {
    let mut world = World::new();
    let scheduler = with_task(&mut world, content);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    let asked = inverse_offers(&mut world, &scheduler);
    let [offer] = &asked[..] else { panic!("one window, one question: {asked:?}") };
    assert!(offer.id.value.ends_with("-O1"), "offers and inverse offers share their numbers: {}", offer.id.value);
    assert_eq!(offer.framework_id.value, scheduler.id);
    assert_eq!(offer.agent_id.value, world.agent_id_of(1));
    assert_eq!(offer.url.path.as_deref(), Some("/slave(1)"));
    assert_eq!(offer.unavailability.start.nanoseconds, 77);
    assert!(offer.resources.is_empty());
    world.advance(Duration::from_secs(5));
    assert!(inverse_offers(&mut world, &scheduler).is_empty(), "it has not answered");
    let shown = world.post_json("/api/v1", r#"{"type":"GET_FRAMEWORKS"}"#);
    assert!(text(&shown).contains(r#""inverse_offers":[{"id":{"value":""#), "{}", text(&shown));

    assert_eq!(world.call(&scheduler, accept_inverse(&[&offer.id], 3.0)).status, 202);
    assert_eq!(answers(&mut world), [(scheduler.id.clone(), "ACCEPT".to_owned())]);
    world.advance(Duration::from_secs(2));
    assert!(inverse_offers(&mut world, &scheduler).is_empty(), "it wants to be left alone");
    world.advance(Duration::from_secs(2));
    let again = inverse_offers(&mut world, &scheduler).remove(0);
    assert_eq!(world.call(&scheduler, decline_inverse(&[&again.id], 0.0)).status, 202);
    assert_eq!(answers(&mut world), [(scheduler.id.clone(), "DECLINE".to_owned())]);
    world.advance(Duration::from_secs(1));
    assert_eq!(inverse_offers(&mut world, &scheduler).len(), 1, "zero seconds are no filter");

    let metrics = world.json("/metrics/snapshot");
    let metric = |name: &str| metrics[format!("master/frameworks/f/{}/{name}", scheduler.id)].as_f64();
    assert_eq!(metric("events/inverse_offers"), Some(3.0));
    assert_eq!(metric("calls/accept_inverse_offers"), Some(1.0));
    assert_eq!(metric("calls/decline_inverse_offers"), Some(1.0));
    world.audit();
}

#[test]
fn a_framework_is_asked_and_its_answer_shown_in_json() {
    check_inverse_offers(ContentType::Json);
}

#[test]
fn a_framework_is_asked_and_its_answer_shown_in_protobuf() {
    check_inverse_offers(ContentType::Protobuf);
}

#[test]
fn an_answer_without_filters_lasts_five_seconds() {
    let mut world = World::new();
    let scheduler = with_task(&mut world, ContentType::Json);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    let offer = inverse_offers(&mut world, &scheduler).remove(0);
    let mut accept = accept_inverse(&[&offer.id], 0.0);
    accept.accept_inverse_offers.as_option_mut().unwrap().filters = MessageField::none();
    world.call(&scheduler, accept);
    world.advance(Duration::from_secs(4));
    assert!(inverse_offers(&mut world, &scheduler).is_empty());
    world.advance(Duration::from_secs(3));
    assert_eq!(inverse_offers(&mut world, &scheduler).len(), 1);
}

#[test]
fn answers_to_what_was_not_asked_change_nothing() {
    let mut world = World::new();
    let scheduler = with_task(&mut world, ContentType::Json);
    let stranger = world.subscribe(framework("g", &[]), ContentType::Json);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    let offer = inverse_offers(&mut world, &scheduler).remove(0);
    let unknown = OfferID { value: "O-none".to_owned(), ..Default::default() };
    assert_eq!(world.call(&stranger, accept_inverse(&[&offer.id], 1.0)).status, 202);
    assert_eq!(world.call(&scheduler, accept_inverse(&[], 1.0)).status, 202);
    assert_eq!(world.call(&scheduler, decline_inverse(&[&unknown], 1.0)).status, 202);
    assert!(answers(&mut world).is_empty());
    // A list with an id that does not stand is no reason to leave out the others.
    assert_eq!(world.call(&scheduler, accept_inverse(&[&unknown, &offer.id, &offer.id], 1.0)).status, 202);
    assert_eq!(answers(&mut world), [(scheduler.id.clone(), "ACCEPT".to_owned())]);
}

#[test]
fn another_schedule_is_another_question() {
    let mut world = World::new();
    let scheduler = with_task(&mut world, ContentType::Json);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    let first = inverse_offers(&mut world, &scheduler).remove(0);
    world.call(&scheduler, accept_inverse(&[&first.id], 1000.0));
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 88));
    assert!(answers(&mut world).is_empty(), "the answer was about another window");
    let second = inverse_offers(&mut world, &scheduler).remove(0);
    assert_eq!(second.unavailability.start.nanoseconds, 88);
    done(&mut world, SCHEDULE, "{}");
    assert_eq!(rescinded(&mut world, &scheduler), [(*second.id).clone()]);
    world.advance(Duration::from_secs(5));
    assert!(inverse_offers(&mut world, &scheduler).is_empty());
    assert!(world.master.snapshot().inverse_offers.is_empty());
}

#[test]
fn a_question_that_nobody_answers_is_asked_again() {
    let config = Config { offer_timeout: Some(Duration::from_secs(10)), ..Config::new(master_pid(), "master.local") };
    let mut world = World::with(config, Registrar::default());
    let scheduler = with_task(&mut world, ContentType::Json);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    let first = inverse_offers(&mut world, &scheduler).remove(0);
    world.advance(Duration::from_secs(9));
    assert!(world.streams[&scheduler.stream].iter().all(|event| event.r#type == Some(event::Type::HEARTBEAT)));
    world.advance(Duration::from_secs(2));
    let events = world.streams[&scheduler.stream].clone();
    let told: Vec<_> = events.iter().filter(|event| event.r#type != Some(event::Type::HEARTBEAT)).collect();
    assert_eq!(told[0].rescind_inverse_offer.inverse_offer_id.value, first.id.value);
    assert_eq!(told[1].r#type, Some(event::Type::INVERSE_OFFERS));
    assert_eq!(told.len(), 2);
}

#[test]
fn an_agent_that_is_lost_takes_its_questions_along() {
    let mut world = World::new();
    let scheduler = with_task(&mut world, ContentType::Json);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    let offer = inverse_offers(&mut world, &scheduler).remove(0);
    world.input(NetInput::Exited(agent_pid(1)));
    assert_eq!(rescinded(&mut world, &scheduler), [(*offer.id).clone()]);
    world.advance(Duration::from_secs(3));
    assert!(world.master.snapshot().inverse_offers.is_empty(), "nobody is asked about an agent that is away");
}

#[test]
fn a_framework_that_is_lost_is_asked_when_it_is_back() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let info = tepui_proto::mesos::FrameworkInfo { failover_timeout: Some(100.0), ..framework("f", &[]) };
    let scheduler = world.subscribe(info.clone(), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.launch(&scheduler, &[&offer], vec![task("t", &agent, AGENT)]);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    assert_eq!(inverse_offers(&mut world, &scheduler).len(), 1);
    world.input(NetInput::StreamClosed(scheduler.stream));
    world.advance(Duration::from_secs(3));
    assert!(world.master.snapshot().inverse_offers.is_empty());
    let info = tepui_proto::mesos::FrameworkInfo { id: field_id(&scheduler.id), ..info };
    let back = world.subscribe(info, ContentType::Json);
    world.advance(Duration::from_secs(1));
    assert_eq!(inverse_offers(&mut world, &back).len(), 1);
    let teardown = Call { r#type: Some(call::Type::TEARDOWN), ..Default::default() };
    assert_eq!(world.call(&back, teardown).status, 202);
    assert!(world.master.snapshot().inverse_offers.is_empty());
    world.advance(Duration::from_secs(3));
    world.audit();
}

#[test]
fn a_question_that_crosses_a_change_is_not_asked_twice() {
    let mut world = World::new();
    let scheduler = with_task(&mut world, ContentType::Json);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    let snapshot = world.master.snapshot();
    let (framework, agents) =
        (snapshot.frameworks.values().next().unwrap().key, vec![snapshot.agents.values().next().unwrap().key]);
    assert_eq!(inverse_offers(&mut world, &scheduler).len(), 1);
    world.allocator_decides(tepui_allocator::Effect::InverseOffer { framework, agents: agents.clone() });
    assert!(inverse_offers(&mut world, &scheduler).is_empty());
    done(&mut world, SCHEDULE, "{}");
    world.allocator_decides(tepui_allocator::Effect::InverseOffer { framework, agents });
    assert!(inverse_offers(&mut world, &scheduler).is_empty(), "the window is gone");
}

#[test]
fn an_old_driver_is_told_in_its_own_words() {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    done(&mut world, SCHEDULE, &schedule(&[machine(1)], 77));
    let driver = scheduler_pid(1);
    let info = MessageField::some(framework("old", &[]));
    world.send(&driver, &RegisterFrameworkMessage { framework: info, ..Default::default() });
    let registered: Vec<FrameworkRegisteredMessage> = world.received(&driver);
    world.advance(Duration::from_secs(1));
    let offers: Vec<ResourceOffersMessage> = world.received(&driver);
    assert_eq!(offers[0].offers[0].unavailability.start.nanoseconds, 77);
    let asked: Vec<InverseOffersMessage> = world.received(&driver);
    assert_eq!(asked[0].pids, [agent_pid(1).to_string()]);
    let id = (*asked[0].inverse_offers[0].id).clone();
    let framework_id = registered[0].framework_id.clone();
    world.send(&driver, &Call { framework_id: framework_id.clone(), ..accept_inverse(&[&id], 100.0) });
    assert_eq!(answers(&mut world), [(framework_id.value.clone(), "ACCEPT".to_owned())]);
}

#[test]
fn the_next_master_knows_the_schedule() {
    let mut world = World::new();
    done(&mut world, SCHEDULE, &schedule(&[machine(1), machine(2)], 77));
    done(&mut world, "/machine/down", &json!([machine(2)]).to_string());
    let state = State { maintenance: world.master.snapshot().maintenance, ..State::default() };
    let mut next = World::with(Config::new(master_pid(), "master.local"), Registrar::new(state));
    assert_eq!(next.json(STATUS), world.json(STATUS));
    let message: ReregisterAgentMessage = reregister_message(2, AGENT, "old-S2", Vec::new(), Vec::new());
    next.send(&agent_pid(2), &message);
    assert_eq!(next.received::<ShutdownMessage>(&agent_pid(2)).len(), 1);
    next.send(&agent_pid(1), &reregister_message(1, AGENT, "old-S1", Vec::new(), Vec::new()));
    let scheduler = next.subscribe(framework("f", &[]), ContentType::Json);
    next.advance(Duration::from_secs(1));
    assert_eq!(next.offers(&scheduler)[0].unavailability.start.nanoseconds, 77);
}
