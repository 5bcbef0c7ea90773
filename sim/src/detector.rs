//! How an agent or a framework finds the leading master.

use crate::host::Local;
use crate::network::{HostId, Process};
use crate::session::Session;
use crate::world::{Event, World};
use tepui_base::Instant;
use tepui_election::{Effect, info};
use tepui_wire::Upid;

const MILLI: u64 = 1_000_000;

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
}

impl Detector {
    /// One that asks ZooKeeper there.
    pub fn group(zookeeper: HostId) -> Detector {
        Detector::Group { zookeeper, session: None, leader: None }
    }

    /// The one master, if there is only one.
    pub fn fixed(&self) -> Option<&Upid> {
        match self {
            Detector::Fixed(master) => Some(master),
            Detector::Group { .. } => None,
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
        }
    }

    /// The process wants to hear it again.
    pub fn again(&self, world: &mut World, me: Process) {
        let master = match self {
            Detector::Fixed(master) => Some(master.clone()),
            Detector::Group { leader, .. } => leader.clone(),
        };
        let wait = MILLI + world.rng.below(50 * MILLI);
        world.after(wait, Event::Local(me, Local::Detected(master)));
    }

    /// Takes what ZooKeeper says; gives back what it is not for.
    pub fn input(&mut self, world: &mut World, me: Process, local: Local) -> Option<Local> {
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
        if let Detector::Group { session: Some(session), .. } = self {
            let effects = session.tick(world, me);
            self.tell(world, me, effects);
        }
    }

    /// When something is due.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Detector::Group { session: Some(session), .. } => Some(session.deadline()),
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
