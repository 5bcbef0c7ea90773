//! Short ways to the messages that every framework builds.

use tepui_proto::mesos::framework_info::{Capability, capability};
use tepui_proto::mesos::{CommandInfo, FrameworkInfo, Resource, TaskID, TaskInfo, value};

/// A framework of this name and user, able to read offers with refined reservations, to see tasks being killed and to
/// hear of unreachable ones.
pub fn framework(name: impl Into<String>, user: impl Into<String>) -> FrameworkInfo {
    let capability = |kind| Capability { r#type: Some(kind), ..Capability::default() };
    let capabilities = [
        capability::Type::MULTI_ROLE,
        capability::Type::RESERVATION_REFINEMENT,
        capability::Type::TASK_KILLING_STATE,
        capability::Type::PARTITION_AWARE,
    ];
    FrameworkInfo {
        name: name.into(),
        user: user.into(),
        roles: vec!["*".to_owned()],
        capabilities: capabilities.into_iter().map(capability).collect(),
        ..FrameworkInfo::default()
    }
}

/// A task that runs a command in the executor that every agent has.
pub fn task(id: impl Into<String>, command: CommandInfo, resources: Vec<Resource>) -> TaskInfo {
    let id = id.into();
    TaskInfo {
        name: id.clone(),
        task_id: TaskID { value: id, ..TaskID::default() }.into(),
        command: command.into(),
        resources,
        ..TaskInfo::default()
    }
}

/// A command line for `/bin/sh -c`.
pub fn shell(line: impl Into<String>) -> CommandInfo {
    CommandInfo { shell: Some(true), value: Some(line.into()), ..CommandInfo::default() }
}

/// A program and its arguments, without a shell. The first word is the program.
pub fn argv(words: impl IntoIterator<Item = impl Into<String>>) -> CommandInfo {
    let arguments: Vec<String> = words.into_iter().map(Into::into).collect();
    CommandInfo { shell: Some(false), value: arguments.first().cloned(), arguments, ..CommandInfo::default() }
}

/// An amount of a resource. `mem` and `disk` count in MB.
pub fn scalar(name: impl Into<String>, amount: f64) -> Resource {
    let scalar = value::Scalar { value: amount, ..value::Scalar::default() };
    Resource { name: name.into(), r#type: value::Type::SCALAR, scalar: scalar.into(), ..Resource::default() }
}
