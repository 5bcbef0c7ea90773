//! What goes wrong, when and to whom: all of it from the seed.

mod masters;

use crate::host::{Local, Role};
use crate::network::{HostId, Kind, Weather};
use crate::world::{Event, World};
use std::time::Duration;
use tepui_base::WaitStatus;

/// The mean pause between two faults.
const PAUSE_NANOS: u64 = 30_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// Kinds of faults, with how often each comes.
const KINDS: &[(&str, u64)] = &[
    ("delay", 10),
    ("reorder", 8),
    ("loss", 8),
    ("broken link", 10),
    ("broken stream", 8),
    ("partition", 8),
    ("one-way partition", 6),
    ("lost agent", 5),
    ("master crash", 6),
    ("agent crash", 5),
    ("agent leaves", 3),
    ("framework crash", 6),
    ("framework failover", 8),
    ("executor crash", 15),
    ("container kill", 15),
];

/// Those that come in addition where there are several masters.
const OF_MASTERS: &[(&str, u64)] = &[
    ("replica crash", 6),
    ("power loss", 2),
    ("master pause", 8),
    ("replica pause", 4),
    ("master isolated", 8),
    ("master without zookeeper", 6),
    ("replica isolated", 6),
    ("masters split", 6),
    ("masters parted", 6),
    ("zookeeper away", 3),
    ("session ended", 6),
    ("slow disk", 5),
    ("full disk", 3),
    ("failed sync", 5),
];

/// The next fault of the plan, and the one after it.
pub fn strike(world: &mut World) {
    if world.quiet {
        return;
    }
    world.network.sweep();
    let of_masters = if world.checks.masters.len() > 1 { OF_MASTERS } else { &[] };
    let kinds = || KINDS.iter().chain(of_masters);
    let sum = kinds().map(|(_, weight)| weight).sum();
    let mut at = world.rng.below(sum);
    let (kind, _) =
        kinds().find(|(_, weight)| at.checked_sub(*weight).map(|rest| at = rest).is_none()).unwrap_or(&KINDS[0]);
    let phase = phase(world);
    if cause(world, kind) {
        world.tally.fault(kind, phase);
    }
    let wait = PAUSE_NANOS / 4 + world.rng.below(PAUSE_NANOS * 3 / 2);
    world.after(wait, Event::Fault);
}

/// What the cluster is about: faults that meet another recovery are worth most.
fn phase(world: &World) -> &'static str {
    let model = &world.checks.model;
    let connected = model.roster.frameworks.values().filter(|entry| entry.connected).count();
    match () {
        () if hosts(world, Role::Master).is_empty() => "no master",
        () if !model.known.awaited.is_empty() => "master recovers",
        () if model.known.connected.len() < crate::stage::AGENTS => "agents out",
        () if connected < crate::stage::FRAMEWORKS => "frameworks out",
        () => "settled",
    }
}

fn cause(world: &mut World, kind: &str) -> bool {
    match kind {
        "delay" => weather(world, Some(Duration::from_secs(5)), true),
        "reorder" => {
            // Everything is late by a different time, and connections overtake each other.
            (0..4).all(|_| weather(world, Some(Duration::from_millis(500)), true))
        }
        "partition" => weather(world, None, true),
        "one-way partition" => weather(world, None, false),
        "lost agent" => lose_agent(world),
        "framework failover" => fail_over(world),
        "loss" => break_some(world, |kind| kind == Kind::Temporary),
        "broken link" => break_pair(world),
        "broken stream" => break_some(world, |kind| matches!(kind, Kind::Stream(_) | Kind::Calls)),
        "master crash" if world.checks.masters.len() > 1 => masters::crash_leader(world),
        "master crash" => crash(world, Role::Master, 20 * SECOND),
        "agent crash" => crash(world, Role::Agent, 60 * SECOND),
        "agent leaves" => leave(world),
        "framework crash" => crash(world, Role::Framework, 30 * SECOND),
        "executor crash" => kill_executor(world, WaitStatus::exited(1)),
        "container kill" => kill_executor(world, WaitStatus::signaled(9)),
        kind => masters::cause(world, kind),
    }
}

fn hosts(world: &World, role: Role) -> Vec<HostId> {
    let is_one = |id: &HostId| {
        let slot = &world.slots[*id];
        slot.alive && slot.host.as_ref().is_some_and(|host| host.role() == role)
    };
    (0..world.slots.len()).filter(is_one).collect()
}

fn pick<T: Copy>(world: &mut World, from: &[T]) -> Option<T> {
    let at = world.rng.below(from.len() as u64) as usize;
    from.get(at).copied()
}

/// Two machines that have something to say to each other.
fn pair(world: &mut World) -> Option<(HostId, HostId)> {
    let master = hosts(world, Role::Master);
    let mut others = hosts(world, Role::Agent);
    others.extend(hosts(world, Role::Framework));
    let (master, other) = (pick(world, &master)?, pick(world, &others)?);
    Some(if world.rng.below(2) == 0 { (master, other) } else { (other, master) })
}

fn weather(world: &mut World, delay: Option<Duration>, both: bool) -> bool {
    let Some((a, b)) = pair(world) else { return false };
    let longest = if world.rng.below(4) == 0 { 120 * SECOND } else { 20 * SECOND };
    let until = world.now + SECOND + world.rng.below(longest);
    world.network.add_weather(Weather { path: (a, b), until, delay });
    if both {
        world.network.add_weather(Weather { path: (b, a), until, delay });
    }
    true
}

/// An agent is parted from the master for longer than the master waits for it.
fn lose_agent(world: &mut World) -> bool {
    let (masters, agents) = (hosts(world, Role::Master), hosts(world, Role::Agent));
    let (Some(master), Some(agent)) = (pick(world, &masters), pick(world, &agents)) else { return false };
    let until = world.now + 25 * SECOND + world.rng.below(120 * SECOND);
    let is_both = world.rng.below(3) != 0;
    world.network.add_weather(Weather { path: (agent, master), until, delay: None });
    if is_both {
        world.network.add_weather(Weather { path: (master, agent), until, delay: None });
    }
    true
}

/// The other host of a framework takes over; the first one still runs, and perhaps cannot be reached.
fn fail_over(world: &mut World) -> bool {
    let is_known = |disk: &crate::cast::Disk| disk.id.is_some() && !disk.ended && disk.hosts.len() > 1;
    let disks: Vec<usize> = (0..world.disks.len()).filter(|at| is_known(&world.disks[*at].borrow())).collect();
    let Some(at) = pick(world, &disks) else { return false };
    let mut disk = world.disks[at].borrow_mut();
    let (old, next) = match (disk.leader, &disk.hosts[..]) {
        (Some(old), [a, b]) => (old, if old == *a { *b } else { *a }),
        _ => return false,
    };
    disk.leader = Some(next);
    drop(disk);
    let masters = hosts(world, Role::Master);
    if let Some(master) = pick(world, &masters).filter(|_| world.rng.below(3) == 0) {
        let until = world.now + world.rng.below(30 * SECOND);
        world.network.add_weather(Weather { path: (old, master), until, delay: None });
        world.network.add_weather(Weather { path: (master, old), until, delay: None });
    }
    world.stop(next);
    world.start(next);
    true
}

fn break_some(world: &mut World, is_wanted: impl Fn(Kind) -> bool) -> bool {
    let slots = &world.slots;
    // What stays within a machine does not break.
    let is_remote = |a: HostId, b: HostId| slots[a].machine != slots[b].machine;
    let conns = world.network.conns.iter();
    let conns = conns.filter(|(_, c)| c.open && is_wanted(c.kind) && is_remote(c.client.host, c.server.host));
    let conns: Vec<_> = conns.map(|(id, _)| *id).collect();
    let Some(conn) = pick(world, &conns) else { return false };
    world.break_conn(conn);
    true
}

/// All links between two machines break: a router has forgotten them.
fn break_pair(world: &mut World) -> bool {
    let Some((a, b)) = pair(world) else { return false };
    let between = |x: HostId, y: HostId| (x, y) == (a, b) || (x, y) == (b, a);
    let conns = world.network.conns.iter().filter(|(_, c)| c.open && between(c.client.host, c.server.host));
    let conns: Vec<_> = conns.map(|(id, _)| *id).collect();
    conns.iter().for_each(|conn| world.break_conn(*conn));
    !conns.is_empty()
}

fn crash(world: &mut World, role: Role, longest: u64) -> bool {
    let hosts = hosts(world, role);
    let Some(host) = pick(world, &hosts) else { return false };
    world.crash(host);
    let wait = SECOND / 2 + world.rng.below(longest);
    world.after(wait, Event::Restart(host));
    true
}

/// An agent is told by its operator to end its executors and then itself.
fn leave(world: &mut World) -> bool {
    let agents = hosts(world, Role::Agent);
    let Some(agent) = pick(world, &agents) else { return false };
    let (process, tells) = (world.process(agent), world.rng.below(2) == 0);
    world.after(0, Event::Local(process, Local::Leave(tells)));
    true
}

fn kill_executor(world: &mut World, status: WaitStatus) -> bool {
    let executors = hosts(world, Role::Executor);
    let Some(executor) = pick(world, &executors) else { return false };
    let agent = world.process(world.slots[executor].machine);
    world.stop(executor);
    world.after(1_000_000, Event::Local(agent, Local::ExecutorEnded(executor, status)));
    true
}
