//! The simulator: a cluster of the real machines in one thread, one seeded world of messages, faults and judges.
//!
//! See docs/simulation.md. A failing run prints the one command that replays it.

mod cast;
mod check;
mod driven;
mod faults;
mod host;
mod hour;
mod network;
mod packet;
mod planted;
mod report;
mod task;
#[cfg(test)]
mod tests;
mod workload;
mod world;

use clap::Parser;
use hour::{AGENTS, FRAMEWORKS, Outcome, Plan};
use planted::Bug;
use report::Tally;
use std::io::Write;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Seeds tried for each planted bug before it counts as missed.
const PLANTED_SEEDS: u64 = 8;
/// How long faults go on in a world with a planted bug.
const PLANTED_SECONDS: u64 = 20 * 60;

/// Runs simulated clusters and looks for what must not happen.
#[derive(Parser)]
struct Args {
    /// Where all chance comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated hours, each a world of its own.
    #[arg(long, default_value_t = 1)]
    hours: u64,
    /// Simulated minutes with faults in each world, instead of an hour.
    #[arg(long)]
    minutes: Option<u64>,
    /// Plants a bug; see --list-planted.
    #[arg(long)]
    planted: Option<String>,
    /// Names the bugs that can be planted.
    #[arg(long)]
    list_planted: bool,
    /// Plants each bug in turn; fails if one is not found.
    #[arg(long)]
    find_planted: bool,
    /// Writes one line per event to this file.
    #[arg(long)]
    events: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if args.list_planted {
        for bug in Bug::ALL {
            println!("{:20} {}", bug.name(), bug.what());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.find_planted { Ok(find_planted(args.seed)) } else { simulate(&args) }
}

fn simulate(args: &Args) -> anyhow::Result<ExitCode> {
    let bug = match &args.planted {
        Some(name) => Some(bug_called(name)?),
        None => None,
    };
    let (start, mut total) = (Instant::now(), Tally::default());
    let seconds = args.minutes.map_or(3600, |minutes| minutes * 60);
    for hour in 0..args.hours {
        let plan = Plan { seed: hour::seed_of(args.seed, hour), seconds, bug };
        let log: Option<Box<dyn Write>> = match &args.events {
            Some(path) => Some(Box::new(std::io::BufWriter::new(events(path, hour)?))),
            None => None,
        };
        let outcome = hour::run(&plan, log);
        total.add(&outcome.tally);
        if !outcome.violations.is_empty() {
            println!("{}", total.text(AGENTS, FRAMEWORKS, start.elapsed()));
            fail(&plan, &outcome, args);
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("{}", total.text(AGENTS, FRAMEWORKS, start.elapsed()));
    println!("verdict: clean");
    Ok(ExitCode::SUCCESS)
}

/// The first world's events begin the file, the others' follow.
fn events(path: &std::path::Path, hour: u64) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).write(true).truncate(hour == 0).append(hour > 0).open(path)
}

fn bug_called(name: &str) -> anyhow::Result<Bug> {
    let found = Bug::ALL.iter().find(|bug| bug.name() == name);
    found.copied().ok_or_else(|| anyhow::anyhow!("no bug is called {name}; --list-planted names them all"))
}

/// Objections shown of one run.
const SHOWN: usize = 10;

fn fail(plan: &Plan, outcome: &Outcome, args: &Args) {
    println!("verdict: {} objections", outcome.violations.len());
    for text in outcome.violations.iter().take(SHOWN) {
        println!("  {text}");
    }
    let minutes = args.minutes.map(|minutes| format!(" --minutes {minutes}")).unwrap_or_default();
    let planted = plan.bug.map(|bug| format!(" --planted {}", bug.name())).unwrap_or_default();
    println!("replay: cargo run --release -p sim -- --seed {} --hours 1{minutes}{planted}", plan.seed);
}

/// Looks for every bug, one per thread at a time; the worlds know nothing of each other.
fn find_planted(first: u64) -> ExitCode {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let missed: usize = std::thread::scope(|scope| {
        let look = || {
            let bugs = std::iter::from_fn(|| Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)));
            bugs.filter(|bug| !find(**bug, first)).count()
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(look)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a world does not panic")).sum()
    });
    println!("{} of {} planted bugs found", Bug::ALL.len() - missed, Bug::ALL.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Looks for one bug and says which seed found it, and by which objection.
fn find(bug: Bug, first: u64) -> bool {
    let found = (first..first + PLANTED_SEEDS).find_map(|seed| {
        let outcome = hour::run(&Plan { seed, seconds: PLANTED_SECONDS, bug: Some(bug) }, None);
        outcome.violations.first().map(|text| (seed, text.clone()))
    });
    match &found {
        Some((seed, text)) => println!("found  {:20} seed {seed}: {text}", bug.name()),
        None => println!("missed {:20}", bug.name()),
    }
    found.is_some()
}
