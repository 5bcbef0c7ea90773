//! Every metric of the master is seen to move, or named here as one that cannot yet.

mod harness;

use harness::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tepui_master::Config;
use tepui_proto::json::{self, Names};
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::*;
use tepui_proto::mesos::scheduler::{Call, event};
use tepui_proto::mesos::{AgentID, FrameworkInfo, Offer, Resource, TaskInfo, TaskState, resource};
use tepui_proto::{ContentType, Message, MessageField};
use tepui_registry::{Registrar, State};
use tepui_resources::Resources;
use tepui_wire::{NetInput, Upid};

const AGENT: &str = "cpus:4;mem:4096;disk:4096;gpus:2";
const MINUTE: Duration = Duration::from_secs(60);

/// What they count cannot happen yet: operations are refused before they are made, and agents are shut down by no one
/// else than their operators.
const LATER: [&str; 7] = [
    "master/messages_operation_status_update",
    "master/invalid_operation_status_updates",
    "master/valid_operation_status_updates",
    "master/valid_operation_status_update_acknowledgements",
    "master/slave_shutdowns_canceled",
    "master/slave_shutdowns_completed",
    "master/slave_shutdowns_scheduled",
];

/// Of a framework: operations are not made, and a task that is kept is not unknown.
const LATER_OF_FRAMEWORKS: [&str; 9] = [
    "operations/create",
    "operations/create_disk",
    "operations/destroy",
    "operations/destroy_disk",
    "operations/grow_volume",
    "operations/reserve",
    "operations/shrink_volume",
    "operations/unreserve",
    "tasks/active/task_unknown",
];

/// Whether an operation would have to be made, and not only refused, for a metric to move.
fn is_of_made_operations(name: &str) -> bool {
    let state = name.strip_prefix("master/operations/").map(|rest| rest.rsplit('/').next().unwrap_or_default());
    state.is_some_and(|state| !matches!(state, "total" | "error"))
}

/// Measured around the machine (`node/masterd`), or by a master that does not lead (`tests/follower.rs`).
const ELSEWHERE: [&str; 3] = ["master/event_queue_", "master/http_cache_hits", "master/dropped_messages"];

/// The highest value of each metric so far.
type Peaks = BTreeMap<String, f64>;

fn look(world: &mut World, peaks: &mut Peaks) {
    for (name, value) in world.json("/metrics/snapshot").as_object().unwrap() {
        let peak = peaks.entry(name.clone()).or_default();
        *peak = peak.max(value.as_f64().unwrap());
    }
}

/// A message of the old language.
fn old<M: Message + tepui_proto::MessageName>(text: &str) -> M {
    json::from_slice(text.as_bytes(), Names::V0).unwrap()
}

fn call(text: &str) -> Call {
    json::from_slice(text.as_bytes(), Names::V1).unwrap()
}

/// As much again as the agent has, to be taken back at any time.
fn oversubscribed(agent: &str) -> UpdateAgentMessage {
    let revocable =
        |resource: Resource| Resource { revocable: MessageField::some(resource::RevocableInfo::default()), ..resource };
    UpdateAgentMessage {
        agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
        update_oversubscribed_resources: Some(true),
        oversubscribed_resources: Resources::parse(AGENT, "*").unwrap().to_proto().into_iter().map(revocable).collect(),
        ..Default::default()
    }
}

/// The newest offer of an agent that has processors of its own in it.
fn offer(world: &mut World, scheduler: &Scheduler, agent: &str) -> Offer {
    world.advance(Duration::from_secs(1));
    let has_cpus = |offer: &Offer| offer.resources.iter().any(|one| one.name == "cpus" && !one.revocable.is_set());
    let mut offers = world.offers(scheduler);
    offers.retain(|offer| offer.agent_id.value == agent && has_cpus(offer));
    offers.pop().expect("an offer")
}

/// Tasks that use all of an offer, through all the states there are.
fn tasks(world: &mut World, peaks: &mut Peaks, scheduler: &Scheduler, agent: &str) {
    let offer = offer(world, scheduler, agent);
    look(world, peaks);
    let (loose, firm): (Vec<Resource>, Vec<Resource>) =
        offer.resources.iter().cloned().partition(|resource| resource.revocable.is_set());
    let of = |name: &str, resources: Vec<Resource>| TaskInfo { resources, ..task(name, agent, "") };
    world.launch(scheduler, &[&offer], vec![of("loose", loose), of("firm", firm)]);
    look(world, peaks);
    for (uuid, state) in (1..).zip([TaskState::TASK_STARTING, TaskState::TASK_RUNNING, TaskState::TASK_KILLING]) {
        world.update(1, &scheduler.id, "firm", state, uuid);
        look(world, peaks);
    }
    world.call(scheduler, acknowledge(agent, "firm", 1));
    world.call(scheduler, acknowledge("nobody", "firm", 1));
    for task in ["firm", "loose"] {
        world.update(1, &scheduler.id, task, TaskState::TASK_FINISHED, 9);
    }
    let ends = [
        TaskState::TASK_FAILED,
        TaskState::TASK_KILLED,
        TaskState::TASK_LOST,
        TaskState::TASK_ERROR,
        TaskState::TASK_DROPPED,
        TaskState::TASK_GONE,
        TaskState::TASK_GONE_BY_OPERATOR,
    ];
    for end in ends {
        let name = format!("{end:?}");
        let offer = self::offer(world, scheduler, agent);
        world.launch(scheduler, &[&offer], vec![task(&name, agent, "cpus:0.1;mem:32")]);
        world.update(1, &scheduler.id, &name, end, 1);
    }
    look(world, peaks);
}

fn calls(world: &mut World, scheduler: &Scheduler, agent: &str) {
    let offer = offer(world, scheduler, agent);
    let unknown = r#"{"value":"x"}"#;
    for text in [
        format!(r#"{{"type":"DECLINE","decline":{{"offer_ids":[{{"value":"{}"}}]}}}}"#, offer.id.value),
        r#"{"type":"SUPPRESS"}"#.to_owned(),
        r#"{"type":"REVIVE"}"#.to_owned(),
        r#"{"type":"REQUEST","request":{}}"#.to_owned(),
        r#"{"type":"RECONCILE","reconcile":{}}"#.to_owned(),
        r#"{"type":"RECONCILE_OPERATIONS","reconcile_operations":{}}"#.to_owned(),
        format!(r#"{{"type":"KILL","kill":{{"task_id":{unknown}}}}}"#),
        format!(
            r#"{{"type":"MESSAGE","message":{{"agent_id":{{"value":"{agent}"}},"executor_id":{unknown},"data":""}}}}"#
        ),
        format!(r#"{{"type":"MESSAGE","message":{{"agent_id":{unknown},"executor_id":{unknown},"data":""}}}}"#),
        format!(
            r#"{{"type":"ACKNOWLEDGE_OPERATION_STATUS","acknowledge_operation_status":{{"agent_id":{unknown},
            "operation_id":{unknown},"uuid":"0f0Y9ja8RUaPn/KWugtTXw=="}}}}"#
        ),
    ] {
        say(world, scheduler, &text);
    }
}

/// Operations of every kind, all of which are refused, and one with an id, so that it is answered.
fn operations(world: &mut World, scheduler: &Scheduler, agent: &str) {
    let offer = offer(world, scheduler, agent);
    let kinds =
        ["RESERVE", "UNRESERVE", "CREATE", "DESTROY", "GROW_VOLUME", "SHRINK_VOLUME", "CREATE_DISK", "DESTROY_DISK"];
    let operations: Vec<String> =
        kinds.iter().map(|kind| format!(r#"{{"type":"{kind}","id":{{"value":"{kind}"}}}}"#)).collect();
    let text = format!(
        r#"{{"type":"ACCEPT","accept":{{"offer_ids":[{{"value":"{}"}}],"operations":[{}]}}}}"#,
        offer.id.value,
        operations.join(",")
    );
    say(world, scheduler, &text);
}

/// What agents say beside updates of tasks.
fn agents(world: &mut World, scheduler: &Scheduler, agent: &str) {
    let framework = &scheduler.id;
    let ids = |framework: &str| {
        format!(
            r#"{{"slave_id":{{"value":"{agent}"}},"framework_id":{{"value":"{framework}"}},"executor_id":{{"value":"e"}}"#
        )
    };
    for owner in [framework.as_str(), "nobody"] {
        world.send(&agent_pid(1), &old::<ExecutorToFrameworkMessage>(&format!(r#"{},"data":""}}"#, ids(owner))));
    }
    world.send(&agent_pid(1), &old::<ExitedExecutorMessage>(&format!(r#"{},"status":0}}"#, ids(framework))));
    let update = status_update("nowhere", "nobody", "t", TaskState::TASK_RUNNING, 1);
    let update = StatusUpdateMessage { update: MessageField::some(update), ..Default::default() };
    world.send(&agent_pid(1), &update);
    // One registers where another one was; one leaves; one comes back.
    world.register_agent(3, AGENT);
    let mut again = register_message(3, AGENT);
    again.resource_version_uuid.get_or_insert_default().value = vec![8; 16];
    world.send(&agent_pid(3), &again);
    let third = world.agent_id_of(3);
    world.send(&agent_pid(3), &reregister_message(3, AGENT, &third, vec![], vec![]));
    world.send(&agent_pid(3), &old::<UnregisterAgentMessage>(&format!(r#"{{"slave_id":{{"value":"{third}"}}}}"#)));
}

/// A driver's life.
fn driver(world: &mut World, peaks: &mut Peaks) {
    let from = scheduler_pid(1);
    world.send(&from, &old::<AuthenticateMessage>(r#"{"pid":"scheduler-1@10.0.2.1:40000"}"#));
    world.send(
        &from,
        &old::<RegisterFrameworkMessage>(r#"{"framework":{"user":"u","name":"n","failover_timeout":1e6}}"#),
    );
    let id = world.received::<FrameworkRegisteredMessage>(&from).remove(0).framework_id.value.clone();
    let info = format!(r#"{{"user":"u","name":"n","failover_timeout":1e6,"id":{{"value":"{id}"}}}}"#);
    world.send(&from, &old::<ReregisterFrameworkMessage>(&format!(r#"{{"framework":{info},"failover":false}}"#)));
    let framework = format!(r#"{{"framework_id":{{"value":"{id}"}}}}"#);
    world.send(&from, &old::<DeactivateFrameworkMessage>(&framework));
    look(world, peaks);
    world.send(&from, &old::<UnregisterFrameworkMessage>(&framework));
}

/// One agent loses its link, another one answers no ping and comes back.
fn losses(world: &mut World, peaks: &mut Peaks, scheduler: &Scheduler) {
    let second = world.register_agent(2, AGENT);
    let offer = offer(world, scheduler, &second);
    world.launch(scheduler, &[&offer], vec![task("lost", &second, "cpus:1;mem:32")]);
    world.update(2, &scheduler.id, "lost", TaskState::TASK_RUNNING, 1);
    world.input(NetInput::Exited(agent_pid(1)));
    look(world, peaks);
    world.advance(2 * MINUTE);
    look(world, peaks);
    world.send(&agent_pid(2), &reregister_message(2, AGENT, &second, vec![], vec![]));
    world.input(NetInput::StreamClosed(scheduler.stream));
    look(world, peaks);
}

/// An agent of the registry never comes back.
fn recovery(peaks: &mut Peaks) {
    let mut registry = State::default();
    registry.admitted.insert("a".into(), Arc::new(agent_info(1, AGENT, "a")).into());
    let mut world = World::with(Config::new(master_pid(), "m"), Registrar::new(registry));
    world.advance(11 * MINUTE);
    look(&mut world, peaks);
}

/// Of two silent agents one may go at a time, and the other answers after all.
fn reprieve(peaks: &mut Peaks) {
    let mut config = Config::new(master_pid(), "m");
    config.agent_removal_interval = Some(10 * MINUTE);
    let mut world = World::with(config, Registrar::default());
    (1..=2).for_each(|number| _ = world.register_agent(number, AGENT));
    world.advance(Duration::from_secs(76));
    let observer = Upid::new("slave-observer(2)", master_pid().ip, master_pid().port);
    world.send_to(&agent_pid(2), observer, &PongAgentMessage::default());
    look(&mut world, peaks);
}

/// A framework with a group of tasks is asked about maintenance, changes its description, comes anew and is torn down.
fn asked(peaks: &mut Peaks) {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let mut info = FrameworkInfo { failover_timeout: Some(1e6), ..framework("asked", &[Capability::GPU_RESOURCES]) };
    let scheduler = world.subscribe(info.clone(), ContentType::Json);
    info.id = field_id(&scheduler.id);
    let offer = offer(&mut world, &scheduler, &agent);
    let all = |resources: &str| json::to_string(&Resources::parse(resources, "*").unwrap().to_proto()[0], Names::V1);
    let resources = format!("[{},{},{}]", all("cpus:0.5"), all("mem:64"), all("disk:32"));
    let executor = format!(
        r#"{{"type":"DEFAULT","executor_id":{{"value":"e"}},"framework_id":{{"value":"{}"}},"resources":{resources}}}"#,
        scheduler.id
    );
    let task = format!(
        r#"{{"name":"t","task_id":{{"value":"t"}},"agent_id":{{"value":"{agent}"}},"resources":{resources},"command":{{}}}}"#
    );
    let group = format!(r#"{{"executor":{executor},"task_group":{{"tasks":[{task}]}}}}"#);
    let launch = format!(r#"{{"type":"LAUNCH_GROUP","launch_group":{group}}}"#);
    let ids = format!(r#""offer_ids":[{{"value":"{}"}}]"#, offer.id.value);
    say(&mut world, &scheduler, &format!(r#"{{"type":"ACCEPT","accept":{{{ids},"operations":[{launch}]}}}}"#));
    let shutdown = format!(r#"{{"agent_id":{{"value":"{agent}"}},"executor_id":{{"value":"e"}}}}"#);
    say(&mut world, &scheduler, &format!(r#"{{"type":"SHUTDOWN","shutdown":{shutdown}}}"#));
    maintenance(&mut world, &scheduler);
    say(&mut world, &scheduler, r#"{"type":"SUPPRESS"}"#);
    look(&mut world, peaks);
    let text = json::to_string(&info, Names::V1);
    let update = format!(r#"{{"type":"UPDATE_FRAMEWORK","update_framework":{{"framework_info":{text}}}}}"#);
    assert_eq!(world.call(&scheduler, call(&update)).status, 200);
    let again = world.subscribe(info, ContentType::Json);
    say(&mut world, &again, r#"{"type":"TEARDOWN"}"#);
    look(&mut world, peaks);
}

/// The agent's machine is to be maintained at one time, then at another, and then not at all.
fn maintenance(world: &mut World, scheduler: &Scheduler) {
    let machine = r#"{"hostname":"agent1.local","ip":"10.0.1.1"}"#;
    for (start, answer) in [(1, "accept"), (2, "decline")] {
        let window = format!(r#"{{"machine_ids":[{machine}],"unavailability":{{"start":{{"nanoseconds":{start}}}}}}}"#);
        let posted = world.post_json("/maintenance/schedule", &format!(r#"{{"windows":[{window}]}}"#));
        assert_eq!(posted.status, 200);
        world.advance(Duration::from_secs(1));
        let asked = world.events(scheduler, event::Type::INVERSE_OFFERS).remove(0);
        let id = &asked.inverse_offers.inverse_offers[0].id.value;
        let ids = format!(r#"{{"inverse_offer_ids":[{{"value":"{id}"}}],"filters":{{"refuse_seconds":0}}}}"#);
        let kind = answer.to_uppercase();
        say(world, scheduler, &format!(r#"{{"type":"{kind}_INVERSE_OFFERS","{answer}_inverse_offers":{ids}}}"#));
        world.advance(Duration::from_secs(1));
    }
    assert_eq!(world.post_json("/maintenance/schedule", "{}").status, 200);
}

/// A call that is taken.
fn say(world: &mut World, scheduler: &Scheduler, text: &str) {
    assert_eq!(world.call(scheduler, call(text)).status, 202, "{text}");
}

fn lives() -> Peaks {
    let mut peaks = Peaks::new();
    let mut world = World::new();
    let (_, stream) =
        world.http(request("POST", "/api/v1", "", &[("content-type", "application/json")], br#"{"type":"SUBSCRIBE"}"#));
    assert_eq!(stream.status, 200);
    let agent = world.register_agent(1, AGENT);
    world.send(&agent_pid(1), &oversubscribed(&agent));
    let all = [Capability::GPU_RESOURCES, Capability::REVOCABLE_RESOURCES, Capability::PARTITION_AWARE];
    let info = FrameworkInfo { failover_timeout: Some(1e6), checkpoint: Some(true), ..framework("f", &all) };
    let scheduler = world.subscribe(info, ContentType::Json);
    tasks(&mut world, &mut peaks, &scheduler, &agent);
    agents(&mut world, &scheduler, &agent);
    driver(&mut world, &mut peaks);
    calls(&mut world, &scheduler, &agent);
    operations(&mut world, &scheduler, &agent);
    losses(&mut world, &mut peaks, &scheduler);
    recovery(&mut peaks);
    reprieve(&mut peaks);
    asked(&mut peaks);
    peaks
}

#[test]
fn every_metric_moves_or_is_named_as_one_that_cannot() {
    let peaks = lives();
    let is_named = |name: &str, list: &[&str]| list.iter().any(|prefix| name.starts_with(prefix));
    let mut wrong = Vec::new();
    for name in include_str!("golden/metrics.txt").lines().filter(|name| name.starts_with("master/")) {
        let moves = peaks.get(name).is_some_and(|peak| *peak > 0.0);
        // `messages_operation_status_update` is the beginning of another name, which moves.
        let is_later = is_named(name, &LATER) && name != "master/messages_operation_status_update_acknowledgement"
            || is_of_made_operations(name);
        if moves == is_later && !is_named(name, &ELSEWHERE) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "neither moved nor named, or both: {wrong:?}");
}

#[test]
fn every_metric_of_a_framework_moves_or_is_named_as_one_that_cannot() {
    let mut peaks: BTreeMap<String, f64> = BTreeMap::new();
    for (name, value) in lives() {
        let of_framework = name.strip_prefix("master/frameworks/").and_then(|rest| rest.splitn(3, '/').nth(2));
        let Some(name) = of_framework else { continue };
        let peak = peaks.entry(name.to_owned()).or_default();
        *peak = peak.max(value);
    }
    let mut wrong = Vec::new();
    for name in include_str!("golden/framework_metrics.txt").lines().chain(["roles/*/suppressed"]) {
        let moves = peaks.get(name).is_some_and(|peak| *peak > 0.0);
        if moves == LATER_OF_FRAMEWORKS.contains(&name) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "neither moved nor named, or both: {wrong:?}");
}
