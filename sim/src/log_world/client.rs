//! The clients: one beside each replica, who want to write and do not care about each other.

use super::check::NodeId;
use super::world::{Event, World};
use bytes::Bytes;
use tepui_log::{Answer, Request, RequestId};

/// Appends a client has under way at most.
const IN_FLIGHT: usize = 16;
const MILLI: u64 = 1_000_000;

/// What a client is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nothing.
    #[default]
    Idle,
    /// Waits for an election.
    Electing,
    /// Its node is the writer.
    Leading,
}

/// How clients behave for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// One writes, and others take over when nobody does.
    Steady,
    /// These two want to write.
    Duel(NodeId, NodeId),
    /// Everyone wants to.
    Storm,
    /// Nobody does anything but now and then.
    Lazy,
    /// Only this one, and it looks at everything: how a world ends.
    Last(NodeId),
}

/// One client.
#[derive(Debug, Default)]
pub struct Client {
    /// What it is about.
    pub stage: Stage,
    next: u64,
    /// The positions it may read, and the last one it knows.
    begin: u64,
    end: u64,
    writes: usize,
    /// In the mood of [`Mood::Last`]: whether it has read everything and written once more.
    pub read: bool,
    /// See `read`.
    pub wrote: bool,
}

impl Client {
    fn id(&mut self) -> RequestId {
        self.next += 1;
        RequestId(self.next)
    }

    /// Takes an answer.
    pub fn answered(&mut self, answer: &Answer) {
        match answer {
            Answer::Elected { begin, end } => {
                (self.stage, self.begin, self.end) = (Stage::Leading, *begin, *end);
            }
            Answer::NotElected | Answer::Demoted => self.stage = Stage::Idle,
            Answer::Written(_, position) => {
                self.writes = self.writes.saturating_sub(1);
                self.end = self.end.max(*position);
                self.wrote = true;
            }
            Answer::Unknown(_) => self.writes = self.writes.saturating_sub(1),
            Answer::Entries(..) => self.read = true,
            Answer::Recovered | Answer::ReadFailed(..) => {}
            // Of masters that elect by the log; there are none here.
            Answer::Leads { .. } | Answer::Follows { .. } | Answer::NoLeader | Answer::Refused(..) => {}
        }
    }
}

/// A client thinks, acts, and will think again.
pub fn think(world: &mut World, node: NodeId, life: u32) {
    let stage = world.nodes[node].client.stage;
    for request in wishes(world, node, stage) {
        world.ask(node, request);
    }
    let most = match (world.mood, stage) {
        (Mood::Last(_), _) => 400,
        (Mood::Lazy, _) => 8000,
        (_, Stage::Leading) => 1000,
        _ => 2000,
    };
    let wait = MILLI + world.rng.below(most * MILLI);
    world.after(wait, Event::Think(node, life));
}

fn wishes(world: &mut World, node: NodeId, stage: Stage) -> Vec<Request> {
    match stage {
        Stage::Idle if wants_to_lead(world, node) => {
            world.nodes[node].client.stage = Stage::Electing;
            vec![Request::Elect]
        }
        Stage::Idle | Stage::Electing => Vec::new(),
        Stage::Leading => lead(world, node),
    }
}

fn wants_to_lead(world: &mut World, node: NodeId) -> bool {
    let nobody = world.nodes.iter().all(|other| other.client.stage != Stage::Leading);
    // In a hundred.
    let chance = match world.mood {
        Mood::Last(only) => return only == node,
        Mood::Steady | Mood::Lazy if nobody => 40,
        Mood::Steady | Mood::Lazy => 1,
        Mood::Duel(one, other) if one == node || other == node => 60,
        Mood::Duel(..) => 1,
        Mood::Storm => 50,
    };
    world.rng.below(100) < chance
}

/// What a writer does at a time.
fn lead(world: &mut World, node: NodeId) -> Vec<Request> {
    if let Mood::Last(only) = world.mood {
        return if only == node { finish(world, node) } else { resign(world, node) };
    }
    match world.rng.below(100) {
        0..70 => {
            let most = if world.rng.below(8) == 0 { 12 } else { 2 };
            let many = 1 + world.rng.below(most);
            (0..many).filter_map(|_| append(world, node)).collect()
        }
        70..78 => vec![truncate(world, node)],
        78..92 => vec![read(world, node)],
        92..94 => resign(world, node),
        _ => Vec::new(),
    }
}

fn resign(world: &mut World, node: NodeId) -> Vec<Request> {
    world.nodes[node].client.stage = Stage::Idle;
    vec![Request::Resign]
}

/// Reads everything, then writes once.
fn finish(world: &mut World, node: NodeId) -> Vec<Request> {
    let client = &mut world.nodes[node].client;
    if !client.read {
        let (id, begin, end) = (client.id(), client.begin, client.end);
        return vec![Request::Read(id, begin, end)];
    }
    if client.wrote { Vec::new() } else { append(world, node).into_iter().collect() }
}

fn append(world: &mut World, node: NodeId) -> Option<Request> {
    let life = world.nodes[node].life;
    let padding = world.rng.below(60) as usize;
    let client = &mut world.nodes[node].client;
    if client.writes >= IN_FLIGHT {
        return None;
    }
    client.writes += 1;
    let id = client.id();
    let text = format!("{node}.{life}.{} {:padding$}", id.0, "");
    Some(Request::Append(id, Bytes::from(text)))
}

/// Mostly far behind the end, at times everything.
fn truncate(world: &mut World, node: NodeId) -> Request {
    let back = if world.rng.below(10) == 0 { 0 } else { world.rng.below(40) };
    let client = &mut world.nodes[node].client;
    client.writes += 1;
    let to = client.end.saturating_sub(back);
    client.begin = client.begin.max(to);
    Request::Truncate(client.id(), to)
}

fn read(world: &mut World, node: NodeId) -> Request {
    let (skip, whole) = (world.rng.below(30), world.rng.below(3) == 0);
    let client = &mut world.nodes[node].client;
    let from = if whole { client.begin } else { client.begin.max(client.end.saturating_sub(skip)) };
    let (id, end) = (client.id(), client.end);
    Request::Read(id, from, end)
}
