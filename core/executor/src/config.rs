//! What an executor knows from its environment and flags.

use std::collections::BTreeMap;
use std::time::Duration;
use tepui_base::{ExecutorId, FrameworkId};
use tepui_proto::mesos::{CommandInfo, Environment};

/// Time kept back from the shutdown grace period, so that the forced kill and `TASK_KILLED` still come before the agent
/// destroys the container: a second for each, as in Mesos.
pub(crate) const SHUTDOWN_MARGIN: Duration = Duration::from_secs(2);
/// `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD` if it is not set.
pub const DEFAULT_SHUTDOWN_GRACE_PERIOD: Duration = Duration::from_secs(5);

/// How long to survive without an agent; frameworks with `checkpoint` ask for it.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// `MESOS_RECOVERY_TIMEOUT`: how long after the first failure to give up.
    pub timeout: Duration,
    /// `MESOS_SUBSCRIPTION_BACKOFF_MAX`: the longest wait between two attempts to connect.
    pub backoff_max: Duration,
}

/// See the fields.
#[derive(Clone, Debug)]
pub struct Config {
    /// `MESOS_FRAMEWORK_ID`.
    pub framework_id: FrameworkId,
    /// `MESOS_EXECUTOR_ID`.
    pub executor_id: ExecutorId,
    /// Set with `MESOS_CHECKPOINT=1`.
    pub recovery: Option<Recovery>,
    /// `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD`.
    pub shutdown_grace_period: Duration,
    /// The executor's own environment, which its task inherits.
    pub environment: BTreeMap<String, String>,
    /// `--task_environment`: what isolators add to the task's environment.
    pub task_environment: Environment,
    /// `--task_command`: what runs instead of the task's command.
    pub task_command: Option<CommandInfo>,
}
