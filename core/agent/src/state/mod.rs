//! What an agent knows: frameworks, their executors, their tasks. Persistent maps and shared entities, so that a
//! reader's snapshot is a cheap clone and a writer copies only what it changes while a snapshot is alive.

pub mod executor;
pub mod framework;
pub mod task;

pub use executor::{Connection, Executor, Queued};
pub use framework::Framework;

use crate::checkpointed::Checkpointed;
use crate::metrics::Metrics;
use imbl::OrdMap;
use std::collections::VecDeque;
use std::sync::Arc;
use tepui_base::{AgentId, ExecutorId, FrameworkId};
use tepui_wire::Upid;

/// How many completed frameworks are remembered (`MAX_COMPLETED_FRAMEWORKS`).
pub const MAX_COMPLETED_FRAMEWORKS: usize = 50;

/// Where the agent stands with its master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// No master, or not (re)registered with it yet. Tasks go on running.
    #[default]
    Disconnected,
    /// Registered.
    Running,
    /// Shutting its executors down, to exit when they are gone.
    Terminating,
}

/// The whole state of an agent.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Where the agent stands with its master.
    pub phase: Phase,
    /// The id its master gave it; kept across masters.
    pub id: Option<AgentId>,
    /// The leading master, if one is known.
    pub master: Option<Upid>,
    /// The name of its host, if that is known.
    pub master_hostname: Option<String>,
    /// Frameworks with at least one executor.
    pub frameworks: OrdMap<FrameworkId, Arc<Framework>>,
    /// Frameworks that had one, oldest first.
    pub completed_frameworks: VecDeque<Arc<Framework>>,
    /// Dynamic reservations and persistent volumes, as the master told of them.
    pub checkpointed: Checkpointed,
    /// Counters.
    pub metrics: Metrics,
}

impl State {
    /// A framework by id.
    pub fn framework(&self, id: &FrameworkId) -> Option<&Framework> {
        self.frameworks.get(id).map(Arc::as_ref)
    }

    /// A framework to be changed.
    pub fn framework_mut(&mut self, id: &FrameworkId) -> Option<&mut Framework> {
        self.frameworks.get_mut(id).map(Arc::make_mut)
    }

    /// An executor by its ids.
    pub fn executor(&self, framework: &FrameworkId, id: &ExecutorId) -> Option<&Executor> {
        self.framework(framework)?.executors.get(id).map(Arc::as_ref)
    }

    /// An executor to be changed.
    pub fn executor_mut(&mut self, framework: &FrameworkId, id: &ExecutorId) -> Option<&mut Executor> {
        self.framework_mut(framework)?.executors.get_mut(id).map(Arc::make_mut)
    }

    /// All executors that have not been removed.
    pub fn executors(&self) -> impl Iterator<Item = &Executor> {
        self.frameworks.values().flat_map(|framework| framework.executors.values()).map(Arc::as_ref)
    }

    /// Remembers a framework that left, forgetting the oldest beyond the limit.
    pub fn complete(&mut self, framework: Arc<Framework>) {
        self.completed_frameworks.push_back(framework);
        if self.completed_frameworks.len() > MAX_COMPLETED_FRAMEWORKS {
            self.completed_frameworks.pop_front();
        }
    }

    /// Takes back what is remembered of a framework that returns.
    pub fn revive(&mut self, id: &FrameworkId) -> Option<Arc<Framework>> {
        let at = self.completed_frameworks.iter().position(|framework| framework.id == *id)?;
        self.completed_frameworks.remove(at)
    }
}
