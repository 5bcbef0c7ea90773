//! LAUNCH_GROUP: tasks that share one executor and start or fail together.

use super::{
    Purse, RESOURCES_MAX, Refusal, decorate, downgrade_for, prepare_resources, prepare_task, resource_versions,
};
use crate::Master;
use crate::cx::Cx;
use crate::state::Task;
use crate::validate;
use tepui_proto::MessageField;
use tepui_proto::mesos::agent_info::capability::Type as AgentCapability;
use tepui_proto::mesos::internal::RunTaskGroupMessage;
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::offer::operation::LaunchGroup;
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{ExecutorInfo, TaskGroupInfo, TaskInfo};
use tepui_resources::{Resources, format};

/// Resources of all tasks of a group: its check compares those of each task with those of the others.
const GROUP_RESOURCES_MAX: usize = 20 * RESOURCES_MAX;

impl Master {
    /// One invalid task, or the executor, spoils the whole group.
    pub(super) fn launch_group(&mut self, cx: &mut Cx, purse: &mut Purse, operation: Operation) {
        let has_id = operation.id.is_set();
        let LaunchGroup { executor, task_group, .. } = operation.launch_group.into_option().unwrap_or_default();
        let mut executor = executor.into_option().unwrap_or_default();
        let mut tasks = task_group.into_option().unwrap_or_default().tasks;
        let refused = self.check_group(purse, &mut executor, &mut tasks, has_id);
        if let Err((text, reason)) = refused {
            return self.answer(cx, &purse.framework, &tasks, &Refusal::error(reason, text));
        }
        let (launch_executor, mut consumed) = self.ensure_executor(purse, &executor);
        for task in &mut tasks {
            let resources = Resources::from_proto(&task.resources);
            consumed += &resources;
            self.add_task(cx, Task::staging(task, &purse.framework, resources));
        }
        purse.spend(&consumed);
        let framework = self.state.framework_mut(&purse.framework).expect("a caller is registered");
        framework.metrics.launch_group += 1;
        self.send_run_group(cx, purse, executor, tasks, launch_executor);
    }

    fn check_group(
        &self,
        purse: &Purse,
        executor: &mut ExecutorInfo,
        tasks: &mut [TaskInfo],
        has_id: bool,
    ) -> Result<(), (String, Reason)> {
        let invalid = |text| (text, Reason::REASON_TASK_GROUP_INVALID);
        let resources: usize = tasks.iter().map(|task| task.resources.len()).sum();
        if resources > GROUP_RESOURCES_MAX {
            return Err(invalid(format!("{resources} resources of a group are more than {GROUP_RESOURCES_MAX}")));
        }
        prepare_resources(&mut executor.resources, &purse.role).map_err(invalid)?;
        tasks.iter_mut().try_for_each(|task| prepare_task(task, &purse.role)).map_err(invalid)?;
        if has_id {
            return Err(invalid("The `id` field cannot be set on LAUNCH_GROUP operations".to_owned()));
        }
        for task in tasks.iter_mut().filter(|task| !task.executor.is_set()) {
            task.executor = MessageField::some(executor.clone());
        }
        for task in &*tasks {
            let text = |_| format!("Task '{}' is not authorized to launch task", task.task_id.value);
            let unauthorized = |text| (text, Reason::REASON_TASK_GROUP_UNAUTHORIZED);
            self.may_run(purse, task).map_err(text).map_err(unauthorized)?;
        }
        let framework = &self.state.frameworks[&purse.framework];
        let agent = &self.state.agents[&purse.agent];
        validate::group::validate(tasks, executor, framework, agent, &purse.remaining).map_err(invalid)
    }

    fn send_run_group(
        &mut self,
        cx: &mut Cx,
        purse: &Purse,
        mut executor: ExecutorInfo,
        mut tasks: Vec<TaskInfo>,
        launch_executor: bool,
    ) {
        let framework = &self.state.frameworks[&purse.framework];
        let agent = &self.state.agents[&purse.agent];
        for task in &mut tasks {
            decorate(self, task, framework, agent);
            downgrade_for(agent, task);
        }
        if !agent.has(AgentCapability::RESERVATION_REFINEMENT) {
            // As for its tasks: such an agent has no refined reservations.
            let _ = format::downgrade_all(&mut executor.resources);
        }
        let message = RunTaskGroupMessage {
            framework: MessageField::some((*framework.info).clone()),
            executor: MessageField::some(executor),
            task_group: MessageField::some(TaskGroupInfo { tasks, ..Default::default() }),
            resource_version_uuids: resource_versions(agent),
            launch_executor: Some(launch_executor),
            ..Default::default()
        };
        cx.send(&self.config.pid, &agent.pid, &message);
    }
}
