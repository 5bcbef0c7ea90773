//! Counters that only ever grow; gauges are computed from the state when they are read.
//!
//! Names: `src/slave/metrics.cpp`.

use tepui_proto::mesos::TaskState;

/// The agent's counters.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// `slave/tasks_finished`.
    pub tasks_finished: u64,
    /// `slave/tasks_failed`.
    pub tasks_failed: u64,
    /// `slave/tasks_killed`.
    pub tasks_killed: u64,
    /// `slave/tasks_lost`.
    pub tasks_lost: u64,
    /// `slave/tasks_gone`.
    pub tasks_gone: u64,
    /// `slave/executors_terminated`.
    pub executors_terminated: u64,
    /// `slave/valid_status_updates`.
    pub valid_status_updates: u64,
    /// `slave/invalid_status_updates`.
    pub invalid_status_updates: u64,
    /// `slave/valid_framework_messages`.
    pub valid_framework_messages: u64,
    /// `slave/invalid_framework_messages`.
    pub invalid_framework_messages: u64,
    /// `slave/container_launch_errors`.
    pub container_launch_errors: u64,
}

impl Metrics {
    /// Counts a task that reached a terminal state. Dropped tasks and the like have no counter in 1.11.
    pub fn count_terminal(&mut self, state: TaskState) {
        match state {
            TaskState::TASK_FINISHED => self.tasks_finished += 1,
            TaskState::TASK_FAILED => self.tasks_failed += 1,
            TaskState::TASK_KILLED => self.tasks_killed += 1,
            TaskState::TASK_LOST => self.tasks_lost += 1,
            TaskState::TASK_GONE => self.tasks_gone += 1,
            _ => {}
        }
    }
}
