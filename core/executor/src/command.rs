//! The program a task asks for, with its environment.

use crate::config::Config;
use std::collections::BTreeMap;
use tepui_proto::mesos::environment::variable;
use tepui_proto::mesos::{CommandInfo, Environment, TaskInfo};

/// A program to start.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What to run. `value` is set.
    pub info: CommandInfo,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
}

/// The command of a task, or why it has none. Environment: the executor's own, then `--task_environment`, then the
/// command's variables, then `MESOS_ALLOCATION_ROLE`; a later value wins. Unresolved secrets are left out.
pub(crate) fn of(config: &Config, task: &TaskInfo) -> Result<Command, String> {
    let id = &task.task_id.value;
    let info = match (&config.task_command, task.command.as_option()) {
        (Some(command), _) => command,
        (None, Some(command)) => command,
        (None, None) => return Err(format!("Expecting task '{id}' to have a command")),
    };
    if info.value.is_none() {
        let what = if info.shell.unwrap_or(true) { "Shell command" } else { "Executable" };
        return Err(format!("{what} of task '{id}' is not specified"));
    }
    let mut environment = config.environment.clone();
    environment.extend(plain(&config.task_environment));
    environment.extend(plain(&info.environment));
    // All resources of a task are allocated to one role.
    let role = task.resources.first().and_then(|resource| resource.allocation_info.role.clone());
    environment.insert("MESOS_ALLOCATION_ROLE".to_owned(), role.unwrap_or_default());
    Ok(Command { info: info.clone(), environment })
}

fn plain(environment: &Environment) -> impl Iterator<Item = (String, String)> {
    let variables = environment.variables.iter().filter(|v| v.r#type != Some(variable::Type::SECRET));
    variables.map(|v| (v.name.clone(), v.value.clone().unwrap_or_default()))
}
