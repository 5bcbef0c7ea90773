//! Task groups.

use super::task::share_cgroups;
use super::{Checked, container, executor, resource, task};
use crate::state::{Agent, Framework};
use std::collections::BTreeSet;
use tepui_base::ExecutorId;
use tepui_proto::mesos::container_info::Type as ContainerType;
use tepui_proto::mesos::executor_info::Type as ExecutorType;
use tepui_proto::mesos::health_check::Type as HealthCheckType;
use tepui_proto::mesos::{ExecutorInfo, TaskInfo};
use tepui_resources::{Resources, Scalar};

/// The least an executor of a group needs.
const MIN_CPUS: f64 = 0.01;
const MIN_MEM_MB: f64 = 32.0;

/// Whether a framework may launch a group on an agent with what is left of the offers.
pub fn validate(
    tasks: &[TaskInfo],
    info: &ExecutorInfo,
    framework: &Framework,
    agent: &Agent,
    offered: &Resources,
) -> Checked {
    let mut ids = BTreeSet::new();
    for one in tasks {
        let is_new = ids.insert(one.task_id.value.as_str());
        let unique = || if is_new { Ok(()) } else { Err(format!("Task has duplicate ID: {}", one.task_id.value)) };
        validate_one(one, framework, agent)
            .and_then(|()| unique())
            .map_err(|error| format!("Task '{}' is invalid: {error}", one.task_id.value))?;
    }
    validate_executor(tasks, info, framework, agent, offered)?;
    validate_share_cgroups(tasks, info, framework, agent)
}

fn validate_one(one: &TaskInfo, framework: &Framework, agent: &Agent) -> Checked {
    task::validate_task(one, framework, agent)?;
    if !one.executor.is_set() {
        return Err("'TaskInfo.executor' must be set".to_owned());
    }
    let over_network = matches!(one.health_check.r#type, Some(HealthCheckType::HTTP | HealthCheckType::TCP));
    if !one.container.network_infos.is_empty() && over_network {
        return Err("HTTP and TCP health checks are not supported for nested containers not joining parent's network"
            .to_owned());
    }
    if one.container.is_set() && one.container.r#type == ContainerType::DOCKER {
        return Err("Docker ContainerInfo is not supported on the task".to_owned());
    }
    if !one.limits.is_empty() && share_cgroups(&one.container) != Some(false) {
        return Err("Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is \
                    set to 'false'."
            .to_owned());
    }
    Ok(())
}

fn validate_executor(
    tasks: &[TaskInfo],
    info: &ExecutorInfo,
    framework: &Framework,
    agent: &Agent,
    offered: &Resources,
) -> Checked {
    executor::validate_for(info, framework, agent)?;
    match info.r#type {
        None => return Err("'ExecutorInfo.type' must be set".to_owned()),
        Some(ExecutorType::UNKNOWN) => return Err("Unknown executor type".to_owned()),
        Some(_) => {}
    }
    let id = &info.executor_id.value;
    if info.container.is_set() && info.container.r#type == ContainerType::DOCKER {
        return Err("Docker ContainerInfo is not supported on the executor".to_owned());
    }
    if let Some(other) = tasks.iter().find(|one| !executor::is_same(&one.executor, info)) {
        let task = &other.task_id.value;
        return Err(format!("The `ExecutorInfo` of task '{task}' is different from executor '{id}'"));
    }
    validate_minimum(info)?;
    validate_total(tasks, info, framework, agent, offered)?;
    match info.command.as_option() {
        // The missing space is missing in Mesos too.
        Some(command) => {
            container::command(command).map_err(|error| format!("Executor '{id}'contains an invalid command: {error}"))
        }
        None => Ok(()),
    }
}

fn validate_minimum(info: &ExecutorInfo) -> Checked {
    let id = &info.executor_id.value;
    let resources = Resources::from_proto(&info.resources);
    let text = |amount: Option<Scalar>| amount.map_or_else(|| "None".to_owned(), |amount| amount.to_string());
    let cpus = resources.cpus();
    if cpus.is_none_or(|cpus| cpus.to_f64() < MIN_CPUS) {
        let cpus = text(cpus);
        return Err(format!("Executor '{id}' uses less CPUs ({cpus}) than the minimum required ({MIN_CPUS})"));
    }
    let mem = resources.mem();
    if mem.is_none_or(|mem| mem.to_f64() < MIN_MEM_MB) {
        // Mesos counts memory in whole megabytes here, and writes none of them so.
        let whole =
            |mem: Scalar| if mem.to_f64() < 1.0 { "0B".to_owned() } else { format!("{}MB", mem.to_f64().trunc()) };
        let mem = mem.map_or_else(|| "None".to_owned(), whole);
        return Err(format!("Executor '{id}' uses less memory ({mem}) than the minimum required ({MIN_MEM_MB}MB)"));
    }
    if resources.disk().is_none() {
        return Err(format!("Executor '{id}' uses no disk"));
    }
    Ok(())
}

fn validate_total(
    tasks: &[TaskInfo],
    info: &ExecutorInfo,
    framework: &Framework,
    agent: &Agent,
    offered: &Resources,
) -> Checked {
    let executor = Resources::from_proto(&info.resources);
    let mut parts: Vec<Resources> = tasks.iter().map(|one| Resources::from_proto(&one.resources)).collect();
    let mut total = executor.clone();
    parts.iter().for_each(|part| total += part);
    resource::unique_persistence_ids(&total)
        .map_err(|error| format!("Task group and executor use duplicate persistence ID: {error}"))?;
    resource::revocable_or_not(&total)
        .map_err(|error| format!("Task group and executor mix revocable and non-revocable resources: {error}"))?;
    let texts: Vec<String> = parts.iter().map(Resources::to_string).collect();
    parts.push(executor.clone());
    if resource::overlap(&parts) {
        return Err(format!(
            "There are overlapping resources in the task group's task resources [ {} ] and/or executor resources {}",
            texts.join(", "),
            resource::message_text(&info.resources)
        ));
    }
    if agent.executors.contains(&(framework.id.clone(), ExecutorId::from(&*info.executor_id))) {
        total -= &executor;
    }
    if !offered.contains(&total) {
        return Err(format!(
            "Total resources {total} required by task group and its executor are more than available {offered}"
        ));
    }
    Ok(())
}

fn validate_share_cgroups(tasks: &[TaskInfo], info: &ExecutorInfo, framework: &Framework, agent: &Agent) -> Checked {
    if share_cgroups(&info.container) == Some(true) {
        return Err("The 'share_cgroups' field cannot be set to 'true' on executor containers".to_owned());
    }
    let executor = ExecutorId::from(&*info.executor_id);
    let runs = agent.executors.contains(&(framework.id.clone(), executor.clone()));
    let running = framework
        .tasks
        .values()
        .chain(framework.unreachable.values())
        .filter(|known| runs && known.agent == agent.id && known.executor.as_ref() == Some(&executor))
        .map(|known| known.details.as_ref().and_then(|details| share_cgroups(&details.container)));
    let new = tasks.iter().map(|one| share_cgroups(&one.container));
    let mut shares = new.chain(running).map(|share| share.unwrap_or(true));
    let first = shares.next();
    if shares.any(|share| Some(share) != first) {
        return Err(
            "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under \
                    a single executor"
                .to_owned(),
        );
    }
    Ok(())
}
