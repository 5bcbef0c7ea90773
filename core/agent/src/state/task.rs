//! A task as the agent records it, and the states a task can end in.

use std::sync::Arc;
use tepui_base::FrameworkId;
pub use tepui_proto::is_terminal;
use tepui_proto::mesos::{Task, TaskInfo, TaskState, TaskStatus};
use tepui_proto::{MessageField, ToProto};

/// The text of a task's id.
pub fn id_of(task: &TaskInfo) -> &str {
    &task.task_id.value
}

/// What is kept of a task once it is launched or ended: everything but its command and data.
pub fn record(task: &TaskInfo, state: TaskState, framework: &FrameworkId) -> Task {
    let executor = task.executor.as_option();
    let user = match (task.command.as_option(), executor) {
        (Some(command), _) if command.user.is_some() => command.user.clone(),
        (_, Some(executor)) => executor.command.user.clone(),
        _ => None,
    };
    Task {
        name: task.name.clone(),
        task_id: task.task_id.clone(),
        framework_id: framework.to_field(),
        executor_id: executor.map_or_else(MessageField::none, |executor| executor.executor_id.clone()),
        agent_id: task.agent_id.clone(),
        state,
        resources: task.resources.clone(),
        limits: task.limits.clone(),
        labels: task.labels.clone(),
        discovery: task.discovery.clone(),
        container: task.container.clone(),
        health_check: task.health_check.clone(),
        kill_policy: task.kill_policy.clone(),
        user,
        ..Task::default()
    }
}

/// So many statuses of a task are kept, the first and the newest: executors may alternate between two states for ever. A
/// task goes through half a dozen.
pub const STATUSES_MAX: usize = 100;

/// Adds a status to the history, which keeps the last of each run of equal states, and not more than [`STATUSES_MAX`].
pub fn push_status(task: &mut Task, status: &TaskStatus) {
    if task.statuses.last().is_some_and(|last| last.state == status.state) {
        task.statuses.pop();
    }
    task.statuses.push(status.clone());
    if task.statuses.len() > STATUSES_MAX {
        task.statuses.remove(1);
    }
    task.state = status.state;
}

/// Launched and terminated tasks, for those who look at both.
pub fn live_and_unacknowledged(executor: &super::Executor) -> impl Iterator<Item = &Arc<Task>> {
    executor.launched.values().chain(executor.terminated.values())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_newest_statuses_are_kept() {
        let mut task = Task::default();
        for number in 0..1_000 {
            let state = if number % 2 == 0 { TaskState::TASK_RUNNING } else { TaskState::TASK_STARTING };
            push_status(&mut task, &TaskStatus { state, timestamp: Some(f64::from(number)), ..Default::default() });
        }
        let times: Vec<f64> = task.statuses.iter().filter_map(|status| status.timestamp).collect();
        assert_eq!((times.len(), times[0], times[1], times[STATUSES_MAX - 1]), (STATUSES_MAX, 0.0, 901.0, 999.0));
    }
}
