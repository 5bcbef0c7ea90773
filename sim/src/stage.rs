//! Who is in a world of masters, agents and frameworks, and where: with one master that everybody knows, or with three of
//! which ZooKeeper knows who leads.

use crate::cast::{CAST, Disk, PROBE, Profile, Speech};
use crate::detector::Detector;
use crate::host::Host;
use crate::host::agent::AgentHost;
use crate::host::framework::FrameworkHost;
use crate::host::framework_v0::FrameworkV0Host;
use crate::host::master::{Keeper, MasterHost, config};
use crate::host::operator::OperatorHost;
use crate::host::replica::ReplicaHost;
use crate::host::zookeeper::ZooKeeperHost;
use crate::network::HostId;
use crate::world::World;
use std::net::{Ipv4Addr, SocketAddrV4};
use tepui_wire::Upid;

/// Agents of a world.
pub const AGENTS: usize = 3;
/// Frameworks of a world.
pub const FRAMEWORKS: usize = CAST.len();
/// Masters of a world that has more than one.
const MASTERS: u8 = 3;

/// See the module's text.
pub struct Stage {
    masters: Vec<SocketAddrV4>,
    zookeeper: Option<HostId>,
    /// Those that have to run for a cluster to be whole, beside frameworks.
    pub servers: Vec<HostId>,
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
        let mut stage = Stage { masters: vec![at], zookeeper: None, servers: vec![id] };
        stage.populate(world);
        stage
    }

    /// Three masters on machines of their own, each with a replica of the log, and ZooKeeper.
    pub fn of_many(world: &mut World) -> Stage {
        let zookeeper = world.add(Box::<ZooKeeperHost>::default(), address(111, 2181), None);
        let replica_at = |number: u8| Upid::at("log-replica(1)", address(1 + number, 5052));
        let group: Vec<Upid> = (0..MASTERS).map(replica_at).collect();
        let mut stage = Stage { masters: Vec::new(), zookeeper: Some(zookeeper), servers: vec![zookeeper] };
        for number in 0..MASTERS {
            let (at, replica) = (address(1 + number, 5050), world.slots.len() + 1);
            let pid = Upid::at("master", at);
            let master = world.add(Box::new(MasterHost::new(pid.clone(), Keeper::Replica(replica))), at, None);
            world.checks.masters.insert(master);
            let own = replica_at(number);
            let host = ReplicaHost::new(own.clone(), group.clone(), master, config(&pid), zookeeper);
            stage.servers.push(world.add(Box::new(host), own.address(), Some(master)));
            stage.masters.push(at);
        }
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
        match self.zookeeper {
            Some(zookeeper) => Detector::group(zookeeper),
            None => Detector::Fixed(Upid::at("master", self.masters[0])),
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
