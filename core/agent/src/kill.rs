//! Killing a task: in the queue by the agent, in the executor by the executor.

use crate::executor::events;
use crate::state::{Phase, executor};
use crate::status_update::Report;
use crate::{Agent, Cx};
use tepui_base::{FrameworkId, TaskId};
use tepui_proto::ids::ProtoId;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::internal::KillTaskMessage;
use tepui_proto::mesos::task_status::Reason;
use tepui_wire::Upid;

const KILLED: &str = "Killed before delivery to the executor";
const GROUP_KILLED: &str = "A task within the task group was killed before delivery to the executor";

impl Agent {
    /// The scheduler wants a task gone. A framework the agent does not know gets no answer.
    pub(crate) fn kill_task(&mut self, cx: &mut Cx<'_>, from: &Upid, message: &KillTaskMessage) {
        let (framework, task) = (message.framework_id.id(), message.task_id.id());
        if self.state.master.as_ref() != Some(from) || self.state.phase == Phase::Terminating {
            return;
        }
        let Some(of) = self.state.framework(&framework).filter(|framework| !framework.terminating) else { return };
        let Some(executor) = of.executor_of(&task).cloned() else {
            let state = if of.is_partition_aware() { TaskState::TASK_DROPPED } else { TaskState::TASK_LOST };
            let reason = Reason::REASON_EXECUTOR_TERMINATED;
            let report = Report {
                framework: &framework,
                task: &task,
                executor: None,
                state,
                reason,
                message: "Cannot find executor",
            };
            self.report(cx, &report);
            return;
        };
        match executor.phase {
            // The end of the executor is the end of the task.
            executor::Phase::Terminating | executor::Phase::Terminated => {}
            executor::Phase::Registering => self.kill_queued(cx, &framework, &executor, &task, GROUP_KILLED),
            executor::Phase::Running if executor.is_queued(&task) => {
                self.kill_queued(cx, &framework, &executor, &task, KILLED);
                self.shut_down_if_without_work(cx, &framework, &executor.id);
            }
            executor::Phase::Running => {
                let event = events::kill(message.task_id.clone(), message.kill_policy.clone());
                self.send_event(cx, &executor, event);
            }
        }
    }

    /// A task that has not been sent ends here, and with it its whole group.
    fn kill_queued(
        &mut self,
        cx: &mut Cx<'_>,
        framework: &FrameworkId,
        executor: &executor::Executor,
        task: &TaskId,
        group_message: &str,
    ) {
        let (tasks, is_group) = executor.queued_with(task);
        for task in &tasks {
            let report = Report {
                framework,
                task,
                executor: Some(&executor.id),
                state: TaskState::TASK_KILLED,
                reason: Reason::REASON_TASK_KILLED_DURING_LAUNCH,
                message: if is_group { group_message } else { KILLED },
            };
            self.report(cx, &report);
        }
    }

    /// An executor that never got a task and has none to come would wait for ever. Returns whether it is told to go.
    pub(crate) fn shut_down_if_without_work(
        &mut self,
        cx: &mut Cx<'_>,
        framework: &FrameworkId,
        id: &tepui_base::ExecutorId,
    ) -> bool {
        let Some(executor) = self.state.executor(framework, id) else { return false };
        let idle = !executor.ever_sent_task() && executor.queued.is_empty();
        if idle {
            self.shutdown_executor(cx, framework, id);
        }
        idle
    }
}
