//! What agents say of themselves when they register. An agent that says nonsense is not answered, as in Mesos; the texts are
//! for whoever looks.

use super::{Checked, executor, framework, resource};
use crate::agent::capacity::{AGENT_MAX, Sums, added, sums, used};
use crate::names;
use crate::state::task::holds_resources;
use std::collections::BTreeSet;
use tepui_proto::codec;
use tepui_proto::mesos::internal::{RegisterAgentMessage, ReregisterAgentMessage, UpdateAgentMessage};
use tepui_proto::mesos::{AgentInfo, Resource, TaskState};
use tepui_resources::Resources;

/// Entries of which no two can be added together stay apart in what is kept, where each is looked for one by one. With one
/// reservation for each resource of each task and a volume for each task, an agent has a few hundred.
const KINDS_MAX: usize = 5_000;

/// The items of sets (devices, say) that an agent can list: an item is looked for one by one.
const ITEMS_MAX: usize = 10_000;

/// Nothing that is searched one by one is long.
fn searchable<'a>(lists: impl Iterator<Item = &'a [Resource]> + Clone) -> Checked {
    let items: usize = lists.clone().flatten().map(|one| one.set.item.len()).sum();
    if items > ITEMS_MAX {
        return Err(format!("{items} items of sets are more than {ITEMS_MAX}"));
    }
    if lists.clone().map(<[Resource]>::len).sum::<usize>() <= KINDS_MAX {
        return Ok(());
    }
    let mut kinds = BTreeSet::new();
    for one in lists.flatten() {
        let (scalar, ranges, set) = Default::default();
        kinds.insert(codec::encode(&Resource { scalar, ranges, set, ..one.clone() }));
        if kinds.len() > KINDS_MAX {
            return Err(format!("There are more than {KINDS_MAX} kinds of resources"));
        }
    }
    Ok(())
}

pub(crate) fn resources(resources: &[Resource]) -> Checked {
    tepui_resources::validate::list(resources).map_err(|error| error.to_string())?;
    let mut allocated = resources.iter().filter_map(|one| one.allocation_info.role.as_deref());
    allocated.try_for_each(|role| tepui_resources::roles::validate(role).map_err(|error| error.to_string()))?;
    let sums = sums([resources]);
    names::are_few(sums.keys().map(String::as_str))?;
    countable(&sums)
}

/// No sum of what an agent lists is more than one can have.
fn countable(sums: &Sums) -> Checked {
    match sums.iter().find(|(_, sum)| **sum > AGENT_MAX) {
        Some((name, sum)) => Err(format!("'{name}' of {sum} is more than an agent can have")),
        None => Ok(()),
    }
}

fn info(info: &AgentInfo) -> Checked {
    if let Some(id) = info.id.as_option() {
        super::id(&id.value)?;
    }
    resources(&info.resources)
}

/// A new agent.
pub fn register(message: &RegisterAgentMessage) -> Checked {
    searchable([&*message.agent.resources, &*message.checkpointed_resources].into_iter())?;
    info(&message.agent)?;
    if !message.checkpointed_resources.is_empty() && !message.agent.checkpoint.unwrap_or(false) {
        return Err("Checkpointed resources provided when checkpointing is not enabled".to_owned());
    }
    resources(&message.checkpointed_resources)
}

/// An agent that has an id, with all that it runs.
pub fn reregister(message: &ReregisterAgentMessage) -> Checked {
    let own = [&*message.agent.resources, &*message.checkpointed_resources].into_iter();
    let by_tasks = message.tasks.iter().map(|task| &*task.resources);
    let by_executors = message.executor_infos.iter().map(|info| &*info.resources);
    // Use comes out of what there is, and names who it is allocated to besides: it is looked at by itself.
    searchable(own)?;
    searchable(by_tasks.chain(by_executors))?;
    info(&message.agent)?;
    super::id(&message.agent.id.value)?;
    resources(&message.checkpointed_resources)?;
    let mut frameworks = BTreeSet::new();
    for info in &message.frameworks {
        framework::validate(info)?;
        let id = info.id.value.as_str();
        if !frameworks.insert(id) {
            return Err(format!("Framework has a duplicate FrameworkID: '{id}'"));
        }
    }
    let executors = executors(message, &frameworks)?;
    tasks(message, &frameworks, &executors)?;
    countable(&used(message))?;
    apart(message)
}

/// What a registered agent has besides. Resources that are none, and roles they are allocated to, are left out later.
pub fn update(message: &UpdateAgentMessage) -> Checked {
    let providers = message.resource_providers.providers.iter().map(|provider| &*provider.total_resources);
    searchable(providers.chain([&*message.oversubscribed_resources]))?;
    let added = added(message);
    names::are_few(added.keys().map(String::as_str))?;
    countable(&added)
}

/// No two that hold resources hold the same port or item.
fn apart(message: &ReregisterAgentMessage) -> Checked {
    let tasks = message.tasks.iter().filter(|task| holds_resources(task.state)).map(|task| &task.resources);
    let executors = message.executor_infos.iter().map(|info| &info.resources);
    let held: Vec<Resources> = tasks.chain(executors).map(|held| unshared(held)).collect();
    match resource::overlap(&held) {
        true => Err("Two tasks or executors hold the same port or item".to_owned()),
        false => Ok(()),
    }
}

/// Allocation sets nothing apart here: a port is one, whoever has it.
fn unshared(held: &[Resource]) -> Resources {
    Resources::from_proto(held).non_shared().unallocated()
}

type Executors<'a> = BTreeSet<(&'a str, &'a str)>;

fn executors<'a>(message: &'a ReregisterAgentMessage, frameworks: &BTreeSet<&str>) -> Result<Executors<'a>, String> {
    let mut known = BTreeSet::new();
    for info in &message.executor_infos {
        executor::validate(info)?;
        resources(&info.resources)?;
        let (framework, executor) = (info.framework_id.value.as_str(), info.executor_id.value.as_str());
        if !frameworks.contains(framework) {
            return Err(format!("Executor has an invalid FrameworkID '{framework}'"));
        }
        if !known.insert((framework, executor)) {
            return Err(format!("Framework '{framework}' has a duplicate ExecutorID '{executor}'"));
        }
    }
    Ok(known)
}

fn tasks(message: &ReregisterAgentMessage, frameworks: &BTreeSet<&str>, executors: &Executors) -> Checked {
    for task in &message.tasks {
        super::id(&task.task_id.value).map_err(|error| format!("Task has an invalid TaskID: {error}"))?;
        let (agent, framework) = (task.agent_id.value.as_str(), task.framework_id.value.as_str());
        if agent != message.agent.id.value {
            return Err(format!("Task has an invalid SlaveID '{agent}'"));
        }
        if !frameworks.contains(framework) {
            return Err(format!("Task has an invalid FrameworkID '{framework}'"));
        }
        if let Some(executor) = task.executor_id.as_option()
            && task.state == TaskState::TASK_RUNNING
            && !executors.contains(&(framework, executor.value.as_str()))
        {
            return Err(format!("Task has an invalid ExecutorID '{}'", executor.value));
        }
        resources(&task.resources).map_err(|error| format!("Task uses invalid resources: {error}"))?;
    }
    Ok(())
}
