//! From kill -9 of the leader to the next one that takes writes: masters as processes, killed and started again in rounds.
//!
//! A write is a maintenance schedule, which is answered when a quorum of the log has it. What was acknowledged before a kill
//! must be read after it; a round in which it is not ends the run with an error. With `--agents`, agents are emulated, and
//! the time is taken until the last of them has come back.

pub(crate) mod http;
mod masters;

use crate::durations::Durations;
use crate::emulator::{Agent, AgentSpec, Emulator};
use crate::output::say;
use anyhow::{Result, bail};
use masters::{Masters, Mode};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Pause between two tries to write.
const TRY: Duration = Duration::from_millis(2);
/// A cluster that takes no write for so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is killed how often.
#[derive(clap::Args)]
pub struct Arguments {
    /// The Tepui to start; by default the `tepui` beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// How many masters.
    #[arg(long, default_value_t = 3)]
    masters: usize,
    /// How often the leader is killed.
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// The masters elect their leader by this ZooKeeper (`zk://host:port/path`), in place of by themselves.
    #[arg(long)]
    zk: Option<String>,
    /// The same, by a ZooKeeper of so many servers that is started for the run.
    #[arg(long, conflicts_with = "zk")]
    zookeeper: Option<usize>,
    /// The session timeout there.
    #[arg(long, default_value = "2secs")]
    zk_session_timeout: String,
    /// How many emulated agents come back after each kill.
    #[arg(long, default_value_t = 0)]
    agents: usize,
    /// Re-registrations that are under way at once.
    #[arg(long, default_value_t = 200)]
    window: usize,
}

/// Runs all rounds and prints the figures.
pub fn run(arguments: &Arguments) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(drive(arguments))
}

async fn drive(arguments: &Arguments) -> Result<()> {
    // It serves as long as this function runs.
    let ensemble = arguments.zookeeper.map(zookeeper::Ensemble::start).transpose()?;
    let url = ensemble.as_ref().map(|ensemble| ensemble.url("/mesos")).or_else(|| arguments.zk.clone());
    let mode = match url {
        None => Mode::List,
        Some(url) => Mode::ZooKeeper(url, arguments.zk_session_timeout.clone()),
    };
    say!("load {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    let mut masters = Masters::start(arguments.program.clone(), arguments.masters, mode).await?;
    let mut leader = writes(&masters.addresses(), 0).await?;
    let emulator = Emulator::new(leader);
    let mut agents = Vec::new();
    for number in 0..arguments.agents {
        agents.push(emulator.agent(AgentSpec::new(&format!("agent-{number}"), "cpus:4;mem:4096")?).await?);
    }
    agents = register(arguments, agents).await?;
    let (mut served, mut returned) = (Durations::default(), Durations::default());
    for round in 1..=arguments.rounds {
        let Some(number) = masters.number(leader) else { bail!("{leader} is no master of ours") };
        let killed = Instant::now();
        masters.kill(number)?;
        leader = reads_then_writes(&masters.addresses(), round).await?;
        served.push(killed.elapsed());
        emulator.follow(leader);
        agents = register(arguments, agents).await?;
        returned.push(killed.elapsed());
        masters.restart(number).await?;
    }
    say!("kill -9 to the first acknowledged write: {served}");
    if arguments.agents > 0 {
        say!("kill -9 to the last of {} agents back: {returned}", arguments.agents);
    }
    Ok(())
}

/// Writes `mark` at whichever master takes it, and says which one.
async fn writes(masters: &[SocketAddrV4], mark: u64) -> Result<SocketAddrV4> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        for master in masters {
            if http::write(*master, mark).await {
                return Ok(*master);
            }
        }
        tokio::time::sleep(TRY).await;
    }
    bail!("no master takes a write for {PATIENCE:?}")
}

/// The same, and what was acknowledged in the round before must be there.
async fn reads_then_writes(masters: &[SocketAddrV4], mark: u64) -> Result<SocketAddrV4> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        for master in masters {
            if http::reads(*master, mark - 1).await && http::write(*master, mark).await {
                return Ok(*master);
            }
        }
        tokio::time::sleep(TRY).await;
    }
    bail!("no master shows and takes a write for {PATIENCE:?}: what was acknowledged in round {} may be lost", mark - 1)
}

/// Has all agents registered, some at a time.
async fn register(arguments: &Arguments, mut waiting: Vec<Agent>) -> Result<Vec<Agent>> {
    let (mut under_way, mut registered) = (JoinSet::new(), Vec::new());
    let count = waiting.len();
    while registered.len() < count {
        while under_way.len() < arguments.window.max(1)
            && let Some(agent) = waiting.pop()
        {
            under_way.spawn(async move { agent.register().await.map(|_| agent) });
        }
        if let Some(agent) = under_way.join_next().await {
            registered.push(agent??);
        }
    }
    Ok(registered)
}
