//! What the executor is told by its environment and its flags.

use crate::agent::Address;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;
use tepui_base::duration;
use tepui_executor::{Config, DEFAULT_SHUTDOWN_GRACE_PERIOD, Recovery};
use tepui_proto::json;
use tepui_proto::mesos::{CommandInfo, Environment};

/// Text of `--help`.
pub const USAGE: &str = "\
Usage: mesos-executor [--flag=value ...]

Runs one command for a Mesos agent, which starts this program and tells it by MESOS_* variables where it is.

  --launcher_dir=VALUE       Directory of the Mesos programs (not needed here)
  --task_command=JSON        CommandInfo to run instead of the task's
  --task_environment=JSON    Environment to add to the task's
  --user=VALUE               User to run the task as
  --help                     This text
";

/// Flags that say how to isolate a task. They are refused, since ignoring them would run it with less.
const REFUSED: [&str; 6] = [
    "rootfs",
    "tty_slave_path",
    "task_launch_info",
    "task_supplementary_groups",
    "effective_capabilities",
    "bounding_capabilities",
];

/// Flags without meaning here: two matter with `--rootfs` alone, the others are for Mesos' logging and layout.
const IGNORED: [&str; 9] = [
    "sandbox_directory",
    "working_directory",
    "launcher_dir",
    "quiet",
    "logging_level",
    "log_dir",
    "logbufsecs",
    "initialize_driver_logging",
    "external_log_file",
];

/// Why the executor does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable that the agent always sets.
    #[error("Expecting '{0}' to be set in the environment")]
    Missing(&'static str),
    /// A variable that makes no sense.
    #[error("Failed to parse value '{value}' of '{name}': {why}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A flag nobody knows.
    #[error("Failed to load unknown flag '{0}'\n\n{USAGE}")]
    UnknownFlag(String),
    /// A flag that makes no sense.
    #[error("Failed to load flag '{0}': {1}\n\n{USAGE}")]
    Flag(String, String),
    /// A flag this executor cannot honour.
    #[error("The flag '--{0}' is not supported by this executor yet")]
    Refused(String),
    /// Not a flag.
    #[error("Unexpected argument '{0}'\n\n{USAGE}")]
    Argument(String),
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Wish {
    /// To be an executor.
    Run(Box<Settings>),
    /// To be told about flags.
    Help,
}

/// Everything told.
#[derive(Debug)]
pub struct Settings {
    /// For the machine.
    pub executor: Config,
    /// Where the agent is.
    pub agent: Address,
    /// `--user`.
    pub user: Option<String>,
}

/// Reads arguments and environment.
pub fn read(
    arguments: impl IntoIterator<Item = String>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Wish, Error> {
    let Some(flags) = read_flags(arguments)? else { return Ok(Wish::Help) };
    // Messages cannot carry text that is not UTF-8, so neither can a task's environment.
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let mut environment: BTreeMap<String, String> = variables.into_iter().filter_map(text).collect();
    // The token is the executor's own: its task must not speak in its name.
    let token = environment.remove("MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
    let pid = required(&environment, "MESOS_SLAVE_PID")?;
    let agent = Address::parse(pid, token).ok_or_else(|| Error::Variable {
        name: "MESOS_SLAVE_PID",
        value: pid.to_owned(),
        why: "expecting id@ip:port".to_owned(),
    })?;
    let executor = Config {
        framework_id: required(&environment, "MESOS_FRAMEWORK_ID")?.into(),
        executor_id: required(&environment, "MESOS_EXECUTOR_ID")?.into(),
        recovery: recovery(&environment)?,
        shutdown_grace_period: optional_duration(&environment, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD")?
            .unwrap_or(DEFAULT_SHUTDOWN_GRACE_PERIOD),
        environment,
        task_environment: flags.task_environment,
        task_command: flags.task_command,
    };
    Ok(Wish::Run(Box::new(Settings { executor, agent, user: flags.user })))
}

#[derive(Default)]
struct Flags {
    user: Option<String>,
    task_environment: Environment,
    task_command: Option<CommandInfo>,
}

/// `None` if help is wanted.
fn read_flags(arguments: impl IntoIterator<Item = String>) -> Result<Option<Flags>, Error> {
    let mut flags = Flags::default();
    for argument in arguments {
        let Some(flag) = argument.strip_prefix("--") else { return Err(Error::Argument(argument)) };
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        let invalid = |e: json::Error| Error::Flag(name.to_owned(), e.to_string());
        match name {
            "help" => return Ok(None),
            "user" => flags.user = Some(value.to_owned()),
            "task_environment" => {
                flags.task_environment = json::from_slice(value.as_bytes(), json::Names::V0).map_err(invalid)?;
            }
            "task_command" => {
                flags.task_command = Some(json::from_slice(value.as_bytes(), json::Names::V0).map_err(invalid)?);
            }
            _ if REFUSED.contains(&name) => return Err(Error::Refused(name.to_owned())),
            _ if IGNORED.contains(&name.strip_prefix("no-").unwrap_or(name)) => {}
            _ => return Err(Error::UnknownFlag(name.to_owned())),
        }
    }
    Ok(Some(flags))
}

fn recovery(environment: &BTreeMap<String, String>) -> Result<Option<Recovery>, Error> {
    if environment.get("MESOS_CHECKPOINT").map(String::as_str) != Some("1") {
        return Ok(None);
    }
    let needed = |name| optional_duration(environment, name)?.ok_or(Error::Missing(name));
    Ok(Some(Recovery {
        timeout: needed("MESOS_RECOVERY_TIMEOUT")?,
        backoff_max: needed("MESOS_SUBSCRIPTION_BACKOFF_MAX")?,
    }))
}

fn required<'a>(environment: &'a BTreeMap<String, String>, name: &'static str) -> Result<&'a str, Error> {
    environment.get(name).map(String::as_str).ok_or(Error::Missing(name))
}

fn optional_duration(environment: &BTreeMap<String, String>, name: &'static str) -> Result<Option<Duration>, Error> {
    let Some(value) = environment.get(name) else { return Ok(None) };
    let invalid = |e: duration::Error| Error::Variable { name, value: value.clone(), why: e.to_string() };
    duration::parse(value).map(Some).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: [(&str, &str); 4] = [
        ("MESOS_SLAVE_PID", "slave(1)@127.0.0.1:5051"),
        ("MESOS_FRAMEWORK_ID", "F"),
        ("MESOS_EXECUTOR_ID", "E"),
        ("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "secret"),
    ];

    fn read_with(flags: &[&str], more: &[(&str, &str)]) -> Result<Settings, String> {
        let variables = AGENT.iter().chain(more).map(|(name, value)| ((*name).into(), (*value).into()));
        match read(flags.iter().map(|flag| (*flag).to_owned()), variables) {
            Ok(Wish::Run(settings)) => Ok(*settings),
            Ok(Wish::Help) => panic!("help was not asked for"),
            Err(e) => Err(e.to_string()),
        }
    }

    #[test]
    fn what_an_agent_says_is_understood() {
        let task_environment = r#"--task_environment={"variables":[{"name":"N","value":"v"}]}"#;
        let more = [("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "1.5mins")];
        let settings = read_with(&["--launcher_dir=/x", "--user=nobody", task_environment], &more).unwrap();
        assert_eq!(settings.executor.shutdown_grace_period, Duration::from_secs(90));
        assert_eq!(settings.executor.task_environment.variables[0].name, "N");
        assert_eq!(settings.user.as_deref(), Some("nobody"));
        assert!(settings.executor.recovery.is_none());
    }

    #[test]
    fn the_token_is_not_for_the_task() {
        let settings = read_with(&[], &[]).unwrap();
        assert!(!settings.executor.environment.contains_key("MESOS_EXECUTOR_AUTHENTICATION_TOKEN"));
        assert!(settings.executor.environment.contains_key("MESOS_SLAVE_PID"));
    }

    #[test]
    fn checkpointing_needs_its_times() {
        let checkpoint = ("MESOS_CHECKPOINT", "1");
        let error = read_with(&[], &[checkpoint]).unwrap_err();
        assert_eq!(error, "Expecting 'MESOS_RECOVERY_TIMEOUT' to be set in the environment");
        let times = [checkpoint, ("MESOS_RECOVERY_TIMEOUT", "15mins"), ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs")];
        let recovery = read_with(&[], &times).unwrap().executor.recovery.unwrap();
        assert_eq!((recovery.timeout.as_secs(), recovery.backoff_max.as_secs()), (900, 2));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (flags, more, text) in [
            (&["--nonsense=1"][..], None, "Failed to load unknown flag 'nonsense'"),
            (&["--rootfs=/x"], None, "The flag '--rootfs' is not supported by this executor yet"),
            (&["--task_environment={"], None, "Failed to load flag 'task_environment'"),
            (&["word"], None, "Unexpected argument 'word'"),
            (&[], Some(("MESOS_SLAVE_PID", "nonsense")), "Failed to parse value 'nonsense' of 'MESOS_SLAVE_PID'"),
            (
                &[],
                Some(("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "soon")),
                "Failed to parse value 'soon' of 'MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD'",
            ),
        ] {
            let error = read_with(flags, more.as_slice()).unwrap_err();
            assert!(error.starts_with(text), "{error}");
        }
        let nobody = read([], []).unwrap_err().to_string();
        assert_eq!(nobody, "Expecting 'MESOS_SLAVE_PID' to be set in the environment");
    }
}
