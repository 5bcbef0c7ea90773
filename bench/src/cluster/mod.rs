//! A whole master under load: emulated agents register, are looked at, and run tasks of an emulated framework.
//!
//! What is measured is the master: tasks are simulated, so that no process is started, and the emulator says how much
//! processor time it took itself. The same command runs against Tepui and against a real Mesos master; but for
//! `/metrics/snapshot` it uses only paths below `/master`, which both serve.

mod allocation;
mod clients;
mod freed;
pub(crate) mod launched;
mod memory;
mod register;
mod state;
mod tasks;

use crate::emulator::{Agent, AgentSpec, Emulator};
use crate::fdatasync::Growing;
use crate::output::say;
use crate::process::{self, Cpu};
use anyhow::{Context, Result};
use launched::Launched;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tepui_proto::mesos::TaskState;

/// The registry that needs no disk.
const IN_MEMORY: &str = "in_memory";

/// About what one admission writes.
const ENTRY_BYTES: usize = 512;

/// What to put on which master.
#[derive(clap::Args)]
pub struct Arguments {
    /// The master, `ip:port`. Without it a Tepui is started.
    #[arg(long, requires = "pid")]
    master: Option<SocketAddrV4>,
    /// The process of that master, whose memory and processor time are read.
    #[arg(long, requires = "master")]
    pid: Option<u32>,
    /// The Tepui to start; by default the `tepui` beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Where the Tepui that is started keeps its registry: in_memory, or replicated_log (in a temporary directory).
    #[arg(long, default_value = IN_MEMORY)]
    registry: String,
    /// Afterwards the same against the master that this shell command starts at the port `$PORT`.
    #[arg(long, conflicts_with = "master")]
    oracle: Option<String>,
    /// How many agents register.
    #[arg(long, default_value_t = 1000)]
    agents: usize,
    /// Registrations that are under way at once.
    #[arg(long, default_value_t = 200)]
    window: usize,
    /// So many more register after them, one by one.
    #[arg(long, default_value_t = 0)]
    one_by_one: usize,
    /// A port and so a connection for each agent, in place of one for all.
    #[arg(long)]
    ports: bool,
    /// How many tasks run, from launch to the last acknowledgement.
    #[arg(long, default_value_t = 20_000)]
    tasks: usize,
    /// Clients that ask for `/state` all the time.
    #[arg(long, default_value_t = 10)]
    pollers: usize,
    /// Seconds they do so; 0 leaves `/state` out.
    #[arg(long, default_value_t = 5)]
    poll_secs: u64,
    /// How many frameworks then decline every offer, while the master's allocator is watched; 0 leaves that out.
    #[arg(long, default_value_t = 0)]
    frameworks: usize,
    /// Seconds they do so.
    #[arg(long, default_value_t = 20)]
    decline_secs: u64,
    /// How many tasks end one by one, to time how soon what they held is offered; 0 leaves that out.
    #[arg(long, default_value_t = 0)]
    freed: usize,
    /// Seconds of rest before memory is read.
    #[arg(long, default_value_t = 3)]
    settle: u64,
}

/// Runs everything and prints the figures.
pub fn run(arguments: &Arguments) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(drive(arguments))
}

/// The master under load.
struct Target {
    address: SocketAddrV4,
    pid: u32,
    launched: Option<Launched>,
}

impl Target {
    /// Where the master keeps its files, as far as that is known.
    fn work_dir(&self) -> PathBuf {
        let known = self.launched.as_ref().and_then(Launched::work_dir);
        known.map_or_else(std::env::temp_dir, Path::to_owned)
    }
}

impl From<Launched> for Target {
    fn from(launched: Launched) -> Target {
        Target { address: launched.address(), pid: launched.pid(), launched: Some(launched) }
    }
}

async fn drive(arguments: &Arguments) -> Result<()> {
    if let (Some(address), Some(pid)) = (arguments.master, arguments.pid) {
        return load(arguments, Target { address, pid, launched: None }).await;
    }
    say!("Tepui");
    load(arguments, Launched::tepui(arguments.program.clone(), &arguments.registry).await?.into()).await?;
    if let Some(command) = &arguments.oracle {
        say!("{command}");
        load(arguments, Launched::other(command).await?.into()).await?;
    }
    Ok(())
}

/// Puts everything on one master, in the order of the figures.
async fn load(arguments: &Arguments, target: Target) -> Result<()> {
    say!("load {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    if arguments.registry != IN_MEMORY {
        let (count, seconds) = Growing::create(&target.work_dir(), ENTRY_BYTES)?.sync_for(Duration::from_secs(1))?;
        say!("fdatasyncs of {ENTRY_BYTES} bytes where the registry is: {:.0} per second", count as f64 / seconds);
    }
    let (emulator, rest) = (Emulator::new(target.address), Duration::from_secs(arguments.settle));
    tokio::time::sleep(rest).await;
    let before = memory::Reading::of(target.pid)?;
    let mut agents = register::all(arguments, &target, &emulator).await?;
    if arguments.one_by_one > 0 {
        agents.extend(register::one_by_one(arguments, &target, &emulator).await?);
    }
    tokio::time::sleep(rest).await;
    memory::Reading::of(target.pid)?.report(before, agents.len());
    if arguments.poll_secs > 0 {
        state::poll(arguments, &target).await?;
    }
    if arguments.freed > 0 {
        freed::run(arguments.freed, &target, &emulator).await?;
    }
    if arguments.frameworks > 0 {
        allocation::run(arguments, &target).await?;
    }
    if arguments.tasks > 0 {
        tasks::run(arguments, &target, &agents).await?;
    }
    Ok(())
}

/// What each agent has and does: room for its share of the tasks, which run and finish by themselves.
fn spec(arguments: &Arguments, number: usize) -> Result<AgentSpec> {
    let share = arguments.tasks.div_ceil(arguments.agents.max(1)).max(1);
    let resources = format!("cpus:{share};mem:{};disk:{};ports:[31000-32000]", share * 64, share * 64);
    let spec = AgentSpec::new(&format!("agent-{number}"), &resources)?.attributes("rack:a;os:linux")?;
    Ok(spec.task_states(&[TaskState::TASK_RUNNING, TaskState::TASK_FINISHED]))
}

async fn agent(arguments: &Arguments, emulator: &Emulator, number: usize) -> Result<Agent> {
    let spec = spec(arguments, number)?;
    Ok(if arguments.ports { emulator.agent_with_port(spec).await } else { emulator.agent(spec).await }?)
}

/// A stretch of time, and what master and emulator took of it.
struct Stretch {
    pid: u32,
    started: Instant,
    master: Cpu,
    own: Cpu,
}

impl Stretch {
    fn begin(target: &Target) -> Result<Stretch> {
        let master = process::cpu(target.pid).context("the master's process")?;
        Ok(Stretch { pid: target.pid, started: Instant::now(), master, own: process::cpu(std::process::id())? })
    }

    /// Prints a rate, and whose processor time it took.
    fn report(self, count: usize, what: &str) -> Result<()> {
        let seconds = self.started.elapsed().as_secs_f64();
        let (master, own) = (process::cpu(self.pid)? - self.master, process::cpu(std::process::id())? - self.own);
        let per = |cpu: Cpu| cpu.total().as_secs_f64() * 1e6 / count as f64;
        say!(
            "{what}: {:.0} per second ({count} in {seconds:.2} s); processor time of each: master {:.0} us ({:.0} user, \
             {:.0} system), emulator {:.0} us",
            count as f64 / seconds,
            per(master),
            master.user.as_secs_f64() * 1e6 / count as f64,
            master.system.as_secs_f64() * 1e6 / count as f64,
            per(own)
        );
        Ok(())
    }
}
