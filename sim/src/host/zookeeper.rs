//! ZooKeeper as its clients see it: servers that agree with each other, sessions that end, and the group of masters.
//!
//! A session lives as long as it is asked something in time; with it goes its member of the group. Whoever has a session
//! hears when the group changes.

use super::{Host, Input, Local, Role};
use crate::network::Process;
use crate::world::World;
use bytes::Bytes;
use std::collections::BTreeMap;
use tepui_base::Instant;

/// How long a session lives without a word.
pub const SESSION_NANOS: u64 = 10_000_000_000;

/// What a client asks. It says all it wants each time.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who asks.
    pub from: Process,
    /// Its session, if it has one.
    pub session: Option<u64>,
    /// Counts the questions of a client.
    pub asked: u64,
    /// When it asked.
    pub sent: u64,
    /// The membership it wants, under the client's number for it.
    pub join: Option<(u64, Bytes)>,
}

/// What it is told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its session; none if it is over.
    pub session: Option<u64>,
    /// The question that is answered.
    pub asked: u64,
    /// When that was asked.
    pub sent: u64,
    /// The group.
    pub members: BTreeMap<i32, Bytes>,
    /// The membership of this session: the client's number for it, and its place.
    pub own: Option<(u64, i32)>,
}

struct Session {
    of: Process,
    until: u64,
    asked: u64,
    member: Option<(u64, i32)>,
}

/// See the module's text.
#[derive(Default)]
pub struct ZooKeeperHost {
    sessions: BTreeMap<u64, Session>,
    members: BTreeMap<i32, Bytes>,
    next_session: u64,
    next_member: i32,
}

impl ZooKeeperHost {
    fn ask(&mut self, world: &mut World, me: Process, ask: Ask) {
        let id = ask.session.unwrap_or_else(|| {
            self.next_session += 1;
            let session = Session { of: ask.from, until: 0, asked: 0, member: None };
            self.sessions.insert(self.next_session, session);
            self.next_session
        });
        let mut told = Told { session: None, asked: ask.asked, sent: ask.sent, members: BTreeMap::new(), own: None };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.until = world.now + SESSION_NANOS;
            if ask.asked > session.asked {
                session.asked = ask.asked;
                self.join(world, me, id, ask.join);
            }
            let own = self.sessions.get(&id).and_then(|session| session.member);
            (told.session, told.members, told.own) = (Some(id), self.members.clone(), own);
        }
        world.post(me, ask.from, Local::ZooKeeperTold(told));
    }

    /// Makes the session's membership what its client wants.
    fn join(&mut self, world: &mut World, me: Process, id: u64, wanted: Option<(u64, Bytes)>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.member.map(|(of, _)| of) == wanted.as_ref().map(|(of, _)| *of) {
            return;
        }
        if let Some((_, sequence)) = session.member.take() {
            self.members.remove(&sequence);
        }
        if let Some((of, data)) = wanted {
            session.member = Some((of, self.next_member));
            self.members.insert(self.next_member, data);
            self.next_member += 1;
        }
        self.tell_all(world, me);
    }

    /// Ends sessions that have not been heard of, or all of them.
    fn expire(&mut self, world: &mut World, me: Process, is_over: impl Fn(&Session) -> bool) {
        let over: Vec<u64> = self.sessions.iter().filter(|(_, session)| is_over(session)).map(|(id, _)| *id).collect();
        let mut changed = false;
        for id in over {
            if let Some(Session { member: Some((_, sequence)), .. }) = self.sessions.remove(&id) {
                self.members.remove(&sequence);
                changed = true;
            }
        }
        if changed {
            self.tell_all(world, me);
        }
    }

    fn tell_all(&self, world: &mut World, me: Process) {
        for session in self.sessions.values() {
            world.post(me, session.of, Local::GroupChanged);
        }
    }
}

impl Host for ZooKeeperHost {
    fn role(&self) -> Role {
        Role::ZooKeeper
    }

    fn start(&mut self, _: &mut World, _: Process) {}

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        match input {
            Input::Local(Local::AskZooKeeper(ask)) => self.ask(world, me, ask),
            // One client's session, by the servers' own decision.
            Input::Local(Local::EndSession(host)) => self.expire(world, me, |session| session.of.host == host),
            _ => {}
        }
    }

    fn tick(&mut self, world: &mut World, me: Process) {
        let now = world.now;
        self.expire(world, me, |session| session.until <= now);
    }

    fn deadline(&self) -> Option<Instant> {
        self.sessions.values().map(|session| Instant(session.until)).min()
    }
}
