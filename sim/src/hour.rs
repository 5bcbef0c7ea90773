//! One world from its beginning to its end: faults, then quiet, then nothing left.
//!
//! Each hour of a run is a world of its own with a seed of its own, so a failure is replayed alone.

use crate::cast::{CAST, Disk, PROBE, Profile, Speech};
use crate::check::Amount;
use crate::host::framework::FrameworkHost;
use crate::host::framework_v0::FrameworkV0Host;
use crate::host::master::MasterHost;
use crate::host::{Host, Local, agent::AgentHost};
use crate::network::HostId;
use crate::planted::{Bug, Planted};
use crate::report::Tally;
use crate::world::{Event, World};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use tepui_base::Rng;
use tepui_wire::Upid;

/// Agents of a world.
pub const AGENTS: usize = 3;
/// Frameworks of a world.
pub const FRAMEWORKS: usize = CAST.len();
const SECOND: u64 = 1_000_000_000;
/// With fine weather: time for all that was lost to be noticed, repeated and settled. The longest pause between two
/// attempts to send an update is ten minutes.
const QUIET_NANOS: u64 = 30 * 60 * SECOND;
/// After the frameworks have left, and again with one that takes everything.
const LEAVE_NANOS: u64 = 60 * SECOND;
const PROBE_NANOS: u64 = 30 * SECOND;

/// What a world is to be.
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// How long faults go on, in seconds.
    pub seconds: u64,
    /// The bug in it, if any.
    pub bug: Option<Bug>,
}

/// What came of it.
pub struct Outcome {
    /// Counts.
    pub tally: Tally,
    /// What was wrong; empty: nothing.
    pub violations: Vec<String>,
}

/// The seed of an hour: the first hour's is that of the run, so that `--seed S --hours 1` replays any hour.
pub fn seed_of(run: u64, hour: u64) -> u64 {
    if hour == 0 { run } else { Rng::new(run ^ hour.wrapping_mul(0x9E37_79B9_7F4A_7C15)).next_u64() >> 16 }
}

fn address(last: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), port)
}

/// Puts everyone in their place.
fn build(world: &mut World, keeps_registry: bool) -> Vec<HostId> {
    let at_master = address(1, 5050);
    let master = Upid::at("master", at_master);
    let id = world.add(Box::new(MasterHost::new(master.clone(), keeps_registry)), at_master, None);
    world.checks.masters.insert(id);
    let mut hosts = vec![id];
    for number in 0..AGENTS {
        let at = address(11 + number as u8, 5051);
        let agent = AgentHost::new(Upid::at("slave(1)", at), master.clone());
        hosts.push(world.add(Box::new(agent), at, None));
    }
    for (number, profile) in CAST.iter().enumerate() {
        hosts.push(add_framework(world, *profile, number as u8, &master));
    }
    for host in &hosts {
        world.start(*host);
    }
    hosts
}

/// A framework's two hosts; the first leads.
fn add_framework(world: &mut World, profile: Profile, number: u8, master: &Upid) -> HostId {
    let disk = Disk::shared(profile);
    for instance in 0..2 {
        let at = address(21 + number + 20 * instance, 9000);
        let host: Box<dyn Host> = match profile.speech {
            Speech::V1(form) => Box::new(FrameworkHost::new(disk.clone(), &master.address().to_string(), form)),
            Speech::V0 => Box::new(FrameworkV0Host::new(disk.clone(), Upid::at("scheduler(1)", at), master.clone())),
        };
        let id = world.add(host, at, None);
        disk.borrow_mut().hosts.push(id);
    }
    let leader = disk.borrow().hosts[0];
    disk.borrow_mut().leader = Some(leader);
    world.disks.push(disk);
    leader
}

/// Runs a world.
pub fn run(plan: &Plan, log: Option<Box<dyn Write>>) -> Outcome {
    let mut world = World::new(plan.seed, Planted::new(plan.bug), log);
    let hosts = build(&mut world, plan.seed.is_multiple_of(2));
    world.after(20 * SECOND, Event::Fault);
    go_on(&mut world, plan.seconds * SECOND);
    quiet(&mut world, &hosts);
    leave(&mut world);
    world.tally.nanos = world.now;
    world.tally.transitions = world.checks.transitions();
    world.tally.tasks = world.checks.launched() as u64;
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

fn quiet(world: &mut World, hosts: &[HostId]) {
    world.quiet = true;
    world.network.clear();
    hosts[..=AGENTS].iter().for_each(|host| world.start(*host));
    leaders(world).iter().for_each(|host| world.start(*host));
    let since = world.now;
    go_on(world, QUIET_NANOS);
    let now = world.now;
    if world.checks.violations.is_empty() {
        world.checks.at_rest(now, since);
    }
}

fn leave(world: &mut World) {
    if !world.checks.violations.is_empty() {
        return;
    }
    let total: Amount = crate::check::total();
    let probe = add_probe(world, 91);
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
    let probe = add_probe(world, 92);
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

/// A framework that takes everything and keeps it.
fn add_probe(world: &mut World, last: u8) -> HostId {
    let disk = Disk::shared(PROBE);
    let probe = FrameworkHost::probe(disk.clone(), &address(1, 5050).to_string());
    let probe = world.add(Box::new(probe), address(last, 9000), None);
    disk.borrow_mut().hosts.push(probe);
    disk.borrow_mut().leader = Some(probe);
    world.disks.push(disk);
    world.start(probe);
    probe
}
