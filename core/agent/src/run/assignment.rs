//! What the master asked to run, in one shape for single tasks and groups.

use crate::messages::parse_pid;
use crate::state::Framework;
use crate::{Config, command_executor};
use std::sync::Arc;
use tepui_proto::MessageField;
use tepui_proto::mesos::internal::{ResourceVersionUUID, RunTaskGroupMessage, RunTaskMessage};
use tepui_proto::mesos::resource::AllocationInfo;
use tepui_proto::mesos::{ExecutorInfo, FrameworkInfo, Resource, TaskGroupInfo, TaskInfo};
use tepui_wire::Upid;

/// One task or one group of tasks, and the executor they are for.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub framework: FrameworkInfo,
    pub executor: ExecutorInfo,
    /// Whether the executor was made up here, for a task that is only a command.
    pub generated: bool,
    pub tasks: Vec<TaskInfo>,
    /// The group as it is to be relayed, if the tasks are one.
    pub group: Option<Arc<TaskGroupInfo>>,
    pub resource_versions: Vec<ResourceVersionUUID>,
    /// The scheduler's address, if it is a V0 driver.
    pub pid: Option<Upid>,
    /// Whether the master counts on a new executor; masters before 1.6 do not say.
    pub launch_executor: Option<bool>,
}

impl Assignment {
    pub fn of_task(config: &Config, message: RunTaskMessage) -> Assignment {
        let framework = message.framework.into_option().unwrap_or_default();
        let task = message.task.into_option().unwrap_or_default();
        let (executor, generated) = match task.executor.as_option() {
            Some(executor) => (executor.clone(), false),
            None => (command_executor::describe(config, &framework, &task), true),
        };
        Assignment {
            framework,
            executor,
            generated,
            tasks: vec![task],
            group: None,
            resource_versions: message.resource_version_uuids,
            pid: message.pid.as_deref().and_then(parse_pid),
            launch_executor: message.launch_executor,
        }
    }

    pub fn of_group(message: RunTaskGroupMessage) -> Assignment {
        let group = message.task_group.into_option().unwrap_or_default();
        Assignment {
            framework: message.framework.into_option().unwrap_or_default(),
            executor: message.executor.into_option().unwrap_or_default(),
            generated: false,
            tasks: group.tasks.clone(),
            group: Some(Arc::new(group)),
            resource_versions: message.resource_version_uuids,
            pid: None,
            launch_executor: message.launch_executor,
        }
    }

    /// Writes the role of allocation on resources that lack it, as older masters send them.
    pub fn complete_allocation(&mut self) {
        let mut roles = Framework::roles(&self.framework);
        let Some(role) = roles.pop().filter(|_| roles.is_empty()) else { return };
        allocate(&mut self.executor.resources, &role);
        self.tasks.iter_mut().for_each(|task| allocate_task(task, &role));
        if let Some(group) = &mut self.group {
            Arc::make_mut(group).tasks.iter_mut().for_each(|task| allocate_task(task, &role));
        }
    }
}

fn allocate_task(task: &mut TaskInfo, role: &str) {
    allocate(&mut task.resources, role);
    if task.executor.is_set() {
        allocate(&mut task.executor.get_or_insert_default().resources, role);
    }
}

fn allocate(resources: &mut [Resource], role: &str) {
    for resource in resources.iter_mut().filter(|resource| !resource.allocation_info.is_set()) {
        let info = AllocationInfo { role: Some(role.to_owned()), ..AllocationInfo::default() };
        resource.allocation_info = MessageField::some(info);
    }
}
