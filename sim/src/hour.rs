//! One world from its beginning to its end: faults, then quiet, then nothing left.
//!
//! Each hour of a run is a world of its own with a seed of its own, so a failure is replayed alone.

use crate::check::Amount;
use crate::host::Local;
use crate::kind::{Kind, Outcome, Plan};
use crate::network::HostId;
use crate::planted::{Bug, Planted, masters};
use crate::stage::{AGENTS, Stage};
use crate::world::{Event, World};
use std::io::Write;

const SECOND: u64 = 1_000_000_000;
/// With fine weather: time for all that was lost to be noticed, repeated and settled. The longest pause between two
/// attempts to send an update is ten minutes.
const QUIET_NANOS: u64 = 30 * 60 * SECOND;
/// After the frameworks have left, and again with one that takes everything.
const LEAVE_NANOS: u64 = 60 * SECOND;
const PROBE_NANOS: u64 = 30 * SECOND;

/// A cluster with one master.
pub struct Cluster;

impl Kind for Cluster {
    const NAME: &'static str = "cluster";
    const CAST: &'static str = "3 agents, 5 frameworks";
    const PLANTED_SECONDS: u64 = 20 * 60;
    const ENOUGH: (&'static str, u64) = ("task transitions", 1000);
    type Bug = Bug;

    fn run(plan: &Plan<Bug>, log: Option<Box<dyn Write>>) -> Outcome {
        let planted = Planted::new(plan.bug);
        run(plan.seed, plan.seconds, planted, log, |world| Stage::alone(world, plan.seed.is_multiple_of(2)))
    }
}

/// A cluster with three or five masters.
pub struct Masters;

impl Kind for Masters {
    const NAME: &'static str = "masters";
    const CAST: &'static str = "3 or 5 masters, with ZooKeeper or by lease, 3 agents, 5 frameworks";
    const PLANTED_SECONDS: u64 = 20 * 60;
    const ENOUGH: (&'static str, u64) = ("task transitions", 1000);
    type Bug = masters::Bug;

    fn run(plan: &Plan<masters::Bug>, log: Option<Box<dyn Write>>) -> Outcome {
        let planted = Planted::in_masters(plan.bug);
        run(plan.seed, plan.seconds, planted, log, |world| Stage::of_many(world, plan.seed))
    }
}

/// Runs a world.
fn run(
    seed: u64,
    seconds: u64,
    planted: Planted,
    log: Option<Box<dyn Write>>,
    build: impl Fn(&mut World) -> Stage,
) -> Outcome {
    let mut world = World::new(seed, planted, log);
    let stage = build(&mut world);
    world.after(20 * SECOND, Event::Fault);
    go_on(&mut world, seconds * SECOND);
    world.tally.fault_nanos = world.now;
    quiet(&mut world, &stage);
    leave(&mut world, &stage);
    world.tally.nanos = world.now;
    world.tally.done.insert("task transitions", world.checks.transitions());
    world.tally.done.insert("tasks", world.checks.launched() as u64);
    world.tally.done.insert("registry operations", world.checks.committed());
    Outcome { tally: world.tally, violations: world.checks.violations }
}

/// Lets time pass, and looks from time to time for what should have happened.
fn go_on(world: &mut World, nanos: u64) {
    let end = world.now + nanos;
    while world.now < end && world.checks.violations.is_empty() {
        let next = (world.now + 5 * SECOND).min(end);
        world.run(next);
        let now = world.now;
        world.checks.overdue(now);
    }
}

fn quiet(world: &mut World, stage: &Stage) {
    world.end_faults();
    stage.servers.iter().for_each(|host| world.start(*host));
    leaders(world).iter().for_each(|host| world.start(*host));
    let since = world.now;
    go_on(world, stage.leader_within() * SECOND);
    let now = world.now;
    if world.checks.violations.is_empty() {
        world.checks.has_leader(now);
    }
    go_on(world, QUIET_NANOS - stage.leader_within() * SECOND);
    let now = world.now;
    if world.checks.violations.is_empty() {
        world.checks.at_rest(now, since);
    }
}

fn leave(world: &mut World, stage: &Stage) {
    if !world.checks.violations.is_empty() {
        return;
    }
    let total: Amount = crate::check::total();
    let probe = stage.add_probe(world, 91);
    go_on(world, PROBE_NANOS);
    let now = world.now;
    if world.checks.violations.is_empty() {
        world.checks.nothing_leaked(now, probe, AGENTS, total, crate::workload::EXECUTOR);
    }
    for host in leaders(world) {
        let process = world.process(host);
        world.after(SECOND, Event::Local(process, Local::Teardown));
    }
    go_on(world, LEAVE_NANOS);
    // What ended frameworks still believe concerns nobody.
    for host in leaders(world) {
        world.stop(host);
    }
    let probe = stage.add_probe(world, 92);
    go_on(world, PROBE_NANOS);
    let now = world.now;
    if world.checks.violations.is_empty() {
        world.checks.all_free(now, probe, AGENTS, total);
    }
}

/// The hosts that speak for the frameworks at present.
fn leaders(world: &World) -> Vec<HostId> {
    world.disks.iter().filter_map(|disk| disk.borrow().leader).collect()
}
