//! Limits on giving agents up: the rate, the share after a failover, and what the registry remembers.

mod harness;

use harness::*;
use std::sync::Arc;
use std::time::Duration;
use tepui_master::Config;
use tepui_master::metrics::Counter;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::internal::{AgentReregisteredMessage, PongAgentMessage, UnregisterAgentMessage};
use tepui_proto::mesos::scheduler::{Call, call, event};
use tepui_proto::mesos::{AgentID, TaskID, TaskState, TaskStatus};
use tepui_proto::{ContentType, MessageField};
use tepui_registry::{Gone, Registrar, Standing, State, Unreachable};
use tepui_wire::{NetInput, Upid};

const AGENT: &str = "cpus:4;mem:4096;disk:4096";
const MINUTE: Duration = Duration::from_secs(60);

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::new(master_pid(), "master.local");
    change(&mut config);
    config
}

/// Agents that stand in the registry and have not come back.
fn recovered(ids: &[&str]) -> Registrar {
    let mut state = State::default();
    for (number, id) in (1..).zip(ids) {
        state.admitted.insert((*id).into(), Arc::new(agent_info(number, AGENT, id)).into());
    }
    Registrar::new(state)
}

fn counts(world: &World) -> [u64; 3] {
    use Counter::{AgentUnreachableCanceled, AgentUnreachableCompleted, AgentUnreachableScheduled};
    let metrics = world.master.snapshot().metrics;
    [AgentUnreachableScheduled, AgentUnreachableCompleted, AgentUnreachableCanceled].map(|counter| metrics.get(counter))
}

fn pong(world: &mut World, number: u8) {
    let observer = Upid::new(&format!("slave-observer({number})"), master_pid().ip, master_pid().port);
    world.send_to(&agent_pid(number), observer, &PongAgentMessage::default());
}

fn registered(world: &World) -> usize {
    world.master.snapshot().agents.len()
}

#[test]
fn silent_agents_go_one_at_a_time_and_one_that_answers_stays() {
    let limited = config(|config| config.agent_removal_interval = Some(10 * MINUTE));
    let mut world = World::with(limited, Registrar::default());
    for number in 1..=3 {
        world.register_agent(number, AGENT);
    }
    world.advance(Duration::from_secs(76));
    assert_eq!(registered(&world), 2, "the first goes at once");
    assert_eq!(counts(&world), [3, 1, 0]);
    pong(&mut world, 2);
    assert_eq!(counts(&world), [3, 1, 1]);
    for _ in 0..11 {
        world.advance(MINUTE);
        pong(&mut world, 2);
    }
    let snapshot = world.master.snapshot();
    assert_eq!(snapshot.agents.values().map(|agent| agent.pid.clone()).collect::<Vec<_>>(), [agent_pid(2)]);
    assert_eq!(counts(&world), [3, 2, 1], "the third has waited for its turn, once");
    world.audit();
}

#[test]
fn an_agent_that_leaves_while_it_waits_for_its_turn_is_counted_neither_way() {
    let limited = config(|config| config.agent_removal_interval = Some(10 * MINUTE));
    let mut world = World::with(limited, Registrar::default());
    let ids: Vec<String> = (1..=2).map(|number| world.register_agent(number, AGENT)).collect();
    world.advance(Duration::from_secs(76));
    assert_eq!(counts(&world), [2, 1, 0]);
    let agent_id = MessageField::some(AgentID { value: ids[1].clone(), ..Default::default() });
    world.send(&agent_pid(2), &UnregisterAgentMessage { agent_id, ..Default::default() });
    assert_eq!((registered(&world), counts(&world)), (0, [2, 1, 0]));
    world.advance(11 * MINUTE);
    assert_eq!(counts(&world), [2, 1, 0]);
}

#[test]
fn mesos_7721_the_limit_of_removals_slows_unreachable_agents_as_in_1_11() {
    for (interval, left) in [(Some(10 * MINUTE), 1), (None, 0)] {
        let mut world = World::with(config(|config| config.agent_removal_interval = interval), Registrar::default());
        (1..=2).for_each(|number| _ = world.register_agent(number, AGENT));
        world.advance(Duration::from_secs(76));
        let snapshot = world.master.snapshot();
        assert_eq!((snapshot.agents.len(), snapshot.unreachable.len()), (left, 2 - left), "both are as silent");
        world.advance(10 * MINUTE);
        assert_eq!(world.master.snapshot().unreachable.len(), 2);
    }
}

#[test]
fn a_disconnected_agent_that_comes_back_before_its_turn_stays() {
    let limited = config(|config| config.agent_removal_interval = Some(10 * MINUTE));
    let mut world = World::with(limited, Registrar::default());
    let ids: Vec<String> = (1..=2).map(|number| world.register_agent(number, AGENT)).collect();
    (1..=2).for_each(|number| world.input(NetInput::Exited(agent_pid(number))));
    for _ in 0..10 {
        world.advance(MINUTE);
        (1..=2).for_each(|number| pong(&mut world, number));
    }
    assert_eq!((registered(&world), counts(&world)), (1, [2, 1, 0]));
    world.send(&agent_pid(2), &reregister_message(2, AGENT, &ids[1], vec![], vec![]));
    for _ in 0..10 {
        world.advance(MINUTE);
        pong(&mut world, 2);
    }
    assert_eq!((registered(&world), counts(&world)), (1, [2, 1, 1]));
}

#[test]
fn agents_of_the_registry_wait_at_the_same_limit() {
    let limited = config(|config| config.agent_removal_interval = Some(10 * MINUTE));
    let mut world = World::with(limited, recovered(&["a", "b"]));
    world.advance(10 * MINUTE);
    assert_eq!(world.master.snapshot().unreachable.len(), 1);
    world.send(&agent_pid(2), &reregister_message(2, AGENT, "b", vec![], vec![]));
    assert_eq!(world.received::<AgentReregisteredMessage>(&agent_pid(2)).len(), 1);
    for _ in 0..10 {
        world.advance(MINUTE);
        pong(&mut world, 1);
    }
    assert_eq!(world.master.snapshot().unreachable.len(), 1);
    assert_eq!(counts(&world), [2, 1, 1]);
}

#[test]
fn a_master_that_would_give_up_too_many_agents_ends() {
    let limited = || config(|config| config.recovery_agent_removal_limit = 0.5);
    let mut world = World::with(limited(), recovered(&["a", "b"]));
    world.advance(10 * MINUTE);
    assert_eq!(
        world.exit.as_deref(),
        Some(
            "Post-recovery agent removal limit exceeded! After 10mins there were 2 (100%) agents recovered from the \
             registry that did not reregister: \n{ a, b }\n  The configured removal limit is 50%. Please investigate or \
             increase this limit to proceed further"
        )
    );
    assert!(world.master.snapshot().unreachable.is_empty());
    let mut world = World::with(limited(), recovered(&["a", "b"]));
    world.send(&agent_pid(2), &reregister_message(2, AGENT, "b", vec![], vec![]));
    for _ in 0..10 {
        world.advance(MINUTE);
        pong(&mut world, 1);
    }
    assert_eq!((world.exit.clone(), world.master.snapshot().unreachable.len()), (None, 1));
}

/// Seed 164250981836465 of the simulation.
#[test]
fn an_agent_that_was_given_up_and_is_back_gets_its_whole_time_when_it_is_lost_again() {
    let mut world = World::with(Config::new(master_pid(), "master.local"), Registrar::default());
    let id = world.register_agent(1, AGENT);
    // The time it has to come back would be over after ten minutes, but it misses five pings before that.
    world.input(NetInput::Exited(agent_pid(1)));
    (0..8).for_each(|_| world.advance(MINUTE));
    assert_eq!((registered(&world), world.master.snapshot().unreachable.len()), (0, 1));
    world.send(&agent_pid(1), &reregister_message(1, AGENT, &id, vec![], vec![]));
    world.advance(MINUTE);
    pong(&mut world, 2);
    world.input(NetInput::Exited(agent_pid(1)));
    world.advance(MINUTE);
    assert_eq!(registered(&world), 1, "the first loss is forgotten");
}

/// The answer to a question about a task on an agent.
fn whereabouts(world: &mut World, scheduler: &Scheduler, agent: &str) -> TaskState {
    reconciled(world, scheduler, agent).state
}

/// What the master says of an unknown task of an agent.
fn reconciled(world: &mut World, scheduler: &Scheduler, agent: &str) -> TaskStatus {
    let task = call::reconcile::Task {
        task_id: MessageField::some(TaskID { value: "t".to_owned(), ..Default::default() }),
        agent_id: MessageField::some(AgentID { value: agent.to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let reconcile = MessageField::some(call::Reconcile { tasks: vec![task], ..Default::default() });
    world.call(scheduler, Call { r#type: Some(call::Type::RECONCILE), reconcile, ..Default::default() });
    world.updates(scheduler).remove(0)
}

#[test]
fn a_task_of_an_agent_that_is_gone_is_gone() {
    let mut world = World::with(config(|_| {}), registry_of_lost());
    let scheduler = world.subscribe(framework("f", &[Capability::PARTITION_AWARE]), ContentType::Json);
    let update = reconciled(&mut world, &scheduler, "gone");
    assert_eq!(update.state, TaskState::TASK_GONE_BY_OPERATOR);
    assert_eq!(update.message.as_deref(), Some("Reconciliation: Task is gone"));
}

fn registry_of_lost() -> Registrar {
    let mut state = State::default();
    let minute = 60_000_000_000;
    let start = 1_700_000_000_000_000_000;
    state.unreachable.insert("old".into(), Unreachable::new(&"old".into(), start - 2 * minute, Standing::default()));
    state.unreachable.insert("new".into(), Unreachable::new(&"new".into(), start - minute, Standing::default()));
    state.gone.insert("gone".into(), Gone::new(&"gone".into(), start - 3 * minute));
    Registrar::new(state)
}

#[test]
fn the_registry_forgets_the_oldest_of_too_many_agents() {
    let mut world = World::with(config(|config| config.registry_max_agent_count = 1), registry_of_lost());
    let scheduler = world.subscribe(framework("f", &[Capability::PARTITION_AWARE]), ContentType::Json);
    assert_eq!(whereabouts(&mut world, &scheduler, "old"), TaskState::TASK_UNREACHABLE);
    world.advance(15 * MINUTE);
    assert_eq!(whereabouts(&mut world, &scheduler, "old"), TaskState::TASK_UNKNOWN);
    assert_eq!(whereabouts(&mut world, &scheduler, "new"), TaskState::TASK_UNREACHABLE);
    assert_eq!(whereabouts(&mut world, &scheduler, "gone"), TaskState::TASK_GONE_BY_OPERATOR);
}

#[test]
fn the_registry_forgets_agents_that_are_too_old() {
    let aged = config(|config| {
        config.registry_max_agent_age = Duration::from_secs(17 * 60 - 1);
        config.registry_gc_interval = 15 * MINUTE;
    });
    let mut world = World::with(aged, registry_of_lost());
    let ids = |world: &World| -> Vec<String> {
        let snapshot = world.master.snapshot();
        snapshot.unreachable.keys().chain(snapshot.gone.keys()).map(ToString::to_string).collect()
    };
    assert_eq!(ids(&world), ["new", "old", "gone"]);
    world.advance(15 * MINUTE);
    assert_eq!(ids(&world), ["new"]);
    world.advance(15 * MINUTE);
    assert!(ids(&world).is_empty());
}

#[test]
fn an_agent_that_was_forgotten_takes_its_unreachable_tasks_along_and_may_come_back() {
    let mut world = World::with(config(|config| config.registry_max_agent_count = 0), Registrar::default());
    let agent = world.register_agent(1, AGENT);
    let scheduler = world.subscribe(framework("f", &[Capability::PARTITION_AWARE]), ContentType::Json);
    world.advance(Duration::from_secs(1));
    let offer = world.offers(&scheduler).remove(0);
    world.launch(&scheduler, &[&offer], vec![task("t", &agent, "cpus:1;mem:32")]);
    world.advance(Duration::from_secs(76));
    let unreachable = |world: &World| world.master.snapshot().frameworks.values().next().unwrap().unreachable.len();
    assert_eq!(unreachable(&world), 1);
    world.advance(15 * MINUTE);
    assert_eq!(unreachable(&world), 0);
    world.events(&scheduler, event::Type::UPDATE);
    assert_eq!(whereabouts(&mut world, &scheduler, &agent), TaskState::TASK_UNKNOWN);
    world.send(&agent_pid(1), &reregister_message(1, AGENT, &agent, vec![], vec![]));
    assert_eq!(registered(&world), 1);
}
