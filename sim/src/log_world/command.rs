//! `sim --world log`: what a person asks of this world.

use super::hour::{self, Outcome, Plan};
use super::planted::Bug;
use super::report::Tally;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Seeds tried for each planted bug before it counts as missed.
const PLANTED_SEEDS: u64 = 24;
/// How long faults go on in a world with a planted bug.
const PLANTED_SECONDS: u64 = 15 * 60;
/// Objections shown of one run.
const SHOWN: usize = 10;

/// What is to be done.
pub struct Options {
    /// Where all chance comes from.
    pub seed: u64,
    /// Simulated hours, each a world of its own.
    pub hours: u64,
    /// Seconds with faults in each world.
    pub seconds: u64,
    /// Worlds at a time.
    pub jobs: usize,
    /// The bug to plant.
    pub planted: Option<String>,
    /// Name the bugs.
    pub list_planted: bool,
    /// Find them all.
    pub find_planted: bool,
    /// Where events are written down.
    pub events: Option<PathBuf>,
}

/// Does it.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.list_planted {
        for bug in Bug::ALL {
            println!("{:24} {}", bug.name(), bug.what());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if options.find_planted { Ok(find_planted(options)) } else { simulate(options) }
}

fn simulate(options: &Options) -> anyhow::Result<ExitCode> {
    let bug = options.planted.as_deref().map(bug_called).transpose()?;
    let start = Instant::now();
    let (next, stop, total) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Tally::default()));
    let failed: Mutex<Option<(Plan, Outcome)>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let hour = next.fetch_add(1, Ordering::Relaxed);
                    if hour >= options.hours {
                        break;
                    }
                    let plan = Plan { seed: crate::hour::seed_of(options.seed, hour), seconds: options.seconds, bug };
                    let outcome = hour::run(&plan, events(options, hour));
                    total.lock().expect("no world panics").add(&outcome.tally);
                    if !outcome.violations.is_empty() {
                        stop.store(true, Ordering::Relaxed);
                        failed.lock().expect("no world panics").get_or_insert((plan, outcome));
                    }
                }
            });
        }
    });
    println!("{}", total.lock().expect("no world panics").text(start.elapsed()));
    match failed.into_inner().expect("no world panics") {
        None => println!("verdict: clean"),
        Some((plan, outcome)) => {
            fail(&plan, &outcome, options);
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The first world's events; one file holds one world.
fn events(options: &Options, hour: u64) -> Option<Box<dyn Write>> {
    let path = options.events.as_ref().filter(|_| hour == 0)?;
    let file = std::fs::File::create(path).inspect_err(|error| eprintln!("{}: {error}", path.display())).ok()?;
    Some(Box::new(std::io::BufWriter::new(file)))
}

fn bug_called(name: &str) -> anyhow::Result<Bug> {
    let found = Bug::ALL.iter().find(|bug| bug.name() == name);
    found.copied().ok_or_else(|| anyhow::anyhow!("no bug is called {name}; --list-planted names them all"))
}

fn fail(plan: &Plan, outcome: &Outcome, options: &Options) {
    println!("verdict: {} objections", outcome.violations.len());
    for text in outcome.violations.iter().take(SHOWN) {
        println!("  {text}");
    }
    let minutes = if options.seconds == 3600 { String::new() } else { format!(" --minutes {}", options.seconds / 60) };
    let planted = plan.bug.map(|bug| format!(" --planted {}", bug.name())).unwrap_or_default();
    println!("replay: cargo run --release -p sim -- --world log --seed {} --hours 1{minutes}{planted}", plan.seed);
}

/// Looks for every bug, one per thread at a time; the worlds know nothing of each other.
fn find_planted(options: &Options) -> ExitCode {
    let next = AtomicUsize::new(0);
    let missed: usize = std::thread::scope(|scope| {
        let look = || {
            let bugs = std::iter::from_fn(|| Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)));
            bugs.filter(|bug| !find(**bug, options.seed)).count()
        };
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(look)).collect();
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
        Some((seed, text)) => println!("found  {:24} seed {seed}: {text}", bug.name()),
        None => println!("missed {:24}", bug.name()),
    }
    found.is_some()
}
