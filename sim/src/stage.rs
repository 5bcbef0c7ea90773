//! Who is in a world of masters, agents and frameworks, and where: with one master that everybody knows, or with three or
//! five, of which ZooKeeper or they themselves know who leads.

use crate::cast::{CAST, Disk, PROBE, Profile, Speech};
use crate::detector::Detector;
use crate::host::Host;
use crate::host::agent::AgentHost;
use crate::host::framework::FrameworkHost;
use crate::host::framework_v0::FrameworkV0Host;
use crate::host::master::{Keeper, MasterHost, config};
use crate::host::operator::OperatorHost;
use crate::host::replica::{Electorate, ReplicaHost};
use crate::host::zookeeper::ZooKeeperHost;
use crate::network::HostId;
use crate::world::World;
use std::net::{Ipv4Addr, SocketAddrV4};
use tepui_wire::Upid;

/// Agents of a world.
pub const AGENTS: usize = 3;
/// Frameworks of a world.
pub const FRAMEWORKS: usize = CAST.len();
/// See the module's text.
pub struct Stage {
    masters: Vec<SocketAddrV4>,
    finder: Finder,
    /// Those that have to run for a cluster to be whole, beside frameworks.
    pub servers: Vec<HostId>,
}

/// How a leader is found.
enum Finder {
    /// There is one master.
    Alone,
    /// ZooKeeper is asked.
    ZooKeeper(HostId),
    /// The masters are.
    List(Vec<HostId>),
}

fn address(last: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), port)
}

impl Stage {
    /// One master, which keeps its registry over a crash or does not.
    pub fn alone(world: &mut World, keeps: bool) -> Stage {
        let at = address(1, 5050);
        let master = MasterHost::new(Upid::at("master", at), Keeper::Own { keeps });
        let id = world.add(Box::new(master), at, None);
        world.checks.masters.insert(id);
        let mut stage = Stage { masters: vec![at], finder: Finder::Alone, servers: vec![id] };
        stage.populate(world);
        stage
    }

    /// Three or five masters on machines of their own, each with a replica of the log; with ZooKeeper or without.
    pub fn of_many(world: &mut World, seed: u64) -> Stage {
        let (masters, by_lease) = (if seed % 4 < 2 { 3 } else { 5 }, seed % 2 == 1);
        let mut stage = Stage { masters: Vec::new(), finder: Finder::Alone, servers: Vec::new() };
        let mut electorate = Electorate::List;
        if !by_lease {
            let zookeeper = world.add(Box::<ZooKeeperHost>::default(), address(111, 2181), None);
            stage.servers.push(zookeeper);
            (stage.finder, electorate) = (Finder::ZooKeeper(zookeeper), Electorate::ZooKeeper(zookeeper));
        }
        let replica_at = |number: u8| Upid::at("log-replica(1)", address(1 + number, 5052));
        let group: Vec<Upid> = (0..masters).map(replica_at).collect();
        let mut replicas = Vec::new();
        for number in 0..masters {
            let (at, replica) = (address(1 + number, 5050), world.slots.len() + 1);
            let pid = Upid::at("master", at);
            let master = world.add(Box::new(MasterHost::new(pid.clone(), Keeper::Replica(replica))), at, None);
            world.checks.masters.insert(master);
            let own = replica_at(number);
            let host = ReplicaHost::new(own.clone(), group.clone(), master, config(&pid), electorate, &mut world.rng);
            replicas.push(world.add(Box::new(host), own.address(), Some(master)));
            stage.masters.push(at);
        }
        stage.servers.extend(&replicas);
        if by_lease {
            stage.finder = Finder::List(replicas);
        }
        *world.tally.done.entry(if by_lease { "worlds by lease" } else { "worlds by ZooKeeper" }).or_default() += 1;
        stage.populate(world);
        stage
    }

    /// Puts the others in their place, and starts all.
    fn populate(&mut self, world: &mut World) {
        for number in 0..AGENTS {
            let at = address(11 + number as u8, 5051);
            let agent = AgentHost::new(Upid::at("slave(1)", at), self.detector());
            self.servers.push(world.add(Box::new(agent), at, None));
        }
        let mut hosts = self.servers.clone();
        for (number, profile) in CAST.iter().enumerate() {
            hosts.push(self.add_framework(world, *profile, number as u8));
        }
        let machines = (0..AGENTS).map(|number| address(11 + number as u8, 0).ip().to_string()).collect();
        let operator = OperatorHost::new(self.masters.clone(), machines);
        hosts.push(world.add(Box::new(operator), address(101, 9000), None));
        hosts.iter().for_each(|host| world.start(*host));
    }

    fn detector(&self) -> Detector {
        match &self.finder {
            Finder::Alone => Detector::Fixed(Upid::at("master", self.masters[0])),
            Finder::ZooKeeper(zookeeper) => Detector::group(*zookeeper),
            Finder::List(replicas) => Detector::list(replicas.clone()),
        }
    }

    /// How long it may take until somebody leads when all is well, in seconds: with ZooKeeper a session has to end first.
    pub fn leader_within(&self) -> u64 {
        match self.finder {
            Finder::List(_) => 10,
            Finder::Alone | Finder::ZooKeeper(_) => 30,
        }
    }

    fn addresses(&self) -> Vec<String> {
        self.masters.iter().map(ToString::to_string).collect()
    }

    /// A framework's two hosts; the first leads.
    fn add_framework(&self, world: &mut World, profile: Profile, number: u8) -> HostId {
        let disk = Disk::shared(profile);
        for instance in 0..2 {
            let at = address(21 + number + 20 * instance, 9000);
            let pid = Upid::at("scheduler(1)", at);
            let host: Box<dyn Host> = match profile.speech {
                Speech::V1(form) => Box::new(FrameworkHost::new(disk.clone(), &self.addresses(), form)),
                Speech::V0 => Box::new(FrameworkV0Host::new(disk.clone(), pid, self.detector())),
            };
            let id = world.add(host, at, None);
            disk.borrow_mut().hosts.push(id);
        }
        let leader = disk.borrow().hosts[0];
        disk.borrow_mut().leader = Some(leader);
        world.disks.push(disk);
        leader
    }

    /// A framework that takes everything and keeps it.
    pub fn add_probe(&self, world: &mut World, last: u8) -> HostId {
        let disk = Disk::shared(PROBE);
        let probe = FrameworkHost::probe(disk.clone(), &self.addresses());
        let probe = world.add(Box::new(probe), address(last, 9000), None);
        disk.borrow_mut().hosts.push(probe);
        disk.borrow_mut().leader = Some(probe);
        world.disks.push(disk);
        world.start(probe);
        probe
    }
}
