//! A framework with executors on this agent.

use super::Executor;
use imbl::OrdMap;
use std::collections::VecDeque;
use std::sync::Arc;
use tepui_base::{ExecutorId, FrameworkId, TaskId};
use tepui_proto::mesos::FrameworkInfo;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_wire::Upid;

/// A framework as the agent sees it.
#[derive(Clone, Debug)]
pub struct Framework {
    /// Its id.
    pub id: FrameworkId,
    /// Its description, updated by the master.
    pub info: Arc<FrameworkInfo>,
    /// Its scheduler's address if it is a V0 driver; messages of executors then go there directly.
    pub pid: Option<Upid>,
    /// Told to leave: nothing it does is reported any more, because it can not acknowledge.
    pub terminating: bool,
    /// Executors that have not been removed.
    pub executors: OrdMap<ExecutorId, Arc<Executor>>,
    /// Those that were, oldest first.
    pub completed_executors: VecDeque<Arc<Executor>>,
}

impl Framework {
    /// A framework without executors.
    pub fn new(id: FrameworkId, info: FrameworkInfo, pid: Option<Upid>) -> Framework {
        Framework {
            id,
            info: Arc::new(info),
            pid,
            terminating: false,
            executors: OrdMap::new(),
            completed_executors: VecDeque::new(),
        }
    }

    /// The executor that has this task queued, launched, or terminated but not acknowledged.
    pub fn executor_of(&self, task: &TaskId) -> Option<&Executor> {
        self.executors.values().map(Arc::as_ref).find(|executor| executor.has_task(task))
    }

    /// Whether the framework understands the newer task states.
    pub fn is_partition_aware(&self) -> bool {
        has_capability(&self.info, Capability::PARTITION_AWARE)
    }

    /// The roles it may use: `roles` of a multi-role framework, else its one `role`.
    pub fn roles(info: &FrameworkInfo) -> Vec<String> {
        if has_capability(info, Capability::MULTI_ROLE) {
            info.roles.clone()
        } else {
            vec![info.role.clone().unwrap_or_else(|| "*".to_owned())]
        }
    }

    /// Remembers an executor that was removed, forgetting the oldest beyond `limit`.
    pub fn complete(&mut self, executor: Arc<Executor>, limit: usize) {
        self.completed_executors.push_back(executor);
        while self.completed_executors.len() > limit {
            self.completed_executors.pop_front();
        }
    }
}

/// Whether a framework announced a capability.
pub fn has_capability(info: &FrameworkInfo, wanted: Capability) -> bool {
    info.capabilities.iter().any(|capability| capability.r#type == Some(wanted))
}
