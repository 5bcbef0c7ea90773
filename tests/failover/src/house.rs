//! A cluster as an operator would run it: three masters or one, two agents, and three ZooKeeper servers or none.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use interop::http;
use interop::process::wait_for;
use interop::process::without_mesos_variables;
use serde_json::Value;

use crate::daemon::Daemon;
use crate::lab::{Host, Lab};
use crate::zookeeper::Ensemble;

/// Hosts of masters.
pub const MASTERS: [&str; 3] = ["m1", "m2", "m3"];
/// Hosts of agents.
pub const AGENTS: [&str; 2] = ["a1", "a2"];
/// Hosts of ZooKeeper servers.
pub const SERVERS: [&str; 3] = ["z1", "z2", "z3"];
/// The port of every master.
const MASTER_PORT: u16 = 5050;
/// The session timeout of all that speak to ZooKeeper here.
pub const SESSION_TIMEOUT: &str = "2secs";
/// A whole cluster on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A healthy leader answers sooner; one that is paused does not answer.
const LOOK_WITHIN: Duration = Duration::from_millis(500);

/// How the masters find out who leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Election {
    /// By a group in ZooKeeper.
    ZooKeeper,
    /// Among themselves (`--masters`).
    List,
    /// There is one master only.
    Alone,
}

impl Election {
    /// The hosts that have a master.
    fn masters(self) -> &'static [&'static str] {
        match self {
            Election::ZooKeeper | Election::List => &MASTERS,
            Election::Alone => &MASTERS[..1],
        }
    }
}

/// What is not as it usually is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    /// Nothing.
    None,
    /// Everybody has a name and a password for ZooKeeper, and what they make there is theirs.
    Credentials,
    /// An agent is unreachable after three seconds.
    ShortPings,
}

impl Twist {
    /// `user:password@`, or nothing.
    fn credentials(self) -> &'static str {
        if self == Twist::Credentials { "mesos:s3cret@" } else { "" }
    }

    fn pings(self) -> [&'static str; 2] {
        match self {
            Twist::ShortPings => ["--agent_ping_timeout=1secs", "--max_agent_ping_timeouts=3"],
            Twist::None | Twist::Credentials => ["--agent_ping_timeout=2secs", "--max_agent_ping_timeouts=10"],
        }
    }
}

/// See the module's text.
pub struct House {
    /// The hosts.
    pub lab: Lab,
    /// The ZooKeeper servers; none with [`Election::List`].
    pub ensemble: Option<Ensemble>,
    /// By number.
    pub masters: Vec<Daemon>,
    /// By number.
    pub agents: Vec<Daemon>,
    /// Where everything is kept.
    pub folder: PathBuf,
    twist: Twist,
}

impl House {
    /// Builds and starts one, and waits until a master leads and knows both agents.
    pub fn start(tepui: &Path, folder: &Path, election: Election, twist: Twist) -> Result<House> {
        let names: Vec<&str> = MASTERS.into_iter().chain(AGENTS).chain(SERVERS).collect();
        let lab = Lab::new(&names)?;
        std::fs::create_dir_all(folder)?;
        let mut ensemble = match election {
            Election::ZooKeeper => {
                Some(Ensemble::new(SERVERS.iter().map(|name| lab.host(name)).collect(), &folder.join("zookeeper"))?)
            }
            Election::List | Election::Alone => None,
        };
        if let Some(ensemble) = &mut ensemble {
            ensemble.start()?;
        }
        let url = |ensemble: &Ensemble| ensemble.url(twist.credentials(), "/mesos");
        let find = ensemble.as_ref().map_or_else(|| list(&lab, election), url);
        let bin = programs(tepui, folder)?;
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs)?;
        let masters = election.masters().iter().map(|name| {
            let (program, host, folder, find) =
                (bin.join("mesos-master"), lab.host(name), folder.join(name), find.clone());
            Daemon::new(name, logs.clone(), move || {
                let mut command = master(&program, &host, &folder, &find, election);
                command.args(twist.pings());
                command
            })
        });
        let masters = masters.collect();
        let agents = AGENTS.map(|name| {
            let (program, host, folder, find) =
                (bin.join("mesos-agent"), lab.host(name), folder.join(name), find.clone());
            Daemon::new(name, logs.clone(), move || agent(&program, &host, &folder, &find))
        });
        let mut house = House { lab, ensemble, masters, agents: agents.into(), folder: folder.to_owned(), twist };
        house.masters.iter_mut().chain(&mut house.agents).try_for_each(Daemon::start)?;
        house.wait_for_agents(AGENTS.len(), READY_WITHIN)?;
        house.wait_for_replicas()?;
        Ok(house)
    }

    /// Waits until every replica of the log votes. One that has never voted counts for nothing: two of three are no
    /// majority without it, in Mesos as here.
    fn wait_for_replicas(&self) -> Result<()> {
        wait_for("replicas that vote", READY_WITHIN, || {
            (0..self.masters.len()).all(|number| self.votes(number)).then_some(())
        })
    }

    /// Whether the replica of a master takes part in decisions.
    pub fn votes(&self, number: usize) -> bool {
        let metrics = http::get_json(&self.addresses()[number], "/metrics/snapshot").ok();
        metrics.is_some_and(|metrics| metrics["registrar/log/recovered"] == 1.0)
    }

    /// `host:port` of each master.
    pub fn addresses(&self) -> Vec<String> {
        self.masters.iter().map(|master| format!("{}:{MASTER_PORT}", self.lab.host(master.name).ip)).collect()
    }

    /// What a framework is told about where the masters are.
    pub fn masters_text(&self) -> String {
        self.ensemble
            .as_ref()
            .map_or_else(|| self.addresses().join(","), |ensemble| ensemble.url(self.twist.credentials(), "/mesos"))
    }

    /// The number of the master that leads, as the masters themselves say.
    pub fn leader(&self) -> Option<usize> {
        self.addresses().iter().position(|address| leads(address))
    }

    /// `/state` of the leader.
    pub fn state(&self) -> Option<Value> {
        http::get_json(&self.addresses()[self.leader()?], "/state").ok()
    }

    /// Waits until a leader has this many active agents.
    pub fn wait_for_agents(&mut self, count: usize, limit: Duration) -> Result<()> {
        let waited = wait_for("a leader with all its agents", limit, || {
            for daemon in self.masters.iter_mut().chain(&mut self.agents) {
                if let Err(error) = daemon.check() {
                    return Some(Err(error));
                }
            }
            let state = self.state()?;
            let agents = state["slaves"].as_array()?;
            (agents.iter().filter(|agent| agent["active"] == true).count() >= count).then_some(Ok(()))
        });
        waited
            .and_then(|ended| ended)
            .with_context(|| format!("the last state was {:?}", self.state().map(|state| state["slaves"].clone())))
    }

    /// Everything runs again and reaches everything.
    pub fn restore(&mut self) -> Result<()> {
        self.lab.heal()?;
        for daemon in self.daemons() {
            daemon.resume()?;
            daemon.start()?;
        }
        Ok(())
    }

    /// All processes there are.
    pub fn daemons(&mut self) -> impl Iterator<Item = &mut Daemon> {
        let servers = self.ensemble.iter_mut().flat_map(|ensemble| &mut ensemble.servers);
        self.masters.iter_mut().chain(&mut self.agents).chain(servers)
    }

    /// Ends it in good order. A master or an agent that has ended by itself before is a failure.
    pub fn stop(mut self) -> Result<()> {
        for daemon in self.masters.iter_mut().chain(&mut self.agents) {
            daemon.check()?;
            daemon.stop()?;
        }
        let logs = self.folder.join("logs");
        for entry in std::fs::read_dir(logs)? {
            let path = entry?.path();
            let text = std::fs::read(&path)?;
            let panicked = String::from_utf8_lossy(&text).contains("panicked at");
            ensure!(!panicked, "a panic in {}", path.display());
        }
        Ok(())
    }
}

/// Whether a master answers what only the leader answers by itself.
pub fn leads(address: &str) -> bool {
    http::get_within(address, "/maintenance/status", LOOK_WITHIN).is_ok()
}

fn list(lab: &Lab, election: Election) -> String {
    let addresses: Vec<String> =
        election.masters().iter().map(|name| format!("{}:{MASTER_PORT}", lab.host(name).ip)).collect();
    addresses.join(",")
}

fn programs(tepui: &Path, folder: &Path) -> Result<PathBuf> {
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin)?;
    for name in ["mesos-master", "mesos-agent", "mesos-executor"] {
        std::os::unix::fs::symlink(tepui, bin.join(name)).with_context(|| bin.join(name).display().to_string())?;
    }
    Ok(bin)
}

fn daemon(program: &Path, host: &Host, folder: &Path) -> Command {
    let mut command = host.command(program);
    without_mesos_variables(&mut command);
    command.arg(format!("--ip={}", host.ip)).arg(format!("--hostname={}", host.name));
    command.arg(format!("--work_dir={}", folder.join("work").display()));
    command
}

fn master(program: &Path, host: &Host, folder: &Path, find: &str, election: Election) -> Command {
    let mut command = daemon(program, host, folder);
    command.arg("--registry=replicated_log");
    match election {
        Election::ZooKeeper => command.arg(format!("--zk={find}")).arg("--quorum=2").args(session_timeout()),
        Election::List => command.arg(format!("--masters={find}")),
        Election::Alone => &mut command,
    };
    command
}

fn agent(program: &Path, host: &Host, folder: &Path, find: &str) -> Command {
    let mut command = daemon(program, host, folder);
    command.arg(format!("--master={find}")).arg("--launcher=posix").arg("--systemd_enable_support=false");
    command.arg(format!("--runtime_dir={}", folder.join("runtime").display()));
    command.arg("--resources=cpus:8;mem:4096;disk:4096").arg("--registration_backoff_factor=100ms");
    if find.starts_with("zk://") {
        command.args(session_timeout());
    }
    command
}

fn session_timeout() -> [String; 1] {
    [format!("--zk_session_timeout={SESSION_TIMEOUT}")]
}
