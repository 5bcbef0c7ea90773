//! What a person asks of worlds of one kind.

use crate::Args;
use crate::kind::{Bug, Kind, Plan};
use crate::long_run::{self, Failure, Run};
use std::collections::BTreeMap;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

/// Seeds tried for each planted bug before it counts as missed.
const PLANTED_SEEDS: u64 = 100;
/// Objections shown of one run.
const SHOWN: usize = 10;

/// Does it.
pub fn run<K: Kind>(args: &Args) -> anyhow::Result<ExitCode> {
    if args.list_planted {
        for bug in K::Bug::ALL {
            println!("{:24} {}", bug.name(), bug.what());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.find_planted { Ok(find_planted::<K>(args)) } else { simulate::<K>(args) }
}

fn simulate<K: Kind>(args: &Args) -> anyhow::Result<ExitCode> {
    let run = Run {
        seed: args.seed,
        hours: args.hours,
        seconds: args.minutes.map_or(3600, |minutes| minutes * 60),
        jobs: if args.events.is_some() { 1 } else { jobs(args) },
        bug: args.planted.as_deref().map(bug_called::<K::Bug>).transpose()?,
        keep_going: args.keep_going,
        events: args.events.clone(),
    };
    let start = Instant::now();
    let (total, failures) = long_run::run::<K>(&run);
    println!("{}", total.text::<K>(start.elapsed()));
    if failures.is_empty() {
        println!("verdict: clean");
        return Ok(ExitCode::SUCCESS);
    }
    failures.iter().for_each(|failure| fail::<K>(failure, args));
    Ok(ExitCode::FAILURE)
}

fn jobs(args: &Args) -> usize {
    args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get))
}

fn bug_called<B: Bug>(name: &str) -> anyhow::Result<B> {
    let found = B::ALL.iter().find(|bug| bug.name() == name);
    found.copied().ok_or_else(|| anyhow::anyhow!("no bug is called {name}; --list-planted names them all"))
}

fn fail<K: Kind>(failure: &Failure, args: &Args) {
    println!("verdict: {} objections", failure.violations.len());
    for text in failure.violations.iter().take(SHOWN) {
        println!("  {text}");
    }
    let minutes = args.minutes.map(|minutes| format!(" --minutes {minutes}")).unwrap_or_default();
    let planted = args.planted.as_ref().map(|name| format!(" --planted {name}")).unwrap_or_default();
    let (world, seed) = (K::NAME, failure.seed);
    println!("replay: cargo run --release -p sim -- --world {world} --seed {seed} --hours 1{minutes}{planted}");
}

/// Looks for every bug, one per thread at a time; the worlds know nothing of each other.
fn find_planted<K: Kind>(args: &Args) -> ExitCode {
    let (next, all, clean) = (AtomicUsize::new(0), K::Bug::ALL, CleanSeeds::default());
    let missed: usize = std::thread::scope(|scope| {
        let look = || {
            let bugs = std::iter::from_fn(|| all.get(next.fetch_add(1, Ordering::Relaxed)));
            bugs.filter(|bug| !find::<K>(**bug, args.seed, &clean)).count()
        };
        let workers: Vec<_> = (0..jobs(args).max(1)).map(|_| scope.spawn(look)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a world does not panic")).sum()
    });
    println!("{} of {} planted bugs found", all.len() - missed, all.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether worlds without a bug are clean, by their seed. An objection to one that is not proves nothing of a bug in it.
#[derive(Default)]
struct CleanSeeds(Mutex<BTreeMap<u64, Arc<OnceLock<bool>>>>);

impl CleanSeeds {
    fn has<K: Kind>(&self, seed: u64) -> bool {
        let known = self.0.lock().expect("nothing panics with it").entry(seed).or_default().clone();
        *known.get_or_init(|| violations::<K>(seed, None).is_empty())
    }
}

fn violations<K: Kind>(seed: u64, bug: Option<K::Bug>) -> Vec<String> {
    K::run(&Plan { seed, seconds: K::PLANTED_SECONDS, bug }, None).violations
}

/// Looks for one bug and says which seed found it, and by which objection.
fn find<K: Kind>(bug: K::Bug, first: u64, clean: &CleanSeeds) -> bool {
    let found = (first..first + PLANTED_SEEDS).find_map(|seed| {
        let text = violations::<K>(seed, Some(bug)).into_iter().next()?;
        clean.has::<K>(seed).then_some((seed, text))
    });
    match &found {
        Some((seed, text)) => println!("found  {:24} seed {seed}: {text}", bug.name()),
        None => println!("missed {:24}", bug.name()),
    }
    found.is_some()
}
