//! Places where an operator's module may look in or change something, called synchronously.
//!
//! The trait has one method per hook of Mesos 1.11 that a built path reaches; each does nothing by default. Source:
//! `include/mesos/hook.hpp`.

use tepui_proto::mesos::{AgentInfo, Environment, ExecutorInfo, FrameworkInfo, Labels, TaskInfo, TaskStatus};

/// What modules may do. `&dyn Hooks` is handed to the machines; [`NoHooks`] when no module is loaded.
pub trait Hooks: Send + Sync {
    /// On the master before a task goes to the agent: replaces the task's labels.
    fn master_launch_task_labels(&self, _: &TaskInfo, _: &FrameworkInfo, _: &AgentInfo) -> Option<Labels> {
        None
    }

    /// On the master after an agent was lost.
    fn master_agent_lost(&self, _: &AgentInfo) {}

    /// On the agent before a task is launched: replaces the task's labels.
    fn agent_run_task_labels(
        &self,
        _: &TaskInfo,
        _: &ExecutorInfo,
        _: &FrameworkInfo,
        _: &AgentInfo,
    ) -> Option<Labels> {
        None
    }

    /// On the agent: adds to an executor's environment.
    fn agent_executor_environment(&self, _: &ExecutorInfo) -> Option<Environment> {
        None
    }

    /// On the agent: decorates a status update before it is forwarded.
    fn agent_task_status(&self, _: &str, _: &TaskStatus) -> Option<TaskStatus> {
        None
    }

    /// On the agent when an executor is gone.
    fn agent_remove_executor(&self, _: &FrameworkInfo, _: &ExecutorInfo) {}
}

/// No module is loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}
