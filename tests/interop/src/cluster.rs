//! A master and an agent of the binary under test, as the processes an operator would start.

use std::net::{SocketAddrV4, TcpListener};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http;
use crate::process::{Daemon, belonging_to, signal, tail, wait_for};

/// From exec to an agent that is registered, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// From SIGTERM to the end of a daemon.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// From a framework's teardown until its resources are free: executors get 5 s to end by themselves.
const FREE_WITHIN: Duration = Duration::from_secs(30);
/// The name of the mark in the daemons' environment.
const MARK: &str = "TEPUI_INTEROP_RUN";
/// Frameworks that stay known for their failover time, because their library cannot tear down.
const STAYS: &str = "interop-mentos";

/// Log lines that are to be expected, with the reason each is.
const EXPECTED_COMPLAINTS: [(&str, &str); 1] =
    [("Closing a connection that cannot be decoded", "the differential suite sends such requests")];

/// A flag's name and its value.
pub type Flag = (&'static str, String);

/// What both daemons are told besides where they are.
pub struct Flags {
    /// Of the master.
    pub master: Vec<Flag>,
    /// Of the agent.
    pub agent: Vec<Flag>,
}

impl Default for Flags {
    fn default() -> Flags {
        let resources = "cpus:4;mem:4096;disk:4096;ports:[31000-32000]".to_owned();
        Flags { master: Vec::new(), agent: vec![("resources", resources)] }
    }
}

/// A running cluster.
pub struct Cluster {
    master_process: Daemon,
    agent_process: Daemon,
    /// `host:port` of the master.
    pub master: String,
    /// `host:port` of the agent.
    pub agent: String,
    /// Where both keep everything.
    pub folder: PathBuf,
    mark: String,
}

impl Cluster {
    /// Starts both daemons below a folder of their own and waits until an agent is registered.
    pub fn start(tepui: &Path, tools: &Path, flags: &Flags) -> Result<Cluster> {
        let run = std::process::id();
        let folder = tools.join(format!("run-{run}"));
        let mark = format!("{MARK}={run}");
        let bin = folder.join("bin");
        std::fs::create_dir_all(&bin)?;
        for name in ["mesos-master", "mesos-agent", "mesos-executor"] {
            symlink(tepui, bin.join(name)).with_context(|| bin.join(name).display().to_string())?;
        }
        let master = format!("127.0.0.1:{}", free_port()?);
        let agent = format!("127.0.0.1:{}", free_port()?);
        let daemon = |name: &'static str, own: Vec<Flag>, flags: &[Flag]| {
            let mut command = Command::new(bin.join(name));
            command.args(own.iter().chain(flags).map(|(name, value)| format!("--{name}={value}")));
            without_mesos_variables(&mut command);
            Daemon::start(name, command.env(MARK, run.to_string()), folder.join(format!("{name}.log")))
        };
        let master_process = daemon("mesos-master", master_flags(&master, &folder), &flags.master)?;
        let agent_process = daemon("mesos-agent", agent_flags(&master, &agent, &folder), &flags.agent)?;
        let mut cluster = Cluster { master_process, agent_process, master, agent, folder, mark };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let master = self.master.clone();
        let ready = wait_for("a healthy master with an agent", READY_WITHIN, || {
            if let Err(error) = self.master_process.is_alive().and_then(|()| self.agent_process.is_alive()) {
                return Some(Err(error));
            }
            http::get(&master, "/health").ok()?;
            let agents = http::get_json(&master, "/slaves").ok()?;
            (agents["slaves"].as_array()?.len() == 1).then_some(Ok(()))
        });
        let logs = || format!("{}\n{}", tail(&self.master_process.log), tail(&self.agent_process.log));
        ready.and_then(|ready| ready).with_context(|| format!("the cluster did not come up\n{}", logs()))
    }

    /// Ends both daemons and judges how they lived and left: cleanly, without complaints, leaving no process behind.
    /// The folder stays, for reading, unless `well` and this went well too.
    pub fn stop(mut self, well: bool) -> Result<()> {
        for daemon in [&mut self.agent_process, &mut self.master_process] {
            let status = daemon.stop(STOP_WITHIN)?;
            ensure!(status.success(), "after SIGTERM: {status}\n{}", tail(&daemon.log));
        }
        let left = belonging_to(&self.folder, &self.mark);
        left.iter().try_for_each(|(pid, _)| signal("KILL", *pid))?;
        ensure!(left.is_empty(), "processes stay after their cluster: {left:?}");
        for daemon in [&self.master_process, &self.agent_process] {
            let complaints = complaints(&daemon.log)?;
            ensure!(
                complaints.is_empty(),
                "unexpected complaints in {}\n{}",
                daemon.log.display(),
                complaints.join("\n")
            );
        }
        if well {
            std::fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }
}

/// A master alone.
pub struct Master {
    process: Daemon,
    /// Where it listens.
    pub address: SocketAddrV4,
}

impl Master {
    /// Starts a master below a folder of its own and waits until it answers.
    pub fn start(tepui: &Path, folder: &Path, flags: &Flags) -> Result<Master> {
        std::fs::create_dir_all(folder)?;
        let program = folder.join("mesos-master");
        symlink(tepui, &program)?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(&program);
        let own = master_flags(&address, folder);
        command.args(own.iter().chain(&flags.master).map(|(name, value)| format!("--{name}={value}")));
        without_mesos_variables(&mut command);
        let mut process = Daemon::start("mesos-master", &mut command, folder.join("mesos-master.log"))?;
        let ready = wait_for("a healthy master", READY_WITHIN, || match process.is_alive() {
            Err(error) => Some(Err(error)),
            Ok(()) => http::get(&address, "/health").ok().map(|_| Ok(())),
        });
        ready.and_then(|ready| ready)?;
        Ok(Master { process, address: address.parse()? })
    }

    /// Ends it; it must leave cleanly.
    pub fn stop(mut self) -> Result<()> {
        let status = self.process.stop(STOP_WITHIN)?;
        ensure!(status.success(), "after SIGTERM: {status}\n{}", tail(&self.process.log));
        Ok(())
    }
}

fn port(address: &str) -> String {
    address.rsplit(':').next().unwrap_or_default().to_owned()
}

fn master_flags(master: &str, folder: &Path) -> Vec<Flag> {
    vec![
        ("ip", "127.0.0.1".to_owned()),
        ("port", port(master)),
        ("hostname", "localhost".to_owned()),
        ("registry", "in_memory".to_owned()),
        ("work_dir", folder.join("master").display().to_string()),
    ]
}

fn agent_flags(master: &str, agent: &str, folder: &Path) -> Vec<Flag> {
    vec![
        ("ip", "127.0.0.1".to_owned()),
        ("port", port(agent)),
        ("hostname", "localhost".to_owned()),
        ("master", master.to_owned()),
        ("work_dir", folder.join("agent").display().to_string()),
        ("runtime_dir", folder.join("runtime").display().to_string()),
        ("launcher", "posix".to_owned()),
        ("systemd_enable_support", "false".to_owned()),
    ]
}

/// The daemons' configuration is what they are told, whatever the caller's environment holds.
pub fn without_mesos_variables(command: &mut Command) {
    let inherited = std::env::vars_os().map(|(name, _)| name);
    inherited.filter(|name| name.to_string_lossy().starts_with("MESOS_")).for_each(|name| {
        command.env_remove(name);
    });
}

/// A port that was free a moment ago. The system does not hand the same one out again soon.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until no framework stays and no agent holds resources for one: what was used has come back.
pub fn nothing_is_held(master: &str) -> Result<()> {
    let mut last = Value::Null;
    let free = wait_for("all resources free and all frameworks gone", FREE_WITHIN, || {
        last = http::get_json(master, "/state").ok()?;
        let frameworks = last["frameworks"].as_array()?.iter().filter(|framework| framework["name"] != STAYS).count();
        let used = |agent: &Value| agent["used_resources"]["cpus"].as_f64().unwrap_or(0.0);
        let held: f64 = last["slaves"].as_array()?.iter().map(used).sum();
        (frameworks == 0 && held == 0.0).then_some(())
    });
    free.with_context(|| {
        format!("/state still shows frameworks {:#}\nand agents {:#}", last["frameworks"], last["slaves"])
    })
}

/// Warnings, errors and panics in a daemon's log that nothing explains.
fn complaints(log: &Path) -> Result<Vec<String>> {
    let text = std::fs::read(log)?;
    let text = String::from_utf8_lossy(&text);
    let complaint = |line: &&str| ["ERROR", "WARN", "panicked at"].iter().any(|word| line.contains(word));
    let expected = |line: &str| EXPECTED_COMPLAINTS.iter().any(|(words, _)| line.contains(words));
    Ok(text.lines().filter(complaint).filter(|line| !expected(line)).map(str::to_owned).collect())
}
