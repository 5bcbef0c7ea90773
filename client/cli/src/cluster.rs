//! A cluster in this process: a master and agents, each with a port of its own on loopback.
//!
//! The daemons are the same as those of `mesos-master` and `mesos-agent`, started with the same flags; nothing is
//! different but that they share a process.

use anyhow::{Context, Result};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use tepui_flags::{Flag, Values};

/// What kind of cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where master and agents listen.
    pub ip: Ipv4Addr,
    /// Port of the master; 0 for a free one.
    pub port: u16,
    /// How many agents.
    pub agents: u16,
    /// Resources of each agent; what the machine has if not given.
    pub resources: Option<String>,
    /// Where sandboxes are; a temporary directory, removed at the end, if not given.
    pub work_dir: Option<PathBuf>,
    /// Variables that give master and agents further flags, and a master that keeps its registry below `work_dir` unless
    /// they say otherwise (`mesos-local`). Without, nothing is read and nothing is kept.
    pub variables: Option<Vec<(String, String)>>,
}

impl Default for Options {
    fn default() -> Self {
        Options { ip: Ipv4Addr::LOCALHOST, port: 0, agents: 1, resources: None, work_dir: None, variables: None }
    }
}

/// A master and agents in this process, on loopback ports of their own.
pub struct Embedded {
    /// `host:port` of the master.
    pub master: String,
    /// `host:port` of the first agent.
    pub agent: String,
    running: tepui_masterd::Running,
    agents: Vec<tepui_agentd::Handle>,
    /// Removed when dropped.
    _temporary: Option<tempfile::TempDir>,
}

impl Embedded {
    /// Starts a master and an agent in a temporary work directory. The master listens when this returns, the agent registers
    /// soon after. The servers run as tasks of the current tokio runtime.
    pub async fn start() -> Result<Embedded> {
        Embedded::start_with(Options::default()).await
    }

    /// Starts the cluster that `options` describe.
    pub async fn start_with(options: Options) -> Result<Embedded> {
        let temporary = match options.work_dir {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("tepui-").tempdir().context("no temporary directory")?),
        };
        let root = match (&options.work_dir, &temporary) {
            (Some(given), _) => given.clone(),
            (None, Some(made)) => made.path().to_path_buf(),
            (None, None) => unreachable!("one of the two is there"),
        };
        // Sandboxes are entered as the tasks' users.
        open_to_all(&root)?;
        let running = start_master(&options, &root).await?;
        let master = running.address().to_string();
        let mut agents = Vec::new();
        for number in 0..options.agents {
            agents.push(start_agent(&options, &master, &root, number).await?);
        }
        let agent = agents.first().map(|agent| agent.node().address().to_string()).unwrap_or_default();
        Ok(Embedded { master, agent, running, agents, _temporary: temporary })
    }

    /// How many agents are registered.
    pub async fn registered(&self) -> usize {
        self.running.agents().await
    }

    /// Ends all: containers are killed, streams closed, the temporary directory removed.
    pub async fn stop(self) {
        for agent in self.agents {
            agent.destroy_containers().await;
            agent.node().shutdown().await;
        }
        self.running.stop().await;
    }
}

fn open_to_all(root: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to the users of tasks", root.display()))
}

async fn start_master(options: &Options, root: &Path) -> Result<tepui_masterd::Running> {
    let mut args = vec![format!("--ip={}", options.ip), format!("--port={}", options.port)];
    if options.variables.is_some() {
        args.push(format!("--work_dir={}", root.join("master").display()));
    } else {
        args.extend(["--registry=in_memory", "--registry_strict=false"].map(str::to_owned));
    }
    let settings = tepui_masterd::Settings::new(options.values(tepui_flags::master::FLAGS, &args)?, |_| None)?;
    Ok(tepui_masterd::start(settings).await?)
}

async fn start_agent(options: &Options, master: &str, root: &Path, number: u16) -> Result<tepui_agentd::Handle> {
    let dir = root.join("agents").join(number.to_string());
    let mut args = vec![
        format!("--ip={}", options.ip),
        "--port=0".to_owned(),
        format!("--master={master}"),
        format!("--work_dir={}", dir.join("work").display()),
        format!("--runtime_dir={}", dir.join("run").display()),
    ];
    for (name, usual) in [
        ("launcher", "--launcher=posix"),
        ("systemd_enable_support", "--no-systemd_enable_support"),
        // One process holds both: there is no herd of agents to spread.
        ("registration_backoff_factor", "--registration_backoff_factor=10ms"),
    ] {
        if !options.names(name) {
            args.push(usual.to_owned());
        }
    }
    args.extend(options.resources.as_ref().map(|resources| format!("--resources={resources}")));
    let settings = tepui_agentd::Settings::from_values(&options.values(tepui_flags::agent::FLAGS, &args)?, |_| None)?;
    Ok(tepui_agentd::start(&settings, crate::version::info(), crate::version::OWN, Default::default()).await?)
}

/// Prefix of the variables that are flags.
const PREFIX: &str = "MESOS_";

impl Options {
    /// Flags as if they stood on a daemon's command line, above the variables.
    fn values(&self, table: &'static [Flag], args: &[String]) -> Result<Values> {
        let variables = self.variables.as_deref().unwrap_or_default();
        let read = |path: &str| std::fs::read_to_string(path);
        let values = tepui_flags::parse(&[table, tepui_flags::logging::FLAGS], args, variables, PREFIX, &read)?;
        for warning in &values.warnings {
            tracing::warn!("{warning}");
        }
        Ok(values)
    }

    /// Whether the variables give the flag.
    fn names(&self, flag: &str) -> bool {
        let is = |name: &str| name.strip_prefix(PREFIX).is_some_and(|rest| rest.eq_ignore_ascii_case(flag));
        self.variables.iter().flatten().any(|(name, _)| is(name))
    }
}
