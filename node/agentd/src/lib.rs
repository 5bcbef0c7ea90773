//! The agent as part of a node: the machine of `core/agent` with a network, containers, files and a master to find.
//!
//! Reads are answered from snapshots, beside the machine; everything else passes through it in order of arrival.
//! Not done here: checkpoints, authentication.

pub mod detect;
mod detections;
pub mod flags;
mod pages;
mod programs;
mod read;
mod world;

pub use flags::Settings;

use detections::Detections;
use read::{AgentHost, Reader, figures};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tepui_agent::{Agent, Config, Input, Snapshot};
use tepui_base::Wall;
use tepui_container::Containerizer;
use tepui_detector::Detector;
use tepui_driver::{Clock, Driver, Mailbox};
use tepui_net::{Inbox, Node};
use tepui_processes::{Files, Logging, Processes};
use tepui_proto::mesos::VersionInfo;
use tepui_wire::{NetInput, Upid};
use tokio::sync::watch;
use world::AgentWorld;

/// The agent's process id; there is one agent in a node.
const PROCESS: &str = "slave(1)";

/// Why an agent does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its address can not be had.
    #[error(transparent)]
    Network(#[from] tepui_net::Error),
    /// The programs it starts can not be found or linked.
    #[error("Failed to prepare '{dir}': {source}")]
    Programs {
        /// Where their links should be.
        dir: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The operating system has no randomness.
    #[error("Failed to get a random seed: {0}")]
    Random(getrandom::Error),
    /// Another agent lives in this node.
    #[error("The node has an agent already")]
    Taken,
}

/// A running agent.
pub struct Handle {
    node: Node,
    mailbox: Mailbox<Agent>,
    containers: Containerizer,
    files: Files,
    exit: watch::Receiver<Option<String>>,
}

impl Handle {
    /// The network it lives in.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// What it serves under `/files`.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// What it knows now; none if it has ended.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        self.mailbox.inspect(Agent::snapshot).await
    }

    /// Waits until the agent leaves by itself, and says why.
    pub async fn exited(&mut self) -> String {
        let reason = self.exit.wait_for(Option::is_some).await;
        reason.ok().and_then(|reason| reason.clone()).unwrap_or_else(|| "The agent has stopped".to_owned())
    }

    /// Shuts all executors down, each with its grace period, and waits until none is left. With `unregister` the
    /// master forgets the agent at once.
    pub async fn terminate(&mut self, unregister: bool) {
        self.mailbox.post(Input::Terminate { unregister });
        self.exited().await;
        self.containers.destroy_all().await;
    }

    /// Kills whatever still runs in containers, and waits for it.
    pub async fn destroy_containers(&self) {
        self.containers.destroy_all().await;
    }
}

/// Starts an agent on a network of its own. `version` is what masters and clients are told.
pub async fn start(
    settings: &Settings,
    version: VersionInfo,
    own_version: &str,
    clock: Clock,
) -> Result<Handle, Error> {
    start_on(Node::bind(settings.net.clone()).await?, settings, version, own_version, clock).await
}

/// Starts an agent on a network that is there already.
pub async fn start_on(
    node: Node,
    settings: &Settings,
    version: VersionInfo,
    own_version: &str,
    clock: Clock,
) -> Result<Handle, Error> {
    for isolator in unavailable_isolators(&settings.isolation) {
        tracing::warn!(isolator, "this isolator of --isolation is not available: containers run without it");
    }
    let launcher_dir = launcher_dir(settings)?;
    let mut config = config(settings, node.upid(PROCESS), &launcher_dir, version)?;
    config.own_version = own_version.to_owned();
    config.start_time = clock.now().wall;
    let (inbox, outlet) = node.spawn(PROCESS).ok_or(Error::Taken)?;
    node.delegate(PROCESS);
    let files = Files::default();
    let (driver, mailbox) = Driver::new(Agent::new(config), clock);
    let (sender, events) = world::container_events();
    let containers = Containerizer::new(
        tepui_container::Config {
            runtime_dir: settings.runtime_dir.clone(),
            launcher_dir,
            frameworks_home: settings.frameworks_home.clone(),
        },
        sender,
    );
    let (exit, exited) = watch::channel(None);
    if let Some(log) = &settings.log_file {
        files.attach("/slave/log", log);
    }
    let processes = Processes::new(files.clone(), Logging::new(settings.verbosity), figures(&containers));
    processes.serve(&node, pages::PAGES, settings.memory_profiling);
    let host = Arc::new(AgentHost { processes, containers: containers.clone() });
    let reader = Reader::new(settings, clock, mailbox.clone(), outlet.clone(), host);
    tokio::spawn(world::forward_container_events(events, mailbox.clone()));
    tokio::spawn(take_in(inbox, reader, mailbox.clone()));
    let detector = Detector::open(&settings.masters, settings.zk_session_timeout);
    let detections = Detections::follow(detector, mailbox.clone(), exit.clone());
    let world = AgentWorld { outlet, containers: containers.clone(), files: files.clone(), detections, exit };
    tokio::spawn(async move {
        if let Err(error) = driver.run(world).await {
            tracing::error!(%error, "the agent has stopped");
        }
    });
    Ok(Handle { node, mailbox, containers, files, exit: exited })
}

/// Isolators of `--isolation` that do nothing here. Those of the posix launcher only measure, which is done without them.
fn unavailable_isolators(isolation: &str) -> impl Iterator<Item = &str> {
    const HERE: [&str; 5] = ["posix", "posix/cpu", "posix/mem", "filesystem/posix", "process"];
    isolation.split(',').map(str::trim).filter(|one| !one.is_empty() && !HERE.contains(one))
}

fn launcher_dir(settings: &Settings) -> Result<std::path::PathBuf, Error> {
    if let Some(dir) = &settings.launcher_dir {
        return Ok(dir.clone());
    }
    let dir = settings.runtime_dir.join("launcher");
    programs::link(&settings.program, dir.clone()).map_err(|source| Error::Programs { dir, source })
}

/// All but what only the caller knows: the own version, the master's name and the time of the start.
fn config(
    settings: &Settings,
    pid: Upid,
    launcher_dir: &std::path::Path,
    version: VersionInfo,
) -> Result<Config, Error> {
    let hostname = settings.hostname.clone().unwrap_or_else(|| hostname(pid.ip, settings.hostname_lookup));
    let mut flags = settings.all.clone();
    flags.entry("launcher_dir".to_owned()).or_insert_with(|| launcher_dir.display().to_string());
    Ok(Config {
        pid,
        hostname,
        resources: settings.resources.clone(),
        attributes: settings.attributes.clone(),
        domain: settings.domain.clone(),
        work_dir: settings.work_dir.display().to_string(),
        launcher_dir: launcher_dir.display().to_string(),
        command_executor: programs::command_executor(launcher_dir),
        http_command_executor: settings.http_command_executor,
        sandbox_directory: settings.sandbox_directory.clone(),
        switch_user: settings.switch_user,
        isolation: settings.isolation.clone(),
        executor_environment: settings.executor_environment.clone(),
        libprocess_ip: libprocess_ip(settings.net.ip),
        executor_registration_timeout: settings.executor_registration_timeout,
        executor_reregistration_timeout: settings.executor_reregistration_timeout,
        executor_shutdown_grace_period: settings.executor_shutdown_grace_period,
        registration_backoff_factor: settings.registration_backoff_factor,
        recovery_timeout: settings.recovery_timeout,
        max_completed_executors_per_framework: settings.max_completed_executors_per_framework,
        flags,
        version,
        own_version: String::new(),
        master_hostname: None,
        start_time: Wall::default(),
        seed: getrandom::u64().map_err(Error::Random)?,
    })
}

/// `--ip` reaches executors as `LIBPROCESS_IP`, so that they need no name service to find their own address.
fn libprocess_ip(ip: Ipv4Addr) -> Option<String> {
    (!ip.is_unspecified()).then(|| ip.to_string())
}

/// What the agent calls its machine: the name of the machine, or its address if names are not to be looked up.
fn hostname(ip: Ipv4Addr, lookup: bool) -> String {
    if !lookup {
        return ip.to_string();
    }
    if ip.is_loopback() {
        return "localhost".to_owned();
    }
    nix::unistd::gethostname().map_or_else(|_| ip.to_string(), |name| name.to_string_lossy().into_owned())
}

/// Brings what reaches the agent's process to the machine, and answers reads beside it.
async fn take_in(mut inbox: Inbox, reader: Reader, mailbox: Mailbox<Agent>) {
    loop {
        match inbox.recv().await {
            NetInput::Http(id, request) if Agent::is_read(&request) => {
                tokio::spawn(reader.clone().answer(id, request));
            }
            input => {
                let bytes = input.body_bytes();
                mailbox.intake(Input::Net(input), bytes).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{hostname, unavailable_isolators};
    use std::net::Ipv4Addr;

    #[test]
    fn an_agent_is_called_by_its_machine_or_its_address() {
        let address = Ipv4Addr::new(10, 0, 0, 9);
        assert_eq!(hostname(address, false), "10.0.0.9");
        assert_eq!(hostname(address, true), nix::unistd::gethostname().unwrap().to_string_lossy());
        assert_eq!(hostname(Ipv4Addr::LOCALHOST, true), "localhost");
        assert_eq!(hostname(Ipv4Addr::LOCALHOST, false), "127.0.0.1");
    }

    #[test]
    fn isolators_that_do_nothing_are_named() {
        assert_eq!(unavailable_isolators("posix/cpu,posix/mem").count(), 0);
        let named: Vec<&str> = unavailable_isolators("cgroups/cpu, posix/mem,disk/du").collect();
        assert_eq!(named, ["cgroups/cpu", "disk/du"]);
    }
}
