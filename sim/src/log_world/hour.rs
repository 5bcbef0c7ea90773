//! A world of the log from beginning to end: faults, then fine weather, in which every replica writes once and holds
//! everything.

use super::check::NodeId;
use super::client::{Mood, Stage};
use super::faults;
use super::observe::{self, Status};
use super::planted::{Bug, Planted};
use super::world::{Event, Group, REPLACE_NANOS, SECOND, World};
use crate::kind::{Kind, Outcome, Plan};
use std::io::Write;
use tepui_base::Rng;

/// With fine weather: time for a replaced replica to start, and for someone to write.
const SETTLE_NANOS: u64 = REPLACE_NANOS + 60 * SECOND;
/// With fine weather: how long one node may take until it has been elected, has read everything and has written.
const TURN_NANOS: u64 = 60 * SECOND;

/// The log alone.
pub struct LogWorld;

impl Kind for LogWorld {
    const NAME: &'static str = "log";
    const CAST: &'static str = "the log alone, on one to five nodes";
    const PLANTED_SECONDS: u64 = 15 * 60;
    const ENOUGH: (&'static str, u64) = ("acknowledged writes", 1000);
    type Bug = Bug;

    fn run(plan: &Plan<Bug>, log: Option<Box<dyn Write>>) -> Outcome {
        run(plan, log)
    }
}

/// Mostly three replicas that begin by themselves, as most clusters have.
fn group_of(seed: u64) -> Group {
    let of = |nodes, quorum, auto_initialize| Group { nodes, quorum, auto_initialize };
    match Rng::new(!seed).below(16) {
        0..8 => of(3, 2, true),
        8..10 => of(3, 2, false),
        10..13 => of(5, 3, true),
        13 => of(5, 3, false),
        14 => of(4, 3, false),
        _ => of(1, 1, true),
    }
}

/// Runs a world.
fn run(plan: &Plan<Bug>, log: Option<Box<dyn Write>>) -> Outcome {
    let group = group_of(plan.seed);
    let mut world = World::new(plan.seed, group, Planted::new(plan.bug), log);
    world.network.fifo = world.rng.below(2) == 0;
    for node in 0..group.nodes {
        if !group.auto_initialize {
            initialize(&mut world, node);
        }
        let wait = world.rng.below(20 * SECOND);
        world.after(wait, Event::Start(node));
    }
    world.after(SECOND, Event::Fault);
    world.after(30 * SECOND, Event::Mood);
    let end = plan.seconds * SECOND;
    world.run(end);
    world.tally.fault_nanos = world.now;
    settle(&mut world);
    (0..group.nodes).for_each(|node| turn(&mut world, node));
    rest(&mut world);
    world.tally.nanos = world.now;
    world.tally.done.insert("acknowledged writes", world.checks.written());
    world.tally.done.insert("messages", world.messages);
    world.tally.done.insert("elections", world.checks.elections());
    Outcome { tally: world.tally, violations: world.checks.violations }
}

/// What `mesos-log initialize` does.
fn initialize(world: &mut World, node: NodeId) {
    let disk = &mut world.nodes[node].disk;
    disk.write(vec![vec![observe::metadata(Status::VOTING, 0)]]);
    if let Ok(batches) = disk.sync() {
        world.checks.durable(0, node, &world.nodes[node].disk, &batches);
    }
}

/// Fine weather begins, and someone writes.
fn settle(world: &mut World) {
    faults::heal(world);
    world.mood = Mood::Steady;
    let (before, end) = (world.checks.written(), world.now + SETTLE_NANOS);
    world.run(end);
    if world.checks.written() == before && world.checks.violations.is_empty() {
        world.checks.object(world.now, 0, "nobody has written anything in fine weather".to_owned());
    }
}

/// One node is elected, reads all there is and writes once.
fn turn(world: &mut World, node: NodeId) {
    world.mood = Mood::Last(node);
    let end = world.now + TURN_NANOS;
    (world.nodes[node].client.read, world.nodes[node].client.wrote) = (false, false);
    while world.now < end && world.checks.violations.is_empty() {
        let next = world.now + SECOND;
        world.run(next);
        let client = &world.nodes[node].client;
        if client.stage == Stage::Leading && client.read && client.wrote {
            return;
        }
    }
    if world.checks.violations.is_empty() {
        world.checks.object(
            world.now,
            node,
            "was not elected, or could not read and write, in fine weather".to_owned(),
        );
    }
}

/// Nobody wants anything any more: all have been answered, and all disks hold the same.
fn rest(world: &mut World) {
    // Whoever still writes resigns, and what is on its way arrives.
    world.mood = Mood::Last(usize::MAX);
    let end = world.now + 20 * SECOND;
    world.run(end);
    if !world.checks.violations.is_empty() {
        return;
    }
    for node in 0..world.nodes.len() {
        world.checks.at_rest(world.now, node);
        world.stop(node);
        world.checks.caught_up(world.now, node, &world.nodes[node].disk);
    }
}
