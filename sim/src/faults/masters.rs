//! What goes wrong where there are several masters: with their machines, their disks and ZooKeeper.

use super::{SECOND, crash, hosts, pick};
use crate::disk::Health;
use crate::host::{Local, Role};
use crate::network::{HostId, Weather};
use crate::world::{Event, World};

/// Causes a fault of this kind.
pub fn cause(world: &mut World, kind: &str) -> bool {
    match kind {
        "replica crash" => crash(world, Role::Replica, 20 * SECOND),
        "power loss" => power_loss(world),
        "master pause" => leader(world).is_some_and(|master| pause(world, master)),
        "replica pause" => any(world).is_some_and(|machine| pause(world, machine)),
        "master isolated" => leader(world).is_some_and(|master| isolate(world, master, true)),
        "master without zookeeper" => leader(world).is_some_and(|master| away(world, &[master])),
        "masters split" => split(world),
        "masters parted" => part_from_leader(world),
        "replica isolated" => any(world).is_some_and(|machine| isolate(world, machine, false)),
        "zookeeper away" => {
            let all: Vec<HostId> = (0..world.slots.len()).filter(|host| world.slots[*host].machine == *host).collect();
            away(world, &all)
        }
        "session ended" => end_session(world),
        "slow disk" => ail(world, Health::Slow),
        "full disk" => ail(world, Health::Full),
        _ => ail(world, Health::Failing),
    }
}

/// The machine of the leading master loses power.
pub fn crash_leader(world: &mut World) -> bool {
    let Some(master) = leader(world) else { return false };
    let replicas = hosts(world, Role::Replica);
    let Some(replica) = replicas.into_iter().find(|replica| world.slots[*replica].machine == master) else {
        return false;
    };
    down(world, replica, 20 * SECOND);
    true
}

fn down(world: &mut World, host: HostId, longest: u64) {
    world.crash(host);
    let wait = SECOND / 2 + world.rng.below(longest);
    world.after(wait, Event::Restart(host));
}

fn power_loss(world: &mut World) -> bool {
    let replicas = hosts(world, Role::Replica);
    replicas.iter().for_each(|replica| down(world, *replica, 10 * SECOND));
    !replicas.is_empty()
}

/// The machine of a master that leads.
fn leader(world: &mut World) -> Option<HostId> {
    let masters = hosts(world, Role::Master);
    pick(world, &masters)
}

/// The machine of any replica.
fn any(world: &mut World) -> Option<HostId> {
    let replicas = hosts(world, Role::Replica);
    pick(world, &replicas).map(|replica| world.slots[replica].machine)
}

fn pause(world: &mut World, machine: HostId) -> bool {
    // Longer than a session, about as long as a few renewals of one, and about as long as a lease.
    let longest = [40 * SECOND, 5 * SECOND, SECOND][world.rng.below(3) as usize];
    let nanos = world.rng.below(longest);
    world.pause(machine, nanos);
    true
}

/// Away from the other masters, and from ZooKeeper or not; agents and frameworks still hear it.
fn isolate(world: &mut World, machine: HostId, from_zookeeper: bool) -> bool {
    let until = world.now + SECOND + world.rng.below(40 * SECOND);
    let mut others: Vec<HostId> = world.checks.masters.iter().copied().filter(|other| *other != machine).collect();
    if from_zookeeper {
        others.extend(hosts(world, Role::ZooKeeper));
    }
    others.iter().for_each(|other| part(world, machine, *other, until));
    true
}

/// The masters fall apart into two parts; everybody else hears both.
fn split(world: &mut World) -> bool {
    let until = world.now + SECOND + world.rng.below(40 * SECOND);
    let all: Vec<(HostId, bool)> =
        world.checks.masters.clone().into_iter().map(|master| (master, world.rng.below(2) == 0)).collect();
    let (one, other): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, is_one)| *is_one);
    for (a, b) in one.iter().flat_map(|a| other.iter().map(move |b| (a.0, b.0))) {
        part(world, a, b, until);
    }
    !one.is_empty() && !other.is_empty()
}

/// The leader and one other do not hear each other, and all others hear both: who believes that nobody leads may still find a
/// quorum.
fn part_from_leader(world: &mut World) -> bool {
    let (leader, other) = (leader(world), any(world));
    let (Some(leader), Some(other)) = (leader, other.filter(|other| Some(*other) != leader)) else { return false };
    let until = world.now + SECOND + world.rng.below(40 * SECOND);
    part(world, leader, other, until);
    true
}

/// ZooKeeper is away from these machines.
fn away(world: &mut World, machines: &[HostId]) -> bool {
    let until = world.now + SECOND + world.rng.below(30 * SECOND);
    let servers = hosts(world, Role::ZooKeeper);
    for (machine, server) in machines.iter().flat_map(|machine| servers.iter().map(move |server| (*machine, *server))) {
        part(world, machine, server, until);
    }
    !servers.is_empty()
}

fn part(world: &mut World, a: HostId, b: HostId, until: u64) {
    for path in [(a, b), (b, a)] {
        world.network.add_weather(Weather { path, until, delay: None });
    }
}

/// ZooKeeper ends the session of an agent. It never ends one of a candidate before its time: that would be to elect another
/// while the leader is still sure to lead.
fn end_session(world: &mut World) -> bool {
    let (agents, servers) = (hosts(world, Role::Agent), hosts(world, Role::ZooKeeper));
    let (Some(agent), Some(server)) = (pick(world, &agents), pick(world, &servers)) else { return false };
    let server = world.process(server);
    world.after(0, Event::Local(server, Local::EndSession(agent)));
    true
}

fn ail(world: &mut World, health: Health) -> bool {
    let replicas = hosts(world, Role::Replica);
    let Some(replica) = pick(world, &replicas) else { return false };
    let until = world.now + SECOND + world.rng.below(20 * SECOND);
    world.ailing.insert(replica, (health, until)).is_none_or(|(_, before)| before < world.now)
}
