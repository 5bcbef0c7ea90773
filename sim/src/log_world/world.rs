//! The world of the log: its agenda, and the loop that makes things happen.
//!
//! Everything random comes from one generator and everything is handled in the order of (time, sequence), so the same
//! seed gives the same run, event by event.

use super::check::{Checks, NodeId, node_of};
use super::client::{self, Client, Mood, Stage};
use super::faults;
use super::network::Network;
use super::node::{Node, Process};
use super::planted::Planted;
use crate::agenda::Agenda;
use crate::disk::{DiskError, Health};
use crate::packet::digest;
use crate::report::Tally;
use std::collections::BTreeSet;
use std::io::Write;
use tepui_base::{EffectQueue, Machine, Now, Outbox, Rng};
use tepui_log::{Change, Config, Effect, FetchId, Input, Log, Request, Restored};
use tepui_wire::decode::{Decoded, Decoder, Limits};
use tepui_wire::{Message, Upid};

const MILLI: u64 = 1_000_000;
/// One second.
pub const SECOND: u64 = 1_000 * MILLI;
/// How long ZooKeeper shows a node that has died.
pub const SESSION_NANOS: u64 = 10 * SECOND;
/// After how long a replica that lost its disk is started again. Longer than any message or pause lasts: see
/// docs/simulation.md.
pub const REPLACE_NANOS: u64 = 120 * SECOND;

/// One in so many messages is put into the bytes of its HTTP request and read from them again; the others are handed over
/// as what would be read: framing has no state.
const FRAMED_EVERY: u64 = 64;

/// What is going to happen. The number after a node is that of the process it is for.
pub enum Event {
    /// A message reaches a node.
    Arrive(NodeId, Box<Message>),
    /// A machine's deadline.
    Tick(NodeId, u32),
    /// A sync ends.
    Synced(NodeId, u32),
    /// A read of the disk ends.
    Fetched(NodeId, u32, FetchId, Vec<u8>, Vec<u8>),
    /// A client thinks.
    Think(NodeId, u32),
    /// A node's process starts, if none runs.
    Start(NodeId),
    /// ZooKeeper lists a node or no longer does.
    Listed(NodeId, u32, bool),
    /// A node is told whom ZooKeeper lists.
    Members(NodeId, u32),
    /// Clients begin to behave otherwise.
    Mood,
    /// A node's disk is well again.
    Heal(NodeId),
    /// A fault of the plan.
    Fault,
}

/// What a group of replicas is like.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Replicas.
    pub nodes: usize,
    /// How many decide.
    pub quorum: usize,
    /// Whether empty replicas may begin a log by themselves; otherwise an operator has initialised them.
    pub auto_initialize: bool,
}

/// Everything there is.
pub struct World {
    agenda: Agenda<Event>,
    /// Nanoseconds since the beginning.
    pub now: u64,
    /// The one source of chance.
    pub rng: Rng,
    /// The group.
    pub group: Group,
    /// The network.
    pub network: Network,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// Who judges.
    pub checks: Checks,
    /// The bug that was planted, if any.
    pub planted: Planted,
    /// What is counted.
    pub tally: Tally,
    /// Messages sent.
    pub messages: u64,
    /// How clients behave.
    pub mood: Mood,
    /// Whether the faults are over.
    pub quiet: bool,
    log: Option<Box<dyn Write>>,
}

impl World {
    /// A world in which nothing runs yet.
    pub fn new(seed: u64, group: Group, planted: Planted, log: Option<Box<dyn Write>>) -> World {
        let mut rng = Rng::new(seed);
        let nodes = (0..group.nodes).map(|id| Node::new(id, rng.below(1000 * SECOND))).collect();
        World {
            agenda: Agenda::default(),
            now: 0,
            rng,
            group,
            network: Network::default(),
            nodes,
            checks: Checks::new(group.nodes, group.quorum),
            planted,
            tally: Tally::default(),
            messages: 0,
            mood: Mood::Steady,
            quiet: false,
            log,
        }
    }

    /// Something happens after so many nanoseconds.
    pub fn after(&mut self, nanos: u64, event: Event) {
        self.at(self.now + nanos, event);
    }

    fn at(&mut self, at: u64, event: Event) {
        self.agenda.push(at, event);
    }

    /// Lets time pass until then, or until something is wrong.
    pub fn run(&mut self, until: u64) {
        while self.checks.violations.is_empty() {
            let Some(due) = self.agenda.pop(until) else { break };
            self.now = due.at;
            self.happen(due.event);
        }
        if self.checks.violations.is_empty() {
            self.now = self.now.max(until);
        }
    }

    fn happen(&mut self, event: Event) {
        if let Some(until) = subject(&event).map(|node| self.nodes[node].paused).filter(|until| *until > self.now) {
            return self.at(until, event);
        }
        self.tally.events += 1;
        self.note(|| describe(&event));
        match event {
            Event::Arrive(node, message) if self.nodes[node].process.is_some() => {
                self.input(node, Input::Message(*message));
            }
            Event::Tick(node, life) if self.runs(node, life) => self.tick(node),
            Event::Synced(node, life) if self.runs(node, life) => self.synced(node),
            Event::Fetched(node, life, id, from, to) if self.runs(node, life) => {
                let found = self.nodes[node].disk.read(&from, &to);
                self.input(node, Input::Fetched(id, found));
            }
            Event::Think(node, life) if self.runs(node, life) => client::think(self, node, life),
            Event::Start(node) => self.start(node),
            Event::Listed(node, life, listed) => self.list(node, life, listed),
            Event::Members(node, life) if self.runs(node, life) => self.tell_members(node),
            Event::Heal(node) => self.nodes[node].disk.health = Health::Good,
            Event::Mood => faults::change_mood(self),
            Event::Fault => faults::strike(self),
            _ => {}
        }
    }

    /// Writes a line into the file of events, if somebody asked for one.
    pub fn note(&mut self, text: impl FnOnce() -> String) {
        let Some(log) = &mut self.log else { return };
        // A file that cannot be written is the business of whoever asked for it.
        let _ = writeln!(log, "{:.9} {}", self.now as f64 / 1e9, text());
    }

    /// Whether this very process runs.
    pub fn runs(&self, node: NodeId, life: u32) -> bool {
        self.nodes[node].life == life && self.nodes[node].process.is_some()
    }

    /// Starts a node, if its disk lets it.
    pub fn start(&mut self, id: NodeId) {
        if self.nodes[id].process.is_some() || !self.opens(id) {
            return;
        }
        let config = Config {
            pid: self.nodes[id].upid.clone(),
            quorum: self.planted.quorum(self.group.quorum),
            auto_initialize: self.group.auto_initialize,
            // At times so few that nearly everything has to be read from the disk.
            bodies_bytes: self.rng.below(3) as usize * 700,
            masters: None,
        };
        let seed = self.rng.next_u64();
        let stored = self.planted.opened(id, self.nodes[id].disk.read_all());
        let restored = match Restored::from_pairs(stored) {
            Ok(restored) => restored,
            Err(error) => return self.checks.object(self.now, id, error.to_string()),
        };
        let node = &mut self.nodes[id];
        node.life += 1;
        node.client = Client::default();
        node.armed = None;
        let log = Log::new(config, seed, restored);
        node.process = Some(Process { log, queue: EffectQueue::default(), out: Outbox::default() });
        let life = node.life;
        let (notice, think) = (self.rng.below(2 * SECOND), self.rng.below(2 * SECOND));
        self.after(notice, Event::Listed(id, life, true));
        self.after(think, Event::Think(id, life));
        self.tell_members(id);
    }

    /// Whether a node's disk can be used; if not, the start is tried again later. A corrupt one is emptied.
    fn opens(&mut self, id: NodeId) -> bool {
        let wait = match self.nodes[id].disk.open() {
            Ok(()) if self.nodes[id].replaced <= self.now => return true,
            Ok(()) => self.nodes[id].replaced - self.now,
            Err(DiskError::Corrupt) => {
                self.note(|| format!("{id} has lost its disk"));
                self.nodes[id].disk.wipe();
                self.nodes[id].replaced = self.now + REPLACE_NANOS;
                self.checks.wiped(id);
                REPLACE_NANOS
            }
            Err(_) => SECOND,
        };
        self.after(wait, Event::Start(id));
        false
    }

    /// Ends a node's process. What was not synced may be lost.
    pub fn crash(&mut self, id: NodeId) {
        let node = &mut self.nodes[id];
        if node.process.take().is_none() {
            return;
        }
        node.paused = 0;
        node.client = Client::default();
        self.note(|| format!("{id} ends"));
        let node = &mut self.nodes[id];
        let (life, batches) = (node.life, node.disk.crash(&mut self.rng));
        self.checks.durable(self.now, id, &self.nodes[id].disk, &batches);
        self.checks.ended(id);
        self.after(SESSION_NANOS, Event::Listed(id, life, false));
    }

    /// Ends a node's process in order: what it had still to write is written.
    pub fn stop(&mut self, id: NodeId) {
        let Some(mut process) = self.nodes[id].process.take() else { return };
        let node = &mut self.nodes[id];
        node.disk.write(process.queue.take_lazy().into_iter().filter_map(write_of).collect());
        if let Ok(batches) = node.disk.sync() {
            self.checks.durable(self.now, id, &self.nodes[id].disk, &batches);
        }
        self.checks.ended(id);
    }

    fn list(&mut self, id: NodeId, life: u32, listed: bool) {
        let node = &mut self.nodes[id];
        if node.life == life && node.listed != listed {
            node.listed = listed;
            self.tell_all();
        }
    }

    /// Every node hears soon whom ZooKeeper lists.
    pub fn tell_all(&mut self) {
        for other in 0..self.nodes.len() {
            let (life, wait) = (self.nodes[other].life, self.rng.below(SECOND / 2));
            self.after(wait, Event::Members(other, life));
        }
    }

    /// What ZooKeeper shows to a node: nothing while it is blind.
    fn tell_members(&mut self, id: NodeId) {
        let listed = self.nodes.iter().filter(|node| node.listed).map(|node| node.upid.clone());
        let members: BTreeSet<Upid> = if self.nodes[id].blind > self.now { BTreeSet::new() } else { listed.collect() };
        self.input(id, Input::Members(members));
    }

    /// A client's wish reaches its machine.
    pub fn ask(&mut self, id: NodeId, request: Request) {
        if self.nodes[id].process.is_some() {
            self.checks.asked(id, &request);
            self.input(id, Input::Request(request));
        }
    }

    fn tick(&mut self, id: NodeId) {
        let now = self.nodes[id].clock.read(self.now);
        let node = &mut self.nodes[id];
        node.armed = None;
        if let Some(process) = &mut node.process
            && process.log.deadline().is_some_and(|deadline| deadline <= now.monotonic)
        {
            process.log.tick(now, &mut process.out);
        }
        self.settle(id);
    }

    /// Hands a machine what it learns.
    pub fn input(&mut self, id: NodeId, input: Input) {
        self.hand(id, input);
        self.settle(id);
    }

    fn hand(&mut self, id: NodeId, input: Input) {
        let now = self.nodes[id].clock.read(self.now);
        if self.planted.is_nothing() {
            self.handle(id, now, input);
        } else {
            let inputs = self.planted.input(id, input);
            inputs.into_iter().for_each(|input| self.handle(id, now, input));
        }
    }

    fn handle(&mut self, id: NodeId, now: Now, input: Input) {
        if let Some(process) = &mut self.nodes[id].process {
            process.log.handle(now, input, &mut process.out);
        }
    }

    fn synced(&mut self, id: NodeId) {
        let lies = self.planted.sync_lies();
        let node = &mut self.nodes[id];
        if !lies {
            match node.disk.sync() {
                Ok(batches) => self.checks.durable(self.now, id, &self.nodes[id].disk, &batches),
                Err(_) => return self.fail(id),
            }
        }
        if let Some(process) = &mut self.nodes[id].process {
            process.queue.finish_sync();
        }
        self.settle(id);
    }

    /// The disk has failed: the process begins again with what the disk still has.
    fn fail(&mut self, id: NodeId) {
        self.crash(id);
        let wait = 100 * MILLI + self.rng.below(SECOND);
        self.after(wait, Event::Start(id));
    }

    /// Lets out what may leave, begins a sync if one is called for, and plans the next tick.
    fn settle(&mut self, id: NodeId) {
        self.submit(id);
        while let Some(effect) = self.nodes[id].process.as_mut().and_then(|process| process.queue.pop_ready()) {
            self.perform(id, effect);
        }
        let node = &mut self.nodes[id];
        let Some(process) = &mut node.process else { return };
        if let Some(writes) = process.queue.begin_sync() {
            node.disk.write(writes.into_iter().filter_map(write_of).collect());
            let (life, wait) = (node.life, node.disk.sync_time(&mut self.rng));
            self.after(wait.as_nanos() as u64, Event::Synced(id, life));
        }
        self.arm(id);
    }

    fn submit(&mut self, id: NodeId) {
        if let Some(process) = &mut self.nodes[id].process {
            self.planted.output(id, &mut process.out);
            process.queue.submit(&mut process.out);
        }
    }

    fn arm(&mut self, id: NodeId) {
        let Some(at) = self.nodes[id].deadline(self.now) else { return };
        let node = &mut self.nodes[id];
        if node.armed.is_none_or(|armed| armed > at) {
            node.armed = Some(at);
            let life = node.life;
            self.at(at, Event::Tick(id, life));
        }
    }

    fn perform(&mut self, id: NodeId, effect: Effect) {
        match effect {
            Effect::Send(message) => self.send(id, Box::new(message)),
            Effect::Fetch(fetch, from, to) => {
                let (life, wait) = (self.nodes[id].life, MILLI / 10 + self.rng.below(5 * MILLI));
                self.after(wait, Event::Fetched(id, life, fetch, from, to));
            }
            // Whoever lets effects out goes on with what comes of it: one sync may make thousands of writes durable, too many
            // for as many calls within each other.
            Effect::Durable(key) => {
                self.hand(id, Input::Durable(key));
                self.submit(id);
            }
            Effect::Answer(answer) => {
                self.checks.answered(self.now, id, &answer);
                self.nodes[id].client.answered(&answer);
            }
            Effect::Write(_) => {}
        }
    }

    fn send(&mut self, id: NodeId, mut message: Box<Message>) {
        self.checks.sent(self.now, id, &self.nodes[id].disk, &message);
        let to = node_of(&message.to);
        if to >= self.nodes.len() {
            return self.checks.object(self.now, id, format!("a message to {}, where nobody is", message.to));
        }
        self.messages += 1;
        if self.messages.is_multiple_of(FRAMED_EVERY) {
            *message = framed(&message);
        }
        let [first, echo] = self.network.send(self.now, id, to, &mut self.rng);
        let copy = echo.map(|at| (at, message.clone()));
        for (at, message) in first.map(|at| (at, message)).into_iter().chain(copy) {
            self.at(at, Event::Arrive(to, message));
        }
    }

    /// The node whose client writes, if one does.
    pub fn writer(&self) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.client.stage == Stage::Leading)
    }
}

fn write_of(effect: Effect) -> Option<Vec<Change>> {
    match effect {
        Effect::Write(changes) => Some(changes),
        _ => None,
    }
}

/// Whose pause an event waits for.
fn subject(event: &Event) -> Option<NodeId> {
    match event {
        Event::Arrive(node, _)
        | Event::Tick(node, _)
        | Event::Synced(node, _)
        | Event::Fetched(node, ..)
        | Event::Think(node, _)
        | Event::Members(node, _) => Some(*node),
        Event::Start(_) | Event::Listed(..) | Event::Heal(_) | Event::Mood | Event::Fault => None,
    }
}

/// What the receiver reads of the bytes that a message is on the wire.
fn framed(message: &Message) -> Message {
    let mut decoder = Decoder::new(Limits::default());
    decoder.buffer().extend_from_slice(&message.encode().concat());
    match decoder.decode() {
        Ok(Some(Decoded::Message(Ok(envelope), payload))) => envelope.with_body(message.to.address(), payload.body),
        other => panic!("what a machine sends is a message: {other:?}"),
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Arrive(node, message) => {
            let bytes = message.encode().concat();
            let head: Vec<&[u8]> = bytes.split(|byte| *byte == b'\r').take(2).collect();
            let text = String::from_utf8_lossy(&head.concat()).replace('\n', " ");
            format!("-> {node} {text} {} {:016x}", bytes.len(), digest(&bytes))
        }
        Event::Tick(node, life) => format!("{node}.{life} tick"),
        Event::Synced(node, life) => format!("{node}.{life} synced"),
        Event::Fetched(node, life, ..) => format!("{node}.{life} fetched"),
        Event::Think(node, life) => format!("{node}.{life} thinks"),
        Event::Start(node) => format!("{node} starts"),
        Event::Listed(node, life, listed) => format!("{node}.{life} listed: {listed}"),
        Event::Members(node, life) => format!("{node}.{life} members"),
        Event::Heal(node) => format!("{node} heals"),
        Event::Mood => "mood".to_owned(),
        Event::Fault => "fault".to_owned(),
    }
}
