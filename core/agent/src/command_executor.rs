//! The executor of a task that is only a command: described by the agent, unknown to the master.
//!
//! Source: `Slave::getExecutorInfo`.

use crate::Config;
use std::time::Duration;
use tepui_proto::MessageField;
use tepui_proto::mesos::container_info::Type as ContainerType;
use tepui_proto::mesos::resource::AllocationInfo;
use tepui_proto::mesos::value::{Scalar, Type as ValueType};
use tepui_proto::mesos::{
    CommandInfo, DurationInfo, ExecutorID, ExecutorInfo, FrameworkInfo, KillPolicy, Resource, TaskInfo,
};

/// CPU share added for the executor itself, beyond what the task was offered.
const OVERHEAD_CPUS: f64 = 0.1;
/// Memory added for it, in MB.
const OVERHEAD_MEM_MB: f64 = 32.0;
/// Added to a task's kill grace period: the reap interval Mesos allows for, and one second, so that the container is
/// not destroyed before the executor could report the kill.
const GRACE_MARGIN: Duration = Duration::from_secs(2);
/// Longer commands are cut in the executor's name.
const NAME_MAX: usize = 15;
/// To this length.
const NAME_CUT: usize = 12;
/// The program's name, also its `argv[0]`.
pub const PROGRAM: &str = "mesos-executor";

/// Describes the executor of a command task.
pub fn describe(config: &Config, framework: &FrameworkInfo, task: &TaskInfo) -> ExecutorInfo {
    let id = &task.task_id.value;
    ExecutorInfo {
        executor_id: MessageField::some(ExecutorID { value: id.clone(), ..ExecutorID::default() }),
        framework_id: framework.id.clone(),
        container: task.container.clone(),
        name: Some(format!("Command Executor (Task: {id}) ({})", summary(&task.command))),
        source: Some(id.clone()),
        labels: task.labels.clone(),
        discovery: task.discovery.clone(),
        shutdown_grace_period: grace(&task.kill_policy),
        command: MessageField::some(command(config, framework, task)),
        resources: overhead(task),
        ..ExecutorInfo::default()
    }
}

fn grace(policy: &KillPolicy) -> MessageField<DurationInfo> {
    let Some(grace) = policy.grace_period.as_option() else { return MessageField::none() };
    let margin = i64::try_from(GRACE_MARGIN.as_nanos()).unwrap_or(i64::MAX);
    let nanoseconds = grace.nanoseconds.saturating_add(margin);
    MessageField::some(DurationInfo { nanoseconds, ..DurationInfo::default() })
}

/// What stands in the name about the command.
fn summary(command: &CommandInfo) -> String {
    let shell = command.shell.unwrap_or(true);
    match &command.value {
        None if shell => "Command: NO COMMAND".to_owned(),
        None => "Command: NO EXECUTABLE".to_owned(),
        Some(value) if shell => format!("Command: sh -c '{}'", cut(value)),
        Some(value) => format!("Command: [{}]", cut(&format!("{value}, {}", command.arguments.join(", ")))),
    }
}

/// Cut by bytes as Mesos does, but never inside a character.
fn cut(text: &str) -> String {
    if text.len() <= NAME_MAX {
        return text.to_owned();
    }
    let end = (0..=NAME_CUT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...", &text[..end])
}

/// The command that starts the executor, with what must be fetched and set for the task.
fn command(config: &Config, framework: &FrameworkInfo, task: &TaskInfo) -> CommandInfo {
    let of_task = &task.command;
    let mut command = CommandInfo {
        uris: of_task.uris.clone(),
        environment: of_task.environment.clone(),
        user: of_task.user.clone(),
        ..CommandInfo::default()
    };
    match &config.command_executor {
        Err(error) => {
            command.shell = Some(true);
            command.value = Some(format!("echo '{error}'; exit 1"));
        }
        Ok(program) => {
            command.shell = Some(false);
            command.value = Some(program.clone());
            command.arguments = vec![PROGRAM.to_owned(), format!("--launcher_dir={}", config.launcher_dir)];
            let container = &task.container;
            if container.r#type == ContainerType::MESOS && container.mesos.image.is_set() {
                command.arguments.push(format!("--sandbox_directory={}", config.sandbox_directory));
                if config.switch_user {
                    let user = of_task.user.as_ref().unwrap_or(&framework.user);
                    command.arguments.push(format!("--user={user}"));
                }
            }
        }
    }
    command
}

fn overhead(task: &TaskInfo) -> Vec<Resource> {
    let allocation = task.resources.iter().find_map(|resource| resource.allocation_info.as_option());
    let allocation: MessageField<AllocationInfo> =
        allocation.map_or_else(MessageField::none, |info| MessageField::some(info.clone()));
    [("cpus", OVERHEAD_CPUS), ("mem", OVERHEAD_MEM_MB)]
        .into_iter()
        .map(|(name, value)| Resource {
            name: name.to_owned(),
            r#type: ValueType::SCALAR,
            scalar: MessageField::some(Scalar { value, ..Scalar::default() }),
            allocation_info: allocation.clone(),
            ..Resource::default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(value: &str) -> CommandInfo {
        CommandInfo { value: Some(value.to_owned()), ..CommandInfo::default() }
    }

    #[test]
    fn a_long_command_is_cut_in_the_name() {
        assert_eq!(summary(&shell("echo hello; sleep 1")), "Command: sh -c 'echo hello; ...'");
        assert_eq!(summary(&shell("123456789012345")), "Command: sh -c '123456789012345'");
        assert_eq!(summary(&shell("ääääääää")), "Command: sh -c 'ääääää...'");
        assert_eq!(summary(&CommandInfo::default()), "Command: NO COMMAND");
    }

    #[test]
    fn an_argument_vector_is_listed() {
        let mut command = CommandInfo { shell: Some(false), ..shell("ls") };
        command.arguments = vec!["ls".into(), "-l".into()];
        assert_eq!(summary(&command), "Command: [ls, ls, -l]");
        command.value = None;
        assert_eq!(summary(&command), "Command: NO EXECUTABLE");
    }
}
