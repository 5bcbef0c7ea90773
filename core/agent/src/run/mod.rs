//! Running tasks: an assignment of the master becomes a queued task and, if need be, a new executor.
//!
//! Every way out that launches nothing tells the framework (a dropped task) and, if the master counted on a new
//! executor, the master as well (`ExitedExecutorMessage` with status -1), or it would hold the executor's resources.

mod assignment;
mod launch;
mod queue;

pub(crate) use assignment::Assignment;
pub(crate) use queue::queued_ids;

use crate::state::{Framework, Phase, executor, task};
use crate::status_update::Report;
use crate::{Agent, Cx, paths};
use std::sync::Arc;
use tepui_authz::Action;
use tepui_base::{ExecutorId, FrameworkId, TaskId};
use tepui_proto::ids::ProtoId;
use tepui_proto::mesos::internal::{ExitedExecutorMessage, RunTaskGroupMessage, RunTaskMessage};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{FrameworkInfo, TaskInfo, TaskState};
use tepui_proto::{MessageField, ToProto};
use tepui_wire::Upid;

impl Agent {
    pub(crate) fn run_task(&mut self, cx: &mut Cx<'_>, from: &Upid, message: RunTaskMessage) {
        if self.state.master.as_ref() != Some(from) || !message.framework.id.is_set() {
            return;
        }
        let assignment = Assignment::of_task(&self.config, message);
        self.run(cx, assignment);
    }

    pub(crate) fn run_task_group(&mut self, cx: &mut Cx<'_>, from: &Upid, message: RunTaskGroupMessage) {
        let is_empty = message.task_group.tasks.is_empty();
        if self.state.master.as_ref() != Some(from) || !message.framework.id.is_set() || is_empty {
            return;
        }
        self.run(cx, Assignment::of_group(message));
    }

    fn run(&mut self, cx: &mut Cx<'_>, mut assignment: Assignment) {
        let own = self.state.id.as_ref().map_or("", |id| id.as_str());
        // A task for an agent of another id was meant for an earlier life of this one.
        if self.state.phase == Phase::Terminating || assignment.tasks.iter().any(|t| t.agent_id.value != own) {
            return;
        }
        assignment.complete();
        self.know_framework(&assignment);
        let framework = assignment.framework_id();
        if self.state.framework(&framework).is_some_and(|framework| framework.terminating) {
            if assignment.launch_executor == Some(true) {
                self.executor_exited(cx, &framework, &assignment.executor_id(), -1);
            }
            return;
        }
        self.relabel(&mut assignment);
        match self.obstacle(&assignment) {
            None => self.place(cx, &assignment),
            Some((state, reason, message)) => {
                // What is not allowed, and limits that cannot be set, are told without the executor, as in Mesos.
                let is_named = state != TaskState::TASK_ERROR && reason != Reason::REASON_GC_ERROR;
                let executor = is_named.then(|| assignment.executor_id());
                let waits = self.streams.has_any(&framework);
                self.report_all(cx, &assignment, executor.as_ref(), (state, reason), &message);
                if !waits {
                    self.remove_framework_if_idle(cx, &framework);
                }
                if assignment.launch_executor == Some(true) {
                    self.executor_exited(cx, &framework, &assignment.executor_id(), -1);
                }
            }
        }
    }

    /// Makes sure the framework is known; one that returns brings its completed executors back.
    fn know_framework(&mut self, assignment: &Assignment) {
        let id = assignment.framework_id();
        if self.state.frameworks.contains_key(&id) {
            return;
        }
        let mut framework = Framework::new(id.clone(), assignment.framework.clone(), assignment.pid.clone());
        if let Some(past) = self.state.revive(&id) {
            framework.completed_executors = Arc::unwrap_or_clone(past).completed_executors;
        }
        self.state.frameworks.insert(id, Arc::new(framework));
    }

    /// Why these tasks can not run here, whatever the state of their executor.
    fn obstacle(&self, assignment: &Assignment) -> Option<(TaskState, Reason, String)> {
        if let Some((reason, text)) = self.unauthorized(assignment) {
            return Some((TaskState::TASK_ERROR, reason, text));
        }
        let (reason, text) = self.misfit(assignment)?;
        Some((dropped_state(&assignment.framework), reason, text))
    }

    /// The rules in force may not let the framework run tasks as this user.
    fn unauthorized(&self, assignment: &Assignment) -> Option<(Reason, String)> {
        let framework = &assignment.framework;
        let may_run = |task: &&TaskInfo| {
            let user = assignment.executor.command.user.as_ref().or(task.command.user.as_ref());
            let user = user.unwrap_or(&framework.user);
            self.approvers.approved(&framework.principal, Action::RunTask, user)
        };
        let task = assignment.tasks.iter().find(|task| !may_run(task))?;
        let is_group = assignment.group.is_some();
        let reason = if is_group { Reason::REASON_TASK_GROUP_UNAUTHORIZED } else { Reason::REASON_TASK_UNAUTHORIZED };
        let id = &framework.id.value;
        Some((reason, format!("Framework {id} is not authorized to launch task {}", task::id_of(task))))
    }

    /// Modules may replace the labels of tasks.
    fn relabel(&self, assignment: &mut Assignment) {
        let agent = self.info();
        for at in 0..assignment.tasks.len() {
            let task = &assignment.tasks[at];
            let labels = self.hooks.agent_run_task_labels(task, &assignment.executor, &assignment.framework, &agent);
            let Some(labels) = labels else { continue };
            assignment.tasks[at].labels = MessageField::some(labels.clone());
            if let Some(group) = &mut assignment.group {
                Arc::make_mut(group).tasks[at].labels = MessageField::some(labels);
            }
        }
    }

    /// What of the assignment does not fit this agent.
    fn misfit(&self, assignment: &Assignment) -> Option<(Reason, String)> {
        if let Some(text) = limits_obstacle(&assignment.tasks, &self.config.isolation) {
            return Some((Reason::REASON_GC_ERROR, text.to_owned()));
        }
        let is_stale = |uuid: &[u8]| uuid != self.resource_version;
        let versions = &assignment.resource_versions;
        // Resources of providers carry a version of their own; this agent has no providers.
        if versions.iter().any(|v| v.resource_provider_id.is_set() || is_stale(&v.uuid.value)) {
            return Some((Reason::REASON_INVALID_OFFERS, "Task assumes outdated resource state".to_owned()));
        }
        if let Some(text) = self.unknown_resources(assignment) {
            return Some((Reason::REASON_RESOURCES_UNKNOWN, text.to_owned()));
        }
        let ids = [assignment.executor.framework_id.value.as_str(), assignment.executor.executor_id.value.as_str()];
        if let Some(bad) = ids.into_iter().find(|id| !id.is_empty() && !paths::is_component(id)) {
            return Some((Reason::REASON_EXECUTOR_TERMINATED, format!("'{bad}' can not name a directory")));
        }
        None
    }

    /// Gives the tasks to their executor, which is launched first if there is none.
    fn place(&mut self, cx: &mut Cx<'_>, assignment: &Assignment) {
        let (framework, id) = (assignment.framework_id(), assignment.executor_id());
        let phase = self.state.executor(&framework, &id).map(|executor| executor.phase);
        match (phase, assignment.launch_executor) {
            (Some(phase), Some(true)) => {
                let text = "Master wants to launch executor, but one already exists";
                self.drop_tasks(cx, assignment, Reason::REASON_EXECUTOR_TERMINATED, text);
                match phase {
                    executor::Phase::Terminated => self.executor_exited(cx, &framework, &id, -1),
                    executor::Phase::Terminating => {}
                    // The master does not know this executor, so nobody would ever use or end it.
                    _ => self.shutdown_executor(cx, &framework, &id),
                }
            }
            (None, Some(false)) if !assignment.generated => {
                let text = "No executor is expected to launch and there is none running";
                // The framework stays until it has acknowledged that: it may be away.
                self.drop_tasks(cx, assignment, Reason::REASON_EXECUTOR_TERMINATED, text);
            }
            (None, _) => self.launch_executor(cx, assignment),
            (Some(executor::Phase::Terminating), _) => {
                self.report_late(cx, assignment, "Executor terminating");
            }
            (Some(executor::Phase::Terminated), _) => {
                self.report_late(cx, assignment, "Executor terminated");
            }
            (Some(_), _) => self.queue(cx, assignment),
        }
    }

    /// Reports tasks that were never launched.
    fn drop_tasks(&mut self, cx: &mut Cx<'_>, assignment: &Assignment, reason: Reason, message: &str) {
        let (executor, state) = (assignment.executor_id(), dropped_state(&assignment.framework));
        self.report_all(cx, assignment, Some(&executor), (state, reason), message);
    }

    /// Reports tasks that came too late for their executor; it is not named, as in Mesos.
    fn report_late(&mut self, cx: &mut Cx<'_>, assignment: &Assignment, message: &str) {
        let what = (dropped_state(&assignment.framework), Reason::REASON_EXECUTOR_TERMINATED);
        self.report_all(cx, assignment, None, what, message);
    }

    /// Reports the same of all tasks.
    fn report_all(
        &mut self,
        cx: &mut Cx<'_>,
        assignment: &Assignment,
        executor: Option<&ExecutorId>,
        (state, reason): (TaskState, Reason),
        message: &str,
    ) {
        let framework = assignment.framework_id();
        for task in &assignment.tasks {
            let task = TaskId::from(task::id_of(task));
            let report = Report { framework: &framework, task: &task, executor, state, reason, message };
            self.report(cx, &report);
        }
    }

    /// Tells the master that an executor it knows of is gone.
    pub(crate) fn executor_exited(&self, cx: &mut Cx<'_>, framework: &FrameworkId, id: &ExecutorId, status: i32) {
        let message = ExitedExecutorMessage {
            agent_id: self.agent_id(),
            framework_id: framework.to_field(),
            executor_id: MessageField::some(id.to_proto()),
            status,
            ..ExitedExecutorMessage::default()
        };
        self.send_to_master(cx, &message);
    }
}

/// How a task that never ran is called: frameworks that are not partition-aware know only `TASK_LOST`.
pub(crate) fn dropped_state(framework: &FrameworkInfo) -> TaskState {
    use tepui_proto::mesos::framework_info::capability::Type;
    let aware = crate::state::framework::has_capability(framework, Type::PARTITION_AWARE);
    if aware { TaskState::TASK_DROPPED } else { TaskState::TASK_LOST }
}

/// Limits need isolators that enforce them.
fn limits_obstacle(tasks: &[TaskInfo], isolation: &str) -> Option<&'static str> {
    let enforced = |name: &str| isolation.contains(name) || isolation.contains("cgroups/all");
    let limited = |name: &str| tasks.iter().any(|task| task.limits.contains_key(name));
    if limited("cpus") && !enforced("cgroups/cpu") {
        return Some(
            "CPU limits can only be set on tasks launched in Mesos containers when the agent has loaded the \
             'cgroups/cpu' isolator",
        );
    }
    if limited("mem") && !enforced("cgroups/mem") {
        return Some(
            "Memory limits can only be set on tasks launched in Mesos containers when the agent has loaded the \
             'cgroups/mem' isolator",
        );
    }
    None
}

impl Assignment {
    fn framework_id(&self) -> FrameworkId {
        self.framework.id.id()
    }

    fn executor_id(&self) -> ExecutorId {
        self.executor.executor_id.id()
    }
}
