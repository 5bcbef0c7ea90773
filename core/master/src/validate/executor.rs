//! Executors.

use super::{Checked, container, resource};
use crate::state::{Agent, Framework};
use tepui_base::ExecutorId;
use tepui_proto::mesos::ExecutorInfo;
use tepui_proto::mesos::container_info::Type as ContainerType;
use tepui_proto::mesos::executor_info::Type;
use tepui_proto::{MessageField, ProtoId};
use tepui_resources::Resources;

/// Whether a description is sound in itself.
pub fn validate(executor: &ExecutorInfo) -> Checked {
    validate_type(executor)?;
    super::id(&executor.executor_id.value)?;
    if executor.shutdown_grace_period.nanoseconds < 0 {
        return Err("ExecutorInfo's 'shutdown_grace_period' must be non-negative".to_owned());
    }
    if let Some(command) = executor.command.as_option() {
        container::command(command).map_err(|error| format!("Executor's `CommandInfo` is invalid: {error}"))?;
    }
    match executor.container.as_option() {
        Some(info) => {
            container::container(info).map_err(|error| format!("Executor's `ContainerInfo` is invalid: {error}"))
        }
        None => Ok(()),
    }
}

fn validate_type(executor: &ExecutorInfo) -> Checked {
    match executor.r#type {
        Some(Type::DEFAULT) => {
            if executor.command.is_set() {
                return Err("'ExecutorInfo.command' must not be set for 'DEFAULT' executor".to_owned());
            }
            let Some(container) = executor.container.as_option() else { return Ok(()) };
            if container.r#type != ContainerType::MESOS {
                return Err("'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor".to_owned());
            }
            if container.mesos.image.is_set() {
                return Err("'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor".to_owned());
            }
            Ok(())
        }
        Some(Type::CUSTOM) if !executor.command.is_set() => {
            Err("'ExecutorInfo.command' must be set for 'CUSTOM' executor".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether a framework may use an executor on an agent.
pub fn validate_for(executor: &ExecutorInfo, framework: &Framework, agent: &Agent) -> Checked {
    validate(executor)?;
    if !executor.framework_id.is_set() {
        return Err("'ExecutorInfo.framework_id' must be set".to_owned());
    }
    if executor.framework_id.id() != framework.id {
        return Err(format!(
            "ExecutorInfo has an invalid FrameworkID (Actual: {} vs Expected: {})",
            executor.framework_id.value, framework.id
        ));
    }
    validate_resources(executor)?;
    let known = framework.executors.get(&(agent.id.clone(), ExecutorId::from(&*executor.executor_id)));
    match known {
        Some(known) if !is_same(&known.info, executor) => Err(format!(
            "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n{RULE}\
             Existing ExecutorInfo:\n{}\n{RULE}ExecutorInfo:\n{}\n{RULE}",
            text(&known.info),
            text(executor)
        )),
        _ => Ok(()),
    }
}

const RULE: &str = "------------------------------------------------------------\n";

fn text(executor: &ExecutorInfo) -> String {
    tepui_proto::json::to_string(executor, tepui_proto::json::Names::V0)
}

/// Whether two descriptions are of one executor. The order of resources, URIs and variables says nothing, and labels
/// and grace period are not compared (`src/common/type_utils.cpp`).
pub(super) fn is_same(left: &ExecutorInfo, right: &ExecutorInfo) -> bool {
    let bare = |info: &ExecutorInfo| {
        let mut info = ExecutorInfo { resources: Vec::new(), ..info.clone() };
        info.labels = MessageField::none();
        info.shutdown_grace_period = MessageField::none();
        if let Some(command) = info.command.as_option_mut() {
            command.uris.clear();
            command.environment = MessageField::none();
        }
        info
    };
    let (ours, theirs) = (Resources::from_proto(&left.resources), Resources::from_proto(&right.resources));
    ours.contains(&theirs)
        && theirs.contains(&ours)
        && same_items(&left.command.uris, &right.command.uris)
        && same_items(&left.command.environment.variables, &right.command.environment.variables)
        && bare(left) == bare(right)
}

fn same_items<T: PartialEq>(left: &[T], right: &[T]) -> bool {
    left.len() == right.len() && left.iter().all(|item| right.contains(item))
}

fn validate_resources(executor: &ExecutorInfo) -> Checked {
    resource::validate(&executor.resources).map_err(|error| format!("Executor uses invalid resources: {error}"))?;
    let resources = Resources::from_proto(&executor.resources);
    resource::unique_persistence_ids(&resources)
        .map_err(|error| format!("Executor uses duplicate persistence ID: {error}"))?;
    resource::allocated_to_one_role(&resources).map_err(|error| format!("Invalid executor resources: {error}"))?;
    resource::revocable_or_not(&resources)
        .map_err(|error| format!("Executor mixes revocable and non-revocable resources: {error}"))
}
