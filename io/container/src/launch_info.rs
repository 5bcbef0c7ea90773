//! From what the agent wants to what the launcher does, as data.

use tepui_proto::mesos::containerizer::{ContainerConfig, ContainerLaunchInfo};
use tepui_proto::mesos::environment::{Variable, variable};
use tepui_proto::mesos::{CommandInfo, Environment};

/// The launch information of a container. Environment: what the agent made, then `MESOS_SANDBOX`, then the command's
/// variables; a later value wins. Variables that are secrets not yet resolved are left out.
pub fn of(config: &ContainerConfig, environment: &[(String, String)]) -> ContainerLaunchInfo {
    let mut merged: Vec<(&str, &str)> = Vec::with_capacity(environment.len() + 8);
    let given = environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let own = std::iter::once(("MESOS_SANDBOX", config.directory.as_str()));
    for (name, value) in given.chain(own).chain(plain_variables(&config.command_info)) {
        match merged.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => merged.push((name, value)),
        }
    }
    let variables = merged.into_iter().map(|(name, value)| variable_of(name, value)).collect();
    ContainerLaunchInfo {
        command: config.command_info.clone(),
        environment: buffa::MessageField::some(Environment { variables, ..Default::default() }),
        user: config.user.clone(),
        working_directory: Some(config.directory.clone()),
        ..Default::default()
    }
}

/// The variables of a command that carry their value.
pub fn plain_variables(command: &CommandInfo) -> impl Iterator<Item = (&str, &str)> {
    let plain = |v: &&Variable| v.r#type != Some(variable::Type::SECRET);
    command.environment.variables.iter().filter(plain).map(|v| (v.name.as_str(), v.value.as_deref().unwrap_or("")))
}

fn variable_of(name: &str, value: &str) -> Variable {
    Variable { name: name.to_owned(), value: Some(value.to_owned()), ..Default::default() }
}

/// What of a container the posix launcher cannot give, as the message of its failed launch; `None` if all is well.
/// Refusing is better than running a program with less isolation than its owner asked for.
pub fn unsupported(config: &ContainerConfig, info: &ContainerLaunchInfo) -> Option<String> {
    let container = config.container_info.as_option();
    let wants = [
        (info.rootfs.is_some() || config.rootfs.is_some(), "a root filesystem"),
        (!info.clone_namespaces.is_empty() || !info.enter_namespaces.is_empty(), "namespaces"),
        (!info.mounts.is_empty() || !info.masked_paths.is_empty(), "mounts"),
        (!info.pre_exec_commands.is_empty() || !info.file_operations.is_empty(), "preparation commands"),
        (info.effective_capabilities.is_set() || info.bounding_capabilities.is_set(), "capabilities"),
        (info.seccomp_profile.is_set(), "seccomp"),
        (info.rlimits.is_set() || container.is_some_and(|c| c.rlimit_info.is_set()), "resource limits (rlimits)"),
        (container.is_some_and(|c| c.mesos.image.is_set() || c.docker.is_set()), "images"),
        (container.is_some_and(|c| !c.volumes.is_empty()), "volumes"),
        (container.is_some_and(|c| c.tty_info.is_set()) || info.tty_agent_path.is_some(), "a terminal"),
    ];
    let missing: Vec<&str> = wants.iter().filter(|(wanted, _)| *wanted).map(|(_, name)| *name).collect();
    (!missing.is_empty()).then(|| format!("The posix launcher does not support {}", missing.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use buffa::MessageField;

    fn config(variables: &[(&str, &str)]) -> ContainerConfig {
        let variables = variables.iter().map(|(n, v)| variable_of(n, v)).collect();
        let command = CommandInfo {
            environment: MessageField::some(Environment { variables, ..Default::default() }),
            ..Default::default()
        };
        ContainerConfig { command_info: MessageField::some(command), directory: "/box".into(), ..Default::default() }
    }

    fn environment(info: &ContainerLaunchInfo) -> Vec<(&str, &str)> {
        info.environment.variables.iter().map(|v| (v.name.as_str(), v.value.as_deref().unwrap())).collect()
    }

    #[test]
    fn later_variables_win() {
        let given = [("A".to_owned(), "agent".to_owned()), ("MESOS_SANDBOX".to_owned(), "no".to_owned())];
        let info = of(&config(&[("A", "command"), ("PATH", "/p")]), &given);
        assert_eq!(environment(&info), [("A", "command"), ("MESOS_SANDBOX", "/box"), ("PATH", "/p")]);
    }

    #[test]
    fn an_unresolved_secret_is_left_out() {
        let mut config = config(&[("PASSWORD", "x")]);
        config.command_info.get_or_insert_default().environment.get_or_insert_default().variables[0].r#type =
            Some(variable::Type::SECRET);
        assert!(!environment(&of(&config, &[])).iter().any(|(name, _)| *name == "PASSWORD"));
    }

    #[test]
    fn what_cannot_be_given_is_refused_by_name() {
        let mut config = config(&[]);
        assert_eq!(unsupported(&config, &of(&config, &[])), None);
        config.rootfs = Some("/image".into());
        let refusal = unsupported(&config, &of(&config, &[]));
        assert_eq!(refusal.unwrap(), "The posix launcher does not support a root filesystem");
    }
}
