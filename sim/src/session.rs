//! A process's way to ZooKeeper: one session, and the election that is held over it.
//!
//! It asks again and again, and sooner when something may have changed; each answer holds all there is to know, so that a
//! lost or a late one does no harm.

use crate::driven::Driven;
use crate::host::Local;
use crate::host::zookeeper::{Ask, SESSION_NANOS, Told};
use crate::network::{HostId, Process};
use crate::world::World;
use bytes::Bytes;
use std::collections::BTreeMap;
use tepui_base::{Instant, Now};
use tepui_election::info::JSON_LABEL;
use tepui_election::{Effect, Election, Input, Member};

/// How often a session is kept alive.
const PING_NANOS: u64 = SESSION_NANOS / 3;

/// See the module's text.
pub struct Session {
    zookeeper: HostId,
    election: Driven<Election>,
    session: Option<u64>,
    /// The last question asked, and the last one answered.
    asked: u64,
    answered: u64,
    /// The session is sure to live until then.
    until: u64,
    /// The membership that is wanted, under a number of its own.
    wanted: Option<(u64, Bytes)>,
    last_wanted: u64,
    own: Option<Member>,
    members: BTreeMap<i32, Bytes>,
    ask_at: u64,
}

impl Session {
    /// A session that is to be made with the servers there.
    pub fn new(zookeeper: HostId) -> Session {
        Session {
            zookeeper,
            election: Driven::new(Election::default()),
            session: None,
            asked: 0,
            answered: 0,
            until: 0,
            wanted: None,
            last_wanted: 0,
            own: None,
            members: BTreeMap::new(),
            ask_at: 0,
        }
    }

    /// Tells the election something of its owner.
    pub fn tell(&mut self, world: &mut World, me: Process, input: Input) -> Vec<Effect> {
        let effects = self.feed(world.clock(), vec![input]);
        self.ask(world, me);
        effects
    }

    /// The servers say something.
    pub fn told(&mut self, world: &mut World, me: Process, told: Told) -> Vec<Effect> {
        let of_another = told.session.is_some() && self.session.is_some() && told.session != self.session;
        if told.asked <= self.answered || of_another {
            return Vec::new();
        }
        self.answered = told.asked;
        let Some(session) = told.session else { return self.expired(world, me) };
        self.session = Some(session);
        self.until = self.until.max(told.sent + SESSION_NANOS);
        let mut inputs = vec![Input::Confirmed(Instant(self.until))];
        if let (Some((of, sequence)), None, Some((wanted, _))) = (told.own, &self.own, &self.wanted)
            && of == *wanted
        {
            self.own = Some(member(sequence));
            inputs.push(Input::Joined(member(sequence)));
        }
        self.members = told.members;
        inputs.push(Input::Members(self.members.keys().map(|sequence| member(*sequence)).collect()));
        let wanted = self.last_wanted;
        let effects = self.feed(world.clock(), inputs);
        if self.last_wanted != wanted || (self.own.is_none() && self.wanted.is_some()) {
            self.ask(world, me);
        }
        effects
    }

    /// Something may have changed.
    pub fn nudged(&mut self, world: &mut World, me: Process) {
        self.ask(world, me);
    }

    /// Does what is due.
    pub fn tick(&mut self, world: &mut World, me: Process) -> Vec<Effect> {
        let mut effects = self.election.tick(world.clock());
        if self.session.is_some() && self.until <= world.now {
            effects.extend(self.expired(world, me));
        }
        let effects = self.carry_out(world.clock(), effects);
        if self.ask_at <= world.now {
            self.ask(world, me);
        }
        effects
    }

    /// When something is due.
    pub fn deadline(&self) -> Instant {
        let own = if self.session.is_some() { self.ask_at.min(self.until) } else { self.ask_at };
        self.election.deadline().map_or(Instant(own), |at| at.min(Instant(own)))
    }

    /// The session is over, as the servers say or as nobody has said for too long.
    fn expired(&mut self, world: &mut World, me: Process) -> Vec<Effect> {
        self.session = None;
        self.members.clear();
        let mut inputs = Vec::new();
        if let Some(own) = self.own.take() {
            self.wanted = None;
            inputs.push(Input::Cancelled(own));
        }
        inputs.push(Input::Members(Default::default()));
        let effects = self.feed(world.clock(), inputs);
        self.ask(world, me);
        effects
    }

    fn ask(&mut self, world: &mut World, me: Process) {
        self.asked += 1;
        self.ask_at = world.now + PING_NANOS;
        let join = self.wanted.clone().filter(|_| self.session.is_some());
        let ask = Ask { from: me, session: self.session, asked: self.asked, sent: world.now, join };
        let to = world.process(self.zookeeper);
        world.post(me, to, Local::AskZooKeeper(ask));
    }

    fn feed(&mut self, now: Now, inputs: Vec<Input>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for input in inputs {
            effects.extend(self.election.handle(now, input));
        }
        self.carry_out(now, effects)
    }

    /// Does what the group is asked for; gives the rest.
    fn carry_out(&mut self, now: Now, effects: Vec<Effect>) -> Vec<Effect> {
        let mut rest = Vec::new();
        for effect in effects {
            match effect {
                Effect::Join(data) => {
                    self.last_wanted += 1;
                    self.wanted = Some((self.last_wanted, data));
                }
                Effect::Cancel(_) => {
                    self.last_wanted += 1;
                    (self.wanted, self.own) = (None, None);
                }
                Effect::Fetch(member) => {
                    let data = self.members.get(&member.sequence).cloned();
                    rest.extend(self.feed(now, vec![Input::Data(member, Ok(data))]));
                }
                effect => rest.push(effect),
            }
        }
        rest
    }
}

fn member(sequence: i32) -> Member {
    Member { sequence, label: Some(JSON_LABEL.to_owned()), name: format!("{JSON_LABEL}_{sequence:010}") }
}
