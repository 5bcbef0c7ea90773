//! One task from the subscription to its last acknowledged update, over V1 and V0.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, FrameworkRegisteredMessage, LaunchTasksMessage, PingAgentMessage, RegisterFrameworkMessage,
    ResourceOffersMessage, StatusUpdateAcknowledgementMessage, StatusUpdateMessage, UpdateFrameworkMessage,
};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::{Filters, FrameworkInfo, TaskState};
use tepui_proto::{ContentType, MessageField};
use tepui_wire::NetInput;

const AGENT: &str = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]";

fn check_whole_path(content: ContentType) {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[Capability::PARTITION_AWARE]), content);
    assert!(scheduler.id.ends_with("-0000") && agent.ends_with("-S0"));
    world.advance(Duration::from_secs(1));
    let kinds: Vec<_> = world.streams[&scheduler.stream].iter().map(|event| event.r#type.unwrap()).collect();
    assert_eq!(kinds, [event::Type::SUBSCRIBED, event::Type::HEARTBEAT, event::Type::OFFERS]);
    let offer = world.offers(&scheduler).remove(0);
    assert!(offer.id.value.ends_with("-O0"));
    assert_eq!(offer.hostname, "agent1.local");
    assert_eq!(offer.url.path.as_deref(), Some("/slave(1)"));
    assert!(!offer.allocation_info.is_set(), "the framework is not MULTI_ROLE");
    assert!(offer.resources.iter().all(|resource| resource.role.as_deref() == Some("*")));

    let response = world.launch(&scheduler, &[&offer], vec![task("t", &agent, "cpus:1;mem:128")]);
    assert_eq!((response.status, text(&response)), (202, String::new()));
    let run = world.launched(1).remove(0);
    assert_eq!(run.task.task_id.value, "t");
    assert_eq!(run.pid.as_deref(), Some("@0.0.0.0:0"));
    assert_eq!(run.launch_executor, Some(true));
    assert_eq!(run.resource_version_uuids[0].uuid.value, vec![9; 16]);
    assert!(run.task.resources.iter().all(|resource| resource.allocation_info.role.as_deref() == Some("*")));
    world.audit();

    world.update(1, &scheduler.id, "t", TaskState::TASK_RUNNING, 1);
    let update = world.updates(&scheduler).remove(0);
    assert_eq!((update.state, update.uuid), (TaskState::TASK_RUNNING, Some(uuid_of(1))));
    assert_eq!(world.call(&scheduler, acknowledge(&agent, "t", 1)).status, 202);
    let acked: Vec<StatusUpdateAcknowledgementMessage> = world.received(&agent_pid(1));
    assert_eq!(acked[0].uuid, uuid_of(1));

    world.update(1, &scheduler.id, "t", TaskState::TASK_FINISHED, 2);
    world.audit();
    assert!(world.master.snapshot().agents.values().all(|agent| agent.used.is_empty()), "it is over");
    assert_eq!(world.master.snapshot().frameworks.values().next().unwrap().tasks.len(), 1, "but not acknowledged");
    world.call(&scheduler, acknowledge(&agent, "t", 2));
    let snapshot = world.master.snapshot();
    let record = snapshot.frameworks.values().next().unwrap();
    assert_eq!((record.tasks.len(), record.completed.len()), (0, 1));
    world.advance(Duration::from_secs(1));
    let cpus: f64 = world.master.snapshot().agents.values().map(|a| a.offered.cpus().unwrap().to_f64()).sum();
    assert!((cpus - 4.0).abs() < 1e-9, "everything is offered again: {cpus}");
}

#[test]
fn a_task_goes_all_the_way_in_json() {
    check_whole_path(ContentType::Json);
}

#[test]
fn a_task_goes_all_the_way_in_protobuf() {
    check_whole_path(ContentType::Protobuf);
}

#[test]
fn a_driver_whose_link_broke_before_it_heard_that_it_is_registered_is_connected_when_it_asks_again() {
    let mut world = World::new();
    let driver = scheduler_pid(1);
    let info = FrameworkInfo { failover_timeout: Some(15.0), ..framework("old", &[]) };
    let ask = RegisterFrameworkMessage { framework: MessageField::some(info), ..Default::default() };
    world.send(&driver, &ask);
    world.input(NetInput::Exited(driver.clone()));
    world.send(&driver, &ask);
    let registered: Vec<FrameworkRegisteredMessage> = world.received(&driver);
    assert_eq!(registered.len(), 2);
    assert_eq!(registered[0].framework_id, registered[1].framework_id);
    world.advance(Duration::from_secs(20));
    assert_eq!(world.master.snapshot().frameworks.len(), 1, "nothing is over");
    world.register_agent(1, AGENT);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.received::<ResourceOffersMessage>(&driver).len(), 1);
    world.audit();
}

#[test]
fn an_old_driver_goes_all_the_way() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let driver = scheduler_pid(1);
    let info = MessageField::some(framework("old", &[]));
    world.send(&driver, &RegisterFrameworkMessage { framework: info, ..Default::default() });
    let registered: Vec<FrameworkRegisteredMessage> = world.received(&driver);
    let id = registered[0].framework_id.value.clone();
    assert_eq!(registered[0].master_info.version.as_deref(), Some("1.11.0"));
    assert_eq!(registered[0].master_info.ip, 0x0100_000A);
    assert!(world.links.contains(&driver));
    world.advance(Duration::from_secs(1));
    let offers: Vec<ResourceOffersMessage> = world.received(&driver);
    assert_eq!(offers[0].pids, [agent_pid(1).to_string()]);
    let launch = LaunchTasksMessage {
        framework_id: field_id(&id),
        tasks: vec![task("t", &agent, "cpus:1;mem:32")],
        offer_ids: vec![(*offers[0].offers[0].id).clone()],
        filters: MessageField::some(Filters::default()),
        ..Default::default()
    };
    world.send(&driver, &launch);
    let run = world.launched(1).remove(0);
    assert_eq!(run.pid, Some(driver.to_string()));
    world.update(1, &id, "t", TaskState::TASK_FINISHED, 3);
    let update: Vec<StatusUpdateMessage> = world.received(&driver);
    assert_eq!(update[0].pid, Some(agent_pid(1).to_string()));
    let acknowledgement = StatusUpdateAcknowledgementMessage {
        agent_id: update[0].update.agent_id.clone(),
        framework_id: field_id(&id),
        task_id: update[0].update.status.task_id.clone(),
        uuid: update[0].update.uuid.clone().unwrap(),
        ..Default::default()
    };
    world.send(&driver, &acknowledgement);
    assert_eq!(world.received::<StatusUpdateAcknowledgementMessage>(&agent_pid(1)).len(), 1);
    assert!(world.master.snapshot().frameworks.values().all(|framework| framework.tasks.is_empty()));
    world.audit();
}

#[test]
fn a_call_from_elsewhere_is_dropped() {
    let mut world = World::new();
    world.send(
        &scheduler_pid(1),
        &RegisterFrameworkMessage { framework: MessageField::some(framework("f", &[])), ..Default::default() },
    );
    let id = world.received::<FrameworkRegisteredMessage>(&scheduler_pid(1))[0].framework_id.value.clone();
    let teardown = Call { r#type: Some(call::Type::TEARDOWN), framework_id: field_id(&id), ..Default::default() };
    world.send(&scheduler_pid(2), &teardown);
    assert_eq!(world.master.snapshot().frameworks.len(), 1);
    world.send(&scheduler_pid(1), &teardown);
    assert_eq!(world.master.snapshot().frameworks.len(), 0);
}

#[test]
fn an_agent_is_admitted_when_the_registrar_says_so() {
    let mut world = World::new();
    world.hold_registry = true;
    world.send(&agent_pid(1), &register_message(1, AGENT));
    world.send(&agent_pid(1), &register_message(1, AGENT));
    assert!(world.received::<AgentRegisteredMessage>(&agent_pid(1)).is_empty());
    assert!(world.master.snapshot().agents.is_empty());
    world.hold_registry = false;
    world.release_registry();
    world.tick();
    let registered: Vec<AgentRegisteredMessage> = world.received(&agent_pid(1));
    assert_eq!(registered.len(), 1, "asking twice admits once");
    assert_eq!(registered[0].connection.total_ping_timeout_seconds, Some(75.0));
    assert!(world.links.contains(&agent_pid(1)));
    let pings = world.sent.iter().filter(|message| message.name == "mesos.internal.PingSlaveMessage");
    assert_eq!(pings.map(|ping| &*ping.from.id).collect::<Vec<_>>(), ["slave-observer(1)"]);
    assert!(world.master.owns_process("slave-observer(1)") && world.master.owns_process("master"));
    assert!(world.received::<PingAgentMessage>(&agent_pid(1))[0].connected);
}

#[test]
fn a_known_framework_is_made_known_to_agents() {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    let mut info = framework("g", &[]);
    info.id = field_id(&scheduler.id);
    let again = world.subscribe(info, ContentType::Json);
    assert_eq!(again.id, scheduler.id);
    assert_ne!(again.stream_id, scheduler.stream_id);
    let told: Vec<UpdateFrameworkMessage> = world.received(&agent_pid(1));
    assert_eq!((told[0].framework_info.name.as_str(), told[0].pid.as_deref()), ("g", Some("@0.0.0.0:0")));
    assert!(world.closed.contains(&scheduler.stream));
    let error = world.events(&scheduler, event::Type::ERROR).remove(0);
    assert_eq!(error.error.message, "Framework failed over");
}

/// A driver of old declines by launching nothing: each offer by itself, and with its filter.
#[test]
fn a_launch_of_nothing_declines_each_offer() {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    world.register_agent(2, AGENT);
    let driver = scheduler_pid(1);
    let info = MessageField::some(framework("old", &[]));
    world.send(&driver, &RegisterFrameworkMessage { framework: info, ..Default::default() });
    let id = world.received::<FrameworkRegisteredMessage>(&driver)[0].framework_id.value.clone();
    world.advance(Duration::from_secs(1));
    let offered: Vec<ResourceOffersMessage> = world.received(&driver);
    let offer_ids: Vec<_> =
        offered.iter().flat_map(|message| &message.offers).map(|offer| (*offer.id).clone()).collect();
    assert_eq!(offer_ids.len(), 2, "of two agents");
    let filters = MessageField::some(Filters { refuse_seconds: Some(3600.0), ..Default::default() });
    let nothing = LaunchTasksMessage { framework_id: field_id(&id), offer_ids, filters, ..Default::default() };
    world.send(&driver, &nothing);
    assert!(world.master.snapshot().offers.is_empty());
    world.advance(Duration::from_secs(60));
    assert!(world.received::<ResourceOffersMessage>(&driver).is_empty(), "they are filtered");
    world.audit();
}

/// What only the agent hands out is in the offer, and not in what the framework reads.
#[test]
fn ephemeral_ports_are_not_shown_to_frameworks() {
    let mut world = World::new();
    world.register_agent(1, "cpus:4;mem:4096;ephemeral_ports:[32768-57344]");
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    assert!(offer.resources.iter().all(|resource| resource.name != "ephemeral_ports"));
    assert_eq!(world.json("/slaves")["slaves"][0]["offered_resources"]["ephemeral_ports"], "[32768-57344]");
    world.audit();
}
