//! Laws of elections over a group whose servers give sessions up in time, and whose words arrive late.

use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Wall};
use tepui_election::{Effect, Election, Input, Member, Members, info};
use tepui_proto::mesos::MasterInfo;
use tepui_wire::Upid;

/// How long a session outlives its last sign of life.
const TIMEOUT: u64 = 10;
const MASTERS: usize = 3;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// Time passes.
    Wait(u64),
    /// A master's ping reaches the servers; the answer is on its way.
    Ping(usize),
    /// The next words of the servers reach a master.
    Hear(usize),
    /// A master looks at its clock.
    Tick(usize),
    /// A master gives up and starts over, as after an error of its own.
    Restart(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..MASTERS;
    let step = prop_oneof![
        2 => (1..6_u64).prop_map(Step::Wait),
        4 => who.clone().prop_map(Step::Ping),
        8 => who.clone().prop_map(Step::Hear),
        2 => who.clone().prop_map(Step::Tick),
        1 => who.prop_map(Step::Restart),
    ];
    prop::collection::vec(step, 1..400)
}

/// The servers' side of a session.
#[derive(Default)]
struct Session {
    number: u64,
    touched: u64,
}

#[derive(Default)]
struct World {
    now: u64,
    masters: Vec<Election>,
    inboxes: Vec<VecDeque<Input>>,
    sessions: Vec<Session>,
    /// Members by sequence: whose they are, in which session, and their data.
    group: BTreeMap<i32, (usize, u64, bytes::Bytes)>,
    next: i32,
    names: u64,
}

fn member(sequence: i32) -> Member {
    Member { sequence, label: Some(info::JSON_LABEL.to_owned()), name: format!("json.info_{sequence:010}") }
}

impl World {
    fn new() -> World {
        let mut world = World::default();
        for index in 0..MASTERS {
            world.masters.push(Election::default());
            world.inboxes.push(VecDeque::new());
            world.sessions.push(Session::default());
            world.contend(index);
        }
        world
    }

    fn time(&self) -> Instant {
        Instant(self.now)
    }

    fn contend(&mut self, index: usize) {
        self.names += 1;
        let pid = Upid::new("master", std::net::Ipv4Addr::LOCALHOST, 5050 + index as u16);
        let name: Arc<MasterInfo> = Arc::new(info::of_pid(&pid, &self.names.to_string()));
        self.run(index, |election, now, out| election.handle(now, Input::Contend(name), out));
    }

    fn run(&mut self, index: usize, act: impl FnOnce(&mut Election, Now, &mut Outbox<Effect>)) {
        let now = Now { monotonic: self.time(), wall: Wall(0) };
        let led = self.masters[index].leads(now.monotonic);
        let mut out = Outbox::default();
        act(&mut self.masters[index], now, &mut out);
        let effects: Vec<Effect> = out
            .drain()
            .filter_map(|entry| match entry {
                Entry::Free(effect) => Some(effect),
                _ => None,
            })
            .collect();
        for effect in effects {
            self.carry_out(index, effect, led);
        }
    }

    fn carry_out(&mut self, index: usize, effect: Effect, led: bool) {
        match effect {
            Effect::Join(data) => {
                self.next += 1;
                self.group.insert(self.next, (index, self.sessions[index].number, data));
                self.sessions[index].touched = self.now;
                self.inboxes[index].push_back(Input::Joined(member(self.next)));
                self.tell_members();
            }
            Effect::Cancel(member) => {
                if self.group.get(&member.sequence).is_some_and(|(owner, ..)| *owner == index) {
                    self.group.remove(&member.sequence);
                    self.tell_members();
                }
            }
            Effect::Fetch(member) => {
                let data = self.group.get(&member.sequence).map(|(_, _, data)| data.clone());
                self.inboxes[index].push_back(Input::Data(member, Ok(data)));
            }
            Effect::Leader(_) if led => self.contend(index),
            _ => {}
        }
    }

    fn tell_members(&mut self) {
        let members: Members = self.group.keys().map(|sequence| member(*sequence)).collect();
        self.inboxes.iter_mut().for_each(|inbox| inbox.push_back(Input::Members(members.clone())));
    }

    /// The servers give up sessions that have been silent; their owners hear of it like of everything else.
    fn expire(&mut self) {
        for index in 0..MASTERS {
            if self.now < self.sessions[index].touched + TIMEOUT {
                continue;
            }
            let number = self.sessions[index].number;
            let gone: Vec<i32> = self
                .group
                .iter()
                .filter(|(_, (owner, at, _))| (*owner, *at) == (index, number))
                .map(|(s, _)| *s)
                .collect();
            self.sessions[index] = Session { number: number + 1, touched: self.now };
            // Answers of the old session never arrive: its connection is gone.
            self.inboxes[index].retain(|input| !matches!(input, Input::Confirmed(_)));
            self.inboxes[index].push_back(Input::Members(Members::new()));
            for sequence in &gone {
                self.group.remove(sequence);
                self.inboxes[index].push_back(Input::Cancelled(member(*sequence)));
            }
            self.tell_members();
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Wait(time) => {
                self.now += time;
                self.expire();
            }
            Step::Ping(index) => {
                self.sessions[index].touched = self.now;
                self.inboxes[index].push_back(Input::Confirmed(Instant(self.now + TIMEOUT)));
            }
            Step::Hear(index) => {
                if let Some(input) = self.inboxes[index].pop_front() {
                    self.run(index, |election, now, out| election.handle(now, input, out));
                }
            }
            Step::Tick(index) => self.run(index, |election, now, out| election.tick(now, out)),
            Step::Restart(index) => self.contend(index),
        }
    }

    fn leaders(&self) -> Vec<usize> {
        (0..MASTERS).filter(|index| self.masters[*index].leads(self.time())).collect()
    }

    /// Everybody pings and hears everything for a while.
    fn calm(&mut self) {
        for _ in 0..20 {
            self.step(&Step::Wait(1));
            for index in 0..MASTERS {
                self.step(&Step::Ping(index));
                self.step(&Step::Tick(index));
                while !self.inboxes[index].is_empty() {
                    self.step(&Step::Hear(index));
                }
            }
        }
    }
}

proptest! {
    /// Two masters never lead at once, and who leads is the lowest member of the group.
    #[test]
    fn at_most_one_leads(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            let leaders = world.leaders();
            prop_assert!(leaders.len() <= 1, "{leaders:?} lead at {}", world.now);
            if let Some(leader) = leaders.first() {
                let lowest = world.group.values().next().map(|(owner, ..)| owner);
                prop_assert_eq!(lowest, Some(leader));
            }
        }
    }

    /// When all is calm again, somebody leads.
    #[test]
    fn somebody_leads_in_the_end(steps in steps()) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.step(step));
        world.calm();
        prop_assert_eq!(world.leaders().len(), 1);
    }
}
