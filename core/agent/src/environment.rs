//! The environment the agent makes for an executor. What the executor's command sets goes on top, in the container.
//!
//! Source: `executorEnvironment` in `slave.cpp`.

use crate::Config;
use crate::state::Executor;
use std::collections::BTreeMap;
use std::time::Duration;
use tepui_base::{AgentId, duration};

/// Name to value. Nothing of the agent's own environment but `LIBPROCESS_IP` passes.
pub fn of_executor(
    config: &Config,
    executor: &Executor,
    agent: &AgentId,
    checkpoint: bool,
) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    if let Some(ip) = &config.libprocess_ip {
        environment.insert("LIBPROCESS_IP".to_owned(), ip.clone());
    }
    environment.extend(config.executor_environment.clone());
    let grace = shutdown_grace(config, executor);
    let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
    let made = [
        // Any free port, even if the agent was told its own through the same variable.
        ("LIBPROCESS_PORT", "0".to_owned()),
        ("MESOS_FRAMEWORK_ID", executor.framework.to_string()),
        ("MESOS_EXECUTOR_ID", executor.id.to_string()),
        ("MESOS_DIRECTORY", executor.directory.clone()),
        ("MESOS_SLAVE_ID", agent.to_string()),
        ("MESOS_SLAVE_PID", config.pid.to_string()),
        ("MESOS_AGENT_ENDPOINT", format!("{}:{}", config.pid.ip, config.pid.port)),
        ("MESOS_CHECKPOINT", flag(checkpoint)),
        ("MESOS_HTTP_COMMAND_EXECUTOR", flag(config.http_command_executor)),
        ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", duration::format(grace)),
    ];
    environment.extend(made.map(|(name, value)| (name.to_owned(), value)));
    if checkpoint {
        let waits = [
            ("MESOS_RECOVERY_TIMEOUT", config.recovery_timeout),
            ("MESOS_SUBSCRIPTION_BACKOFF_MAX", config.executor_reregistration_timeout),
        ];
        environment.extend(waits.map(|(name, wait)| (name.to_owned(), duration::format(wait))));
    }
    environment
}

/// How long an executor may take to leave: its own wish before the agent's flag.
pub fn shutdown_grace(config: &Config, executor: &Executor) -> Duration {
    let own = executor.info.shutdown_grace_period.as_option();
    let own = own.and_then(|grace| u64::try_from(grace.nanoseconds).ok()).map(Duration::from_nanos);
    own.unwrap_or(config.executor_shutdown_grace_period)
}
