//! Masters that elect by the log: never two with authority, by true time, whatever their clocks show; and one again when
//! it can be.

mod world;

use std::time::Duration;
use tepui_base::Instant;
use tepui_log::{Answer, CLOCK_ERROR, Input, Request};
use tepui_proto::codec;
use tepui_proto::mesos::internal::log as proto;
use tepui_wire::Message;
use world::planted::{self, Bug};
use world::{Faults, World, pid};

const SECOND: Duration = Duration::from_secs(1);

const ALL: Faults = Faults {
    lost: 20,
    doubled: 20,
    delay: Duration::from_millis(15),
    crash_every: Duration::from_secs(2),
    partition_every: Duration::from_millis(1500),
    wipes: false,
    pause_every: Duration::from_secs(1),
};

/// A network with its small faults; the large ones are another's.
const SMALL: Faults = Faults { lost: 20, doubled: 20, delay: Duration::from_millis(15), ..Faults::NONE };

fn masters(seed: u64, count: usize, faults: Faults) -> World {
    let mut world = World::new(seed, count, faults);
    let members: std::collections::BTreeSet<_> = (0..count).map(pid).collect();
    for node in &mut world.nodes {
        let error = u64::from(CLOCK_ERROR) * 1000;
        // Somewhere between as slow and as fast as a clock may be, often at the ends of it.
        let rate = match world.rng.below(4) {
            0 => 1_000_000 - error,
            1 => 1_000_000 + error,
            _ => 1_000_000 - error + world.rng.below(2 * error),
        };
        node.clock = (world.rng.below(1 << 40), rate);
        node.masters = Some(members.clone());
    }
    world
}

/// A time with faults, then one without, in which somebody leads and goes on leading.
fn run(seed: u64, count: usize) -> World {
    let mut world = masters(seed, count, ALL);
    world.run(SECOND * 12);
    world.faults = Faults::NONE;
    world.cut.clear();
    world.run(SECOND * 4);
    world.clients_resign = false;
    let leads = |world: &World| world.checks.leader(world.now).is_some_and(|at| world.nodes[at].leading);
    world.run_until("somebody to lead", leads);
    let (leader, elections) = (world.checks.leader(world.now), world.checks.led.len());
    world.run(SECOND * 5);
    assert_eq!((world.checks.leader(world.now), world.checks.led.len()), (leader, elections), "it stays");
    world
}

fn seeds() -> u64 {
    option_env!("TEPUI_LOG_SEEDS").and_then(|text| text.parse().ok()).unwrap_or(24)
}

#[test]
fn no_two_masters_have_authority_and_one_comes_back() {
    let mut led = 0;
    for seed in 0..seeds() {
        let count = if seed % 3 == 2 { 5 } else { 3 };
        let mut world = std::panic::catch_unwind(|| run(seed, count)).unwrap_or_else(|_| panic!("seed {seed}"));
        led += world.checks.led.len();
        let disks: Vec<_> = world.nodes.iter().map(|node| node.disk.clone()).collect();
        disks.iter().for_each(|disk| world.checks.disk(disk));
        world.checks.in_order_of_writers();
    }
    assert!(led as u64 > 3 * seeds(), "{led} leaders: the faults leave nothing to check");
}

/// Somebody who knows who leads, and does what a lease is most easily broken by, again and again.
fn attack(seed: u64, bug: Option<Bug>) -> World {
    const STRIKES: usize = 10;
    let mut world = masters(seed, 3, SMALL);
    (world.bug, world.clients_write) = (bug, false);
    for (at, node) in world.nodes.iter_mut().enumerate() {
        let (error, slow) = (u64::from(CLOCK_ERROR) * 1000, (seed / 2 % 3) as usize);
        if seed.is_multiple_of(2) {
            // As soon as the slow one leads, the bound is used up.
            node.clock.1 = if at == slow { 1_000_000 - error } else { 1_000_000 + error };
        }
        node.clock.1 = planted::rate(bug, at, node.clock.1);
    }
    for _ in 0..STRIKES {
        world.run_until("somebody to lead", |world| world.checks.leader(world.now).is_some());
        // Its lease has been renewed a few times.
        let wait = world.within(SECOND / 2);
        world.run(wait);
        if let Some(leader) = world.checks.leader(world.now) {
            strike(&mut world, leader);
        }
    }
    world
}

fn strike(world: &mut World, leader: usize) {
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let part = |world: &mut World, from: usize| world.cut.insert((leader.min(from), leader.max(from)));
    let dice = world.rng.below(3);
    if dice == 0 {
        // It stands still for less than a lease, and finds itself alone.
        let pause = world.within(tepui_log::LEASE);
        world.nodes[leader].paused_until = world.now + pause;
        world.run(pause);
    }
    part(world, one);
    if dice == 1 {
        // One replica does not hear it; the other, whose grant it lives by, starts again.
        let wait = world.within(SECOND);
        world.run(wait);
        world.crash(other);
    } else {
        part(world, other);
    }
    let wait = tepui_log::LEASE + world.within(SECOND);
    world.run(wait);
    world.cut.clear();
}

#[test]
fn nobody_who_knows_the_leader_makes_two() {
    let mut led = 0;
    for seed in 0..seeds() {
        let world = std::panic::catch_unwind(|| attack(seed, None)).unwrap_or_else(|_| panic!("seed {seed}"));
        led += world.checks.led.len();
    }
    assert!(led as u64 > 4 * seeds(), "{led} leaders: nobody was struck");
}

/// Each bug of the lease makes two masters act at once, and the judge of authority sees it.
#[test]
fn bugs_of_the_lease_are_found() {
    const SEEDS: u64 = 300;
    const BUGS: [Bug; 7] = [
        Bug::PromiseNotWithheld,
        Bug::CountedFromTheAnswer,
        Bug::ForgottenByRestart,
        Bug::WildClocks,
        Bug::HalfTheLease,
        Bug::ActsAfterTheEnd,
        Bug::ReleasedTooEarly,
    ];
    for bug in BUGS {
        let found = (0..SEEDS).find_map(|seed| {
            let why = std::panic::catch_unwind(|| attack(seed, Some(bug))).err()?;
            let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
            why.contains(" leads with ").then_some((seed, why))
        });
        let (seed, why) = found.unwrap_or_else(|| panic!("{bug:?} is not found in {SEEDS} seeds"));
        println!("found {bug:?} with seed {seed}: {why}");
    }
}

/// What the whole is for: the leader is killed, and another one leads in well under a second.
#[test]
fn another_master_leads_soon_after_the_leader_is_killed() {
    let mut took: Vec<Duration> = Vec::new();
    for seed in 0..40 {
        let mut world = masters(seed, 3, Faults::NONE);
        world.clients_resign = false;
        world.run_until("a leader", |world| world.checks.leader(world.now).is_some_and(|at| world.nodes[at].leading));
        let extra = world.within(SECOND);
        world.run(SECOND + extra);
        let leader = world.checks.leader(world.now).expect("it goes on");
        let killed = world.now;
        world.nodes[leader].crash(1.0);
        world.checks.crashed(leader);
        world.run_until("another leader", |world| world.checks.leader(world.now).is_some_and(|at| at != leader));
        took.push(world.checks.led.last().map_or(Instant(0), |(at, _)| *at).since(killed));
    }
    took.sort_unstable();
    println!("median {:?}, longest {:?}", took[took.len() / 2], took[took.len() - 1]);
    assert!(took[took.len() - 1] < SECOND, "simulated time: {took:?}");
}

#[test]
fn a_leader_that_resigns_is_followed_at_once() {
    let mut world = masters(1, 3, Faults::NONE);
    world.clients_resign = false;
    world.run_until("a leader", |world| world.checks.leader(world.now).is_some_and(|at| world.nodes[at].leading));
    world.run(SECOND);
    let leader = world.checks.leader(world.now).expect("it goes on");
    world.nodes[leader].masters_only_watch = true;
    world.nodes[leader].leading = false;
    world.checks.acts_no_more(leader);
    world.request(leader, Request::Resign);
    let before = world.now;
    world.run_until("another leader", |world| world.checks.leader(world.now).is_some_and(|at| at != leader));
    let took = world.now.since(before);
    assert!(took < Duration::from_millis(250), "{took:?} of simulated time: nobody waits for the end of the lease");
    world.run(SECOND / 10);
    let told = world.nodes[leader].answers.last();
    assert!(matches!(told, Some(Answer::Follows { .. })), "{told:?}");
}

/// Nobody was told that it leads, so nobody would know that it has to say again that it wants to.
#[test]
fn a_writer_that_never_led_contends_on() {
    let mut world = masters(1, 3, Faults::NONE);
    world.clients_resign = false;
    (world.nodes[1].masters_only_watch, world.nodes[2].masters_only_watch) = (true, true);
    world.unheard = Some("tepui.internal.log.LeaseResponse");
    let is_writer = |world: &World| world.nodes[0].figures().is_some_and(|figures| figures.proposal.is_some());
    world.run_until("a writer", is_writer);
    world.nodes[0].masters_only_watch = true;
    world.run(tepui_log::LEASE * 3);
    assert!(world.checks.led.is_empty(), "nobody has confirmed its lease");
    world.unheard = None;
    world.run_until("it to lead", |world| world.checks.leader(world.now) == Some(0));
}

/// A replica of Mesos would promise in the middle of a lease, so its votes do not count and it is promised nothing.
#[test]
fn replicas_that_know_no_leases_are_refused_and_named_once() {
    const HIGH: u64 = 1 << 40;
    let mut world = masters(1, 3, Faults::NONE);
    world.run(SECOND);
    world.nodes[0].answers.clear();
    for from in [pid(1), pid(7), pid(1), pid(7)] {
        let (to, name) = (pid(0), "mesos.internal.log.PromiseRequest".to_owned());
        let body = codec::encode(&proto::PromiseRequest { proposal: HIGH, ..Default::default() });
        world.handle(0, Input::Message(Message { from, to, name, body, epoch: None }));
    }
    let refused = world.nodes[0].answers.iter().filter_map(|answer| match answer {
        Answer::Refused(from, why) => Some((from.clone(), why.as_str())),
        _ => None,
    });
    let of_mesos = "its replica of the log knows no leases: it is one of Mesos, or was started without --masters";
    assert_eq!(refused.collect::<Vec<_>>(), [(pid(1), of_mesos), (pid(7), "it is not one of --masters")]);
    assert!(world.nodes[0].figures().is_some_and(|figures| figures.promised < HIGH));
}

/// A leader that is stopped finds its authority gone when it goes on, and no replica takes it for the leader any more.
#[test]
fn a_leader_that_was_stopped_steps_down() {
    let mut world = masters(3, 3, Faults::NONE);
    world.clients_resign = false;
    world.run_until("a leader", |world| world.checks.leader(world.now).is_some_and(|at| world.nodes[at].leading));
    let leader = world.checks.leader(world.now).expect("it leads");
    world.nodes[leader].paused_until = world.now + SECOND * 2;
    world.nodes[leader].answers.clear();
    world.run(SECOND * 3);
    assert!(world.checks.leader(world.now).is_some_and(|at| at != leader));
    let said = |wanted: fn(&Answer) -> bool| world.nodes[leader].answers.iter().any(wanted);
    assert!(said(|answer| *answer == Answer::Demoted) && said(|answer| *answer == Answer::NoLeader));
    assert!(said(|answer| matches!(answer, Answer::Follows { .. })));
}
