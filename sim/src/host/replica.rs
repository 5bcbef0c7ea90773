//! The half of a master's machine that outlives terms: registrar, log and disk, and the candidacy for the group of masters.
//!
//! Elected, it starts the master on its machine, and ends it when the term is over, as node/masterd does in one process.

use super::{Host, Input, Local, Role};
use crate::disk::{Disk, DiskError, Health};
use crate::network::{HostId, Process};
use crate::session::Session;
use crate::skew::Skew;
use crate::world::{Event, World};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_base::{EffectQueue, Instant, Machine, Now, Outbox, Rng};
use tepui_election::Effect as Elected;
use tepui_election::list::Answer as Known;
use tepui_log::{Answer, CLOCK_ERROR, Change, Config, Effect, Log, Request, Restored};
use tepui_master::master_info;
use tepui_proto::codec;
use tepui_proto::mesos::MasterInfo;
use tepui_registry::{Input as In, Output, Registrar, State, Timeouts};
use tepui_wire::{NetEffect, NetInput, Upid};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

/// For how long who has asked is told what is new, without another question.
const ASKING_NANOS: u64 = 5 * SECOND;

/// Who says which master leads.
#[derive(Clone, Copy, Debug)]
pub enum Electorate {
    /// The servers of ZooKeeper there.
    ZooKeeper(HostId),
    /// The masters themselves, by the lease of their log.
    List,
}

/// See the module's text.
pub struct ReplicaHost {
    pid: Upid,
    group: Vec<Upid>,
    /// The master of this machine.
    master: HostId,
    config: tepui_master::Config,
    electorate: Electorate,
    skew: Skew,
    disk: Disk,
    /// What was read last, for a bug that reads it again.
    read: Option<State>,
    process: Option<Machines>,
}

struct Machines {
    registrar: Registrar,
    queue: EffectQueue<Output>,
    out: Outbox<Output>,
    /// Something is on its way out.
    settling: bool,
    /// The session with ZooKeeper, where that elects.
    session: Option<Session>,
    /// Where the masters elect themselves: what is known of the leader, and who has asked for it when.
    known: Known,
    asking: BTreeMap<Process, u64>,
    /// The present term leads in this epoch until then, by true time.
    leads: (u64, u64),
    /// What the next term, or this one, draws its id from.
    seed: u64,
    term: Option<Process>,
    /// When the last word to and from the term arrives.
    last: u64,
}

impl ReplicaHost {
    /// A replica that will listen at `pid`, in this group, for the master there.
    pub fn new(
        pid: Upid,
        group: Vec<Upid>,
        master: HostId,
        config: tepui_master::Config,
        electorate: Electorate,
        rng: &mut Rng,
    ) -> Self {
        let skew = match electorate {
            Electorate::ZooKeeper(_) => Skew::NONE,
            Electorate::List => Skew::within(CLOCK_ERROR, rng),
        };
        ReplicaHost { pid, group, master, config, electorate, skew, disk: Disk::default(), read: None, process: None }
    }

    /// What its own clock shows.
    fn now(&self, world: &World) -> Now {
        self.skew.show(world.clock())
    }

    fn handle(&mut self, world: &mut World, me: Process, input: In) {
        let now = self.now(world);
        self.handle_at(world, me, now, input);
    }

    fn handle_at(&mut self, world: &mut World, me: Process, now: Now, input: In) {
        let Some(machines) = &mut self.process else { return };
        machines.registrar.handle(now, input, &mut machines.out);
        self.settle(world, me);
    }

    /// Lets out what may leave, and begins a sync if one is called for. What follows from something that leaves has its turn
    /// after what was there before.
    fn settle(&mut self, world: &mut World, me: Process) {
        if self.process.as_mut().is_none_or(|machines| std::mem::replace(&mut machines.settling, true)) {
            return;
        }
        while let Some(machines) = &mut self.process {
            machines.queue.submit(&mut machines.out);
            let Some(output) = machines.queue.pop_ready() else { break };
            self.perform(world, me, output);
        }
        let Some(machines) = &mut self.process else { return };
        machines.settling = false;
        if let Some(writes) = machines.queue.begin_sync() {
            let early = world.planted.synced_late();
            if early.is_some() {
                machines.queue.finish_sync();
            }
            self.disk.write(writes.into_iter().filter_map(write_of).collect());
            self.disk.health = world.health(me.host);
            let wait = self.disk.sync_time(&mut world.rng).as_nanos() as u64;
            world.after(early.unwrap_or(wait), Event::Local(me, Local::Synced));
            if early.is_some() {
                self.settle(world, me);
            }
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
            Output::Log(Effect::Answer(answer)) => self.log_says(world, me, answer),
            Output::Log(Effect::Write(_)) => {}
            Output::Aborted(_) => self.term_over(world, me),
            output => self.answer(world, me, output),
        }
    }

    /// Hands the term an answer; what is committed is committed by the master that leads.
    fn answer(&mut self, world: &mut World, me: Process, output: Output) {
        let Some(machines) = &mut self.process else { return };
        let Some(term) = machines.term else { return };
        let output = match output {
            Output::Recovered(state) => {
                let last = self.read.replace(state.clone());
                Output::Recovered(world.planted.read_again(last).unwrap_or(state))
            }
            output => output,
        };
        if matches!(output, Output::Recovered(_)) {
            machines.take_office(world, me, master_info(&self.config, machines.seed));
        }
        let Some(machines) = &mut self.process else { return };
        world.checks.answered(world.now, term, &output);
        let at = (world.now + 1_000 + world.rng.below(50_000)).max(machines.last + 1);
        machines.last = at;
        world.at(at, Event::Local(term, Local::FromRegistrar(output)));
    }

    fn elected(&mut self, world: &mut World, me: Process, effects: Vec<Elected>) {
        for effect in effects {
            match effect {
                Elected::Elected(until) => self.lead(world, until.0, None),
                Elected::Extended(until) => self.extend(world, until.0, None),
                Elected::Leader(_) if self.process.as_ref().is_some_and(|machines| machines.term.is_some()) => {
                    self.term_over(world, me);
                }
                Elected::Failed(why) => world.checks.object(world.now, format!("an election has failed: {why}")),
                // Elections of this world have no other effect: the session does the rest.
                _ => {}
            }
        }
    }

    /// The log says who leads.
    fn log_says(&mut self, world: &mut World, me: Process, answer: Answer) {
        match answer {
            Answer::Leads { epoch, until } => {
                let until = self.skew.before(until).0;
                let Some(machines) = &mut self.process else { return };
                if machines.term.is_none() {
                    machines.learn(world, me, epoch, None);
                    return self.lead(world, until, Some(epoch));
                }
                self.extend(world, until, Some(epoch));
                if world.planted.resigns_too_early() {
                    self.handle(world, me, In::Log(tepui_log::Input::Request(Request::Resign)));
                }
            }
            Answer::Follows { epoch, leader } => self.follow(world, me, epoch, Some(leader)),
            Answer::NoLeader => self.follow(world, me, 0, None),
            Answer::Refused(from, why) => world.checks.object(world.now, format!("{from} is refused: {why}")),
            // What is left concerns who writes.
            _ => {}
        }
    }

    fn follow(&mut self, world: &mut World, me: Process, epoch: u64, leader: Option<Bytes>) {
        let Some(machines) = &mut self.process else { return };
        if machines.term.is_some() && world.planted.names_itself() {
            return;
        }
        let leader = leader.and_then(|leader| codec::decode::<MasterInfo>(&leader).ok()).map(Arc::new);
        machines.learn(world, me, epoch, leader);
        if machines.term.is_some() && !world.planted.ignores_demotion() {
            self.term_over(world, me);
        }
    }

    fn lead(&mut self, world: &mut World, until: u64, epoch: Option<u64>) {
        let Some(machines) = &mut self.process else { return };
        world.start(self.master);
        let term = world.process(self.master);
        world.checks.leads(world.now, term, epoch, until);
        world.checks.term_begins(world.now, term);
        machines.term = Some(term);
        machines.leads = (epoch.unwrap_or(0), until);
        *world.tally.done.entry("terms").or_default() += 1;
        let until = world.planted.until(until);
        world.input(term, Input::Local(Local::Lead(machines.seed, until, epoch)));
    }

    fn extend(&mut self, world: &mut World, until: u64, epoch: Option<u64>) {
        let Some(machines) = &mut self.process else { return };
        let Some(term) = machines.term else { return };
        // Too late is too late: its master ends the term when it notices.
        if world.now < machines.leads.1 {
            machines.leads.1 = until.max(machines.leads.1);
            world.checks.leads(world.now, term, epoch, machines.leads.1);
        }
        let until = world.planted.until(until);
        world.input(term, Input::Local(Local::Extended(until)));
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
        if matches!(self.electorate, Electorate::List) {
            self.handle(world, me, In::Log(tepui_log::Input::Request(Request::Resign)));
        }
        self.contend(world, me);
    }

    fn contend(&mut self, world: &mut World, me: Process) {
        let Some(machines) = &mut self.process else { return };
        let info = master_info(&self.config, machines.seed);
        let Some(session) = &mut machines.session else {
            let request = Request::Contend(codec::encode(&info));
            return self.handle(world, me, In::Log(tepui_log::Input::Request(request)));
        };
        let effects = session.tell(world, me, tepui_election::Input::Contend(Arc::new(info)));
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

    fn log_config(&mut self, world: &mut World) -> Config {
        let config = match self.electorate {
            Electorate::ZooKeeper(_) => Config::new(self.pid.clone(), self.group.len() / 2 + 1),
            Electorate::List => Config::of_masters(self.pid.clone(), self.group.iter().cloned().collect()),
        };
        if let (Electorate::List, Some(thousandths)) = (self.electorate, world.planted.clock_error()) {
            self.skew = Skew::within(thousandths, &mut world.rng);
        }
        config
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
        let log = Log::new(self.log_config(world), world.rng.next_u64(), restored);
        let known = Known { epoch: log.figures().promised, leader: None };
        self.process = Some(Machines {
            registrar: Registrar::durable(log, world.rng.next_u64(), Timeouts::default()),
            queue: EffectQueue::default(),
            out: Outbox::default(),
            settling: false,
            session: match self.electorate {
                Electorate::ZooKeeper(zookeeper) => Some(Session::new(zookeeper)),
                Electorate::List => None,
            },
            known,
            asking: BTreeMap::new(),
            leads: (0, 0),
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
                let now = world.planted.clock_at(self.now(world), &message);
                self.handle_at(world, me, now, In::Log(tepui_log::Input::Message(message)));
            }
            Input::Local(Local::FromTerm(term, input)) if machines.term == Some(term) => {
                world.checks.asked(term, &input);
                match world.planted.not_written(&input) {
                    Some(output) => self.answer(world, me, output),
                    None => self.handle(world, me, input),
                }
            }
            Input::Local(Local::AskLeader(from)) => machines.asked(world, me, from),
            Input::Local(Local::TermOver(term)) if machines.term == Some(term) => self.term_over(world, me),
            Input::Local(Local::Synced) => self.synced(world, me),
            Input::Local(Local::Fetched(id, from, to)) => {
                let found = self.disk.read(&from, &to);
                self.handle(world, me, In::Log(tepui_log::Input::Fetched(id, found)));
            }
            Input::Local(Local::ZooKeeperTold(told)) => {
                let effects = machines.session.as_mut().map(|session| session.told(world, me, told));
                self.elected(world, me, effects.unwrap_or_default());
            }
            Input::Local(Local::GroupChanged) => {
                if let Some(session) = &mut machines.session {
                    session.nudged(world, me);
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, world: &mut World, me: Process) {
        let now = self.now(world);
        let Some(machines) = &mut self.process else { return };
        let effects = machines.session.as_mut().map(|session| session.tick(world, me));
        self.elected(world, me, effects.unwrap_or_default());
        if let Some(machines) = &mut self.process
            && machines.registrar.deadline().is_some_and(|at| at <= now.monotonic)
        {
            machines.registrar.tick(now, &mut machines.out);
        }
        self.settle(world, me);
    }

    fn deadline(&self) -> Option<Instant> {
        let machines = self.process.as_ref()?;
        let session = machines.session.as_ref().map(Session::deadline);
        machines.registrar.deadline().map(|at| self.skew.after(at)).into_iter().chain(session).min()
    }

    fn dependants(&self) -> Vec<HostId> {
        vec![self.master]
    }
}

impl Machines {
    /// Takes what is new of the leader, and tells it to who has asked.
    fn learn(&mut self, world: &mut World, me: Process, epoch: u64, leader: Option<Arc<MasterInfo>>) {
        self.known = Known { epoch: self.known.epoch.max(epoch), leader };
        self.asking.retain(|_, at| world.now < *at + ASKING_NANOS);
        let asking: Vec<Process> = self.asking.keys().copied().collect();
        asking.into_iter().for_each(|from| self.tell(world, me, from));
    }

    /// The leader names itself when it has begun.
    fn take_office(&mut self, world: &mut World, me: Process, info: MasterInfo) {
        let (epoch, _) = self.leads;
        if epoch > 0 {
            self.learn(world, me, epoch, Some(Arc::new(info)));
        }
    }

    fn asked(&mut self, world: &mut World, me: Process, from: Process) {
        self.asking.insert(from, world.now);
        self.tell(world, me, from);
    }

    /// A leader names itself only as long as it leads.
    fn tell(&self, world: &mut World, me: Process, to: Process) {
        let mut known = self.known.clone();
        if let Some(term) = self.term.filter(|_| known.leader.is_some()) {
            if world.now < self.leads.1 || world.planted.names_itself() {
                world.checks.acts(world.now, term, "names itself the leader");
            } else {
                known.leader = None;
            }
        }
        world.post(me, to, Local::LeaderTold(me, known));
    }
}

fn write_of(output: Output) -> Option<Vec<Change>> {
    match output {
        Output::Log(Effect::Write(changes)) => Some(changes),
        _ => None,
    }
}
