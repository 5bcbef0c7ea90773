//! Resource providers, as agents tell of them in their updates.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_proto::mesos::framework_info::capability::Type as CapabilityType;
use tepui_proto::mesos::internal::update_agent_message::{ResourceProvider, ResourceProviders};
use tepui_proto::mesos::internal::{ReconcileOperationsMessage, UpdateAgentMessage};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::{
    AgentID, FrameworkInfo, OperationID, Resource, ResourceProviderID, ResourceProviderInfo, UUID,
};
use tepui_proto::{ContentType, MessageField};
use tepui_resources::Resources;

const AGENT: &str = "cpus:4;mem:4096";

fn id(name: &str) -> MessageField<ResourceProviderID> {
    MessageField::some(ResourceProviderID { value: name.to_owned(), ..Default::default() })
}

/// What a provider of that name has, at a version.
fn provider(name: &str, version: u8, resources: &str) -> ResourceProvider {
    let of = |resource: Resource| Resource { provider_id: id(name), ..resource };
    let info = ResourceProviderInfo {
        id: id(name),
        r#type: "org.apache.mesos.rp.test".to_owned(),
        name: name.to_owned(),
        ..Default::default()
    };
    ResourceProvider {
        info: MessageField::some(info),
        total_resources: Resources::parse(resources, "*").unwrap().to_proto().into_iter().map(of).collect(),
        operations: MessageField::some(Default::default()),
        resource_version_uuid: MessageField::some(UUID { value: vec![version; 16], ..Default::default() }),
        ..Default::default()
    }
}

/// An update that speaks of providers only, or of nothing.
fn update(agent: &str, providers: Option<Vec<ResourceProvider>>) -> UpdateAgentMessage {
    UpdateAgentMessage {
        agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
        update_oversubscribed_resources: Some(false),
        resource_providers: providers.map(|providers| ResourceProviders { providers, ..Default::default() }).into(),
        ..Default::default()
    }
}

fn total_cpus(world: &mut World) -> f64 {
    world.json("/state")["slaves"][0]["resources"]["cpus"].as_f64().unwrap()
}

#[test]
fn what_providers_have_is_the_agents_until_they_go() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    world.send(&agent_pid(1), &update(&agent, Some(vec![provider("a", 1, "cpus:2"), provider("b", 1, "cpus:1")])));
    assert_eq!(total_cpus(&mut world), 7.0);
    world.send(&agent_pid(1), &update(&agent, None));
    assert_eq!(total_cpus(&mut world), 7.0, "nothing was said of providers");
    world.send(&agent_pid(1), &update(&agent, Some(vec![provider("b", 2, "cpus:3")])));
    assert_eq!(total_cpus(&mut world), 7.0, "one has gone, the other has grown");
    world.send(&agent_pid(1), &update(&agent, Some(vec![])));
    assert_eq!(total_cpus(&mut world), 4.0);
    world.audit();
}

#[test]
fn an_update_is_ignored_whose_amounts_cannot_be_added() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let mut beyond = provider("a", 1, "cpus:2");
    beyond.total_resources[0].scalar.get_or_insert_default().value = 1e16;
    world.send(&agent_pid(1), &update(&agent, Some(vec![beyond.clone()])));
    let mut oversubscribed = update(&agent, None);
    oversubscribed.update_oversubscribed_resources = Some(true);
    oversubscribed.oversubscribed_resources = vec![Resource {
        provider_id: MessageField::none(),
        revocable: MessageField::some(Default::default()),
        ..beyond.total_resources.remove(0)
    }];
    world.send(&agent_pid(1), &oversubscribed);
    let total = |world: &World| world.master.snapshot().agents.values().next().unwrap().total.to_string();
    assert_eq!(total(&world), Resources::parse(AGENT, "*").unwrap().to_string());
    oversubscribed.oversubscribed_resources[0].scalar.get_or_insert_default().value = 1.0;
    world.send(&agent_pid(1), &oversubscribed);
    assert!(total(&world).contains("cpus{REV}:1"), "{}", total(&world));
    world.audit();
}

#[test]
fn what_is_neither_oversubscribed_nor_the_providers_is_left_out() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let own = Resources::parse("cpus:1", "*").unwrap().to_proto();
    let mut others = provider("a", 1, "cpus:2;mem:64");
    others.total_resources[0].provider_id = MessageField::none();
    others.total_resources[1].provider_id = id("b");
    let revocable =
        |resource: &Resource| Resource { revocable: MessageField::some(Default::default()), ..resource.clone() };
    let message = UpdateAgentMessage {
        update_oversubscribed_resources: Some(true),
        oversubscribed_resources: [own.clone(), others.total_resources.iter().map(revocable).collect()].concat(),
        ..update(&agent, Some(vec![others, provider("b", 1, "mem:8")]))
    };
    for _ in 0..3 {
        world.send(&agent_pid(1), &message);
        let total = world.master.snapshot().agents.values().next().unwrap().total.to_string();
        assert_eq!(total, "cpus:4; mem:4096; cpus{REV}:2; mem:8");
        world.audit();
    }
}

#[test]
fn what_an_agent_has_is_allocated_by_the_master_alone() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let mut claimed = provider("a", 1, "cpus:2");
    claimed.total_resources[0].allocation_info.get_or_insert_default().role = Some("a/.".to_owned());
    world.send(&agent_pid(1), &update(&agent, Some(vec![claimed])));
    let info = FrameworkInfo { roles: vec!["r".to_owned()], ..framework("f", &[CapabilityType::MULTI_ROLE]) };
    let scheduler = world.subscribe(info, ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    assert_eq!(Resources::from_proto(&offer.resources).cpus().unwrap().to_f64(), 6.0);
    assert!(offer.resources.iter().all(|one| one.allocation_info.role.as_deref() == Some("r")), "{offer:?}");
    world.audit();
}

#[test]
fn an_operator_sees_who_provides_what() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    world.send(&agent_pid(1), &update(&agent, Some(vec![provider("a", 1, "disk:7")])));
    let response = world.post_json("/api/v1", r#"{"type":"GET_AGENTS"}"#);
    let shown: serde_json::Value = serde_json::from_str(&text(&response)).unwrap();
    let shown = &shown["get_agents"]["agents"][0]["resource_providers"][0];
    assert_eq!(shown["resource_provider_info"]["name"], "a");
    assert_eq!(shown["total_resources"][0]["scalar"]["value"], 7.0);
}

#[test]
fn offers_of_a_provider_are_rescinded_when_providers_change() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    world.send(&agent_pid(1), &update(&agent, Some(vec![provider("a", 1, "cpus:2")])));
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    assert!(offer.resources.iter().any(|resource| resource.provider_id.value == "a"));
    world.send(&agent_pid(1), &update(&agent, Some(vec![provider("a", 1, "cpus:2")])));
    assert!(world.events(&scheduler, event::Type::RESCIND).is_empty(), "nothing has changed");
    world.send(&agent_pid(1), &update(&agent, Some(vec![provider("a", 2, "cpus:1")])));
    let rescinded = world.events(&scheduler, event::Type::RESCIND).remove(0);
    assert_eq!(rescinded.rescind.offer_id.value, offer.id.value);
    world.audit();
}

/// As in 1.11, whatever it is that has changed.
#[test]
fn offers_of_a_provider_are_rescinded_when_a_version_changes() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let message = |version: u8, own: u8| UpdateAgentMessage {
        resource_version_uuid: MessageField::some(UUID { value: vec![own; 16], ..Default::default() }),
        ..update(&agent, Some(vec![provider("a", version, "cpus:2")]))
    };
    world.send(&agent_pid(1), &message(1, 1));
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    for changed in [message(2, 1), message(2, 2)] {
        world.advance(Duration::from_secs(6));
        assert_eq!(world.offers(&scheduler).len(), 1);
        world.send(&agent_pid(1), &changed);
        assert_eq!(world.events(&scheduler, event::Type::RESCIND).len(), 1);
        world.send(&agent_pid(1), &changed);
        assert!(world.events(&scheduler, event::Type::RESCIND).is_empty(), "nothing has changed");
        world.audit();
    }
}

#[test]
fn a_launch_names_the_version_of_each_provider() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    world.send(&agent_pid(1), &update(&agent, Some(vec![provider("a", 5, "disk:7")])));
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.launch(&scheduler, &[&offer], vec![task("t", &agent, "cpus:1;mem:32")]);
    let run = world.launched(1).remove(0);
    let versions: Vec<(Option<&str>, u8)> = run
        .resource_version_uuids
        .iter()
        .map(|one| (one.resource_provider_id.as_option().map(|id| id.value.as_str()), one.uuid.value[0]))
        .collect();
    assert_eq!(versions, [(None, 9), (Some("a"), 5)]);
}

#[test]
fn an_unknown_operation_of_a_provider_that_is_there_is_the_masters_to_answer() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    world.send(&agent_pid(1), &update(&agent, Some(vec![provider("a", 1, "disk:7")])));
    let scheduler = world.subscribe(framework("f", &[]), ContentType::Json);
    let operation = call::reconcile_operations::Operation {
        operation_id: MessageField::some(OperationID { value: "op".to_owned(), ..Default::default() }),
        agent_id: MessageField::some(AgentID { value: agent, ..Default::default() }),
        resource_provider_id: id("a"),
        ..Default::default()
    };
    let call = Call {
        r#type: Some(call::Type::RECONCILE_OPERATIONS),
        reconcile_operations: MessageField::some(call::ReconcileOperations {
            operations: vec![operation],
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(world.call(&scheduler, call).status, 202);
    assert!(world.received::<ReconcileOperationsMessage>(&agent_pid(1)).is_empty());
    assert_eq!(world.events(&scheduler, event::Type::UPDATE_OPERATION_STATUS).len(), 1);
}

#[test]
fn an_update_after_registration_changes_the_version_only() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let message = UpdateAgentMessage {
        operations: MessageField::some(Default::default()),
        resource_version_uuid: MessageField::some(UUID { value: vec![3; 16], ..Default::default() }),
        ..update(&agent, Some(vec![]))
    };
    world.send(&agent_pid(1), &message);
    let snapshot = world.master.snapshot();
    let known = snapshot.agents.values().next().unwrap();
    assert_eq!(known.resource_version.as_deref(), Some(&[3; 16][..]));
    assert_eq!(total_cpus(&mut world), 4.0);
}

#[test]
fn a_provider_without_an_id_is_left_out() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    let mut nameless = provider("a", 1, "cpus:2");
    nameless.info = MessageField::none();
    world.send(&agent_pid(1), &update(&agent, Some(vec![nameless])));
    assert_eq!(total_cpus(&mut world), 4.0);
}
