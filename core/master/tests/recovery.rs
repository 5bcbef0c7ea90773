//! What a new leader takes over from the registry: each of its parts is in force before anybody has said a word.

mod harness;

use harness::*;
use serde_json::{Value, json};
use std::time::Duration;
use tepui_base::AgentId;
use tepui_master::Config;
use tepui_proto::json::{Names, from_slice};
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{
    AgentReregisteredMessage, DrainAgentMessage, Registry, ShutdownMessage, UpdateAgentMessage,
};
use tepui_proto::mesos::{AgentID, DrainState, FrameworkInfo, Task, TaskID, TaskState};
use tepui_proto::{ContentType, MessageField};
use tepui_registry::{Registrar, State};

const AGENT: &str = "cpus:4;mem:4096";

/// A registrar that holds this, in the JSON of V1, and agents `A1`, `A2`, ... with more of their fields.
fn registrar(registry: &Value, agents: &[Value]) -> Registrar {
    let mut registry: Registry = from_slice(registry.to_string().as_bytes(), Names::V1).unwrap();
    for (number, fields) in (1..).zip(agents) {
        let mut agent: tepui_proto::mesos::internal::registry::Agent = {
            let mut all = json!({"info": {"hostname": "none"}});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            from_slice(all.to_string().as_bytes(), Names::V1).unwrap()
        };
        agent.info = MessageField::some(agent_info(number, AGENT, &format!("A{number}")));
        registry.agents.get_or_insert_default().agents.push(agent);
    }
    Registrar::new(State::from_proto(registry))
}

fn config() -> Config {
    Config::new(master_pid(), "master.local")
}

fn in_role(role: &str) -> FrameworkInfo {
    FrameworkInfo { roles: vec![role.to_owned()], ..framework(role, &[Capability::MULTI_ROLE]) }
}

fn come_back(world: &mut World, number: u8, frameworks: Vec<FrameworkInfo>, tasks: Vec<Task>) {
    let id = format!("A{number}");
    world.send(&agent_pid(number), &reregister_message(number, AGENT, &id, frameworks, tasks));
}

fn shown(world: &mut World, id: &str) -> Value {
    world.json(&format!("/slaves?slave_id={id}"))["slaves"][0].clone()
}

#[test]
fn weights_of_the_registry_replace_those_of_the_flag() {
    let registry = json!({"weights": [{"info": {"role": "heavy", "weight": 3.0}}]});
    let config = Config { weights: [("light".to_owned(), 9.0)].into(), ..config() };
    let mut world = World::with(config, registrar(&registry, &[]));
    assert_eq!(world.json("/weights"), json!([{"role": "heavy", "weight": 3.0}]));
    assert_eq!(
        text(&world.post_json("/api/v1", r#"{"type":"GET_WEIGHTS"}"#)),
        r#"{"type":"GET_WEIGHTS","get_weights":{"weight_infos":[{"weight":3.0,"role":"heavy"}]}}"#
    );
    let roles = world.json("/roles")["roles"].clone();
    assert_eq!((&roles[0]["name"], &roles[0]["weight"]), (&json!("heavy"), &json!(3.0)));
    let heavy = world.subscribe(in_role("heavy"), ContentType::Json);
    let light = world.subscribe(in_role("light"), ContentType::Json);
    for number in 1..=4 {
        world.register_agent(number, AGENT);
    }
    world.advance(Duration::from_secs(2));
    assert_eq!((world.offers(&heavy).len(), world.offers(&light).len()), (3, 1), "shares are 3 to 1");
}

#[test]
fn weights_of_the_flag_go_into_a_registry_that_has_none() {
    let config = Config { weights: [("a".to_owned(), 2.0)].into(), ..config() };
    let mut world = World::with(config, Registrar::default());
    assert_eq!(world.json("/weights"), json!([{"role": "a", "weight": 2.0}]));
    let stored: Vec<_> = world.registry().weights().map(|info| (info.role.clone().unwrap(), info.weight)).collect();
    assert_eq!(stored, [("a".to_owned(), 2.0)]);
}

#[test]
fn quotas_of_both_kinds_hold() {
    let registry = json!({
        "quota_configs": [{"role": "a", "guarantees": {"cpus": {"value": 1.0}}, "limits": {"cpus": {"value": 2.0}}}],
        "quotas": [{"info": {"role": "b", "guarantee": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 3.0}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 64.0}},
        ]}}],
        "minimum_capabilities": [{"capability": "QUOTA_V2"}],
    });
    let mut world = World::with(config(), registrar(&registry, &[]));
    let status = world.json("/quota");
    assert_eq!(status["configs"][0]["limits"], json!({"cpus": {"value": 2.0}}));
    assert_eq!((&status["infos"][0]["role"], &status["infos"][1]["role"]), (&json!("a"), &json!("b")));
    assert_eq!(status["infos"][1]["guarantee"][0]["scalar"], json!({"value": 3.0}));
    assert_eq!(status["configs"][1]["limits"], status["configs"][1]["guarantees"], "what was guaranteed was the limit");
    let answer: Value = serde_json::from_str(&text(&world.post_json("/api/v1", r#"{"type":"GET_QUOTA"}"#))).unwrap();
    assert_eq!(answer["get_quota"]["status"], status);
    let roles = world.json("/roles")["roles"].clone();
    assert_eq!(roles[0]["quota"]["guarantee"], json!({"cpus": 1.0}));
    assert_eq!(roles[1]["quota"]["limit"], json!({"cpus": 3.0, "mem": 64.0}));
    let bounded = world.subscribe(in_role("a"), ContentType::Json);
    world.register_agent(1, AGENT);
    world.advance(Duration::from_secs(2));
    let offer = world.offers(&bounded).remove(0);
    let cpus = offer.resources.iter().find(|resource| resource.name == "cpus").unwrap();
    assert_eq!(cpus.scalar.value, 1.0, "of four, the guarantee of b is kept, and a is offered the rest");
}

#[test]
fn quota_below_another_role_is_shown_and_does_not_harm() {
    let registry = json!({"quota_configs": [{"role": "a/b", "limits": {"cpus": {"value": 2.0}}}]});
    let mut world = World::with(config(), registrar(&registry, &[]));
    assert_eq!(world.json("/quota")["configs"][0]["role"], "a/b");
}

#[test]
fn a_deactivated_agent_stays_so_however_often_it_comes_back() {
    let registry = json!({"minimum_capabilities": [{"capability": "AGENT_DRAINING"}]});
    let mut world = World::with(config(), registrar(&registry, &[json!({"deactivated": true}), json!({})]));
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    come_back(&mut world, 1, vec![], vec![]);
    come_back(&mut world, 2, vec![], vec![]);
    let is_withheld = |world: &mut World| {
        world.advance(Duration::from_secs(2));
        let agent = shown(world, "A1");
        assert_eq!((&agent["deactivated"], &agent["active"]), (&json!(true), &json!(false)));
        assert!(agent.get("drain_info").is_none());
        world.offers(&scheduler).iter().all(|offer| offer.agent_id.value == "A2")
    };
    assert!(is_withheld(&mut world));
    world.input(tepui_wire::NetInput::Exited(agent_pid(1)));
    come_back(&mut world, 1, vec![], vec![]);
    assert!(is_withheld(&mut world), "after its link broke");
    assert_eq!(shown(&mut world, "A2")["deactivated"], json!(false));
    let agents = text(&world.post_json("/api/v1", r#"{"type":"GET_AGENTS"}"#));
    assert!(agents.contains(r#""deactivated":true"#), "{agents}");
}

fn draining(mark_gone: bool) -> Value {
    json!({"deactivated": true, "drain_info": {"state": "DRAINING", "config": {
        "max_grace_period": {"nanoseconds": 5_000_000_000_i64}, "mark_gone": mark_gone}}})
}

/// A draining agent that runs task `t` of a framework, and both have come back.
fn drains(mark_gone: bool) -> (World, Scheduler) {
    let mut world = World::with(config(), registrar(&json!({}), &[draining(mark_gone)]));
    let info = FrameworkInfo { id: field_id("F"), failover_timeout: Some(60.0), ..framework("f", &[]) };
    let task = Task {
        name: "t".to_owned(),
        task_id: MessageField::some(TaskID { value: "t".to_owned(), ..Default::default() }),
        framework_id: info.id.clone(),
        agent_id: MessageField::some(AgentID { value: "A1".to_owned(), ..Default::default() }),
        state: TaskState::TASK_RUNNING,
        resources: task("t", "A1", "cpus:1;mem:32").resources,
        ..Default::default()
    };
    come_back(&mut world, 1, vec![info.clone()], vec![task]);
    let scheduler = world.subscribe(info, ContentType::Json);
    (world, scheduler)
}

fn end_task(world: &mut World, scheduler: &Scheduler) {
    world.update(1, "F", "t", TaskState::TASK_KILLED, 1);
    world.call(scheduler, acknowledge("A1", "t", 1));
}

#[test]
fn a_draining_agent_is_told_so_when_it_comes_back_and_has_drained_when_its_last_task_ended() {
    let (mut world, scheduler) = drains(false);
    let told: Vec<DrainAgentMessage> = world.received(&agent_pid(1));
    assert_eq!(told[0].config.max_grace_period.nanoseconds, 5_000_000_000);
    assert_eq!(world.received::<AgentReregisteredMessage>(&agent_pid(1)).len(), 1);
    let state = |world: &mut World| shown(world, "A1")["drain_info"]["state"].clone();
    assert_eq!(state(&mut world), "DRAINING");
    end_task(&mut world, &scheduler);
    assert_eq!(state(&mut world), "DRAINED");
    let stored = |world: &World| {
        let standing = world.registry().admitted.get(&AgentId::from("A1")).unwrap().standing.clone();
        (standing.drain_info.unwrap().state, standing.deactivated)
    };
    assert_eq!(stored(&world), (DrainState::DRAINED, true));
    world.advance(Duration::from_secs(2));
    assert!(world.offers(&scheduler).is_empty(), "it is offered to nobody");
    world.fail_over();
    come_back(&mut world, 1, vec![], vec![]);
    assert_eq!(world.received::<DrainAgentMessage>(&agent_pid(1)).len(), 1, "again, as it may have missed it");
    assert_eq!((state(&mut world), stored(&world).0), (json!("DRAINED"), DrainState::DRAINED));
    world.audit();
}

#[test]
fn an_agent_with_resource_providers_has_drained_when_it_has_said_what_they_do() {
    let mut world = World::with(config(), registrar(&json!({}), &[draining(false)]));
    come_back(&mut world, 1, vec![], vec![]);
    assert_eq!(shown(&mut world, "A1")["drain_info"]["state"], "DRAINING");
    let agent_id = MessageField::some(AgentID { value: "A1".to_owned(), ..Default::default() });
    world.send(&agent_pid(1), &UpdateAgentMessage { agent_id, ..Default::default() });
    assert_eq!(shown(&mut world, "A1")["drain_info"]["state"], "DRAINED");
}

#[test]
fn an_agent_that_is_to_be_gone_is_gone_when_it_has_drained() {
    let (mut world, scheduler) = drains(true);
    world.hold_registry = true;
    end_task(&mut world, &scheduler);
    world.received::<ShutdownMessage>(&agent_pid(1));
    come_back(&mut world, 1, vec![], vec![]);
    world.input(tepui_wire::NetInput::Exited(agent_pid(1)));
    world.advance(Duration::from_secs(601));
    world.hold_registry = false;
    world.release_registry();
    world.tick();
    assert_eq!(
        world.received::<ShutdownMessage>(&agent_pid(1))[0].message.as_deref(),
        Some("Agent has been marked gone")
    );
    assert!(world.registry().gone.contains_key(&AgentId::from("A1")) && world.registry().admitted.is_empty());
    assert_eq!(world.json("/slaves")["slaves"], json!([]));
    world.fail_over();
    come_back(&mut world, 1, vec![], vec![]);
    assert_eq!(world.received::<ShutdownMessage>(&agent_pid(1)).len(), 1, "it is never let in again");
    world.audit();
}

#[test]
fn operators_are_not_told_of_an_agent_that_is_gone_as_of_one_that_is_removed() {
    let (mut world, scheduler) = drains(true);
    let headers = [("content-type", "application/json"), ("accept", "application/json")];
    let (operator, _) = world.http(request("POST", "/api/v1", "", &headers, br#"{"type":"SUBSCRIBE"}"#));
    world.records.remove(&operator);
    end_task(&mut world, &scheduler);
    assert!(world.registry().gone.contains_key(&AgentId::from("A1")));
    let told = world.records.remove(&operator).unwrap_or_default();
    let told: Vec<Value> = told.iter().map(|record| serde_json::from_slice(record).unwrap()).collect();
    let told: Vec<&str> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["TASK_UPDATED"], "the last task's end, and no AGENT_REMOVED");
}

#[test]
fn an_unreachable_agent_that_drained_still_does_when_it_comes_back() {
    let mut world = World::with(config(), registrar(&json!({}), &[draining(false)]));
    world.advance(Duration::from_secs(601));
    let unreachable = world.registry().unreachable.get(&AgentId::from("A1")).unwrap();
    assert!(unreachable.standing.deactivated, "it did not come back in time");
    world.fail_over();
    assert_eq!(world.json("/metrics/snapshot")["master/slaves_unreachable"], json!(1.0));
    come_back(&mut world, 1, vec![], vec![]);
    assert_eq!(shown(&mut world, "A1")["drain_info"]["state"], "DRAINING");
    assert_eq!(world.received::<DrainAgentMessage>(&agent_pid(1)).len(), 1);
    world.input(tepui_wire::NetInput::Exited(agent_pid(1)));
    world.advance(Duration::from_secs(601));
    come_back(&mut world, 1, vec![], vec![]);
    assert_eq!(shown(&mut world, "A1")["drain_info"]["state"], "DRAINING", "this master has not forgotten it");
}

#[test]
fn machines_and_the_agents_that_are_gone_are_known() {
    let machine = |number: u8, mode: &str| {
        json!({"info": {"id": {"hostname": format!("agent{number}.local"), "ip": format!("10.0.1.{number}")},
            "mode": mode, "unavailability": {"start": {"nanoseconds": 5}}}})
    };
    let registry = json!({
        "machines": {"machines": [machine(1, "DRAINING"), machine(2, "DOWN")]},
        "schedules": [{"windows": [{"machine_ids": [
            {"hostname": "agent1.local", "ip": "10.0.1.1"}, {"hostname": "agent2.local", "ip": "10.0.1.2"}],
            "unavailability": {"start": {"nanoseconds": 5}}}]}],
        "gone": {"agents": [{"id": {"value": "A3"}, "timestamp": {"nanoseconds": 1}}]},
    });
    let mut world = World::with(config(), registrar(&registry, &[json!({}), json!({})]));
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    for number in 1..=3 {
        come_back(&mut world, number, vec![], vec![]);
    }
    let mut shut_down = |number| {
        let told: Vec<ShutdownMessage> = world.received(&agent_pid(number));
        told.first().and_then(|message| message.message.clone())
    };
    assert_eq!(shut_down(1), None);
    assert_eq!(shut_down(2).as_deref(), Some("Machine is `DOWN`"));
    assert_eq!(shut_down(3).as_deref(), Some("Agent has been marked gone"));
    world.advance(Duration::from_secs(2));
    let offers = world.offers(&scheduler);
    assert_eq!(offers[0].unavailability.start.nanoseconds, 5);
    let status = world.json("/maintenance/status");
    assert_eq!(status["down_machines"][0]["hostname"], "agent2.local");
    assert_eq!(status["draining_machines"][0]["id"]["hostname"], "agent1.local");
}
