//! Dynamic reservations and persistent volumes that an agent brings along: they are not everybody's.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_proto::mesos::agent_info::capability::Type as AgentCapability;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, AgentReregisteredMessage, CheckpointResourcesMessage, RegisterAgentMessage,
    ReregisterAgentMessage, ShutdownMessage,
};
use tepui_proto::mesos::{FrameworkInfo, Resource, TaskState};
use tepui_proto::{ContentType, json};
use tepui_resources::Resources;

const AGENT: &str = "cpus:4;mem:4096;disk:1000";

/// What follows the amount in a message that reserves for one role.
const RESERVED: &str = r#""reservations":[{"type":"DYNAMIC","role":"db","principal":"ops"}]"#;
const REFINED: &str = r#""reservations":[{"type":"DYNAMIC","role":"db"},{"type":"DYNAMIC","role":"db/a"}]"#;
const VOLUME: &str = r#""disk":{"persistence":{"id":"data"},"volume":{"mode":"RW","container_path":"data"}}"#;

fn scalar(name: &str, amount: u32, rest: &str) -> Resource {
    let text = format!(r#"{{"name":"{name}","type":"SCALAR","scalar":{{"value":{amount}}},{rest}}}"#);
    json::from_slice(text.as_bytes(), json::Names::V1).unwrap()
}

/// Two of four cpus, and 300 of 1000 megabytes that are a volume.
fn reserved() -> Vec<Resource> {
    vec![scalar("cpus", 2, RESERVED), scalar("disk", 300, &format!("{RESERVED},{VOLUME}"))]
}

fn registration(checkpointed: Vec<Resource>) -> RegisterAgentMessage {
    RegisterAgentMessage { checkpointed_resources: checkpointed, ..register_message(1, AGENT) }
}

fn returning(id: &str, checkpointed: Vec<Resource>) -> ReregisterAgentMessage {
    ReregisterAgentMessage { checkpointed_resources: checkpointed, ..reregister_message(1, AGENT, id, vec![], vec![]) }
}

/// The same agent from before resource providers, or from before refined reservations too.
fn without(mut message: ReregisterAgentMessage, lacking: &[AgentCapability]) -> ReregisterAgentMessage {
    message.agent_capabilities.retain(|known| lacking.iter().all(|one| known.r#type != Some(*one)));
    message
}

fn in_role(role: &str) -> FrameworkInfo {
    FrameworkInfo {
        roles: vec![role.to_owned()],
        ..framework(role, &[Capability::MULTI_ROLE, Capability::RESERVATION_REFINEMENT])
    }
}

/// Everything a newcomer of that role is offered.
fn offered(world: &mut World, role: &str) -> String {
    let scheduler = world.subscribe(in_role(role), ContentType::Protobuf);
    world.advance(Duration::from_secs(1));
    let mut all = Resources::new();
    world.offers(&scheduler).iter().for_each(|offer| all += &Resources::from_proto(&offer.resources));
    // Gone again, so that the next newcomer is offered what this one was.
    world.call(&scheduler, teardown());
    world.audit();
    let text = all.unallocated().to_string();
    let mut parts: Vec<&str> = text.split("; ").collect();
    parts.sort_unstable();
    parts.join("; ")
}

fn teardown() -> tepui_proto::mesos::scheduler::Call {
    use tepui_proto::mesos::scheduler::{Call, call};
    Call { r#type: Some(call::Type::TEARDOWN), ..Default::default() }
}

const FREE: &str = "cpus:2; disk:700; mem:4096";

/// What is reserved is shown so, and offered to nobody else.
fn assert_reserved(world: &mut World) {
    let shown = world.json("/slaves")["slaves"][0].clone();
    assert_eq!(shown["resources"]["disk"], 1000.0);
    assert_eq!(
        (&shown["reserved_resources"]["db"]["cpus"], &shown["reserved_resources"]["db"]["disk"]),
        (&2.0.into(), &300.0.into())
    );
    assert_eq!(
        (&shown["unreserved_resources"]["cpus"], &shown["unreserved_resources"]["disk"]),
        (&2.0.into(), &700.0.into())
    );
    let volume = &shown["reserved_resources_full"]["db"][1]["disk"]["persistence"]["id"];
    assert_eq!(volume, "data", "{shown}");
    assert_eq!(world.json("/state")["slaves"][0]["reserved_resources"]["db"]["disk"], 300.0);
    let got = text(&world.post_json("/api/v1", r#"{"type":"GET_AGENTS"}"#));
    assert!(got.contains(r#""persistence":{"id":"data"}"#), "{got}");
    assert_eq!(offered(world, "other"), FREE);
    let own = offered(world, "db");
    assert!(own.contains("disk(reservations: [(DYNAMIC,db,ops)])[data:data]:300"), "{own}");
}

/// An agent with all of it that is registered, and its id.
fn registered() -> (World, String) {
    let mut world = World::new();
    world.send(&agent_pid(1), &registration(reserved()));
    let id = world.agent_id_of(1);
    (world, id)
}

#[test]
fn what_a_new_agent_brings_is_reserved() {
    let mut world = World::new();
    world.send(&agent_pid(1), &registration(reserved()));
    assert_reserved(&mut world);
}

#[test]
fn what_an_unknown_agent_brings_is_reserved() {
    let mut world = World::new();
    world.send(&agent_pid(1), &returning("far-S7", reserved()));
    assert_reserved(&mut world);
}

#[test]
fn what_an_agent_brings_is_reserved_after_a_failover_and_a_return() {
    let (mut world, id) = registered();
    world.fail_over();
    world.send(&agent_pid(1), &returning(&id, reserved()));
    assert_reserved(&mut world);
    world.send(&agent_pid(1), &returning(&id, reserved()));
    assert_reserved(&mut world);
}

#[test]
fn an_agent_that_was_unreachable_brings_it_as_well() {
    let (mut world, id) = registered();
    world.advance(Duration::from_secs(600));
    assert!(world.master.snapshot().agents.is_empty());
    world.send(&agent_pid(1), &returning(&id, reserved()));
    assert_reserved(&mut world);
}

#[test]
fn a_refined_reservation_is_the_inner_roles() {
    let mut world = World::new();
    world.send(&agent_pid(1), &registration(vec![scalar("cpus", 1, REFINED)]));
    assert_eq!(offered(&mut world, "db"), "cpus:3; disk:1000; mem:4096");
    let own = offered(&mut world, "db/a");
    assert!(own.contains("cpus(reservations: [(DYNAMIC,db),(DYNAMIC,db/a)]):1"), "{own}");
}

#[test]
fn a_task_runs_on_its_own_volume_only() {
    let mut world = World::new();
    world.send(&agent_pid(1), &registration(reserved()));
    let agent = world.agent_id_of(1);
    let scheduler = world.subscribe(in_role("db"), ContentType::Protobuf);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    let volume = |id: &str| scalar("disk", 300, &format!("{RESERVED},{}", VOLUME.replace(r#""id":"data""#, id)));
    let on = |name: &str, id: &str| {
        let mut task = task(name, &agent, "cpus:1;mem:32");
        task.resources.push(volume(id));
        task
    };
    let tasks = vec![on("right", r#""id":"data""#), on("wrong", r#""id":"other""#)];
    world.launch(&scheduler, &[&offer], tasks);
    let run = world.launched(1);
    assert_eq!(run.len(), 1);
    assert_eq!(run[0].task.task_id.value, "right");
    let refused: Vec<_> = world.updates(&scheduler).iter().map(|update| update.state).collect();
    assert_eq!(refused, [TaskState::TASK_ERROR]);
    world.audit();
}

#[test]
fn an_agent_whose_reservations_do_not_fit_is_told_why_it_must_go() {
    let too_much = vec![scalar("cpus", 5, RESERVED)];
    let fixed = vec![scalar("cpus", 2, r#""reservations":[{"type":"STATIC","role":"db"}]"#)];
    let cases = [(too_much, "Incompatible agent resources: "), (fixed, "Unexpected checkpointed resources ")];
    for (wrong, reason) in cases {
        let mut world = World::new();
        world.send(&agent_pid(1), &registration(wrong.clone()));
        assert!(world.received::<AgentRegisteredMessage>(&agent_pid(1)).is_empty());
        world.send(&agent_pid(1), &returning("far-S7", wrong));
        assert!(world.received::<AgentReregisteredMessage>(&agent_pid(1)).is_empty());
        assert!(world.master.snapshot().agents.is_empty());
        let told = world.received::<ShutdownMessage>(&agent_pid(1));
        assert_eq!(told.len(), 2, "each time");
        assert!(told.iter().all(|told| told.message.as_deref().is_some_and(|text| text.starts_with(reason))));
    }
}

#[test]
fn a_known_agent_that_has_less_than_is_reserved_is_told_why_it_must_go() {
    let (mut world, id) = registered();
    world.send(&agent_pid(1), &returning(&id, vec![scalar("cpus", 5, RESERVED)]));
    let told = world.received::<ShutdownMessage>(&agent_pid(1)).remove(0);
    let text = "Incompatible agent resources: cpus:4; mem:4096; disk:1000 does not contain cpus:5";
    assert_eq!(told.message.as_deref(), Some(text));
    assert!(world.received::<AgentReregisteredMessage>(&agent_pid(1)).is_empty());
    assert_reserved(&mut world);
}

#[test]
fn a_known_agent_that_may_have_missed_it_is_told_what_is_reserved() {
    use AgentCapability::{RESERVATION_REFINEMENT, RESOURCE_PROVIDER};
    let mut world = World::new();
    let told = |world: &mut World| world.received::<CheckpointResourcesMessage>(&agent_pid(1));
    let mut first = registration(reserved());
    first.agent_capabilities.retain(|known| known.r#type != Some(RESOURCE_PROVIDER));
    world.send(&agent_pid(1), &first);
    let id = world.agent_id_of(1);
    assert!(told(&mut world).is_empty(), "a new agent knows");
    world.send(&agent_pid(1), &without(returning(&id, vec![]), &[RESOURCE_PROVIDER]));
    assert_eq!(told(&mut world)[0].resources, reserved(), "the master knows it to have");
    assert_reserved(&mut world);
    world.send(&agent_pid(1), &without(returning(&id, vec![]), &[RESOURCE_PROVIDER, RESERVATION_REFINEMENT]));
    let old = told(&mut world).remove(0).resources;
    assert_eq!((old[0].role.as_deref(), old[0].reservation.principal.as_deref()), (Some("db"), Some("ops")));
    assert!(old.iter().all(|one| one.reservations.is_empty()));
    world.send(&agent_pid(1), &returning(&id, reserved()));
    assert!(told(&mut world).is_empty(), "from now on it says so itself");
}

#[test]
fn refined_reservations_are_not_for_agents_that_do_not_know_them() {
    use AgentCapability::{RESERVATION_REFINEMENT, RESOURCE_PROVIDER};
    let mut world = World::new();
    world.send(&agent_pid(1), &registration(vec![scalar("cpus", 1, REFINED)]));
    let id = world.agent_id_of(1);
    let back = returning(&id, vec![scalar("cpus", 1, REFINED)]);
    world.send(&agent_pid(1), &without(back, &[RESOURCE_PROVIDER, RESERVATION_REFINEMENT]));
    assert_eq!(world.received::<AgentReregisteredMessage>(&agent_pid(1)).len(), 1);
    assert!(world.received::<CheckpointResourcesMessage>(&agent_pid(1)).is_empty());
}
