//! What the containerizer has to say, above all that a container is gone, and with it all tasks in it.

use crate::run::queued_ids;
use crate::state::executor::Phase;
use crate::state::{self, Connection, Executor, task};
use crate::status_update::Report;
use crate::{Agent, ContainerCommand, ContainerEvent, Cx, Effect, ExecutorKey};
use tepui_base::{ContainerId, TaskId};
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::containerizer::ContainerTermination;
use tepui_proto::mesos::task_status::Reason;

/// Exit status told to the master when there is none.
const UNKNOWN_STATUS: i32 = -1;

impl Agent {
    pub(crate) fn container_event(&mut self, cx: &mut Cx<'_>, event: ContainerEvent) {
        match event {
            ContainerEvent::Launched { id, pid } => self.launched(cx, &id, pid),
            ContainerEvent::LaunchFailed { id, message } => self.launch_failed(cx, &id, &message),
            ContainerEvent::Updated { id, sequence, error: None } => {
                if let Some((framework, executor)) = self.containers.get(&id).cloned() {
                    self.deliver(cx, &framework, &executor, sequence);
                }
            }
            ContainerEvent::Updated { id, error: Some(error), .. } => self.update_failed(cx, &id, &error),
            ContainerEvent::Terminated { id, termination } => self.terminated(cx, &id, Some(termination)),
        }
    }

    fn launched(&mut self, cx: &mut Cx<'_>, container: &ContainerId, pid: u32) {
        let Some((framework, id)) = self.containers.get(container).cloned() else { return };
        let Some(executor) = self.state.executor_mut(&framework, &id) else { return };
        executor.pid = Some(pid);
        // Told to leave before there was anyone to hear it.
        if executor.phase == Phase::Terminating && executor.connection == Connection::None {
            cx.push(Effect::Container(ContainerCommand::Destroy(container.clone())));
        }
    }

    /// There is no container and never was one.
    pub(crate) fn launch_failed(&mut self, cx: &mut Cx<'_>, container: &ContainerId, message: &str) {
        self.state.metrics.container_launch_errors += 1;
        let text = format!("Failed to launch container: {message}");
        self.expect_end(container, TaskState::TASK_FAILED, Reason::REASON_CONTAINER_LAUNCH_FAILED, text);
        self.terminated(cx, container, None);
    }

    /// A container that could not be given what its tasks need can not be kept.
    fn update_failed(&mut self, cx: &mut Cx<'_>, container: &ContainerId, error: &str) {
        let Some((framework, _)) = self.containers.get(container) else { return };
        let aware = self.state.framework(framework).is_some_and(state::Framework::is_partition_aware);
        let state = if aware { TaskState::TASK_GONE } else { TaskState::TASK_LOST };
        let text = format!("Failed to update resources for container: {error}");
        self.expect_end(container, state, Reason::REASON_CONTAINER_UPDATE_FAILED, text);
        cx.push(Effect::Container(ContainerCommand::Destroy(container.clone())));
    }

    /// Remembers why a container is about to end.
    fn expect_end(&mut self, container: &ContainerId, state: TaskState, reason: Reason, message: String) {
        let Some((framework, id)) = self.containers.get(container).cloned() else { return };
        let Some(executor) = self.state.executor_mut(&framework, &id) else { return };
        executor.pending_termination = Some(ContainerTermination {
            state: Some(state),
            reason: Some(reason),
            message: Some(message),
            ..ContainerTermination::default()
        });
    }

    /// All processes of a container are gone. `None`: nobody knows how it ended.
    fn terminated(&mut self, cx: &mut Cx<'_>, container: &ContainerId, termination: Option<ContainerTermination>) {
        let Some((framework, id)) = self.containers.get(container).cloned() else { return };
        let leaving = self.state.framework(&framework).is_none_or(|framework| framework.terminating);
        let Some(executor) = self.state.executor_mut(&framework, &id) else { return };
        if executor.phase == Phase::Terminated {
            return;
        }
        executor.phase = Phase::Terminated;
        let connection = std::mem::replace(&mut executor.connection, Connection::None);
        if leaving {
            // Nobody is told about these tasks, but readers still see them.
            let tasks = std::mem::take(&mut executor.launched);
            executor.terminated = executor.terminated.clone().union(tasks);
        }
        let executor = executor.clone();
        self.state.metrics.executors_terminated += 1;
        self.close_stream(cx, &connection);
        let status = termination.as_ref().and_then(|t| t.status).unwrap_or(UNKNOWN_STATUS);
        cx.note(format!("Executor '{id}' of framework {framework} has terminated with status {status}"));
        if !leaving {
            self.fail_tasks(cx, &executor, termination.as_ref());
        }
        if !executor.generated_for_command_task {
            self.executor_exited(cx, &framework, &id, status);
        }
        self.remove_if_over(cx, &(framework, id), leaving);
    }

    fn close_stream(&mut self, cx: &mut Cx<'_>, connection: &Connection) {
        if let Connection::Http { stream, .. } = connection {
            self.subscriptions.remove(stream);
            cx.net(tepui_wire::NetEffect::StreamClose(*stream));
        }
    }

    /// Ends all tasks that had not ended by themselves.
    fn fail_tasks(&mut self, cx: &mut Cx<'_>, executor: &Executor, termination: Option<&ContainerTermination>) {
        let live = executor.launched.iter().filter(|(_, task)| !task::is_terminal(task.state));
        let tasks: Vec<TaskId> = live.map(|(id, _)| id.clone()).chain(queued_ids(executor)).collect();
        let cause = cause(executor.pending_termination.as_ref(), termination);
        for task in &tasks {
            let report = Report {
                framework: &executor.framework,
                task,
                executor: Some(&executor.id),
                state: cause.0,
                reason: cause.1,
                message: &cause.2,
            };
            let mut update = self.own_update(cx, &report);
            if let Some(termination) = termination.filter(|t| !t.limited_resources.is_empty()) {
                let status = update.status.get_or_insert_default();
                status.limitation.get_or_insert_default().resources = termination.limited_resources.clone();
            }
            self.status_update(cx, update, &crate::status_update::Sender::Agent);
        }
    }

    /// An executor without unacknowledged updates is forgotten; so is any if nobody will acknowledge.
    fn remove_if_over(&mut self, cx: &mut Cx<'_>, (framework, id): &ExecutorKey, leaving: bool) {
        let Some(executor) = self.state.executor(framework, id) else { return };
        let leaving = leaving || self.state.phase == state::Phase::Terminating;
        if leaving || !executor.has_incomplete_tasks() {
            self.remove_executor(cx, framework, id);
        }
        if leaving {
            self.remove_framework_if_idle(cx, framework);
        } else {
            self.remove_framework_if_done(cx, framework);
        }
    }
}

/// State, reason and message for tasks that ended with their container: what the containerizer says comes before what
/// the agent expected; messages of both are joined.
fn cause(
    pending: Option<&ContainerTermination>,
    termination: Option<&ContainerTermination>,
) -> (TaskState, Reason, String) {
    let either = || termination.into_iter().chain(pending);
    let state = either().find_map(|t| t.state).unwrap_or(TaskState::TASK_FAILED);
    let reason = either().find_map(|t| t.reason).unwrap_or(Reason::REASON_EXECUTOR_TERMINATED);
    let mut messages: Vec<String> = pending.and_then(|t| t.message.clone()).into_iter().collect();
    match termination {
        None => messages.push("Abnormal executor termination: unknown container".to_owned()),
        Some(termination) => messages.extend(termination.message.clone()),
    }
    let message = if messages.is_empty() { "Executor terminated".to_owned() } else { messages.join("; ") };
    (state, reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_containerizer_knows_best_why_a_container_ended() {
        let said = ContainerTermination {
            state: Some(TaskState::TASK_FAILED),
            reason: Some(Reason::REASON_CONTAINER_LIMITATION_MEMORY),
            message: Some("Memory limit exceeded".into()),
            ..ContainerTermination::default()
        };
        let expected = ContainerTermination { message: Some("expected".into()), ..ContainerTermination::default() };
        let (state, reason, message) = cause(Some(&expected), Some(&said));
        assert_eq!(state, TaskState::TASK_FAILED);
        assert_eq!(reason, Reason::REASON_CONTAINER_LIMITATION_MEMORY);
        assert_eq!(message, "expected; Memory limit exceeded");
        let (_, reason, message) = cause(None, Some(&ContainerTermination::default()));
        assert_eq!((reason, message.as_str()), (Reason::REASON_EXECUTOR_TERMINATED, "Executor terminated"));
        assert_eq!(cause(None, None).2, "Abnormal executor termination: unknown container");
    }
}
