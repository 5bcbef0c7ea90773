//! What goes wrong, when and to whom: all of it from the seed.

use super::check::NodeId;
use super::client::{Mood, Stage};
use super::clock::EXACT;
use super::network::Weather;
use super::world::{Event, SECOND, SESSION_NANOS, World};
use crate::disk::Health;

/// The mean pause between two faults.
const PAUSE_NANOS: u64 = 6 * SECOND;
const MILLI: u64 = 1_000_000;
/// How far a clock's rate may be off, in millionths: cheap quartz in a hot room, and a margin.
const DRIFT_PPM: u64 = 1_000;

/// Kinds of faults, with how often each comes.
const KINDS: [(&str, u64); 20] = [
    ("crash", 14),
    ("crash of the writer", 8),
    ("crash and back at once", 8),
    ("power loss", 3),
    ("pause", 8),
    ("pause of the writer", 6),
    ("partition", 8),
    ("one-way partition", 8),
    ("isolated writer", 6),
    ("split", 4),
    ("delay", 8),
    ("loss", 8),
    ("echo", 6),
    ("slow disk", 6),
    ("full disk", 3),
    ("failed sync", 6),
    ("flipped bit", 1),
    ("clock rate", 4),
    ("clock jump", 2),
    ("members unseen", 6),
];

/// The next fault of the plan, and the one after it.
pub fn strike(world: &mut World) {
    if world.quiet {
        return;
    }
    world.network.sweep(world.now);
    let sum = KINDS.iter().map(|(_, weight)| weight).sum();
    let mut at = world.rng.below(sum);
    let (kind, _) =
        KINDS.iter().find(|(_, weight)| at.checked_sub(*weight).map(|rest| at = rest).is_none()).unwrap_or(&KINDS[0]);
    let phase = phase(world);
    world.note(|| format!("fault: {kind}"));
    if cause(world, kind).is_some() {
        world.tally.fault(kind, phase);
    }
    let wait = PAUSE_NANOS / 4 + world.rng.below(PAUSE_NANOS * 3 / 2);
    world.after(wait, Event::Fault);
}

/// What the group was about: faults that meet another recovery are worth most.
fn phase(world: &World) -> &'static str {
    let up = world.nodes.iter().filter(|node| node.process.is_some()).count();
    let voting = (0..world.nodes.len()).filter(|node| world.checks.votes(*node)).count();
    match () {
        () if up < world.group.quorum => "no quorum up",
        () if voting < world.nodes.len() => "a replica recovers",
        () if world.nodes.iter().any(|node| node.client.stage == Stage::Electing) => "an election",
        () if world.network.troubled() > 0 => "network troubled",
        () if world.writer().is_none() => "no writer",
        () => "settled",
    }
}

fn any(world: &mut World) -> NodeId {
    world.rng.below(world.nodes.len() as u64) as usize
}

/// Does it; nothing if it makes no sense now.
fn cause(world: &mut World, kind: &str) -> Option<()> {
    let victim = if kind.ends_with("writer") { world.writer()? } else { any(world) };
    let long = SECOND + world.rng.below(40 * SECOND);
    match kind {
        "crash" | "crash of the writer" => crash(world, victim, 20 * SECOND),
        "crash and back at once" => crash(world, victim, 200 * MILLI),
        "power loss" => {
            (0..world.nodes.len()).filter_map(|node| crash(world, node, 5 * SECOND)).count().checked_sub(1).map(drop)
        }
        "pause" | "pause of the writer" => pause(world, victim),
        "partition" => part(world, victim, None, long),
        "one-way partition" => one_way(world, victim, long),
        "isolated writer" => {
            world.nodes[victim].blind = world.now + if world.rng.below(2) == 0 { long } else { 0 };
            part(world, victim, None, long)
        }
        "split" => split(world, long),
        "delay" => weather(world, Weather::Slow(5 * SECOND), long),
        "loss" => weather(world, Weather::Lossy(3), long),
        "echo" => weather(world, Weather::Echo(4), long),
        "slow disk" => ail(world, victim, Health::Slow),
        "full disk" => ail(world, victim, Health::Full),
        "failed sync" => ail(world, victim, Health::Failing),
        "flipped bit" => flip(world, victim),
        "clock rate" => {
            let rate = EXACT - DRIFT_PPM + world.rng.below(2 * DRIFT_PPM + 1);
            world.nodes[victim].clock.set_rate(world.now, rate);
            Some(())
        }
        "clock jump" => {
            world.nodes[victim].clock.wall_ahead = world.rng.below(7200 * SECOND);
            Some(())
        }
        _ => blind(world, victim, long),
    }
}

fn crash(world: &mut World, victim: NodeId, most: u64) -> Option<()> {
    world.nodes[victim].process.as_ref()?;
    world.crash(victim);
    let wait = 10 * MILLI + world.rng.below(most);
    world.after(wait, Event::Start(victim));
    Some(())
}

fn pause(world: &mut World, victim: NodeId) -> Option<()> {
    world.nodes[victim].process.as_ref()?;
    let long = if world.rng.below(3) == 0 { 30 * SECOND } else { SECOND };
    world.nodes[victim].paused = world.now + world.rng.below(long);
    Some(())
}

/// One node, or these, away from all others.
fn part(world: &mut World, one: NodeId, second: Option<NodeId>, long: u64) -> Option<()> {
    let inside = |node: NodeId| node == one || Some(node) == second;
    let until = world.now + long;
    for from in 0..world.nodes.len() {
        for to in (0..world.nodes.len()).filter(|to| inside(*to) != inside(from)) {
            world.network.set(from, to, until, Weather::Parted);
        }
    }
    Some(())
}

/// One node hears all and is heard by none, or the other way round; or one path breaks.
fn one_way(world: &mut World, victim: NodeId, long: u64) -> Option<()> {
    let (kind, other, until) = (world.rng.below(3), any(world), world.now + long);
    for node in (0..world.nodes.len()).filter(|node| *node != victim) {
        match kind {
            0 => world.network.set(victim, node, until, Weather::Parted),
            1 => world.network.set(node, victim, until, Weather::Parted),
            _ if node == other => world.network.set(victim, node, until, Weather::Parted),
            _ => {}
        }
    }
    Some(())
}

fn split(world: &mut World, long: u64) -> Option<()> {
    let (one, second) = (any(world), any(world));
    part(world, one, Some(second), long)
}

/// Some paths, at least one.
fn weather(world: &mut World, weather: Weather, long: u64) -> Option<()> {
    let (nodes, until, all) = (world.nodes.len(), world.now + long, world.rng.below(3) == 0);
    let chosen = any(world);
    for from in 0..nodes {
        for to in 0..nodes {
            if from != to && (all || from == chosen || world.rng.below(3) == 0) {
                world.network.set(from, to, until, weather);
            }
        }
    }
    Some(())
}

fn ail(world: &mut World, victim: NodeId, health: Health) -> Option<()> {
    if world.nodes[victim].disk.health != Health::Good {
        return None;
    }
    world.nodes[victim].disk.health = health;
    let wait = SECOND + world.rng.below(20 * SECOND);
    world.after(wait, Event::Heal(victim));
    Some(())
}

/// The bit is found at the next start. Never so many that no quorum is left to recover from.
fn flip(world: &mut World, victim: NodeId) -> Option<()> {
    let unfit = (0..world.nodes.len()).filter(|node| *node != victim && !world.checks.votes(*node)).count();
    if unfit >= world.nodes.len() - world.group.quorum || !world.nodes[victim].disk.flip() {
        return None;
    }
    world.crash(victim);
    world.start(victim);
    Some(())
}

/// A node loses sight of ZooKeeper, and in the end ZooKeeper of it.
fn blind(world: &mut World, victim: NodeId, long: u64) -> Option<()> {
    world.nodes[victim].process.as_ref()?;
    world.nodes[victim].blind = world.now + long;
    let life = world.nodes[victim].life;
    world.after(0, Event::Members(victim, life));
    world.after(long, Event::Members(victim, life));
    if long > SESSION_NANOS {
        world.after(SESSION_NANOS, Event::Listed(victim, life, false));
        world.after(long + SECOND, Event::Listed(victim, life, true));
    }
    Some(())
}

/// Clients behave otherwise for a while.
pub fn change_mood(world: &mut World) {
    if world.quiet {
        return;
    }
    let (one, other) = (any(world), any(world));
    world.mood = match world.rng.below(10) {
        0..5 => Mood::Steady,
        5..7 => Mood::Duel(one, other),
        7 => Mood::Storm,
        _ => Mood::Lazy,
    };
    let wait = 10 * SECOND + world.rng.below(60 * SECOND);
    world.after(wait, Event::Mood);
}

/// All is well from now on.
pub fn heal(world: &mut World) {
    world.quiet = true;
    world.network.clear();
    for id in 0..world.nodes.len() {
        let now = world.now;
        let node = &mut world.nodes[id];
        node.disk.health = Health::Good;
        node.clock.set_rate(now, EXACT);
        (node.blind, node.paused) = (0, 0);
        world.start(id);
        world.nodes[id].listed = true;
    }
    world.tell_all();
}
