//! Replicas that lose messages, crash and come back: what was acknowledged is in the log, everywhere the same.

mod world;

use std::time::Duration;
use tepui_log::{Answer, Request, RequestId};
use world::node::Node;
use world::{Faults, World};

const SECOND: Duration = Duration::from_secs(1);

/// Loses, doubles, reorders, crashes and cuts.
const ALL: Faults = Faults {
    lost: 20,
    doubled: 20,
    delay: Duration::from_millis(15),
    crash_every: Duration::from_millis(1200),
    partition_every: Duration::from_millis(1500),
    wipes: true,
    pause_every: Duration::ZERO,
};

/// A time with faults and clients, then a quiet one in which the log must serve and hold all that was acknowledged.
fn run(seed: u64, replicas: usize, faults: Faults) -> World {
    let mut world = World::new(seed, replicas, faults);
    if seed % 4 == 3 {
        world.as_mesos.insert(0);
    }
    world.run(SECOND * 8);
    settle(&mut world);
    world
}

fn settle(world: &mut World) {
    (world.faults, world.clients_active) = (Faults::NONE, false);
    world.cut.clear();
    world.run(SECOND * 4);
    let everyone =
        |world: &World| world.nodes.iter().all(|node| node.figures().is_some_and(|figures| figures.recovered));
    world.run_until("the recovery of all", everyone);
    let at = world.rng.below(world.nodes.len() as u64) as usize;
    world.nodes[at].answers.clear();
    world.run_until_elected(at);
    check_log(world, at);
}

trait Elects {
    fn run_until_elected(&mut self, at: usize);
}

impl Elects for World {
    fn run_until_elected(&mut self, at: usize) {
        for _ in 0..20 {
            self.nodes[at].answers.clear();
            self.request(at, Request::Elect);
            let over = |node: &Node| {
                node.answers.iter().any(|answer| matches!(answer, Answer::Elected { .. } | Answer::NotElected))
            };
            self.run_until("an election", |world| over(&world.nodes[at]));
            if self.nodes[at].answers.iter().any(|answer| matches!(answer, Answer::Elected { .. })) {
                return;
            }
        }
        panic!("nobody was in the way, and yet there is no writer");
    }
}

/// The writer's log holds every acknowledged entry that was not truncated, and all disks agree with it.
fn check_log(world: &mut World, at: usize) {
    let elected = world.nodes[at].answers.iter().rev().find_map(|answer| match answer {
        Answer::Elected { begin, end } => Some((*begin, *end)),
        _ => None,
    });
    let (begin, end) = elected.expect("elected");
    let truncated = world.checks.truncated_to();
    assert!(begin >= truncated, "the log begins at {begin}, and everything before {truncated} is truncated");
    let id = RequestId(u64::MAX);
    world.request(at, Request::Read(id, begin, end));
    let read = |node: &Node| match node.answers.last() {
        Some(Answer::Entries(of, entries)) if *of == id => Some(entries.clone()),
        Some(Answer::ReadFailed(_, text)) => panic!("{text}"),
        _ => None,
    };
    world.run_until("the read", |world| read(&world.nodes[at]).is_some());
    let entries = read(&world.nodes[at]).expect("read");
    for (position, bytes) in world.checks.acknowledged.range(begin..) {
        let found = entries.iter().find(|(found, _)| found == position);
        assert_eq!(found.map(|(_, bytes)| bytes), Some(bytes), "position {position} was acknowledged");
    }
    world.run(SECOND);
    let disks: Vec<_> = world.nodes.iter().map(|node| node.disk.clone()).collect();
    disks.iter().for_each(|disk| world.checks.disk(disk));
    for (position, bytes) in entries {
        world.checks.decide(position, tepui_log::Value::Append(bytes));
    }
    world.checks.in_order_of_writers();
}

fn seeds() -> u64 {
    // More for a long run by hand.
    option_env!("TEPUI_LOG_SEEDS").and_then(|text| text.parse().ok()).unwrap_or(100)
}

#[test]
fn three_replicas_agree_and_lose_nothing() {
    let (mut acknowledged, mut elections, mut truncations, mut wipes) = (0, 0, 0, 0);
    for seed in 0..seeds() {
        let world = std::panic::catch_unwind(|| run(seed, 3, ALL)).unwrap_or_else(|_| panic!("seed {seed}"));
        acknowledged += world.checks.acknowledged.len();
        elections += world.checks.elections;
        truncations += world.checks.truncations;
        wipes += world.wipes;
    }
    assert!(acknowledged as u64 > seeds() * 20, "{acknowledged} acknowledged: the faults leave nothing to check");
    assert!(elections as u64 > seeds() && truncations > 0 && wipes > 0, "{elections} {truncations} {wipes}");
}

#[test]
fn five_replicas_agree_and_lose_nothing() {
    for seed in 0..seeds() / 3 {
        let _ = std::panic::catch_unwind(|| run(seed, 5, ALL)).unwrap_or_else(|_| panic!("seed {seed}"));
    }
}

#[test]
fn one_replica_restores_elects_appends_and_reads() {
    let mut world = World::new(1, 1, Faults::NONE);
    world.run(SECOND * 10);
    world.crash(0);
    world.run(SECOND * 10);
    settle(&mut world);
    assert!(world.checks.acknowledged.len() > 100);
}

/// Three replicas without faults, the first of them the writer; nobody asks anything by himself.
fn with_a_writer(seed: u64) -> World {
    let mut world = World::new(seed, 3, Faults::NONE);
    world.clients_active = false;
    world.run_until("the recovery", |world| world.nodes[0].figures().is_some_and(|figures| figures.recovered));
    world.run_until_elected(0);
    world
}

#[test]
fn without_faults_everything_is_acknowledged() {
    let mut world = with_a_writer(2);
    for _ in 0..500 {
        let (id, bytes) = world.checks.new_append(0);
        world.request(0, Request::Append(id, bytes));
    }
    world.run_until("all of them", |world| world.checks.acknowledged.len() == 500);
    assert_eq!(world.checks.unknown, 0);
    settle(&mut world);
}

/// A storage that truncates after each of its stores would fill the log with truncations.
#[test]
fn truncations_that_come_while_one_is_under_way_are_one() {
    let mut world = with_a_writer(8);
    let (id, bytes) = world.checks.new_append(0);
    world.request(0, Request::Append(id, bytes));
    world.run_until("it", |world| world.checks.acknowledged.len() == 1);
    for _ in 0..3 {
        let (id, to) = world.checks.new_truncation(0).expect("something was acknowledged");
        world.request(0, Request::Truncate(id, to));
    }
    let written = |node: &Node| -> Vec<u64> {
        let position = |answer: &Answer| if let Answer::Written(_, position) = answer { Some(*position) } else { None };
        node.answers.iter().filter_map(position).collect()
    };
    world.run_until("all of them", |world| written(&world.nodes[0]).len() == 4);
    let first = written(&world.nodes[0])[0];
    assert_eq!(written(&world.nodes[0])[1..], [first + 1, first + 2, first + 2]);
}

/// Two of three come up half a second late at most, so that the first one's first question finds nobody.
#[test]
fn replicas_that_start_together_do_not_wait_long_for_each_other() {
    for seed in 0..50 {
        let mut world = World::new(seed, 3, Faults::NONE);
        world.clients_active = false;
        world.crash(1);
        world.crash(2);
        world.run(SECOND * 5);
        let recovered = |node: &Node| node.figures().is_some_and(|figures| figures.recovered);
        let figures: Vec<_> = world.nodes.iter().map(Node::figures).collect();
        assert!(world.nodes.iter().all(recovered), "seed {seed}: {figures:?}");
    }
}

/// Nobody writes meanwhile, so that nothing but its own clock wakes it up.
#[test]
fn a_replica_that_lost_its_disk_comes_back_in_a_quiet_group() {
    for seed in 0..10 {
        let mut world = with_a_writer(seed);
        for _ in 0..20 {
            let (id, bytes) = world.checks.new_append(0);
            world.request(0, Request::Append(id, bytes));
        }
        world.run_until("all of them", |world| world.checks.acknowledged.len() == 20);
        world.run(SECOND);
        let end = world.nodes[0].figures().map(|figures| figures.end);
        world.crash(2);
        world.nodes[2].disk.clear();
        world.run(SECOND * 3);
        let figures = world.nodes[2].figures().expect("it runs");
        assert_eq!((figures.recovered, Some(figures.end), figures.missing), (true, end, 0), "seed {seed}");
    }
}

#[test]
fn an_empty_group_waits_for_its_operator_and_says_so() {
    let mut world = World::new(3, 3, Faults::NONE);
    world.clients_active = false;
    for at in 0..3 {
        world.crash(at);
        world.nodes[at].auto_initialize = false;
        world.nodes[at].disk.clear();
    }
    world.run(SECOND * 5);
    for node in &world.nodes {
        let figures = node.figures().expect("it runs");
        assert!(!figures.recovered && figures.not_initialized, "{figures:?}");
        assert!(node.disk.is_empty(), "and nobody has begun anything");
    }
}

/// Two of three have lost everything, so nothing can be written; the client hears of it after some tries.
#[test]
fn nobody_is_elected_where_too_few_vote() {
    let mut world = World::new(4, 3, Faults::NONE);
    world.clients_active = false;
    world.run_until("the recovery", |world| world.nodes[0].figures().is_some_and(|figures| figures.recovered));
    for at in [1, 2] {
        world.crash(at);
        world.nodes[at].disk.clear();
    }
    world.run(SECOND);
    let promised = |world: &World| world.nodes[0].figures().map(|figures| figures.promised);
    let before = promised(&world);
    world.request(0, Request::Elect);
    world.run_until("the end of the election", |world| world.nodes[0].answers.contains(&Answer::NotElected));
    assert_eq!(world.checks.elections, 0);
    assert_eq!(promised(&world), before.map(|before| before + 3), "its own replica promised something each time");
}

/// More than one position is under way only where every member seals, and then no more than the next writer seals.
#[test]
fn as_much_is_under_way_as_the_next_writer_decides() {
    let all = tepui_log::WINDOW as usize;
    for (replicas, as_mesos, most) in [(1, None, all), (3, None, all), (5, None, all), (3, Some(1), 1), (5, Some(4), 1)]
    {
        let mut world = World::new(6, replicas, Faults::NONE);
        world.clients_active = false;
        world.as_mesos.extend(as_mesos);
        world.run_until("the recovery", |world| world.nodes[0].figures().is_some_and(|figures| figures.recovered));
        // All of them answer, though a quorum is enough.
        world.run(SECOND);
        world.run_until_elected(0);
        for _ in 0..200 {
            let (id, bytes) = world.checks.new_append(0);
            world.request(0, Request::Append(id, bytes));
        }
        let mut seen = 0;
        for _ in 0..10_000 {
            world.run(Duration::from_millis(1));
            seen = seen.max(world.nodes[0].figures().map_or(0, |figures| figures.in_flight));
        }
        assert_eq!(world.checks.acknowledged.len(), 200);
        assert_eq!(seen, most, "{replicas} replicas, {as_mesos:?} is one of Mesos");
    }
}
