//! Finding a master, registering, losing it.

mod harness;

use harness::*;
use std::time::Duration;
use tepui_agent::config::REGISTRATION_BACKOFF_FACTOR;
use tepui_agent::{Effect, Input, Leader};
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::internal::*;
use tepui_proto::mesos::task_status::Reason;
use tepui_wire::{NetEffect, Upid};

#[test]
fn the_first_registration_waits_a_random_while_and_links_to_the_master() {
    let mut world = World::new(config());
    world.input(Input::Detected(Some(master())));
    assert!(world.sent::<RegisterAgentMessage>(&master()).is_empty());
    world.pass(REGISTRATION_BACKOFF_FACTOR);
    let sent = world.sent::<RegisterAgentMessage>(&master());
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].version.as_deref(), Some("1.11.0"));
    assert_eq!(sent[0].agent.resources[0].role.as_deref(), Some("*"), "in the form old masters understand");
    assert!(world.effects.contains(&Effect::Net(NetEffect::Link { to: master(), reconnect: false })));
}

#[test]
fn the_master_learns_where_the_agent_is() {
    use tepui_proto::mesos::{DomainInfo, domain_info};
    let region = domain_info::fault_domain::RegionInfo { name: "R".into(), ..Default::default() };
    let zone = domain_info::fault_domain::ZoneInfo { name: "Z".into(), ..Default::default() };
    let fault_domain = domain_info::FaultDomain { region: field(region), zone: field(zone), ..Default::default() };
    let domain = DomainInfo { fault_domain: field(fault_domain), ..Default::default() };
    let mut world = World::new(tepui_agent::Config { domain: Some(domain.clone()), ..config() });
    world.input(Input::Detected(Some(master())));
    world.pass(REGISTRATION_BACKOFF_FACTOR);
    assert_eq!(world.sent::<RegisterAgentMessage>(&master())[0].agent.domain, field(domain));
}

#[test]
fn registration_is_tried_again_until_the_master_answers() {
    let mut world = World::new(config());
    world.input(Input::Detected(Some(master())));
    world.pass(Duration::from_secs(300));
    let tries = world.sent::<RegisterAgentMessage>(&master()).len();
    assert!((7..40).contains(&tries), "pauses double to one minute: {tries}");
    world.confirm();
    world.clear();
    world.pass(Duration::from_secs(70));
    assert!(world.sent::<RegisterAgentMessage>(&master()).is_empty());
}

#[test]
fn each_registration_is_followed_by_an_update() {
    let mut world = World::new(config());
    world.input(Input::Detected(Some(master())));
    world.pass(REGISTRATION_BACKOFF_FACTOR);
    let version = world.sent::<RegisterAgentMessage>(&master())[0].resource_version_uuid.value.clone();
    assert!(world.sent::<UpdateAgentMessage>(&master()).is_empty(), "only after the master's word");
    world.confirm();
    world.master_sends(&AgentReregisteredMessage { agent_id: agent_id(), ..Default::default() });
    let sent = world.sent::<UpdateAgentMessage>(&master());
    assert_eq!(sent.len(), 2);
    for update in sent {
        assert_eq!((&update.agent_id, &update.resource_version_uuid.value), (&agent_id(), &version));
        assert_eq!(update.update_oversubscribed_resources, Some(false));
        assert!(update.operations.is_set() && update.operations.operations.is_empty());
        // A list that is there and empty says that there are no providers; none says nothing about them.
        assert!(update.resource_providers.is_set() && update.resource_providers.providers.is_empty());
    }
}

#[test]
fn only_the_leading_master_is_heard() {
    let mut world = World::new(config());
    world.input(Input::Detected(Some(master())));
    world.pass(REGISTRATION_BACKOFF_FACTOR);
    let other = Upid::new("master", std::net::Ipv4Addr::new(10, 0, 0, 9), 5050);
    world.message(&other, &AgentRegisteredMessage { agent_id: agent_id(), ..Default::default() });
    assert_eq!(world.agent.snapshot().state.id, None);
}

#[test]
fn a_leader_of_an_older_epoch_is_not_heard() {
    let mut world = World::registered();
    let run = |epoch| {
        let name = "mesos.internal.ShutdownMessage".to_owned();
        let message = tepui_wire::Message { from: master(), to: config().pid, name, epoch, body: Default::default() };
        Input::Net(tepui_wire::NetInput::Message(message))
    };
    let shuts_down = |world: &World| world.effects.iter().any(|effect| matches!(effect, Effect::Exit(_)));
    // Another leads by now; the one we are registered with does not know yet, and says a last word.
    world.input(Input::Leader(Leader { epoch: Some(8), ..Leader::default() }));
    for old in [Some(7), None] {
        world.input(run(old));
        assert!(!shuts_down(&world), "{old:?}");
    }
    world.input(run(Some(8)));
    assert!(shuts_down(&world));
}

#[test]
fn a_wrong_id_ends_the_agent() {
    let mut world = World::registered();
    let agent_id = field(tepui_proto::mesos::AgentID { value: "M-S9".into(), ..Default::default() });
    world.master_sends(&AgentReregisteredMessage { agent_id, ..Default::default() });
    let text = "Re-registered but got wrong id: M-S9 (expected: M-S0)";
    assert!(world.effects.contains(&Effect::Exit(text.into())));
}

#[test]
fn pings_are_answered_and_silence_makes_the_agent_register_anew() {
    let mut world = World::registered();
    let observer = Upid::new("slave-observer(1)", std::net::Ipv4Addr::LOCALHOST, 5050);
    world.pass(Duration::from_secs(70));
    world.message(&observer, &PingAgentMessage { connected: true, ..Default::default() });
    assert_eq!(world.sent::<PongAgentMessage>(&observer).len(), 1);
    world.pass(Duration::from_secs(74));
    assert!(!world.effects.contains(&Effect::Redetect));
    world.pass(Duration::from_secs(2));
    assert!(world.effects.contains(&Effect::Redetect));
    world.input(Input::Detected(Some(master())));
    world.pass(REGISTRATION_BACKOFF_FACTOR);
    assert!(!world.sent::<ReregisterAgentMessage>(&master()).is_empty());
}

#[test]
fn a_master_that_believes_the_agent_lost_makes_it_register_anew() {
    let mut world = World::registered();
    world.master_sends(&PingAgentMessage { connected: false, ..Default::default() });
    assert!(world.effects.contains(&Effect::Redetect));
}

#[test]
fn reregistration_tells_of_every_task_and_executor() {
    let mut world = World::registered();
    world.run(&command_task("c"));
    world.run(&executor_task("t", "e", true));
    world.message(&executor_pid(), &registration("e"));
    world.containers_updated();
    world.input(Input::Detected(Some(master())));
    world.pass(REGISTRATION_BACKOFF_FACTOR);
    let message = &world.sent::<ReregisterAgentMessage>(&master())[0];
    assert_eq!(message.frameworks.len(), 1);
    let mut tasks: Vec<_> = message.tasks.iter().map(|t| (t.task_id.value.as_str(), t.state)).collect();
    tasks.sort_by_key(|(id, _)| *id);
    assert_eq!(tasks, [("c", TaskState::TASK_STAGING), ("t", TaskState::TASK_STAGING)]);
    let executors: Vec<_> = message.executor_infos.iter().map(|e| e.executor_id.value.as_str()).collect();
    assert_eq!(executors, ["e"], "the master knows nothing of executors of command tasks");
}

#[test]
fn a_task_the_agent_does_not_know_is_reported_lost() {
    let mut world = World::registered();
    world.input(Input::Detected(Some(master())));
    world.pass(REGISTRATION_BACKOFF_FACTOR);
    let reconciliation = ReconcileTasksMessage {
        framework_id: framework_id(),
        statuses: vec![status("gone", TaskState::TASK_STAGING, 1)],
        ..Default::default()
    };
    let reconciliations = vec![reconciliation];
    world.master_sends(&AgentReregisteredMessage { agent_id: agent_id(), reconciliations, ..Default::default() });
    let text = "Reconciliation: task unknown to the agent".to_owned();
    assert_eq!(world.statuses(), [(TaskState::TASK_LOST, Some(Reason::REASON_RECONCILIATION), text)]);
}

#[test]
fn updates_wait_for_a_master() {
    let mut world = World::registered();
    world.run(&executor_task("t", "e", true));
    world.message(&executor_pid(), &registration("e"));
    world.containers_updated();
    world.input(Input::Detected(None));
    world.clear();
    world.message(&executor_pid(), &update("e", status("t", TaskState::TASK_RUNNING, 1)));
    world.pass(Duration::from_secs(100));
    assert!(world.updates().is_empty());
    let acks = world.sent::<StatusUpdateAcknowledgementMessage>(&executor_pid());
    assert_eq!(acks.len(), 1, "the executor need not care");
    world.input(Input::Detected(Some(master())));
    world.pass(REGISTRATION_BACKOFF_FACTOR);
    world.master_sends(&AgentReregisteredMessage { agent_id: agent_id(), ..Default::default() });
    assert_eq!(world.updates().len(), 1);
}
