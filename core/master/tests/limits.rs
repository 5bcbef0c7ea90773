//! What the master keeps and for how long: completed tasks and frameworks, offers, frameworks that are away.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_base::FrameworkId;
use tepui_master::Config;
use tepui_proto::ContentType;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::{FrameworkInfo, TaskState};
use tepui_registry::Registrar;
use tepui_wire::NetInput;

const AGENT: &str = "cpus:4;mem:4096;disk:4096";

fn world(change: impl FnOnce(&mut Config)) -> World {
    let mut config = Config::new(master_pid(), "master.local");
    change(&mut config);
    World::with(config, Registrar::default())
}

fn offer_id(world: &World) -> String {
    world.master.snapshot().offers.keys().next().expect("there is an offer").to_string()
}

fn launch(world: &mut World, scheduler: &Scheduler, ids: &[&str]) -> String {
    let agent = world.agent_id_of(1);
    let tasks = ids.iter().map(|id| task(id, &agent, "cpus:0.5;mem:32")).collect();
    let offer = offer_id(world);
    world.call(scheduler, accept_ids(&[&offer], vec![launch_operation(tasks)]));
    agent
}

#[test]
fn only_the_newest_completed_tasks_are_kept() {
    let mut world = world(|config| config.max_completed_tasks_per_framework = 2);
    world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let agent = launch(&mut world, &scheduler, &["a", "b", "c"]);
    for (number, id) in (1..).zip(["a", "b", "c"]) {
        world.update(1, &scheduler.id, id, TaskState::TASK_FINISHED, number);
        world.call(&scheduler, acknowledge(&agent, id, number));
    }
    let snapshot = world.master.snapshot();
    let kept: Vec<&str> = snapshot.frameworks[&FrameworkId::from(scheduler.id.as_str())]
        .completed
        .iter()
        .map(|task| task.id.as_str())
        .collect();
    assert_eq!(kept, ["b", "c"]);
    world.audit();
}

#[test]
fn only_so_many_unreachable_tasks_are_kept() {
    let mut world = world(|config| config.max_unreachable_tasks_per_framework = 1);
    world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[Capability::PARTITION_AWARE]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    launch(&mut world, &scheduler, &["a", "b"]);
    world.advance(Duration::from_secs(76));
    let updates = world.updates(&scheduler);
    assert!(updates.iter().all(|update| update.state == TaskState::TASK_UNREACHABLE));
    assert_eq!(updates.len(), 2, "the framework hears of both");
    assert_eq!(world.master.snapshot().frameworks.values().next().unwrap().unreachable.len(), 1);
}

#[test]
fn a_framework_that_is_forgotten_may_come_back_under_its_id() {
    let mut world = world(|config| config.max_completed_frameworks = 1);
    let teardown = || Call { r#type: Some(call::Type::TEARDOWN), ..Default::default() };
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
            world.call(&scheduler, teardown());
            scheduler.id
        })
        .collect();
    let again = |id: &str| FrameworkInfo { id: field_id(id), ..framework("f", &[]) };
    let last = world.subscribe(again(&ids[1]), ContentType::Json);
    assert_eq!(world.events(&last, event::Type::ERROR)[0].error.message, "Framework has been removed");
    let first = world.subscribe(again(&ids[0]), ContentType::Json);
    assert_eq!(first.id, ids[0], "this master does not know it any more");
}

#[test]
fn an_offer_that_nobody_answers_is_rescinded_and_made_again() {
    let mut world = world(|config| config.offer_timeout = Some(Duration::from_secs(30)));
    world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let first = world.offers(&scheduler).remove(0).id.value.clone();
    world.advance(Duration::from_secs(28));
    assert_eq!(offer_id(&world), first);
    world.advance(Duration::from_secs(3));
    assert_eq!(world.events(&scheduler, event::Type::RESCIND)[0].rescind.offer_id.value, first);
    assert_ne!(offer_id(&world), first);
    world.audit();
}

#[test]
fn each_disconnection_has_the_whole_failover_timeout() {
    let mut world = World::new();
    let info = FrameworkInfo { failover_timeout: Some(60.0), ..framework("f", &[]) };
    let first = world.subscribe(info.clone(), ContentType::Json);
    world.input(NetInput::StreamClosed(first.stream));
    world.advance(Duration::from_secs(50));
    let second = world.subscribe(FrameworkInfo { id: field_id(&first.id), ..info }, ContentType::Json);
    world.input(NetInput::StreamClosed(second.stream));
    world.advance(Duration::from_secs(59));
    assert_eq!(world.master.snapshot().frameworks.len(), 1);
    world.advance(Duration::from_secs(1));
    assert!(world.master.snapshot().frameworks.is_empty());
}

#[test]
fn a_failover_timeout_is_not_over_a_nanosecond_early() {
    let mut world = World::new();
    // As a double it is a little less, and whole nanoseconds count: 16,393,142,701 of them.
    let info = FrameworkInfo { failover_timeout: Some(16.393142702), ..framework("f", &[]) };
    let scheduler = world.subscribe(info, ContentType::Json);
    world.input(NetInput::StreamClosed(scheduler.stream));
    world.advance(Duration::from_nanos(16_393_142_700));
    assert_eq!(world.master.snapshot().frameworks.len(), 1);
    world.advance(Duration::from_nanos(1));
    assert!(world.master.snapshot().frameworks.is_empty());
}
