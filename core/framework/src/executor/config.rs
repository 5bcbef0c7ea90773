//! What an executor is told at its start: the environment its agent gives it.

use std::time::Duration;
use tepui_base::{ExecutorId, FrameworkId, duration};
use tepui_proto::ContentType;

/// The settings of one executor's connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `host:port` of the agent.
    pub agent: String,
    /// The framework that launched the executor.
    pub framework_id: FrameworkId,
    /// Who the executor is.
    pub executor_id: ExecutorId,
    /// How calls and events are encoded.
    pub content_type: ContentType,
    /// The `Authorization` header of every request, if the agent wants one.
    pub authorization: Option<String>,
    /// How long the agent may stay away before the executor shuts down; `None` (a framework without checkpoints): not
    /// at all.
    pub recovery_timeout: Option<Duration>,
    /// The limit of the random wait between attempts to subscribe.
    pub backoff_max: Duration,
    /// How long the executor may take to shut down before the agent kills it.
    pub shutdown_grace_period: Duration,
}

/// Why an environment is not that of an executor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable that every agent sets is missing.
    #[error("Expecting '{0}' to be set in the environment: executors are started by an agent")]
    Missing(&'static str),
    /// A variable is not what it should be.
    #[error("Failed to parse {name} '{value}': {reason}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it says.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// Reads the variables an agent sets: `MESOS_AGENT_ENDPOINT` (or `MESOS_SLAVE_PID`), `MESOS_FRAMEWORK_ID`,
    /// `MESOS_EXECUTOR_ID`, `MESOS_CHECKPOINT`, `MESOS_RECOVERY_TIMEOUT`, `MESOS_SUBSCRIPTION_BACKOFF_MAX`,
    /// `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD`, `MESOS_EXECUTOR_AUTHENTICATION_TOKEN`.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
        let required = |name| get(name).ok_or(ConfigError::Missing(name));
        let span = |name, default: u64| match get(name) {
            None => Ok(Duration::from_secs(default)),
            Some(value) => {
                duration::parse(&value).map_err(|error| ConfigError::Invalid { name, reason: error.to_string(), value })
            }
        };
        let checkpoint = get("MESOS_CHECKPOINT").as_deref() == Some("1");
        let token = get("MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
        Ok(Config {
            agent: agent(&get)?,
            framework_id: required("MESOS_FRAMEWORK_ID")?.into(),
            executor_id: required("MESOS_EXECUTOR_ID")?.into(),
            content_type: ContentType::Protobuf,
            authorization: token.map(|token| format!("Bearer {token}")),
            recovery_timeout: checkpoint.then(|| span("MESOS_RECOVERY_TIMEOUT", 15 * 60)).transpose()?,
            backoff_max: span("MESOS_SUBSCRIPTION_BACKOFF_MAX", 2)?,
            shutdown_grace_period: span("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", 5)?,
        })
    }
}

/// The agent's `host:port`: its endpoint, or what stands behind the `@` of its libprocess address.
fn agent(get: impl Fn(&str) -> Option<String>) -> Result<String, ConfigError> {
    if let Some(endpoint) = get("MESOS_AGENT_ENDPOINT") {
        return Ok(endpoint);
    }
    let pid = get("MESOS_SLAVE_PID").ok_or(ConfigError::Missing("MESOS_AGENT_ENDPOINT"))?;
    match pid.split_once('@') {
        Some((_, address)) => Ok(address.to_owned()),
        None => {
            Err(ConfigError::Invalid { name: "MESOS_SLAVE_PID", reason: "expecting id@ip:port".to_owned(), value: pid })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_env(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    const LEAST: [(&str, &str); 3] =
        [("MESOS_SLAVE_PID", "slave(1)@10.0.0.5:5051"), ("MESOS_FRAMEWORK_ID", "F"), ("MESOS_EXECUTOR_ID", "E")];

    #[test]
    fn the_environment_of_an_agent_is_read() {
        let config = read(&LEAST).unwrap();
        assert_eq!((config.agent.as_str(), config.recovery_timeout), ("10.0.0.5:5051", None));
        let more = [
            ("MESOS_AGENT_ENDPOINT", "10.0.0.6:5051"),
            ("MESOS_CHECKPOINT", "1"),
            ("MESOS_RECOVERY_TIMEOUT", "1mins"),
            ("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "t"),
        ];
        let config = read(&[&LEAST[..], &more[..]].concat()).unwrap();
        assert_eq!(config.agent, "10.0.0.6:5051");
        assert_eq!(config.recovery_timeout, Some(Duration::from_secs(60)));
        assert_eq!(config.authorization.as_deref(), Some("Bearer t"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert_eq!(read(&LEAST[..2]), Err(ConfigError::Missing("MESOS_EXECUTOR_ID")));
        assert_eq!(read(&LEAST[1..]), Err(ConfigError::Missing("MESOS_AGENT_ENDPOINT")));
        let bad = [&LEAST[..], &[("MESOS_SUBSCRIPTION_BACKOFF_MAX", "soon")]].concat();
        assert!(read(&bad).unwrap_err().to_string().contains("MESOS_SUBSCRIPTION_BACKOFF_MAX 'soon'"));
    }
}
