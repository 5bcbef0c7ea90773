//! The world: its agenda, and the loop that makes things happen.
//!
//! Everything random comes from one generator and everything is handled in the order of (time, sequence), so the same
//! seed gives the same run, event by event.

use crate::agenda::{Agenda, Due};
use crate::check::{Checks, Fact};
use crate::disk::Health;
use crate::host::{Host, Input, Local};
use crate::network::{ConnId, HostId, Kind, Network, Process};
use crate::packet::Packet;
use crate::planted::Planted;
use crate::report::Tally;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddrV4;
use tepui_base::{Instant, Now, Rng, Wall};
use tepui_framework::exchange::HttpInput;
use tepui_wire::NetInput;
use tepui_wire::links::Links;

/// Wall time at the beginning: any moment will do.
const EPOCH_NANOS: u64 = 1_700_000_000_000_000_000;

/// What is going to happen.
pub enum Event {
    /// A packet arrives.
    Packet {
        /// On which connection.
        conn: ConnId,
        /// Whether at its server.
        to_server: bool,
        /// What arrives.
        packet: Packet,
    },
    /// A connection breaks.
    Break(ConnId),
    /// An end of a broken connection notices.
    Noticed(ConnId, Process),
    /// A link could not be made.
    NoLink(Process, SocketAddrV4),
    /// A request could not be sent.
    NoAnswer(Process, HttpInput),
    /// A machine's deadline.
    Tick(Process),
    /// Something inside a host.
    Local(Process, Local),
    /// A host that crashed comes back.
    Restart(HostId),
    /// A fault of the plan.
    Fault,
}

/// A host and its place in the world.
pub struct Slot {
    /// What lives there; taken out while it acts.
    pub host: Option<Box<dyn Host>>,
    /// The present or last life.
    pub life: u32,
    /// Whether it runs.
    pub alive: bool,
    /// The machine it runs on, named by that machine's first host.
    pub machine: HostId,
    /// Where it listens.
    pub address: SocketAddrV4,
    /// Whom it watches.
    pub links: Links,
    /// Connections it opened, by peer and use.
    pub conns: BTreeMap<(SocketAddrV4, u8), ConnId>,
    /// When the next tick is planned.
    armed: Option<u64>,
    /// Its machine does nothing until then.
    paused: u64,
}

/// Everything there is.
pub struct World {
    agenda: Agenda<Event>,
    /// Nanoseconds since the beginning.
    pub now: u64,
    /// The one source of chance.
    pub rng: Rng,
    /// All connections.
    pub network: Network,
    /// All hosts.
    pub slots: Vec<Slot>,
    /// Who listens where.
    pub addresses: BTreeMap<SocketAddrV4, HostId>,
    /// What frameworks have written down.
    pub disks: Vec<crate::cast::Shared>,
    /// Who judges.
    pub checks: Checks,
    /// The bug that was planted, if any.
    pub planted: Planted,
    /// What is counted.
    pub tally: Tally,
    /// Whether the faults are over and everything has to come to rest.
    pub quiet: bool,
    /// Disks of hosts that are not well, and until when.
    pub ailing: BTreeMap<HostId, (Health, u64)>,
    /// Where events are written down.
    pub log: Option<Box<dyn Write>>,
}

impl World {
    /// An empty world.
    pub fn new(seed: u64, planted: Planted, log: Option<Box<dyn Write>>) -> World {
        World {
            agenda: Agenda::default(),
            now: 0,
            rng: Rng::new(seed),
            network: Network::default(),
            slots: Vec::new(),
            addresses: BTreeMap::new(),
            disks: Vec::new(),
            checks: Checks::default(),
            planted,
            tally: Tally::default(),
            quiet: false,
            ailing: BTreeMap::new(),
            log,
        }
    }

    /// Both readings of the present moment.
    pub fn clock(&self) -> Now {
        Now { monotonic: Instant(self.now), wall: Wall(EPOCH_NANOS + self.now) }
    }

    /// Something happens after so many nanoseconds.
    pub fn after(&mut self, nanos: u64, event: Event) {
        self.at(self.now + nanos, event);
    }

    /// Something happens then.
    pub fn at(&mut self, at: u64, event: Event) {
        self.agenda.push(at, event);
    }

    /// Puts a host into the world, not running yet.
    pub fn add(&mut self, host: Box<dyn Host>, address: SocketAddrV4, machine: Option<HostId>) -> HostId {
        let id = self.slots.len();
        self.slots.push(Slot {
            host: Some(host),
            life: 0,
            alive: false,
            machine: machine.unwrap_or(id),
            address,
            links: Links::default(),
            conns: BTreeMap::new(),
            armed: None,
            paused: 0,
        });
        self.addresses.insert(address, id);
        id
    }

    /// The present life of a host.
    pub fn process(&self, host: HostId) -> Process {
        Process { host, life: self.slots[host].life }
    }

    /// Whether this very process runs.
    pub fn is_alive(&self, process: Process) -> bool {
        let slot = &self.slots[process.host];
        slot.alive && slot.life == process.life
    }

    /// Between which machines packets of one host to another go.
    pub fn path(&self, from: HostId, to: HostId) -> (HostId, HostId) {
        (self.slots[from].machine, self.slots[to].machine)
    }

    /// A word from one process to another beside the connections of Mesos: lost while they are parted.
    pub fn post(&mut self, from: Process, to: Process, word: Local) {
        let path = self.path(from.host, to.host);
        if !self.network.is_parted(self.now, path) {
            let wait = self.network.latency(self.now, path, &mut self.rng);
            self.after(wait, Event::Local(to, word));
        }
    }

    /// Stops a machine for so long, with all that runs on it; what arrives meanwhile waits.
    pub fn pause(&mut self, machine: HostId, nanos: u64) {
        self.slots[machine].paused = self.now + nanos;
    }

    /// What the disk of a host is like. A sync fails once.
    pub fn health(&mut self, host: HostId) -> Health {
        match self.ailing.get(&host) {
            Some((health, until)) if *until > self.now => *health,
            _ => Health::Good,
        }
    }

    /// All is well from now on.
    pub fn end_faults(&mut self) {
        self.quiet = true;
        self.network.clear();
        self.ailing.clear();
        self.slots.iter_mut().for_each(|slot| slot.paused = 0);
    }

    /// Until when the process that an event is for does nothing; none if it is awake.
    fn asleep(&self, event: &Event) -> Option<u64> {
        let process = match event {
            Event::Packet { conn, to_server, .. } => {
                let conn = self.network.conns.get(conn)?;
                if *to_server { conn.server } else { conn.client }
            }
            Event::Noticed(_, process)
            | Event::NoLink(process, _)
            | Event::NoAnswer(process, _)
            | Event::Tick(process)
            | Event::Local(process, _) => *process,
            Event::Break(_) | Event::Restart(_) | Event::Fault => return None,
        };
        let until = self.slots[self.slots[process.host].machine].paused;
        (until > self.now).then_some(until)
    }

    /// Starts a host, for the first time or again.
    pub fn start(&mut self, host: HostId) {
        let slot = &mut self.slots[host];
        if slot.alive {
            return;
        }
        slot.alive = true;
        slot.life += 1;
        slot.armed = None;
        let process = self.process(host);
        self.act(process, |host, world| host.start(world, process));
    }

    /// Ends a process at once: its connections break, what it watched is forgotten.
    pub fn stop(&mut self, host: HostId) {
        let process = self.process(host);
        if !self.is_alive(process) {
            return;
        }
        self.slots[host].alive = false;
        self.slots[host].links = Links::default();
        self.slots[host].conns.clear();
        self.checks.see(self.now, &Fact::Ended(process));
        for conn in self.network.of(process) {
            self.break_conn(conn);
        }
        self.network.requests.retain(|(server, _), _| *server != process);
    }

    /// Ends a process and all that depends on it, as the loss of power does.
    pub fn crash(&mut self, host: HostId) {
        let dependants = self.slots[host].host.as_ref().map(|host| host.dependants()).unwrap_or_default();
        for dependant in dependants {
            self.stop(dependant);
        }
        self.stop(host);
    }

    /// Takes a host that never comes back out of the world.
    pub fn remove(&mut self, host: HostId) {
        self.stop(host);
        self.slots[host].host = None;
        let address = self.slots[host].address;
        self.addresses.remove(&address);
    }

    /// Handles what is due up to `until`; stops early when a checker objects.
    pub fn run(&mut self, until: u64) {
        while self.checks.violations.is_empty() {
            let Some(Due { at, sequence, event }) = self.agenda.pop(until) else { break };
            self.now = at;
            self.tally.events += 1;
            self.write_down(sequence, &event);
            self.happen(event);
        }
        self.now = self.now.max(until.min(u64::MAX - 1));
    }

    fn happen(&mut self, event: Event) {
        if let Some(until) = self.asleep(&event) {
            if let Event::Tick(process) = &event {
                let armed = &mut self.slots[process.host].armed;
                if *armed != Some(self.now) {
                    return;
                }
                *armed = Some(until);
            }
            return self.at(until, event);
        }
        match event {
            Event::Packet { conn, to_server, packet } => self.packet(conn, to_server, packet),
            Event::Break(conn) => self.break_conn(conn),
            Event::Noticed(conn, process) => self.noticed(conn, process),
            Event::NoLink(process, address) => self.exited(process, address),
            Event::NoAnswer(process, input) => self.input(process, Input::Http(input)),
            Event::Tick(process) => self.tick(process),
            Event::Local(process, local) => self.input(process, Input::Local(local)),
            Event::Restart(host) => self.start(host),
            Event::Fault => crate::faults::strike(self),
        }
    }

    fn tick(&mut self, process: Process) {
        if !self.is_alive(process) || self.slots[process.host].armed != Some(self.now) {
            return;
        }
        self.slots[process.host].armed = None;
        self.act(process, |host, world| host.tick(world, process));
    }

    /// Hands an input to a process, if it still runs.
    pub fn input(&mut self, process: Process, input: Input) {
        if self.is_alive(process) {
            self.act(process, |host, world| host.input(world, process, input));
        }
    }

    fn act(&mut self, process: Process, act: impl FnOnce(&mut dyn Host, &mut World)) {
        let Some(mut host) = self.slots[process.host].host.take() else { return };
        act(&mut *host, self);
        let deadline = host.deadline();
        self.slots[process.host].host = Some(host);
        if let Some(at) = deadline.filter(|_| self.is_alive(process)) {
            let at = at.0.max(self.now);
            if self.slots[process.host].armed.is_none_or(|armed| armed > at) {
                self.slots[process.host].armed = Some(at);
                self.at(at, Event::Tick(process));
            }
        }
    }

    /// A link of a process ended: everyone it watched there counts as gone.
    pub fn exited(&mut self, process: Process, address: SocketAddrV4) {
        if !self.is_alive(process) {
            return;
        }
        self.slots[process.host].conns.remove(&(address, LINK));
        for (_, upid) in self.slots[process.host].links.broken(address) {
            self.input(process, Input::Net(NetInput::Exited(upid)));
        }
    }

    fn noticed(&mut self, id: ConnId, process: Process) {
        let Some(conn) = self.network.conns.get(&id) else { return };
        let is_client = conn.client == process;
        let (kind, server, stream) = (conn.kind, conn.server, conn.stream);
        let waiting: Vec<_> = conn.waiting.iter().copied().collect();
        let address = self.slots[server.host].address;
        match (kind, is_client) {
            // A link that was replaced meanwhile ends without a word.
            (Kind::Link, true) if self.slots[process.host].conns.get(&(address, LINK)) == Some(&id) => {
                self.exited(process, address);
            }
            (Kind::Calls | Kind::Stream(_), true) => {
                self.slots[process.host].conns.retain(|_, conn| *conn != id);
                for exchange in waiting {
                    let closed = HttpInput::Closed(exchange, "the connection broke".to_owned());
                    self.input(process, Input::Http(closed));
                }
            }
            (Kind::Stream(_), false) => {
                if let Some(request) = stream {
                    self.input(process, Input::Net(NetInput::StreamClosed(request)));
                    self.network.requests.remove(&(process, request));
                }
            }
            _ => {}
        }
    }

    fn write_down(&mut self, sequence: u64, event: &Event) {
        let Some(mut log) = self.log.take() else { return };
        let line = crate::packet::describe(self, event);
        // A full disk must not change the run; the file is for people and for comparing runs.
        let _ = writeln!(log, "{} {sequence} {line}", self.now);
        self.log = Some(log);
    }
}

/// Uses of a connection, as part of its key in [`Slot::conns`].
pub const LINK: u8 = 0;
/// See [`LINK`].
pub const TEMPORARY: u8 = 1;
/// See [`LINK`].
pub const CALLS: u8 = 2;
