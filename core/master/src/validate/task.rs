//! Tasks.

use super::{Checked, container, executor, resource};
use crate::state::{Agent, Framework};
use tepui_base::{ExecutorId, TaskId};
use tepui_proto::ProtoId;
use tepui_proto::mesos::agent_info::capability::Type as Capability;
use tepui_proto::mesos::executor_info::Type as ExecutorType;
use tepui_proto::mesos::{ContainerInfo, ExecutorInfo, TaskInfo};
use tepui_resources::Resources;

/// Whether a framework may launch a task on an agent with what is left of the offers. The task's resources are in the
/// newest form and allocated.
pub fn validate(task: &TaskInfo, framework: &Framework, agent: &Agent, offered: &Resources) -> Checked {
    validate_task(task, framework, agent)?;
    validate_executor(task, framework, agent, offered)?;
    if share_cgroups(&task.container) == Some(false) {
        return Err("Only tasks in a task group may have 'share_cgroups' set to 'false'".to_owned());
    }
    Ok(())
}

/// What holds for each task, alone or in a group.
pub(super) fn validate_task(task: &TaskInfo, framework: &Framework, agent: &Agent) -> Checked {
    super::id(&task.task_id.value)?;
    let id = TaskId::from(&*task.task_id);
    if framework.tasks.contains_key(&id) {
        return Err(format!("Task has duplicate ID: {id}"));
    }
    if framework.unreachable.contains_key(&id) {
        return Err(format!("Task reuses the ID of an unreachable task: {id}"));
    }
    if task.agent_id.id() != agent.id {
        return Err(format!("Task uses invalid agent {} while agent {} is expected", task.agent_id.value, agent.id));
    }
    if task.kill_policy.grace_period.nanoseconds < 0 {
        return Err("Task's 'kill_policy.grace_period' must be non-negative".to_owned());
    }
    if task.max_completion_time.nanoseconds < 0 {
        return Err("Task's `max_completion_time` must be non-negative".to_owned());
    }
    if let Some(check) = task.check.as_option() {
        container::check(check).map_err(|error| format!("Task uses invalid check: {error}"))?;
    }
    if let Some(check) = task.health_check.as_option() {
        container::health_check(check).map_err(|error| format!("Task uses invalid health check: {error}"))?;
    }
    validate_resources(task)?;
    if let Some(command) = task.command.as_option() {
        container::command(command).map_err(|error| format!("Task's `CommandInfo` is invalid: {error}"))?;
    }
    if let Some(info) = task.container.as_option() {
        container::container(info).map_err(|error| format!("Task's `ContainerInfo` is invalid: {error}"))?;
    }
    validate_limits(task, agent)
}

fn validate_resources(task: &TaskInfo) -> Checked {
    if task.resources.is_empty() {
        return Err("Task uses no resources".to_owned());
    }
    resource::validate(&task.resources).map_err(|error| format!("Task uses invalid resources: {error}"))?;
    let resources = Resources::from_proto(&task.resources);
    resource::unique_persistence_ids(&resources)
        .map_err(|error| format!("Task uses duplicate persistence ID: {error}"))?;
    resource::allocated_to_one_role(&resources).map_err(|error| format!("Invalid task resources: {error}"))?;
    resource::revocable_or_not(&resources)
        .map_err(|error| format!("Task mixes revocable and non-revocable resources: {error}"))
}

fn validate_limits(task: &TaskInfo, agent: &Agent) -> Checked {
    let limit = |name: &str| task.limits.get(name).map(|limit| limit.value);
    if task.limits.is_empty() {
        return Ok(());
    }
    if !agent.has(Capability::TASK_RESOURCE_LIMITS) {
        return Err("Agent is not capable of handling task resource limits".to_owned());
    }
    if task.limits.keys().any(|name| name != "cpus" && name != "mem") {
        return Err("Only cpus and mem may be included in a task's resource limits".to_owned());
    }
    let resources = Resources::from_proto(&task.resources);
    if let Some(limit) = limit("cpus") {
        let Some(cpus) = resources.cpus() else {
            return Err("When a CPU limit is specified, a CPU request must also be specified".to_owned());
        };
        if limit < cpus.to_f64() {
            return Err("The cpu limit must be greater than or equal to the cpu request".to_owned());
        }
    }
    if let Some(limit) = limit("mem") {
        let Some(mem) = resources.mem() else {
            return Err("When a memory limit is specified, a memory request must also be specified".to_owned());
        };
        // Mesos counts memory in whole megabytes here.
        if limit.trunc() < mem.to_f64().trunc() {
            return Err("The memory limit must be greater than or equal to the memory request".to_owned());
        }
    }
    Ok(())
}

fn validate_executor(task: &TaskInfo, framework: &Framework, agent: &Agent, offered: &Resources) -> Checked {
    if task.executor.is_set() == task.command.is_set() {
        return Err("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present".to_owned());
    }
    let mut total = Resources::from_proto(&task.resources);
    if let Some(info) = task.executor.as_option() {
        validate_custom_executor(info, framework, agent)?;
        let known = (framework.id.clone(), ExecutorId::from(&*info.executor_id));
        if !agent.executors.contains(&known) {
            total += &Resources::from_proto(&info.resources);
        }
    }
    validate_together(task)?;
    if !offered.contains(&total) {
        return Err(format!(
            "Total resources {total} required by task and its executor is more than available {offered}"
        ));
    }
    Ok(())
}

fn validate_custom_executor(info: &ExecutorInfo, framework: &Framework, agent: &Agent) -> Checked {
    executor::validate_for(info, framework, agent)?;
    if info.r#type.is_some_and(|kind| kind != ExecutorType::CUSTOM) {
        return Err("'ExecutorInfo.type' must be 'CUSTOM'".to_owned());
    }
    if !info.command.is_set() {
        return Err("'ExecutorInfo.command' must be set".to_owned());
    }
    let resources = Resources::from_proto(&info.resources);
    if !resources.shared().is_empty() {
        return Err(format!("Executor resources {resources} should not contain any shared resources"));
    }
    if share_cgroups(&info.container) == Some(true) {
        return Err("The 'share_cgroups' field cannot be set to 'true' on executor containers".to_owned());
    }
    Ok(())
}

fn validate_together(task: &TaskInfo) -> Checked {
    let own = Resources::from_proto(&task.resources);
    let executor = Resources::from_proto(&task.executor.resources);
    if resource::overlap(&[own.clone(), executor.clone()]) {
        return Err(format!(
            "There are overlapping resources in the task resources {} and executor resources {}",
            resource::message_text(&task.resources),
            resource::message_text(&task.executor.resources)
        ));
    }
    let mut total = own;
    total += &executor;
    resource::unique_persistence_ids(&total)
        .map_err(|error| format!("Task and its executor use duplicate persistence ID: {error}"))?;
    resource::revocable_or_not(&total)
        .map_err(|error| format!("Task and its executor mix revocable and non-revocable resources: {error}"))
}

/// Whether a container says that it shares its parent's cgroups.
pub(super) fn share_cgroups(container: &ContainerInfo) -> Option<bool> {
    container.linux_info.share_cgroups
}
