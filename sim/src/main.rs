//! The simulator: a cluster of the real machines in one thread, one seeded world of messages, faults and judges.
//!
//! See docs/simulation.md. A failing run prints the one command that replays it.

mod agenda;
mod cast;
mod check;
mod command;
mod detector;
mod disk;
mod driven;
mod faults;
mod host;
mod hour;
mod kind;
mod log_world;
mod long_run;
mod network;
mod packet;
mod planted;
mod report;
mod session;
mod skew;
mod stage;
mod task;
#[cfg(test)]
mod tests;
mod workload;
mod world;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs simulated clusters and looks for what must not happen.
#[derive(Parser)]
struct Args {
    /// What is simulated: `cluster`, a master with agents and frameworks; `masters`, several of them with a replicated log,
    /// with ZooKeeper or without; or `log`, the replicated log alone.
    #[arg(long, default_value = "cluster", value_parser = ["cluster", "masters", "log"])]
    world: String,
    /// Where all chance comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated hours, each a world of its own.
    #[arg(long, default_value_t = 1)]
    hours: u64,
    /// Simulated minutes with faults in each world, instead of an hour.
    #[arg(long)]
    minutes: Option<u64>,
    /// Threads that run worlds; none: as many as there are processors.
    #[arg(long)]
    jobs: Option<usize>,
    /// Goes on after a world that failed.
    #[arg(long)]
    keep_going: bool,
    /// Plants a bug; see --list-planted.
    #[arg(long)]
    planted: Option<String>,
    /// Names the bugs that can be planted.
    #[arg(long)]
    list_planted: bool,
    /// Plants each bug in turn; fails if one is not found.
    #[arg(long)]
    find_planted: bool,
    /// Writes one line per event to this file, with one thread.
    #[arg(long)]
    events: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    match args.world.as_str() {
        "log" => command::run::<log_world::LogWorld>(&args),
        "masters" => command::run::<hour::Masters>(&args),
        _ => command::run::<hour::Cluster>(&args),
    }
}
