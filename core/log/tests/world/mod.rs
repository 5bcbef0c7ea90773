//! A few replicas, their disks and the network between them, from one seed.

pub mod checks;
pub mod node;
pub mod planted;

use bytes::Bytes;
use checks::Checks;
use node::Node;
use planted::Bug;
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
    /// The mean time between two pauses of any process; zero for none.
    pub pause_every: Duration,
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
        pause_every: Duration::ZERO,
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
    /// A process is stopped for a while.
    Pause,
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
    /// Messages of this name are lost.
    pub unheard: Option<&'static str>,
    /// Nodes whose votes are those of Mesos.
    pub as_mesos: BTreeSet<usize>,
    pub clients_active: bool,
    /// Whether clients give up the writer's place now and then.
    pub clients_resign: bool,
    /// Whether clients write, when they can.
    pub clients_write: bool,
    pub wipes: usize,
    /// What every node does wrong, if anything.
    pub bug: Option<Bug>,
    /// What the messages of the lease say that their group is.
    group: Option<u64>,
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
            unheard: None,
            as_mesos: BTreeSet::new(),
            clients_active: true,
            clients_resign: true,
            clients_write: true,
            wipes: 0,
            bug: None,
            group: None,
            heap: BinaryHeap::new(),
            events: BTreeMap::new(),
            next: 0,
        };
        for at in 0..replicas {
            world.put(Duration::ZERO, Event::Restart(at));
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
        if self.faults.pause_every > Duration::ZERO {
            let after = self.within(self.faults.pause_every * 2);
            self.put(after, Event::Pause);
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

    /// Whose event it is, if it waits while that process is stopped.
    fn waits_for(event: &Event) -> Option<usize> {
        match event {
            Event::Input(at, ..) | Event::Tick(at, _) | Event::Synced(at, _) | Event::Client(at) => Some(*at),
            Event::Message(_, message) => Some(index(&message.to)),
            Event::Restart(_) | Event::Crash | Event::Partition | Event::Pause => None,
        }
    }

    fn happen(&mut self, event: Event) {
        let paused = World::waits_for(&event).map_or(Instant(0), |at| self.nodes[at].paused_until);
        if self.now < paused {
            return self.put(paused.since(self.now), event);
        }
        match event {
            Event::Input(at, life, input) if self.nodes[at].life == life => self.handle(at, input),
            Event::Message(from, message) => {
                let to = index(&message.to);
                let cut = self.cut.contains(&(from.min(to), from.max(to)));
                if !cut && self.unheard != Some(message.name.as_str()) {
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
                let one = self.rng.below(self.nodes.len() as u64) as usize;
                // Now and then the power fails for all of them.
                let all = self.rng.below(4) == 0;
                (0..self.nodes.len()).filter(|at| all || *at == one).for_each(|at| self.crash(at));
                let after = self.within(self.faults.crash_every * 2);
                if self.faults.crash_every > Duration::ZERO {
                    self.put(after, Event::Crash);
                }
            }
            Event::Partition => self.partition(),
            Event::Pause => self.pause(),
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

    fn pause(&mut self) {
        if self.faults.pause_every == Duration::ZERO {
            return;
        }
        let at = self.rng.below(self.nodes.len() as u64) as usize;
        let length = self.within(Duration::from_millis(1500));
        self.nodes[at].paused_until = self.now + length;
        let after = self.within(self.faults.pause_every * 2);
        self.put(after, Event::Pause);
    }

    pub fn start(&mut self, at: usize) {
        let seed = self.rng.next_u64();
        let members = (0..self.nodes.len()).map(pid).collect();
        self.nodes[at].start(seed);
        self.first_tick(at);
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

    fn now(&self, at: usize) -> Now {
        Now { monotonic: self.nodes[at].reads(self.now), wall: Wall(self.now.0) }
    }

    pub fn handle(&mut self, at: usize, input: Input) {
        let (now, input) = planted::input(self.bug, self.now(at), input);
        self.nodes[at].handle(now, input);
        self.settle(at);
    }

    /// Only when something is due: a deadline that is not told would go unnoticed if an older one woke the node up.
    fn tick(&mut self, at: usize) {
        let now = self.now(at);
        if self.nodes[at].deadline().is_none_or(|due| due > now.monotonic) {
            return;
        }
        self.nodes[at].tick(now);
        self.settle(at);
    }

    fn first_tick(&mut self, at: usize) {
        let now = planted::first(self.bug, self.now(at));
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
            let due = self.nodes[at].true_time(due);
            self.put(due.since(self.now), Event::Tick(at, life));
        }
    }

    fn send(&mut self, from: usize, mut message: Message) {
        assert_ne!(index(&message.to), from, "a replica sends nothing to itself");
        self.checks.message(&message);
        self.group = planted::group(&message).or(self.group);
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
        let answer = planted::answer(self.bug, self.now(at), answer);
        self.release_too_early(at, &answer);
        self.checks.answer(at, &answer);
        self.nodes[at].answers.push(answer.clone());
        self.led(at, &answer);
        if matches!(answer, Answer::NotElected | Answer::Demoted) {
            self.nodes[at].leading = false;
        } else if let Answer::Elected { end, .. } = answer {
            self.nodes[at].leading = true;
            self.checks.elected(at, self.nodes[at].figures().and_then(|figures| figures.proposal), end);
        }
    }

    /// A master that leads wants the writer's place that comes with it.
    fn led(&mut self, at: usize, answer: &Answer) {
        let Answer::Leads { epoch, until } = answer else { return };
        let (now, nodes) = (self.now, &self.nodes);
        self.checks.leads(at, *epoch, nodes[at].true_time(*until), now);
        if !self.nodes[at].leading {
            self.request(at, Request::Elect);
        }
    }

    /// What clients do: sometimes want to be the writer, write when they are.
    fn client(&mut self, at: usize) {
        if self.clients_active && self.nodes[at].log.is_some() {
            let dice = self.rng.below(100);
            if !self.nodes[at].leading {
                match self.nodes[at].masters {
                    None if dice < 8 => self.request(at, Request::Elect),
                    Some(_) if dice < 50 && !self.nodes[at].masters_only_watch => {
                        self.request(at, Request::Contend(Bytes::from(format!("master {at}"))))
                    }
                    _ => {}
                }
            } else if dice < 3 && self.clients_resign {
                self.nodes[at].leading = false;
                self.request(at, Request::Resign);
                self.checks.resigned(at);
                self.checks.acts_no_more(at);
            } else if self.clients_write {
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
