//! Registrars over replicated logs, on disks that keep what was synced.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tepui_base::{AgentId, EffectQueue, Instant, Machine, Now, Outbox};
use tepui_log::{Action, Change, Config, Effect, Log, Request, RequestId, Restored, Value, records};
use tepui_proto::MessageField;
use tepui_proto::mesos::{AgentID, AgentInfo, MasterInfo};
use tepui_registry::{Abort, Error, Input, Operation, OperationId, Output, Registrar, State, Timeouts};
use tepui_wire::{Message, Upid};

type Disk = BTreeMap<Vec<u8>, Bytes>;

struct Node {
    registrar: Registrar,
    queue: EffectQueue<Output>,
    disk: Disk,
    told: VecDeque<Output>,
}

/// Every message arrives at once, unless its receiver is cut off.
struct World {
    nodes: Vec<Node>,
    now: Now,
    cut: BTreeSet<usize>,
    messages: VecDeque<Message>,
}

fn pid(number: usize) -> Upid {
    Upid::new("log-replica(1)", Ipv4Addr::new(10, 0, 0, number as u8 + 1), 5050)
}

fn registrar(number: usize, count: usize, disk: &Disk) -> Registrar {
    let config = Config::new(pid(number), count / 2 + 1);
    let pairs = disk.iter().map(|(key, value)| (key.clone(), value.clone()));
    let log = Log::new(config, number as u64 + 1, Restored::from_pairs(pairs).expect("our own records"));
    Registrar::durable(log, number as u64 + 7, Timeouts::default())
}

impl World {
    fn new(count: usize) -> World {
        let node = |number| Node {
            registrar: registrar(number, count, &Disk::new()),
            queue: EffectQueue::default(),
            disk: Disk::new(),
            told: VecDeque::new(),
        };
        let mut world = World {
            nodes: (0..count).map(node).collect(),
            now: Now::default(),
            cut: BTreeSet::new(),
            messages: VecDeque::new(),
        };
        (0..count).for_each(|number| world.tell_members(number));
        world
    }

    fn tell_members(&mut self, number: usize) {
        let members = (0..self.nodes.len()).map(pid).collect();
        self.input(number, Input::Log(tepui_log::Input::Members(members)));
    }

    fn input(&mut self, number: usize, input: Input) {
        let mut out = Outbox::default();
        self.nodes[number].registrar.handle(self.now, input, &mut out);
        self.nodes[number].queue.submit(&mut out);
        self.leave(number);
    }

    /// Lets effects out, and syncs at once what has to be synced.
    fn leave(&mut self, number: usize) {
        loop {
            while let Some(output) = self.nodes[number].queue.pop_ready() {
                self.apply(number, output);
            }
            let Some(writes) = self.nodes[number].queue.begin_sync() else { return };
            for write in writes {
                let Output::Log(Effect::Write(changes)) = write else { panic!("{write:?} is no write") };
                for change in changes {
                    match change {
                        Change::Put(key, value) => drop(self.nodes[number].disk.insert(key, value)),
                        Change::Delete(key) => drop(self.nodes[number].disk.remove(&key)),
                    }
                }
            }
            self.nodes[number].queue.finish_sync();
        }
    }

    fn apply(&mut self, number: usize, output: Output) {
        match output {
            Output::Log(Effect::Send(message)) => self.messages.push_back(message),
            Output::Log(Effect::Durable(key)) => self.input(number, Input::Log(tepui_log::Input::Durable(key))),
            Output::Log(Effect::Fetch(id, from, to)) => {
                let found = self.nodes[number].disk.range(from..=to);
                let found = found.map(|(key, value)| (key.clone(), value.clone())).collect();
                self.input(number, Input::Log(tepui_log::Input::Fetched(id, found)));
            }
            Output::Log(effect) => panic!("nobody asked the log for {effect:?}"),
            output => self.nodes[number].told.push_back(output),
        }
    }

    fn deliver(&mut self) {
        while self.deliver_one() {}
    }

    /// Whether there was a message.
    fn deliver_one(&mut self) -> bool {
        let Some(message) = self.messages.pop_front() else { return false };
        let of = |upid: &Upid| (0..self.nodes.len()).find(|number| pid(*number).ip == upid.ip);
        if let (Some(from), Some(to)) = (of(&message.from), of(&message.to))
            && !self.cut.contains(&from)
            && !self.cut.contains(&to)
        {
            self.input(to, Input::Log(tepui_log::Input::Message(message)));
        }
        true
    }

    /// Goes on until somebody has something to tell. Time jumps from deadline to deadline.
    fn next(&mut self, number: usize) -> Output {
        for _ in 0..10_000 {
            self.deliver();
            if let Some(output) = self.nodes[number].told.pop_front() {
                return output;
            }
            let next = self.nodes.iter().filter_map(|node| node.registrar.deadline()).min();
            self.now.monotonic = next.expect("somebody waits for something").max(self.now.monotonic);
            for number in 0..self.nodes.len() {
                let mut out = Outbox::default();
                if self.nodes[number].registrar.deadline().is_some_and(|at| at <= self.now.monotonic) {
                    self.nodes[number].registrar.tick(self.now, &mut out);
                    self.nodes[number].queue.submit(&mut out);
                    self.leave(number);
                }
            }
        }
        panic!("nothing is told at {:?}", self.now);
    }

    fn recover(&mut self, number: usize) -> State {
        self.input(number, Input::Recover(Arc::new(MasterInfo { id: format!("m{number}"), ..Default::default() })));
        match self.next(number) {
            Output::Recovered(state) => state,
            other => panic!("{other:?}"),
        }
    }

    /// The process dies and starts again on its disk.
    fn restart(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.queue = EffectQueue::default();
        node.told.clear();
        let count = self.nodes.len();
        self.nodes[number].registrar = registrar(number, count, &self.nodes[number].disk);
        self.tell_members(number);
    }
}

fn admit(id: &str) -> Operation {
    let id = MessageField::some(AgentID { value: id.to_owned(), ..Default::default() });
    Operation::AdmitAgent(Arc::new(AgentInfo { id, ..Default::default() }))
}

fn apply(world: &mut World, number: usize, id: u64, agent: &str) {
    world.input(number, Input::Apply(OperationId(id), admit(agent)));
}

fn admitted(state: &State) -> Vec<&str> {
    state.admitted.keys().map(AgentId::as_str).collect()
}

#[test]
fn what_was_answered_outlives_the_process() {
    let mut world = World::new(1);
    assert!(world.recover(0).admitted.is_empty());
    for (number, agent) in ["a", "b", "a"].into_iter().enumerate() {
        apply(&mut world, 0, number as u64, agent);
    }
    assert_eq!(world.next(0), Output::Applied(OperationId(0), Ok(true)));
    assert_eq!(world.next(0), Output::Applied(OperationId(1), Ok(true)));
    assert_eq!(world.next(0), Output::Applied(OperationId(2), Err(Error::AlreadyAdmitted)));
    world.restart(0);
    let state = world.recover(0);
    assert_eq!(admitted(&state), ["a", "b"]);
    assert_eq!(state.master.map(|master| master.id.clone()).as_deref(), Some("m0"));
}

#[test]
fn the_next_master_reads_what_the_last_one_stored() {
    let mut world = World::new(3);
    world.recover(0);
    apply(&mut world, 0, 1, "a");
    assert_eq!(world.next(0), Output::Applied(OperationId(1), Ok(true)));
    world.cut.insert(0);
    assert_eq!(admitted(&world.recover(1)), ["a"]);
    apply(&mut world, 1, 1, "b");
    assert_eq!(world.next(1), Output::Applied(OperationId(1), Ok(true)));
}

/// A thousand agents that register at once are a few stores.
#[test]
fn what_queues_behind_a_store_is_stored_together() {
    let mut world = World::new(3);
    world.recover(0);
    world.deliver();
    let end = |world: &World| world.nodes[0].registrar.log().expect("a log").figures().end;
    let before = end(&world);
    for number in 0..6 {
        apply(&mut world, 0, number, &number.to_string());
    }
    for number in 0..6 {
        assert_eq!(world.next(0), Output::Applied(OperationId(number), Ok(true)));
    }
    // A difference for the first, a snapshot for the other five, and the truncation of what that one replaces.
    assert_eq!(end(&world) - before, 3);
}

/// Who asks is shown nothing of a term that is over.
#[test]
fn a_term_that_is_over_leaves_nothing_to_be_shown() {
    let mut world = World::new(3);
    world.recover(0);
    assert!(world.nodes[0].registrar.state().master.is_some());
    world.input(0, Input::Resign);
    assert_eq!(*world.nodes[0].registrar.state(), State::default());
    world.input(0, Input::Recover(Arc::default()));
    assert_eq!(*world.nodes[0].registrar.state(), State::default(), "until it is recovered");
}

#[test]
fn a_master_that_is_no_longer_the_writer_stores_nothing() {
    let mut world = World::new(3);
    world.recover(0);
    world.recover(1);
    apply(&mut world, 0, 1, "stale");
    assert_eq!(
        world.next(0),
        Output::Aborted(Abort::Passing("Failed to update registry: version mismatch".to_owned()))
    );
    assert!(world.recover(2).admitted.is_empty());
}

#[test]
fn without_a_quorum_a_term_ends_in_time() {
    let mut world = World::new(3);
    world.cut.extend([1, 2]);
    world.input(0, Input::Recover(Arc::default()));
    let why = "Failed to recover registrar: Failed to perform fetch within 1mins";
    assert_eq!(world.next(0), Output::Aborted(Abort::Passing(why.to_owned())));
    assert!(world.now.monotonic >= Instant(60_000_000_000));
    world.cut.clear();
    assert!(world.recover(0).admitted.is_empty(), "the next term finds everybody again");
}

#[test]
fn a_store_that_takes_too_long_ends_the_term() {
    let mut world = World::new(3);
    world.recover(0);
    world.deliver();
    world.cut.extend([1, 2]);
    let asked = world.now.monotonic;
    apply(&mut world, 0, 1, "late");
    let why = "Failed to update registry: Failed to perform store within 20secs";
    assert_eq!(world.next(0), Output::Aborted(Abort::Passing(why.to_owned())));
    assert_eq!(world.now.monotonic, asked + Duration::from_secs(20));
    world.cut.clear();
    world.recover(0);
    apply(&mut world, 0, 2, "in time");
    assert_eq!(world.next(0), Output::Applied(OperationId(2), Ok(true)), "nothing more is said of the first");
}

/// The master is stored before it serves anybody.
#[test]
fn the_first_store_of_a_term_may_take_too_long() {
    let mut world = World::new(3);
    world.recover(0);
    world.deliver();
    world.input(0, Input::Resign);
    world.input(0, Input::Recover(Arc::default()));
    let leads = |world: &World| world.nodes[0].registrar.log().and_then(|log| log.figures().proposal).is_some();
    while !leads(&world) {
        assert!(world.deliver_one(), "it is elected by messages alone");
    }
    world.cut.extend([1, 2]);
    let asked = world.now.monotonic;
    let why = "Failed to recover registrar: Failed to perform store within 20secs";
    assert_eq!(world.next(0), Output::Aborted(Abort::Passing(why.to_owned())));
    assert_eq!(world.now.monotonic, asked + Duration::from_secs(20));
}

/// Another term would read the same, so the text says where it stands.
#[test]
fn what_cannot_be_read_is_named() {
    let mut world = World::new(1);
    world.recover(0);
    world.input(0, Input::Resign);
    let last = world.nodes[0].registrar.log().expect("a log").figures().end;
    let entry = Action::of(last + 1, 1, Value::Append(Bytes::from_static(b"no operation")), true);
    let mut disk = world.nodes[0].disk.clone();
    disk.insert(records::key(last + 1).expect("a position"), records::action_value(&entry));
    world.nodes[0] =
        Node { registrar: registrar(0, 1, &disk), queue: EffectQueue::default(), disk, told: VecDeque::new() };
    world.tell_members(0);
    world.input(0, Input::Recover(Arc::default()));
    let Output::Aborted(Abort::Unreadable(why)) = world.next(0) else { panic!("it was read") };
    assert!(why.starts_with(&format!("Failed to recover registrar: position {} of the log: ", last + 1)), "{why}");
}

/// It stands there because of another writer, which nobody was told of before the store.
#[test]
fn what_cannot_be_read_is_named_by_a_store_too() {
    let mut world = World::new(3);
    world.recover(0);
    world.deliver();
    let ask = |world: &mut World, request| {
        world.input(1, Input::Log(tepui_log::Input::Request(request)));
        world.deliver();
    };
    ask(&mut world, Request::Elect);
    let last = world.nodes[1].registrar.log().expect("a log").figures().end;
    ask(&mut world, Request::Append(RequestId(1 << 40), Bytes::from_static(b"no operation")));
    apply(&mut world, 0, 1, "a");
    let Output::Aborted(abort) = world.next(0) else { panic!("it was stored") };
    let Abort::Unreadable(why) = &abort else { panic!("{abort:?}") };
    assert!(why.starts_with(&format!("Failed to update registry: position {} of the log: ", last + 1)), "{why}");
}
