//! How an agent or a framework finds the leading master.

use crate::host::Local;
use crate::network::{HostId, Process};
use crate::session::Session;
use crate::world::{Event, World};
use std::collections::BTreeMap;
use tepui_base::Instant;
use tepui_election::list::{self, Answer};
use tepui_election::{Effect, info};
use tepui_wire::Upid;

const MILLI: u64 = 1_000_000;
/// How often the masters of a list are asked. They also tell by themselves what has changed.
const ASK_EVERY: u64 = 1_000 * MILLI;

/// See the module's text. It tells its process by [`Local::Detected`].
pub enum Detector {
    /// There is one master.
    Fixed(Upid),
    /// ZooKeeper knows.
    Group {
        /// Where it is.
        zookeeper: HostId,
        /// The present process's session.
        session: Option<Box<Session>>,
        /// Who led last.
        leader: Option<Upid>,
    },
    /// The masters of a list know.
    List(List),
}

/// Masters that are asked.
pub struct List {
    masters: Vec<HostId>,
    answers: BTreeMap<HostId, Answer>,
    best: Answer,
    ask_at: u64,
}

impl Detector {
    /// One that asks ZooKeeper there.
    pub fn group(zookeeper: HostId) -> Detector {
        Detector::Group { zookeeper, session: None, leader: None }
    }

    /// One that asks these.
    pub fn list(masters: Vec<HostId>) -> Detector {
        Detector::List(List { masters, answers: BTreeMap::new(), best: Answer::default(), ask_at: 0 })
    }

    /// The one master, if there is only one.
    pub fn fixed(&self) -> Option<&Upid> {
        match self {
            Detector::Fixed(master) => Some(master),
            Detector::Group { .. } | Detector::List(_) => None,
        }
    }

    /// A new process wants to know.
    pub fn start(&mut self, world: &mut World, me: Process) {
        match self {
            Detector::Fixed(_) => self.again(world, me),
            Detector::Group { zookeeper, session, leader } => {
                *leader = None;
                session.insert(Box::new(Session::new(*zookeeper))).nudged(world, me);
            }
            Detector::List(list) => {
                (list.answers, list.best) = (BTreeMap::new(), Answer::default());
                list.ask(world, me);
            }
        }
    }

    /// The process wants to hear it again.
    pub fn again(&self, world: &mut World, me: Process) {
        let master = match self {
            Detector::Fixed(master) => Some(master.clone()),
            Detector::Group { leader, .. } => leader.clone(),
            Detector::List(list) => list.best.leader.as_deref().and_then(info::pid),
        };
        let wait = MILLI + world.rng.below(50 * MILLI);
        world.after(wait, Event::Local(me, Local::Detected(master)));
    }

    /// Takes what ZooKeeper says; gives back what it is not for.
    pub fn input(&mut self, world: &mut World, me: Process, local: Local) -> Option<Local> {
        if let (Detector::List(list), Local::LeaderTold(of, answer)) = (&mut *self, &local) {
            list.told(world, me, of.host, answer.clone());
            return None;
        }
        let Detector::Group { session: Some(session), .. } = self else { return Some(local) };
        match local {
            Local::ZooKeeperTold(told) => {
                let effects = session.told(world, me, told);
                self.tell(world, me, effects);
            }
            Local::GroupChanged => session.nudged(world, me),
            local => return Some(local),
        }
        None
    }

    /// Does what is due.
    pub fn tick(&mut self, world: &mut World, me: Process) {
        if let Detector::List(list) = self
            && list.ask_at <= world.now
        {
            list.ask(world, me);
        }
        if let Detector::Group { session: Some(session), .. } = self {
            let effects = session.tick(world, me);
            self.tell(world, me, effects);
        }
    }

    /// When something is due.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Detector::Group { session: Some(session), .. } => Some(session.deadline()),
            Detector::List(list) => Some(Instant(list.ask_at)),
            _ => None,
        }
    }

    fn tell(&mut self, world: &mut World, me: Process, effects: Vec<Effect>) {
        let Detector::Group { leader, .. } = self else { return };
        for effect in effects {
            if let Effect::Leader(master) = effect {
                *leader = master.as_deref().and_then(info::pid);
                world.after(0, Event::Local(me, Local::Detected(leader.clone())));
            }
        }
    }
}

impl List {
    fn ask(&mut self, world: &mut World, me: Process) {
        self.ask_at = world.now + ASK_EVERY;
        for master in &self.masters {
            let to = world.process(*master);
            world.post(me, to, Local::AskLeader(me));
        }
    }

    /// One of them has answered; what follows from all answers is told if it is new.
    fn told(&mut self, world: &mut World, me: Process, of: HostId, answer: Answer) {
        self.answers.insert(of, answer);
        let chosen = list::choose(self.answers.values());
        if !list::supersedes(&chosen, &self.best) {
            return;
        }
        self.best = chosen;
        if self.best.epoch > 0 {
            world.after(0, Event::Local(me, Local::Epoch(self.best.epoch)));
        }
        let leader = self.best.leader.as_deref().and_then(info::pid);
        world.after(0, Event::Local(me, Local::Detected(leader)));
    }
}
