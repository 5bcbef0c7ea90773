//! Who lives in the world. A host survives its crashes: what it keeps is its disk, what it makes anew at a start is the
//! process.

pub mod agent;
pub mod command;
pub mod custom;
pub mod framework;
pub mod framework_v0;
pub mod master;

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
    /// To the master's allocator.
    ToAllocator(tepui_allocator::Input),
    /// From it.
    FromAllocator(tepui_allocator::Effect),
    /// The detector has looked.
    Detected(Option<Upid>),
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
    /// A framework looks around for something to do.
    Act,
    /// A framework decides about an offer it has held.
    Decide(String),
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
            Local::ToAllocator(_) => "to allocator",
            Local::FromAllocator(_) => "from allocator",
            Local::Detected(_) => "detected",
            Local::Container(_) => "container",
            Local::ExecutorEnded(..) => "executor ended",
            Local::Start(_) => "start container",
            Local::Connected(_) => "connected",
            Local::TaskEnded(..) => "task ended",
            Local::Act => "act",
            Local::Decide(_) => "decide",
            Local::Acknowledge(_) => "acknowledge",
            Local::Teardown => "teardown",
        }
    }
}

/// What kind of host, for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The master with its registrar and allocator.
    Master,
    /// An agent with its containers.
    Agent,
    /// An executor.
    Executor,
    /// A framework.
    Framework,
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
