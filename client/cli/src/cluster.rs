//! A cluster in this process: a master and agents, each with a port of its own on loopback.
//!
//! The daemons are the same as those of `mesos-master` and `mesos-agent`, started with the same flags; nothing is
//! different but that they share a process.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use tepui_flags::{Flag, Values};

/// What kind of cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port of the master; 0 for a free one.
    pub port: u16,
    /// How many agents.
    pub agents: u16,
    /// Resources of each agent; what the machine has if not given.
    pub resources: Option<String>,
    /// Where sandboxes are; a temporary directory, removed at the end, if not given.
    pub work_dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options { port: 0, agents: 1, resources: None, work_dir: None }
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
        let running = start_master(&options).await?;
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

async fn start_master(options: &Options) -> Result<tepui_masterd::Running> {
    let port = format!("--port={}", options.port);
    let args = ["--ip=127.0.0.1", "--registry=in_memory", "--registry_strict=false", &port];
    let settings = tepui_masterd::Settings::new(values(tepui_flags::master::FLAGS, &args)?, |_| None)?;
    Ok(tepui_masterd::start(settings).await?)
}

async fn start_agent(options: &Options, master: &str, root: &Path, number: u16) -> Result<tepui_agentd::Handle> {
    let dir = root.join(format!("agent-{number}"));
    let mut args = vec![
        "--ip=127.0.0.1".to_owned(),
        "--port=0".to_owned(),
        format!("--master={master}"),
        format!("--work_dir={}", dir.join("work").display()),
        format!("--runtime_dir={}", dir.join("run").display()),
        "--launcher=posix".to_owned(),
        "--no-systemd_enable_support".to_owned(),
        // One process holds both: there is no herd of agents to spread.
        "--registration_backoff_factor=10ms".to_owned(),
    ];
    args.extend(options.resources.as_ref().map(|resources| format!("--resources={resources}")));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let settings = tepui_agentd::Settings::from_values(&values(tepui_flags::agent::FLAGS, &args)?, |_| None)?;
    Ok(tepui_agentd::start(&settings, crate::version::info(), crate::version::OWN, Default::default()).await?)
}

/// Flags as if they stood on a daemon's command line; the environment is not asked.
fn values(table: &'static [Flag], args: &[&str]) -> Result<Values> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let read = |path: &str| std::fs::read_to_string(path);
    Ok(tepui_flags::parse(&[table, tepui_flags::logging::FLAGS], &args, &[], "MESOS_", &read)?)
}
