//! Executors.

use super::{Checked, container, resource};
use crate::state::{Agent, Framework};
use std::collections::BTreeSet;
use tepui_base::ExecutorId;
use tepui_proto::ProtoId;
use tepui_proto::mesos::container_info::docker_info::{Network, PortMapping};
use tepui_proto::mesos::container_info::{DockerInfo, Type as ContainerType};
use tepui_proto::mesos::executor_info::Type;
use tepui_proto::mesos::{CommandInfo, ContainerInfo, DiscoveryInfo, ExecutorInfo, Port, command_info};
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

/// Whether two descriptions are of one executor, by what Mesos compares (`src/common/type_utils.cpp`): what is not set counts
/// as its default, the order of most lists says nothing, and neither do labels, the grace period and a few more.
pub(super) fn is_same(left: &ExecutorInfo, right: &ExecutorInfo) -> bool {
    left.r#type == right.r#type
        && left.executor_id.value == right.executor_id.value
        && left.framework_id.value == right.framework_id.value
        && left.name.as_deref().unwrap_or_default() == right.name.as_deref().unwrap_or_default()
        && left.source.as_deref().unwrap_or_default() == right.source.as_deref().unwrap_or_default()
        && left.data.as_deref().unwrap_or_default() == right.data.as_deref().unwrap_or_default()
        && Resources::from_proto(&left.resources) == Resources::from_proto(&right.resources)
        && is_same_command(&left.command, &right.command)
        && is_same_container(&left.container, &right.container)
        && is_same_discovery(&left.discovery, &right.discovery)
}

fn is_same_command(left: &CommandInfo, right: &CommandInfo) -> bool {
    // Whether something comes from the fetcher's cache makes no other thing of it.
    let uris = |command: &CommandInfo| -> Vec<_> {
        let uri = |uri: &command_info::URI| {
            let output = uri.output_file.clone().unwrap_or_default();
            (uri.value.clone(), uri.executable.unwrap_or(false), uri.extract.unwrap_or(true), output)
        };
        command.uris.iter().map(uri).collect()
    };
    let variables = |command: &CommandInfo| -> Vec<_> {
        let variables = command.environment.variables.iter();
        variables.map(|one| (one.name.clone(), one.value.clone().unwrap_or_default())).collect()
    };
    same_items(uris(left), uris(right))
        && same_items(variables(left), variables(right))
        && left.arguments == right.arguments
        && left.value.as_deref().unwrap_or_default() == right.value.as_deref().unwrap_or_default()
        && left.user.as_deref().unwrap_or_default() == right.user.as_deref().unwrap_or_default()
        && left.shell.unwrap_or(true) == right.shell.unwrap_or(true)
}

fn is_same_container(left: &ContainerInfo, right: &ContainerInfo) -> bool {
    let volumes = |container: &ContainerInfo| -> Vec<_> {
        let volumes = container.volumes.iter();
        volumes
            .map(|one| (one.container_path.clone(), one.host_path.clone().unwrap_or_default(), one.mode as i32))
            .collect()
    };
    same_items(volumes(left), volumes(right))
        && left.r#type == right.r#type
        && left.hostname.as_deref().unwrap_or_default() == right.hostname.as_deref().unwrap_or_default()
        && is_same_docker(&left.docker, &right.docker)
}

fn is_same_docker(left: &DockerInfo, right: &DockerInfo) -> bool {
    let mappings = |docker: &DockerInfo| -> Vec<_> {
        let mapping = |one: &PortMapping| (one.host_port, one.container_port, one.protocol.clone().unwrap_or_default());
        docker.port_mappings.iter().map(mapping).collect()
    };
    left.image == right.image
        && left.network.unwrap_or(Network::HOST) == right.network.unwrap_or(Network::HOST)
        && left.privileged.unwrap_or(false) == right.privileged.unwrap_or(false)
        && left.force_pull_image.unwrap_or(false) == right.force_pull_image.unwrap_or(false)
        && same_items(mappings(left), mappings(right))
        && same_items(encoded(&left.parameters), encoded(&right.parameters))
}

fn is_same_discovery(left: &DiscoveryInfo, right: &DiscoveryInfo) -> bool {
    let texts = |info: &DiscoveryInfo| {
        [&info.name, &info.environment, &info.location, &info.version].map(|text| text.clone().unwrap_or_default())
    };
    let ports = |info: &DiscoveryInfo| -> Vec<_> {
        let port = |port: &Port| {
            let texts = [&port.name, &port.protocol].map(|text| text.clone().unwrap_or_default());
            (port.number, texts, port.visibility.unwrap_or_default() as i32)
        };
        info.ports.ports.iter().map(port).collect()
    };
    let labels = |info: &DiscoveryInfo| -> Vec<_> {
        let labels = info.labels.labels.iter();
        labels.map(|label| (label.key.clone(), label.value.clone().unwrap_or_default())).collect()
    };
    left.visibility == right.visibility
        && texts(left) == texts(right)
        && same_items(ports(left), ports(right))
        && same_items(labels(left), labels(right))
}

fn encoded<M: tepui_proto::Message>(messages: &[M]) -> Vec<Vec<u8>> {
    messages.iter().map(|one| tepui_proto::codec::encode(one).to_vec()).collect()
}

/// Whether as many items are in both, and all of the left ones among the right ones: how often each does not count, as in
/// Mesos.
fn same_items<T: Ord>(left: Vec<T>, right: Vec<T>) -> bool {
    left.len() == right.len() && BTreeSet::from_iter(left).is_subset(&BTreeSet::from_iter(right))
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
