//! What the master asked to run, in one shape for single tasks and groups.

use crate::messages;
use crate::state::Framework;
use crate::{Config, command_executor};
use std::sync::Arc;
use tepui_proto::mesos::internal::{ResourceVersionUUID, RunTaskGroupMessage, RunTaskMessage};
use tepui_proto::mesos::{ExecutorInfo, FrameworkInfo, Resource, TaskGroupInfo, TaskInfo};
use tepui_resources::{Role, format};
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
            pid: message.pid.as_deref().and_then(messages::process),
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

    /// Brings resources into the form the agent works with: reservations as a stack, as older masters do not send
    /// them, and with the role they are allocated to, which is plain if the framework has only one.
    pub fn complete(&mut self) {
        let mut roles = Framework::roles(&self.framework);
        let role = roles.pop().filter(|_| roles.is_empty()).map(|role| Role::from(role.as_str()));
        let complete = |resources: &mut Vec<Resource>| {
            format::upgrade_all(resources);
            if let Some(role) = &role {
                format::inject_allocation(resources, role);
            }
        };
        let complete_task = |task: &mut TaskInfo| {
            complete(&mut task.resources);
            if let Some(executor) = task.executor.as_option_mut() {
                complete(&mut executor.resources);
            }
        };
        complete(&mut self.executor.resources);
        self.tasks.iter_mut().for_each(complete_task);
        if let Some(group) = &mut self.group {
            Arc::make_mut(group).tasks.iter_mut().for_each(complete_task);
        }
    }
}
