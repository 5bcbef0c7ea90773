//! A few replicas, their disks and the network between them, from one seed.

pub mod checks;
pub mod node;

use checks::Checks;
use node::Node;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::Ipv4Addr;
use std::time::Duration;
use tepui_base::{Instant, Now, Rng, Wall};
use tepui_log::{Answer, Effect, Input, Request};
use tepui_wire::{Message, Upid};

/// What goes wrong, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Of 1,000 messages.
    pub lost: u64,
    /// Of 1,000 messages.
    pub doubled: u64,
    /// The longest delay of a message.
    pub delay: Duration,
    /// The mean time between two crashes of any node; zero for none.
    pub crash_every: Duration,
    /// The mean time between two changes of who cannot talk to whom; zero for none.
    pub partition_every: Duration,
    /// Whether some crashes take the disk with them.
    pub wipes: bool,
}

impl Faults {
    /// A network and machines that work.
    pub const NONE: Faults = Faults {
        lost: 0,
        doubled: 0,
        delay: Duration::from_millis(2),
        crash_every: Duration::ZERO,
        partition_every: Duration::ZERO,
        wipes: false,
    };
}

/// Something that is to happen.
#[derive(Debug)]
pub enum Event {
    /// An input for a node, if it still lives the same life.
    Input(usize, u64, Input),
    /// A message, from this node, whatever life the receiver lives.
    Message(usize, Message),
    Tick(usize, u64),
    Synced(usize, u64),
    Restart(usize),
    Crash,
    Partition,
    /// The clients of a node do something.
    Client(usize),
}

pub struct World {
    pub now: Instant,
    pub rng: Rng,
    pub faults: Faults,
    pub nodes: Vec<Node>,
    pub checks: Checks,
    /// Pairs of nodes that cannot talk.
    pub cut: BTreeSet<(usize, usize)>,
    /// Nodes whose votes are those of Mesos.
    pub as_mesos: BTreeSet<usize>,
    pub clients_active: bool,
    pub wipes: usize,
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    events: BTreeMap<u64, Event>,
    next: u64,
}

pub fn pid(index: usize) -> Upid {
    Upid::new("log-replica(1)", Ipv4Addr::new(10, 0, 0, 1 + index as u8), 5050)
}

fn index(upid: &Upid) -> usize {
    usize::from(upid.ip.octets()[3]) - 1
}

impl World {
    pub fn new(seed: u64, replicas: usize, faults: Faults) -> World {
        let mut world = World {
            now: Instant(1),
            rng: Rng::new(seed),
            faults,
            nodes: (0..replicas).map(|at| Node::new(pid(at), replicas)).collect(),
            checks: Checks::default(),
            cut: BTreeSet::new(),
            as_mesos: BTreeSet::new(),
            clients_active: true,
            wipes: 0,
            heap: BinaryHeap::new(),
            events: BTreeMap::new(),
            next: 0,
        };
        for at in 0..replicas {
            world.start(at);
            let after = world.within(Duration::from_millis(500));
            world.put(after, Event::Client(at));
        }
        world.put_faults();
        world
    }

    fn put_faults(&mut self) {
        if self.faults.crash_every > Duration::ZERO {
            let after = self.within(self.faults.crash_every * 2);
            self.put(after, Event::Crash);
        }
        if self.faults.partition_every > Duration::ZERO {
            let after = self.within(self.faults.partition_every * 2);
            self.put(after, Event::Partition);
        }
    }

    pub fn within(&mut self, longest: Duration) -> Duration {
        self.rng.up_to(longest)
    }

    pub fn put(&mut self, after: Duration, event: Event) {
        self.next += 1;
        self.heap.push(Reverse((self.now + after, self.next)));
        self.events.insert(self.next, event);
    }

    /// Runs until a time.
    pub fn run(&mut self, length: Duration) {
        let until = self.now + length;
        while let Some(Reverse((at, id))) = self.heap.peek().copied().filter(|Reverse((at, _))| *at <= until) {
            self.heap.pop();
            self.now = at;
            let event = self.events.remove(&id).expect("one event for each entry");
            self.happen(event);
        }
        self.now = until;
    }

    /// Runs until something is so, for a bounded time.
    pub fn run_until(&mut self, what: &str, done: impl Fn(&World) -> bool) {
        for _ in 0..60_000 {
            if done(self) {
                return;
            }
            self.run(Duration::from_millis(1));
        }
        panic!("{what} did not happen within a minute: {:?}", self.nodes.iter().map(Node::figures).collect::<Vec<_>>());
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(at, life, input) if self.nodes[at].life == life => self.handle(at, input),
            Event::Message(from, message) => {
                let to = index(&message.to);
                let cut = self.cut.contains(&(from.min(to), from.max(to)));
                if !cut {
                    self.handle(to, Input::Message(message));
                }
            }
            Event::Tick(at, life) if self.nodes[at].life == life => self.tick(at),
            Event::Synced(at, life) if self.nodes[at].life == life => {
                self.nodes[at].synced();
                self.settle(at);
            }
            Event::Restart(at) => self.start(at),
            Event::Crash => {
                let at = self.rng.below(self.nodes.len() as u64) as usize;
                self.crash(at);
                let after = self.within(self.faults.crash_every * 2);
                if self.faults.crash_every > Duration::ZERO {
                    self.put(after, Event::Crash);
                }
            }
            Event::Partition => self.partition(),
            Event::Client(at) => self.client(at),
            Event::Input(..) | Event::Tick(..) | Event::Synced(..) => {}
        }
    }

    fn partition(&mut self) {
        self.cut.clear();
        if self.faults.partition_every == Duration::ZERO {
            return;
        }
        for a in 0..self.nodes.len() {
            for b in a + 1..self.nodes.len() {
                if self.rng.below(3) == 0 {
                    self.cut.insert((a, b));
                }
            }
        }
        let after = self.within(self.faults.partition_every * 2);
        self.put(after, Event::Partition);
    }

    pub fn start(&mut self, at: usize) {
        let seed = self.rng.next_u64();
        let members = (0..self.nodes.len()).map(pid).collect();
        self.nodes[at].start(seed);
        self.tick(at);
        self.handle(at, Input::Members(members));
    }

    /// The process ends; what was not synced is lost, but for a part of what was being written.
    pub fn crash(&mut self, at: usize) {
        if self.nodes[at].log.is_none() {
            return;
        }
        let share = self.rng.unit();
        self.nodes[at].crash(share);
        // A new disk, while all the others vote: more than that nobody promises to survive.
        let others_vote = (0..self.nodes.len()).all(|other| other == at || self.nodes[other].votes_on_disk());
        if self.faults.wipes && others_vote && self.rng.below(4) == 0 {
            self.nodes[at].disk.clear();
            self.wipes += 1;
        }
        self.checks.crashed(at);
        let after = self.within(Duration::from_millis(500));
        self.put(after, Event::Restart(at));
    }

    fn now(&self) -> Now {
        Now { monotonic: self.now, wall: Wall(self.now.0) }
    }

    pub fn handle(&mut self, at: usize, input: Input) {
        let now = self.now();
        self.nodes[at].handle(now, input);
        self.settle(at);
    }

    fn tick(&mut self, at: usize) {
        let now = self.now();
        self.nodes[at].tick(now);
        self.settle(at);
    }

    pub fn request(&mut self, at: usize, request: Request) {
        self.handle(at, Input::Request(request));
    }

    /// Carries out what a node wants.
    fn settle(&mut self, at: usize) {
        while let Some(effect) = self.nodes[at].queue.pop_ready() {
            match effect {
                Effect::Send(message) => self.send(at, message),
                Effect::Write(_) => unreachable!("writes leave through the sync"),
                Effect::Fetch(id, from, to) => {
                    let found = self.nodes[at].find(&from, &to);
                    let (life, after) = (self.nodes[at].life, self.within(Duration::from_millis(2)));
                    self.put(after, Event::Input(at, life, Input::Fetched(id, found)));
                }
                Effect::Durable(key) => self.handle(at, Input::Durable(key)),
                Effect::Answer(answer) => self.answered(at, answer),
            }
        }
        if self.nodes[at].begin_sync() {
            let (life, after) = (self.nodes[at].life, self.within(Duration::from_millis(6)));
            self.put(after, Event::Synced(at, life));
        }
        let due = self.nodes[at].deadline();
        if let Some(due) = due.filter(|due| self.nodes[at].armed != Some(*due)) {
            self.nodes[at].armed = Some(due);
            let life = self.nodes[at].life;
            self.put(due.since(self.now), Event::Tick(at, life));
        }
    }

    fn send(&mut self, from: usize, mut message: Message) {
        assert_ne!(index(&message.to), from, "a replica sends nothing to itself");
        self.checks.message(&message);
        if self.as_mesos.contains(&from) && message.body.ends_with(&[0xC0, 0x3E, 1]) {
            message.body = message.body.slice(..message.body.len() - 3);
        }
        if self.rng.below(1000) < self.faults.lost {
            return;
        }
        let copies = if self.rng.below(1000) < self.faults.doubled { 2 } else { 1 };
        for _ in 0..copies {
            let after = self.within(self.faults.delay);
            self.put(after, Event::Message(from, message.clone()));
        }
    }

    fn answered(&mut self, at: usize, answer: Answer) {
        self.checks.answer(at, &answer);
        self.nodes[at].answers.push(answer.clone());
        if matches!(answer, Answer::NotElected | Answer::Demoted) {
            self.nodes[at].leading = false;
        } else if let Answer::Elected { end, .. } = answer {
            self.nodes[at].leading = true;
            self.checks.elected(at, self.nodes[at].figures().and_then(|figures| figures.proposal), end);
        }
    }

    /// What clients do: sometimes want to be the writer, write when they are.
    fn client(&mut self, at: usize) {
        if self.clients_active && self.nodes[at].log.is_some() {
            let dice = self.rng.below(100);
            if !self.nodes[at].leading {
                if dice < 8 {
                    self.request(at, Request::Elect);
                }
            } else if dice < 3 {
                self.nodes[at].leading = false;
                self.request(at, Request::Resign);
                self.checks.resigned(at);
            } else {
                self.write(at, dice);
            }
        }
        let after = self.within(Duration::from_millis(100));
        self.put(after, Event::Client(at));
    }

    fn write(&mut self, at: usize, dice: u64) {
        for _ in 0..self.rng.below(12) {
            let (id, bytes) = self.checks.new_append(at);
            self.request(at, Request::Append(id, bytes));
        }
        if dice < 15
            && let Some((id, to)) = self.checks.new_truncation(at)
        {
            self.request(at, Request::Truncate(id, to));
        }
    }
}
