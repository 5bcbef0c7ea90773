//! What an agent is told at its start: the values of its flags and what the shell found out about the machine.

use std::collections::BTreeMap;
use std::time::Duration;
use tepui_base::Wall;
use tepui_proto::mesos::{Attribute, DomainInfo, Resource, VersionInfo};
use tepui_wire::Upid;

/// `--executor_registration_timeout`.
pub const EXECUTOR_REGISTRATION_TIMEOUT: Duration = Duration::from_secs(60);
/// `--executor_reregistration_timeout`; also the longest pause between two subscription attempts of an executor.
pub const EXECUTOR_REREGISTRATION_TIMEOUT: Duration = Duration::from_secs(2);
/// `--executor_shutdown_grace_period`.
pub const EXECUTOR_SHUTDOWN_GRACE_PERIOD: Duration = Duration::from_secs(5);
/// `--registration_backoff_factor`.
pub const REGISTRATION_BACKOFF_FACTOR: Duration = Duration::from_secs(1);
/// The longest pause between two registration attempts (`REGISTER_RETRY_INTERVAL_MAX`).
pub const REGISTRATION_RETRY_MAX: Duration = Duration::from_secs(60);
/// `--recovery_timeout`.
pub const RECOVERY_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// `--max_completed_executors_per_framework`.
pub const MAX_COMPLETED_EXECUTORS_PER_FRAMEWORK: usize = 150;

/// Everything an agent knows from its start; fixed for its life.
#[derive(Clone, Debug)]
pub struct Config {
    /// The agent's own address, `slave(1)@ip:port`.
    pub pid: Upid,
    /// Host name told to the master and to frameworks.
    pub hostname: String,
    /// All resources, unallocated, in post-refinement form.
    pub resources: Vec<Resource>,
    /// `--attributes`.
    pub attributes: Vec<Attribute>,
    /// `--domain`.
    pub domain: Option<DomainInfo>,
    /// Absolute path under which sandboxes live.
    pub work_dir: String,
    /// Where the command executor's program is, as frameworks see it in its arguments.
    pub launcher_dir: String,
    /// The program of the command executor, or why there is none.
    pub command_executor: Result<String, String>,
    /// `--http_command_executor`: told to executors; those of Mesos itself choose their protocol by it.
    pub http_command_executor: bool,
    /// Where the sandbox appears inside a container with an image of its own.
    pub sandbox_directory: String,
    /// Whether executors run as the user of their framework or command.
    pub switch_user: bool,
    /// `--isolation`, as given.
    pub isolation: String,
    /// `--executor_environment_variables`.
    pub executor_environment: BTreeMap<String, String>,
    /// `LIBPROCESS_IP` of the agent's own environment, passed on to executors.
    pub libprocess_ip: Option<String>,
    /// How long a launched executor may take to register.
    pub executor_registration_timeout: Duration,
    /// Told to checkpointing executors as the longest pause between subscription attempts.
    pub executor_reregistration_timeout: Duration,
    /// How long an executor may take to leave after it was told to.
    pub executor_shutdown_grace_period: Duration,
    /// Upper bound of the first registration delay; doubles from there.
    pub registration_backoff_factor: Duration,
    /// Told to checkpointing executors: how long they wait for a lost agent.
    pub recovery_timeout: Duration,
    /// How many completed executors of a framework are remembered.
    pub max_completed_executors_per_framework: usize,
    /// Names and values of all set flags, for `/flags`, `/state` and `GET_FLAGS`.
    pub flags: BTreeMap<String, String>,
    /// The version told to masters and clients.
    pub version: VersionInfo,
    /// The version of this program itself, shown beside the other in `/version`.
    pub own_version: String,
    /// Host name of the master as the shell resolved it, for `/state`.
    pub master_hostname: Option<String>,
    /// When this agent's process started.
    pub start_time: Wall,
    /// Seed of back-offs and ids; from the operating system in the shell.
    pub seed: u64,
}
