//! Who lives in the world. A host survives its crashes: what it keeps is its disk, what it makes anew at a start is the
//! process.

pub mod agent;
pub mod command;
pub mod custom;
pub mod framework;
pub mod framework_v0;
pub mod master;
pub mod operator;
pub mod replica;
pub mod zookeeper;

use crate::network::{HostId, Process};
use crate::world::World;
use tepui_agent::ContainerEvent;
use tepui_base::{Instant, WaitStatus};
use tepui_framework::exchange::HttpInput;
use tepui_wire::{NetInput, Upid};

/// What the master says to a framework whose other instance has taken over.
pub const FAILED_OVER: &str = "Framework failed over";
/// What it says to one that it has removed.
pub const REMOVED: &str = "Framework has been removed";

/// What a process can learn.
pub enum Input {
    /// As a libprocess process.
    Net(NetInput),
    /// As an HTTP client.
    Http(HttpInput),
    /// From inside its own host.
    Local(Local),
}

/// What happens inside a host.
pub enum Local {
    /// To the master's registrar.
    ToRegistrar(tepui_registry::Input),
    /// From it.
    FromRegistrar(tepui_registry::Output),
    /// The same, of a master's term to the registrar of its machine.
    FromTerm(Process, tepui_registry::Input),
    /// To the master's allocator.
    ToAllocator(tepui_allocator::Input),
    /// From it.
    FromAllocator(tepui_allocator::Effect),
    /// A term begins, with this seed, and lasts until then; with an epoch where masters elect by their log.
    Lead(u64, u64, Option<u64>),
    /// It lasts until then.
    Extended(u64),
    /// The term of this process is over; the master says so.
    TermOver(Process),
    /// To ZooKeeper.
    AskZooKeeper(zookeeper::Ask),
    /// From it.
    ZooKeeperTold(zookeeper::Told),
    /// From it: the group may have changed.
    GroupChanged,
    /// Somebody asks a master of a list who leads.
    AskLeader(Process),
    /// Its answer.
    LeaderTold(Process, tepui_election::list::Answer),
    /// ZooKeeper ends the sessions of a host.
    EndSession(HostId),
    /// A sync of the disk ends.
    Synced,
    /// A read of the disk ends.
    Fetched(tepui_log::FetchId, Vec<u8>, Vec<u8>),
    /// The detector has looked.
    Detected(Option<Upid>),
    /// The leader that follows leads in this epoch.
    Epoch(u64),
    /// The containerizer speaks.
    Container(ContainerEvent),
    /// An executor's process has ended by itself or was killed.
    ExecutorEnded(HostId, WaitStatus),
    /// A container is to be started.
    Start(HostId),
    /// The command executor's connections are there, or not.
    Connected(Result<(), String>),
    /// The program of a task has ended.
    TaskEnded(String, WaitStatus),
    /// The agent is to leave, with or without a word to the master.
    Leave(bool),
    /// A framework, or an operator, looks around for something to do.
    Act,
    /// A framework decides about an offer it has held.
    Decide(String),
    /// A framework kills what it would rather not have launched.
    Regret,
    /// A framework acknowledges an update it has sat on.
    Acknowledge(Box<tepui_proto::mesos::TaskStatus>),
    /// A framework is to end everything.
    Teardown,
}

impl Local {
    /// A word for the event file.
    pub fn name(&self) -> &'static str {
        match self {
            Local::ToRegistrar(_) => "to registrar",
            Local::FromRegistrar(_) => "from registrar",
            Local::FromTerm(..) => "from term",
            Local::Lead(..) => "lead",
            Local::Extended(_) => "extended",
            Local::TermOver(_) => "term over",
            Local::AskZooKeeper(_) => "ask zookeeper",
            Local::ZooKeeperTold(_) => "zookeeper told",
            Local::GroupChanged => "group changed",
            Local::AskLeader(_) => "ask leader",
            Local::LeaderTold(..) => "leader told",
            Local::EndSession(_) => "end session",
            Local::Synced => "synced",
            Local::Fetched(..) => "fetched",
            Local::ToAllocator(_) => "to allocator",
            Local::FromAllocator(_) => "from allocator",
            Local::Detected(_) => "detected",
            Local::Epoch(_) => "epoch",
            Local::Container(_) => "container",
            Local::ExecutorEnded(..) => "executor ended",
            Local::Start(_) => "start container",
            Local::Connected(_) => "connected",
            Local::TaskEnded(..) => "task ended",
            Local::Leave(_) => "leave",
            Local::Act => "act",
            Local::Decide(_) => "decide",
            Local::Regret => "regret",
            Local::Acknowledge(_) => "acknowledge",
            Local::Teardown => "teardown",
        }
    }
}

/// What kind of host, for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The master with its allocator, and its registrar if that has no machine of its own.
    Master,
    /// A replica of the log with the registrar over it, and a candidate for its machine's master.
    Replica,
    /// The servers of ZooKeeper.
    ZooKeeper,
    /// An agent with its containers.
    Agent,
    /// An executor.
    Executor,
    /// A framework.
    Framework,
    /// An operator.
    Operator,
}

/// A host.
pub trait Host {
    /// What kind it is.
    fn role(&self) -> Role;
    /// A new process starts on what the disk holds.
    fn start(&mut self, world: &mut World, me: Process);
    /// Something arrives.
    fn input(&mut self, world: &mut World, me: Process, input: Input);
    /// A deadline has come.
    fn tick(&mut self, world: &mut World, me: Process);
    /// When to tick next.
    fn deadline(&self) -> Option<Instant>;
    /// What a crash of this host takes with it.
    fn dependants(&self) -> Vec<HostId> {
        Vec::new()
    }
}
