//! The half of a master's machine that outlives terms: registrar, log and disk, and the candidacy for the group of masters.
//!
//! Elected, it starts the master on its machine, and ends it when the term is over, as node/masterd does in one process.

use super::{Host, Input, Local, Role};
use crate::disk::{Disk, DiskError, Health};
use crate::network::{HostId, Process};
use crate::session::Session;
use crate::world::{Event, World};
use std::sync::Arc;
use tepui_base::{EffectQueue, Instant, Machine, Outbox};
use tepui_election::Effect as Elected;
use tepui_log::{Change, Config, Effect, Log, Restored};
use tepui_master::master_info;
use tepui_registry::{Input as In, Output, Registrar, Timeouts};
use tepui_wire::{NetEffect, NetInput, Upid};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

/// See the module's text.
pub struct ReplicaHost {
    pid: Upid,
    group: Vec<Upid>,
    /// The master of this machine.
    master: HostId,
    config: tepui_master::Config,
    zookeeper: HostId,
    disk: Disk,
    process: Option<Machines>,
}

struct Machines {
    registrar: Registrar,
    queue: EffectQueue<Output>,
    out: Outbox<Output>,
    session: Session,
    /// What the next term, or this one, draws its id from.
    seed: u64,
    term: Option<Process>,
    /// When the last word to and from the term arrives.
    last: u64,
}

impl ReplicaHost {
    /// A replica that will listen at `pid`, in this group, for the master there.
    pub fn new(pid: Upid, group: Vec<Upid>, master: HostId, config: tepui_master::Config, zookeeper: HostId) -> Self {
        ReplicaHost { pid, group, master, config, zookeeper, disk: Disk::default(), process: None }
    }

    fn handle(&mut self, world: &mut World, me: Process, input: In) {
        let (Some(machines), now) = (&mut self.process, world.clock()) else { return };
        machines.registrar.handle(now, input, &mut machines.out);
        self.settle(world, me);
    }

    /// Lets out what may leave, and begins a sync if one is called for.
    fn settle(&mut self, world: &mut World, me: Process) {
        while let Some(machines) = &mut self.process {
            machines.queue.submit(&mut machines.out);
            let Some(output) = machines.queue.pop_ready() else { break };
            self.perform(world, me, output);
        }
        let Some(machines) = &mut self.process else { return };
        if let Some(writes) = machines.queue.begin_sync() {
            self.disk.write(writes.into_iter().filter_map(write_of).collect());
            self.disk.health = world.health(me.host);
            let wait = self.disk.sync_time(&mut world.rng);
            world.after(wait.as_nanos() as u64, Event::Local(me, Local::Synced));
        }
    }

    fn perform(&mut self, world: &mut World, me: Process, output: Output) {
        match output {
            Output::Log(Effect::Send(message)) => world.net(me, NetEffect::Send(message)),
            Output::Log(Effect::Fetch(id, from, to)) => {
                let wait = MILLI / 10 + world.rng.below(5 * MILLI);
                world.after(wait, Event::Local(me, Local::Fetched(id, from, to)));
            }
            Output::Log(Effect::Durable(key)) => self.handle(world, me, In::Log(tepui_log::Input::Durable(key))),
            Output::Log(Effect::Write(_) | Effect::Answer(_)) => {}
            Output::Aborted(_) => self.term_over(world, me),
            output => self.answer(world, output),
        }
    }

    /// Hands the term an answer; what is committed is committed by the master that leads.
    fn answer(&mut self, world: &mut World, output: Output) {
        let Some(machines) = &mut self.process else { return };
        let Some(term) = machines.term else { return };
        world.checks.answered(world.now, term, &output);
        let at = (world.now + 1_000 + world.rng.below(50_000)).max(machines.last + 1);
        machines.last = at;
        world.at(at, Event::Local(term, Local::FromRegistrar(output)));
    }

    fn elected(&mut self, world: &mut World, me: Process, effects: Vec<Elected>) {
        for effect in effects {
            match effect {
                Elected::Elected(until) => self.lead(world, until),
                Elected::Extended(until) => {
                    if let Some(term) = self.process.as_ref().and_then(|machines| machines.term) {
                        world.input(term, Input::Local(Local::Extended(until.0)));
                    }
                }
                Elected::Leader(_) if self.process.as_ref().is_some_and(|machines| machines.term.is_some()) => {
                    self.term_over(world, me);
                }
                Elected::Failed(why) => world.checks.object(world.now, format!("an election has failed: {why}")),
                // Elections of this world have no other effect: the session does the rest.
                _ => {}
            }
        }
    }

    fn lead(&mut self, world: &mut World, until: Instant) {
        let Some(machines) = &mut self.process else { return };
        world.start(self.master);
        let term = world.process(self.master);
        world.checks.term_begins(world.now, term);
        machines.term = Some(term);
        *world.tally.done.entry("terms").or_default() += 1;
        world.input(term, Input::Local(Local::Lead(machines.seed, until.0)));
    }

    /// What was decided in the term is over with it, and the process contends again under another name.
    fn term_over(&mut self, world: &mut World, me: Process) {
        let Some(machines) = &mut self.process else { return };
        if machines.term.take().is_none() {
            return;
        }
        world.stop(self.master);
        machines.seed = world.rng.next_u64();
        self.handle(world, me, In::Resign);
        self.contend(world, me);
    }

    fn contend(&mut self, world: &mut World, me: Process) {
        let Some(machines) = &mut self.process else { return };
        let info = Arc::new(master_info(&self.config, machines.seed));
        let effects = machines.session.tell(world, me, tepui_election::Input::Contend(info));
        self.elected(world, me, effects);
    }

    /// A sync has ended, or the disk has failed and the process begins again with what the disk still has.
    fn synced(&mut self, world: &mut World, me: Process) {
        self.disk.health = world.health(me.host);
        if self.disk.sync().is_err() {
            if self.disk.health == Health::Good {
                world.ailing.remove(&me.host);
            }
            let wait = 100 * MILLI + world.rng.below(SECOND);
            world.after(wait, Event::Restart(me.host));
            self.ended(world);
            world.stop(self.master);
            return world.stop(me.host);
        }
        if let Some(machines) = &mut self.process {
            machines.queue.finish_sync();
        }
        self.settle(world, me);
    }

    /// What was not synced is lost.
    fn ended(&mut self, world: &mut World) {
        if self.process.take().is_some() {
            self.disk.crash(&mut world.rng);
        }
    }

    /// Whether its disk can be used; if not, the start is tried again later.
    fn opens(&mut self, world: &mut World, me: Process) -> bool {
        self.disk.health = world.health(me.host);
        match self.disk.open() {
            Ok(()) => return true,
            Err(DiskError::Corrupt) => unreachable!("no bit flips in this world"),
            Err(_) => {}
        }
        world.after(SECOND, Event::Restart(me.host));
        world.stop(me.host);
        false
    }
}

impl Host for ReplicaHost {
    fn role(&self) -> Role {
        Role::Replica
    }

    fn start(&mut self, world: &mut World, me: Process) {
        // It may have ended without a chance to notice.
        self.ended(world);
        world.stop(self.master);
        if !self.opens(world, me) {
            return;
        }
        let restored = match Restored::from_pairs(self.disk.read_all()) {
            Ok(restored) => restored,
            Err(error) => return world.checks.object(world.now, format!("a disk cannot be read: {error}")),
        };
        let quorum = self.group.len() / 2 + 1;
        let config = Config { auto_initialize: true, ..Config::new(self.pid.clone(), quorum) };
        let log = Log::new(config, world.rng.next_u64(), restored);
        self.process = Some(Machines {
            registrar: Registrar::durable(log, world.rng.next_u64(), Timeouts::default()),
            queue: EffectQueue::default(),
            out: Outbox::default(),
            session: Session::new(self.zookeeper),
            seed: world.rng.next_u64(),
            term: None,
            last: 0,
        });
        let members = self.group.iter().cloned().collect();
        self.handle(world, me, In::Log(tepui_log::Input::Members(members)));
        self.contend(world, me);
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        let Some(machines) = &mut self.process else { return };
        match input {
            Input::Net(NetInput::Message(message)) => {
                self.handle(world, me, In::Log(tepui_log::Input::Message(message)));
            }
            Input::Local(Local::FromTerm(term, input)) if machines.term == Some(term) => {
                world.checks.asked(term, &input);
                self.handle(world, me, input);
            }
            Input::Local(Local::TermOver(term)) if machines.term == Some(term) => self.term_over(world, me),
            Input::Local(Local::Synced) => self.synced(world, me),
            Input::Local(Local::Fetched(id, from, to)) => {
                let found = self.disk.read(&from, &to);
                self.handle(world, me, In::Log(tepui_log::Input::Fetched(id, found)));
            }
            Input::Local(Local::ZooKeeperTold(told)) => {
                let effects = machines.session.told(world, me, told);
                self.elected(world, me, effects);
            }
            Input::Local(Local::GroupChanged) => machines.session.nudged(world, me),
            _ => {}
        }
    }

    fn tick(&mut self, world: &mut World, me: Process) {
        let (Some(machines), now) = (&mut self.process, world.clock()) else { return };
        let effects = machines.session.tick(world, me);
        self.elected(world, me, effects);
        if let Some(machines) = &mut self.process
            && machines.registrar.deadline().is_some_and(|at| at <= now.monotonic)
        {
            machines.registrar.tick(now, &mut machines.out);
        }
        self.settle(world, me);
    }

    fn deadline(&self) -> Option<Instant> {
        let machines = self.process.as_ref()?;
        let session = machines.session.deadline();
        Some(machines.registrar.deadline().map_or(session, |at| at.min(session)))
    }

    fn dependants(&self) -> Vec<HostId> {
        vec![self.master]
    }
}

fn write_of(output: Output) -> Option<Vec<Change>> {
    match output {
        Output::Log(Effect::Write(changes)) => Some(changes),
        _ => None,
    }
}
