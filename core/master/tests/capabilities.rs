//! What each capability of a framework changes in what the master gives it.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_master::Config;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::UpdateAgentMessage;
use tepui_proto::mesos::scheduler::event;
use tepui_proto::mesos::{AgentID, DomainInfo, FrameworkInfo, Offer, Resource, domain_info, resource, volume};
use tepui_proto::{ContentType, MessageField};
use tepui_registry::Registrar;
use tepui_resources::Resources;

const AGENT: &str = "cpus:4;mem:4096;disk:4096";

/// Frameworks without and with a capability, and the offers that each is made of an agent that is there alone.
fn offers(world: &mut World, info: FrameworkInfo) -> Vec<Offer> {
    let scheduler = world.subscribe(info, ContentType::Protobuf);
    world.advance(Duration::from_secs(1));
    let offers = world.offers(&scheduler);
    world.input(tepui_wire::NetInput::StreamClosed(scheduler.stream));
    world.advance(Duration::from_secs(1));
    offers
}

fn names(offers: &[Offer]) -> Vec<&str> {
    offers.iter().flat_map(|offer| &offer.resources).map(|resource| resource.name.as_str()).collect()
}

#[test]
fn gpus_are_for_frameworks_that_know_them() {
    let mut world = World::new();
    world.register_agent(1, "cpus:4;mem:4096;gpus:2");
    assert!(offers(&mut world, framework("plain", &[])).is_empty());
    let made = offers(&mut world, framework("gpu", &[Capability::GPU_RESOURCES]));
    assert!(names(&made).contains(&"gpus"));
}

fn oversubscribed(agent: &str, cpus: f64) -> UpdateAgentMessage {
    let mut resource = Resources::parse(&format!("cpus:{cpus}"), "*").unwrap().to_proto().remove(0);
    resource.revocable = MessageField::some(resource::RevocableInfo::default());
    UpdateAgentMessage {
        agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
        update_oversubscribed_resources: Some(true),
        oversubscribed_resources: vec![resource],
        ..Default::default()
    }
}

#[test]
fn revocable_resources_are_for_frameworks_that_can_lose_them() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    world.send(&agent_pid(1), &oversubscribed(&agent, 2.0));
    let revocable = |offers: &[Offer]| {
        offers.iter().flat_map(|offer| &offer.resources).filter(|resource| resource.revocable.is_set()).count()
    };
    assert_eq!(revocable(&offers(&mut world, framework("plain", &[]))), 0);
    assert_eq!(revocable(&offers(&mut world, framework("f", &[Capability::REVOCABLE_RESOURCES]))), 1);
}

#[test]
fn offers_with_revocable_resources_are_rescinded_when_those_change() {
    let mut world = World::new();
    let agent = world.register_agent(1, AGENT);
    world.send(&agent_pid(1), &oversubscribed(&agent, 2.0));
    let scheduler = world.subscribe(framework("f", &[Capability::REVOCABLE_RESOURCES]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.send(&agent_pid(1), &oversubscribed(&agent, 2.0));
    assert!(world.events(&scheduler, event::Type::RESCIND).is_empty(), "nothing has changed");
    world.send(&agent_pid(1), &oversubscribed(&agent, 1.0));
    let rescinded = world.events(&scheduler, event::Type::RESCIND).remove(0);
    assert_eq!(rescinded.rescind.offer_id.value, offer.id.value);
    world.audit();
}

/// A shared persistent volume that is reserved for `r`.
fn shared_volume() -> Resource {
    let mut resource = Resources::parse("disk(r):64", "*").unwrap().to_proto().remove(0);
    let volume =
        tepui_proto::mesos::Volume { container_path: "p".to_owned(), mode: volume::Mode::RW, ..Default::default() };
    let persistence = resource::disk_info::Persistence { id: "p".to_owned(), ..Default::default() };
    resource.disk = MessageField::some(resource::DiskInfo {
        persistence: MessageField::some(persistence),
        volume: MessageField::some(volume),
        ..Default::default()
    });
    resource.shared = MessageField::some(resource::SharedInfo::default());
    resource
}

#[test]
fn shared_volumes_are_for_frameworks_that_share() {
    let mut world = World::new();
    let mut message = register_message(1, AGENT);
    message.agent.as_option_mut().unwrap().resources.push(shared_volume());
    world.send(&agent_pid(1), &message);
    let role = |name, kinds: &[Capability]| FrameworkInfo { role: Some("r".to_owned()), ..framework(name, kinds) };
    let shared = |offers: &[Offer]| {
        offers.iter().flat_map(|offer| &offer.resources).filter(|resource| resource.shared.is_set()).count()
    };
    assert_eq!(shared(&offers(&mut world, role("plain", &[]))), 0);
    assert_eq!(shared(&offers(&mut world, role("f", &[Capability::SHARED_RESOURCES]))), 1);
}

#[test]
fn reservations_are_written_in_the_form_the_framework_reads() {
    let mut world = World::new();
    world.register_agent(1, "cpus(r):4;mem(r):4096");
    let role = |kinds: &[Capability]| FrameworkInfo { role: Some("r".to_owned()), ..framework("f", kinds) };
    let old = offers(&mut world, role(&[]));
    let resource = &old[0].resources[0];
    assert_eq!((resource.role.as_deref(), resource.reservations.len()), (Some("r"), 0));
    let new = offers(&mut world, role(&[Capability::RESERVATION_REFINEMENT]));
    let resource = &new[0].resources[0];
    assert_eq!((resource.role.as_deref(), resource.reservations[0].role.as_deref()), (None, Some("r")));
}

#[test]
fn allocation_roles_are_told_to_frameworks_of_several_roles() {
    let mut world = World::new();
    world.register_agent(1, AGENT);
    let one = offers(&mut world, framework("one", &[]));
    assert!(!one[0].allocation_info.is_set() && !one[0].resources[0].allocation_info.is_set());
    let several = FrameworkInfo { roles: vec!["a".to_owned()], ..framework("several", &[Capability::MULTI_ROLE]) };
    let made = offers(&mut world, several);
    assert_eq!(made[0].allocation_info.role.as_deref(), Some("a"));
    assert_eq!(made[0].resources[0].allocation_info.role.as_deref(), Some("a"));
}

fn domain(region: &str) -> DomainInfo {
    use domain_info::{FaultDomain, fault_domain};
    let region = fault_domain::RegionInfo { name: region.to_owned(), ..Default::default() };
    let zone = fault_domain::ZoneInfo { name: "z".to_owned(), ..Default::default() };
    let fault_domain =
        FaultDomain { region: MessageField::some(region), zone: MessageField::some(zone), ..Default::default() };
    DomainInfo { fault_domain: MessageField::some(fault_domain), ..Default::default() }
}

#[test]
fn agents_with_a_fault_domain_need_a_master_with_one() {
    let register = |config: Config, domain: Option<DomainInfo>| {
        let mut world = World::with(config, Registrar::default());
        let mut message = register_message(1, AGENT);
        message.agent.as_option_mut().unwrap().domain = domain.into();
        world.send(&agent_pid(1), &message);
        world.master.snapshot().agents.len()
    };
    let config = |own: Option<DomainInfo>, required| {
        let mut config = Config::new(master_pid(), "master.local");
        (config.domain, config.require_agent_domain) = (own, required);
        config
    };
    assert_eq!(register(config(None, false), Some(domain("r"))), 0);
    assert_eq!(register(config(Some(domain("r")), false), Some(domain("r"))), 1);
    assert_eq!(register(config(Some(domain("r")), false), None), 1);
    assert_eq!(register(config(Some(domain("r")), true), None), 0);
    assert_eq!(register(config(Some(domain("r")), true), Some(domain("s"))), 1);
}
