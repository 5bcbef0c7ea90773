//! Peers that claim more than is so, or more than can be kept: the books stay right, and the master goes on.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{RegisterAgentMessage, ReregisterAgentMessage, UpdateAgentMessage};
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::offer_filters::{MinAllocatableResources, ResourceQuantities};
use tepui_proto::mesos::resource::reservation_info::Type as Reservation;
use tepui_proto::mesos::scheduler::{Call, call};
use tepui_proto::mesos::value::Scalar;
use tepui_proto::mesos::{
    AgentID, CommandInfo, ExecutorInfo, FrameworkInfo, Offer, OfferFilters, Resource, Task, TaskID, TaskInfo, TaskState,
};
use tepui_proto::{ContentType, MessageField};
use tepui_resources::Resources;
use tepui_wire::NetInput;

const MOUNT: &str =
    r#"{"name":"disk","type":"SCALAR","scalar":{"value":64},"disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}}}}"#;

/// An agent with a disk that is only taken whole, and a framework that is offered it.
fn with_mount() -> (World, String, Scheduler, Offer) {
    let mut world = World::new();
    let [cpus, mem, disk] = [("cpus", 4), ("mem", 4096), ("disk", 512)]
        .map(|(name, amount)| format!(r#"{{"name":"{name}","type":"SCALAR","scalar":{{"value":{amount}}}}}"#));
    let agent = world.register_agent(1, &format!("[{cpus},{mem},{disk},{MOUNT}]"));
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    (world, agent, scheduler, offer)
}

fn mount() -> Resource {
    Resources::parse(&format!("[{MOUNT}]"), "*").unwrap().to_proto().remove(0)
}

fn with_mounts(mut task: TaskInfo, count: usize) -> TaskInfo {
    task.resources.extend(std::iter::repeat_n(mount(), count));
    task
}

#[test]
fn a_disk_that_is_taken_whole_is_taken_once() {
    type Launch = fn(&str, &str) -> Operation;
    let launches: [(usize, Launch); 5] = [
        (0, |_, agent| launch_operation(vec![with_mounts(task("t", agent, "cpus:1;mem:64"), 1)])),
        (1, |_, agent| launch_operation(vec![with_mounts(task("t", agent, "cpus:1;mem:64"), 2)])),
        (1, |framework, agent| {
            let own = Resources::parse("cpus:0.1;mem:32", "*").unwrap().to_proto().into_iter().chain([mount()]);
            let custom = ExecutorInfo {
                r#type: None,
                command: MessageField::some(CommandInfo { value: Some("e".to_owned()), ..Default::default() }),
                ..default_executor(framework, own.collect())
            };
            let task = with_mounts(task("t", agent, "cpus:1;mem:64"), 1);
            let (command, executor) = (MessageField::none(), MessageField::some(custom));
            launch_operation(vec![TaskInfo { command, executor, ..task }])
        }),
        (2, |framework, agent| {
            let small = Resources::parse("cpus:0.1;mem:32;disk:16", "*").unwrap().to_proto();
            let one = |id| with_mounts(task(id, agent, "cpus:0.5;mem:64"), 1);
            group_operation(default_executor(framework, small), vec![one("t"), one("u")])
        }),
        (2, |framework, agent| {
            let small =
                Resources::parse("cpus:0.1;mem:32;disk:16", "*").unwrap().to_proto().into_iter().chain([mount()]);
            let one = |id, count| with_mounts(task(id, agent, "cpus:0.5;mem:64"), count);
            group_operation(default_executor(framework, small.collect()), vec![one("t", 1), one("u", 0)])
        }),
    ];
    for (number, (refused, launch)) in launches.into_iter().enumerate() {
        let (mut world, agent, scheduler, offer) = with_mount();
        let operation = launch(&scheduler.id, &agent);
        world.call(&scheduler, accept(&[&offer], vec![operation]));
        world.audit();
        let updates = world.updates(&scheduler);
        assert_eq!(updates.len(), refused, "{number}: {updates:?}");
        for update in updates {
            assert_eq!(update.state, TaskState::TASK_ERROR);
            let text = update.message.unwrap();
            assert!(text.contains("more than available"), "{number}: {text}");
        }
        world.call(&scheduler, Call { r#type: Some(call::Type::TEARDOWN), ..Default::default() });
        world.audit();
    }
}

#[test]
fn what_an_agent_claims_to_be_allocated_is_free() {
    type Comes = fn(&mut World, Vec<Resource>, Vec<Resource>);
    let comes: [Comes; 3] = [
        |world, resources, checkpointed_resources| {
            let mut message = RegisterAgentMessage { checkpointed_resources, ..register_message(1, "cpus:4;mem:1024") };
            message.agent.get_or_insert_default().resources = resources;
            world.send(&agent_pid(1), &message);
        },
        |world, resources, checkpointed_resources| {
            let message = reregister_message(1, "cpus:4;mem:1024", "old-S0", vec![], vec![]);
            let mut message = ReregisterAgentMessage { checkpointed_resources, ..message };
            message.agent.get_or_insert_default().resources = resources;
            world.send(&agent_pid(1), &message);
        },
        |world, resources, checkpointed_resources| {
            let id = world.register_agent(1, "cpus:4;mem:1024");
            let message = reregister_message(1, "cpus:4;mem:1024", &id, vec![], vec![]);
            let mut message = ReregisterAgentMessage { checkpointed_resources, ..message };
            message.agent.get_or_insert_default().resources = resources;
            world.send(&agent_pid(1), &message.clone());
            world.send(&agent_pid(1), &message);
        },
    ];
    for (number, come) in comes.into_iter().enumerate() {
        let mut resources = Resources::parse("cpus:4;mem:1024", "*").unwrap().to_proto();
        let mut reserved = Resources::parse("cpus(r):1", "*").unwrap().to_proto();
        reserved[0].reservations[0].r#type = Some(Reservation::DYNAMIC);
        for one in resources.iter_mut().chain(&mut reserved) {
            one.allocation_info.get_or_insert_default().role = Some("r".to_owned());
        }
        let mut world = World::new();
        come(&mut world, resources, reserved);
        let snapshot = world.master.snapshot();
        let agent = snapshot.agents.values().next().expect("the agent is taken");
        let all =
            agent.info.resources.iter().cloned().chain(agent.total.to_proto()).chain(agent.checkpointed.to_proto());
        assert!(all.into_iter().all(|one| !one.allocation_info.is_set()), "{number}: {agent:?}");
        let scheduler = world.subscribe(
            FrameworkInfo { roles: vec!["r".to_owned()], ..framework("f", &[Capability::MULTI_ROLE]) },
            ContentType::Json,
        );
        world.advance(Duration::from_secs(5));
        let offers = world.offers(&scheduler);
        assert_eq!(offers.len(), 1, "{number}: all of it is offered once");
        assert_eq!(Resources::from_proto(&offers[0].resources).cpus().unwrap().to_f64(), 4.0, "{number}");
        world.audit();
    }
}

#[test]
fn what_an_agent_comes_back_with_does_not_grow() {
    let mut world = World::new();
    let id = world.register_agent(1, "cpus:4;mem:1024");
    let mut message = reregister_message(1, "cpus:4;mem:1024;cpus(r):1;disk:8", &id, vec![], vec![]);
    let resources = &mut message.agent.get_or_insert_default().resources;
    resources[2].revocable = MessageField::some(Default::default());
    resources[3].provider_id.get_or_insert_default().value = "p".to_owned();
    for _ in 0..3 {
        world.send(&agent_pid(1), &message);
        let total = world.master.snapshot().agents.values().next().unwrap().total.to_string();
        assert_eq!(total, "cpus:4; mem:1024");
        world.audit();
    }
}

/// As many as come, with as much as one can have of something, half of it their own and half added later.
fn with_large_agents() -> World {
    let mut world = World::new();
    for number in 1..=100 {
        world.send(&agent_pid(number), &register_message(number, "cpus:4;mem:1024;bytes:50000000000000"));
        let snapshot = world.master.snapshot();
        let Some(agent) = snapshot.agents.values().find(|agent| agent.pid == agent_pid(number)) else { continue };
        let mut resources = Resources::parse("bytes:50000000000000", "*").unwrap().to_proto();
        resources[0].revocable = MessageField::some(Default::default());
        let message = UpdateAgentMessage {
            agent_id: MessageField::some(AgentID { value: agent.id.to_string(), ..Default::default() }),
            update_oversubscribed_resources: Some(true),
            oversubscribed_resources: resources,
            ..Default::default()
        };
        world.send(&agent_pid(number), &message);
    }
    world
}

#[test]
fn what_agents_have_together_can_be_counted() {
    let mut world = with_large_agents();
    let count = |world: &World| world.master.snapshot().agents.len();
    assert!((50..100).contains(&count(&world)), "{}", count(&world));
    let before = count(&world);
    let scheduler = world.subscribe(framework("f", &[Capability::REVOCABLE_RESOURCES]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    world.audit();
    let offers = world.offers(&scheduler);
    assert_eq!(offers.len(), before);
    for (number, offer) in offers.iter().enumerate() {
        let tasks = match number % 2 {
            0 => vec![task(&format!("t{number}"), &offer.agent_id.value, "cpus:1;mem:32;bytes:50000000000000")],
            _ => vec![],
        };
        world.launch(&scheduler, &[offer], tasks);
    }
    world.advance(Duration::from_secs(5));
    world.audit();
    world.call(&scheduler, Call { r#type: Some(call::Type::TEARDOWN), ..Default::default() });
    world.audit();
    for number in 1..=100 {
        world.input(NetInput::Exited(agent_pid(number)));
    }
    world.advance(Duration::from_secs(900));
    world.audit();
    assert_eq!(count(&world), 0);
    world.register_agent(101, "cpus:4;bytes:100000000000000");
    world.audit();
}

/// A task that an agent reports; it runs.
fn reported(id: &str, resources: &str) -> Task {
    Task {
        name: "name".to_owned(),
        task_id: MessageField::some(TaskID { value: id.to_owned(), ..Default::default() }),
        framework_id: field_id("old-0000"),
        agent_id: MessageField::some(AgentID { value: "old-S0".to_owned(), ..Default::default() }),
        state: TaskState::TASK_RUNNING,
        resources: Resources::parse(resources, "*").unwrap().to_proto(),
        ..Default::default()
    }
}

/// Whether an agent that comes back with this and these tasks is not let in.
fn refused(resources: &str, tasks: Vec<Task>) -> bool {
    let mut world = World::new();
    let info = FrameworkInfo { id: field_id("old-0000"), ..framework("f", &[]) };
    world.send(&agent_pid(1), &reregister_message(1, resources, "old-S0", vec![info], tasks));
    world.audit();
    world.master.snapshot().agents.is_empty()
}

#[test]
fn what_an_agent_lists_is_bounded_as_a_whole() {
    let tasks = |count: usize| (0..count).map(|number| reported(&number.to_string(), "bytes:50000000000000")).collect();
    assert!(!refused("cpus:4;bytes:100000000000000", tasks(2)));
    assert!(refused("cpus:4;bytes:100000000000000", tasks(3)));
    assert!(refused("bytes(r):60000000000000;bytes:60000000000000", vec![]));
}

#[test]
fn two_tasks_do_not_hold_one_port_however_many_there_are() {
    let twice = |resources: &str| vec![reported("a", resources), reported("b", resources)];
    for ports in ["[1-2]", "[0-10000000000000000]", "[0-18446744073709551615]"] {
        assert!(refused(&format!("cpus:4;numbers:{ports}"), twice(&format!("numbers:{ports}"))), "{ports}");
    }
    let mut hidden = twice("numbers:[1-2]");
    hidden[0].resources.push(Resources::parse("numbers:90000000000000", "*").unwrap().to_proto().remove(0));
    assert!(refused("cpus:4;numbers:[1-2]", hidden));
    assert!(!refused("cpus:4;numbers:[1-2]", vec![reported("a", "numbers:[1-1]"), reported("b", "numbers:[2-2]")]));
}

#[test]
fn what_an_agent_lists_can_be_searched() {
    let list = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(";");
    let reserved = |number: usize| format!("cpus(r{number}):1");
    assert!(!refused(&list(500, &reserved), vec![]));
    assert!(refused(&list(6_000, &reserved), vec![]));
    assert!(!refused(&list(50, &|number| format!("x{number}:1")), vec![]));
    assert!(refused(&list(51, &|number| format!("x{number}:1")), vec![]));
    let items =
        |count: usize| format!("x:{{{}}}", (0..count).map(|item| item.to_string()).collect::<Vec<_>>().join(","));
    assert!(!refused(&items(5_000), vec![]));
    assert!(refused(&items(20_000), vec![]));
    let tasks = |count: usize| (0..count).map(|number| reported(&number.to_string(), &reserved(number))).collect();
    assert!(!refused(&list(100, &reserved), tasks(100)));
    assert!(refused("cpus:4", tasks(6_000)));
    let alike = (0..6_000).map(|number| reported(&number.to_string(), "cpus:0.001")).collect();
    assert!(!refused("cpus:6", alike), "what is added together is one");
}

fn multi_role(roles: usize) -> FrameworkInfo {
    let roles = (0..roles).map(|number| format!("r{number}")).collect();
    FrameworkInfo { roles, ..framework("f", &[Capability::MULTI_ROLE]) }
}

/// A filter of one role that asks for one of so many quantities of so many names.
fn filtering(quantities: usize, names: usize) -> FrameworkInfo {
    let one = Scalar { value: 1.0, ..Default::default() };
    let quantity = |first: usize| ResourceQuantities {
        quantities: (0..names).map(|number| (format!("x{first}-{number}"), one.clone())).collect(),
        ..Default::default()
    };
    let minimum = MinAllocatableResources { quantities: (0..quantities).map(quantity).collect(), ..Default::default() };
    let filters = OfferFilters { min_allocatable_resources: MessageField::some(minimum), ..Default::default() };
    FrameworkInfo { offer_filters: [("r0".to_owned(), filters)].into(), ..multi_role(1) }
}

#[test]
fn what_a_framework_lists_is_bounded() {
    let mut world = World::new();
    let mut error = |info: FrameworkInfo| {
        let call = Call {
            r#type: Some(call::Type::SUBSCRIBE),
            subscribe: MessageField::some(call::Subscribe {
                framework_info: MessageField::some(info),
                ..Default::default()
            }),
            ..Default::default()
        };
        let body = tepui_proto::v1::encode_scheduler_call(ContentType::Protobuf, &call);
        let type_ = ContentType::Protobuf.as_str();
        let headers = [("content-type", type_), ("accept", type_)];
        let (stream, _) = world.http(request("POST", "/master/api/v1/scheduler", "", &headers, &body));
        let first = world.streams[&stream].front().expect("something is written at once").clone();
        first.error.as_option().map(|error| error.message.clone())
    };
    assert_eq!(error(multi_role(10_000)), None);
    assert_eq!(error(multi_role(10_001)).unwrap(), "'FrameworkInfo.roles' contains more than 10000 items");
    assert_eq!(error(filtering(5, 10)), None);
    assert_eq!(
        error(filtering(6, 20)).unwrap(),
        "'FrameworkInfo.offer_filters' is not valid: There are more than 50 names of resources"
    );
    assert_eq!(
        error(filtering(10_001, 1)).unwrap(),
        "'FrameworkInfo.offer_filters' contains more than 10000 quantities"
    );
    world.audit();
}

#[test]
fn what_a_task_lists_is_bounded() {
    for (count, text) in [(256, "more than available"), (257, "257 resources are more than 256")] {
        let (mut world, agent, scheduler, offer) = with_mount();
        let many: Vec<String> = (0..count).map(|number| format!("x{number}:1")).collect();
        world.launch(&scheduler, &[&offer], vec![task("t", &agent, &many.join(";"))]);
        let update = world.updates(&scheduler).remove(0);
        assert!(update.message.as_deref().unwrap().contains(text), "{update:?}");
    }
    let (mut world, agent, scheduler, offer) = with_mount();
    let own = Resources::parse("cpus:0.1;mem:32;disk:16", "*").unwrap().to_proto();
    let many: Vec<String> = (0..200).map(|number| format!("x{number}:1")).collect();
    let tasks = (0..30).map(|number| task(&number.to_string(), &agent, &many.join(";"))).collect();
    world.call(&scheduler, accept(&[&offer], vec![group_operation(default_executor(&scheduler.id, own), tasks)]));
    let update = world.updates(&scheduler).remove(0);
    assert_eq!(update.message.as_deref(), Some("6000 resources of a group are more than 5120"));
    world.audit();
}
