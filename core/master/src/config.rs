//! What the master is told once, when it is made: the values of its flags.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tepui_allocator::RegexLimits;
use tepui_proto::mesos::DomainInfo;
use tepui_wire::Upid;

/// What clients are told about the software; `version` is what frameworks and agents compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Build {
    /// The Mesos version this master speaks.
    pub version: String,
    /// This project's own version, shown beside the other in `/version` only.
    pub own_version: String,
    /// When it was built, as text (`2020-11-24 15:38:37`).
    pub date: String,
    /// The same in seconds since the epoch.
    pub time_secs: f64,
    /// Who built it.
    pub user: String,
    /// The commit, if known.
    pub git_sha: Option<String>,
}

/// The master's settings. Names are those of the flags of Mesos 1.11.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the master listens, as others reach it: `master@ip:port`.
    pub pid: Upid,
    /// Host name shown to clients and used in redirects.
    pub hostname: String,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--agent_ping_timeout`: how long an agent may take to answer a ping.
    pub agent_ping_timeout: Duration,
    /// `--max_agent_ping_timeouts`: so many unanswered pings in a row make an agent unreachable.
    pub max_agent_ping_timeouts: u32,
    /// `--agent_reregister_timeout`: how long a disconnected agent may take to come back.
    pub agent_reregister_timeout: Duration,
    /// `--agent_removal_rate_limit`, as the time between two agents that become unreachable.
    pub agent_removal_interval: Option<Duration>,
    /// `--recovery_agent_removal_limit` as a share (1 is 100%): if more of the agents in the registry do not come back
    /// after a failover, the master ends.
    pub recovery_agent_removal_limit: f64,
    /// `--registry_gc_interval`: how often old unreachable and gone agents are looked for.
    pub registry_gc_interval: Duration,
    /// `--registry_max_agent_age`: how long an unreachable or gone agent is remembered.
    pub registry_max_agent_age: Duration,
    /// `--registry_max_agent_count`: how many unreachable, and how many gone agents are remembered.
    pub registry_max_agent_count: usize,
    /// `--offer_timeout`: after this time an offer is rescinded.
    pub offer_timeout: Option<Duration>,
    /// `--root_submissions`: whether frameworks may run as root.
    pub root_submissions: bool,
    /// `--roles`: the only roles allowed, if given.
    pub roles: Option<BTreeSet<String>>,
    /// `--domain`: the fault domain of this master.
    pub domain: Option<DomainInfo>,
    /// `--offer_constraints_re2_max_mem` and `--offer_constraints_re2_max_program_size`.
    pub offer_constraints: RegexLimits,
    /// `--require_agent_domain`.
    pub require_agent_domain: bool,
    /// `--max_completed_frameworks`.
    pub max_completed_frameworks: usize,
    /// `--max_completed_tasks_per_framework`.
    pub max_completed_tasks_per_framework: usize,
    /// `--max_unreachable_tasks_per_framework`.
    pub max_unreachable_tasks_per_framework: usize,
    /// `--max_operator_event_stream_subscribers`.
    pub max_operator_event_stream_subscribers: usize,
    /// `--publish_per_framework_metrics`.
    pub publish_per_framework_metrics: bool,
    /// `--weights`: positive, by role.
    pub weights: BTreeMap<String, f64>,
    /// Every flag that has a value, as text, for `/flags`.
    pub flags: BTreeMap<String, String>,
    /// What `/version` says.
    pub build: Build,
}

impl Config {
    /// The defaults of Mesos 1.11 for a master at `pid`.
    pub fn new(pid: Upid, hostname: &str) -> Config {
        Config {
            pid,
            hostname: hostname.to_owned(),
            cluster: None,
            agent_ping_timeout: Duration::from_secs(15),
            max_agent_ping_timeouts: 5,
            agent_reregister_timeout: Duration::from_secs(600),
            agent_removal_interval: None,
            recovery_agent_removal_limit: 1.0,
            registry_gc_interval: Duration::from_secs(15 * 60),
            registry_max_agent_age: Duration::from_secs(14 * 24 * 3600),
            registry_max_agent_count: 100 * 1024,
            offer_timeout: None,
            root_submissions: true,
            roles: None,
            domain: None,
            offer_constraints: RegexLimits::default(),
            require_agent_domain: false,
            max_completed_frameworks: 50,
            max_completed_tasks_per_framework: 1000,
            max_unreachable_tasks_per_framework: 1000,
            max_operator_event_stream_subscribers: 1000,
            publish_per_framework_metrics: true,
            weights: BTreeMap::new(),
            flags: BTreeMap::new(),
            build: Build {
                version: "1.11.0".to_owned(),
                own_version: env!("CARGO_PKG_VERSION").to_owned(),
                date: String::new(),
                time_secs: 0.0,
                user: String::new(),
                git_sha: None,
            },
        }
    }

    /// After this time without a ping an agent looks for a master again.
    pub fn total_ping_timeout(&self) -> Duration {
        self.agent_ping_timeout * self.max_agent_ping_timeouts
    }

    /// Whether `--roles` lets a role in.
    pub fn allows_role(&self, role: &str) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.contains(role) || role == "*")
    }
}
