//! Many worlds, on several threads: they know nothing of each other, so only the sum is shared.

use crate::kind::{Kind, Outcome, Plan, seed_of};
use crate::report::Tally;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a run that takes long says how far it is.
const PROGRESS: Duration = Duration::from_secs(60);

/// Which worlds to run, and how.
pub struct Run<B> {
    /// Where all chance comes from.
    pub seed: u64,
    /// So many worlds.
    pub hours: u64,
    /// How long faults go on in each, in seconds.
    pub seconds: u64,
    /// Threads.
    pub jobs: usize,
    /// The bug in all of them, if any.
    pub bug: Option<B>,
    /// Whether to go on after a world that failed.
    pub keep_going: bool,
    /// Where the events go; only with one job, in the order of the worlds.
    pub events: Option<PathBuf>,
}

/// A world that failed.
pub struct Failure {
    /// The seed that brings it back.
    pub seed: u64,
    /// What was wrong.
    pub violations: Vec<String>,
}

struct Sum {
    tally: Tally,
    failures: BTreeMap<u64, Failure>,
    start: Instant,
    told: Instant,
}

/// Runs them; gives the sum, and the failures in the order of the worlds.
pub fn run<K: Kind>(plan: &Run<K::Bug>) -> (Tally, Vec<Failure>) {
    let start = Instant::now();
    let sum = Sum { tally: Tally::default(), failures: BTreeMap::new(), start, told: start };
    let (next, stop, sum) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(sum));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let hour = next.fetch_add(1, Ordering::Relaxed);
            if hour >= plan.hours {
                break;
            }
            let (seed, outcome) = one::<K>(plan, hour);
            stop.fetch_or(!outcome.violations.is_empty() && !plan.keep_going, Ordering::Relaxed);
            sum.lock().expect("a world does not panic").add::<K>(hour, seed, outcome);
        }
    };
    std::thread::scope(|scope| {
        (0..plan.jobs.max(1)).for_each(|_| drop(scope.spawn(work)));
    });
    let sum = sum.into_inner().expect("a world does not panic");
    (sum.tally, sum.failures.into_values().collect())
}

fn one<K: Kind>(plan: &Run<K::Bug>, hour: u64) -> (u64, Outcome) {
    let seed = seed_of(plan.seed, hour);
    let events = plan.events.as_ref().and_then(|path| events(path, hour).ok());
    let log = events.map(|file| Box::new(std::io::BufWriter::new(file)) as Box<dyn Write>);
    (seed, K::run(&Plan { seed, seconds: plan.seconds, bug: plan.bug }, log))
}

/// The first world's events begin the file, the others' follow.
fn events(path: &std::path::Path, hour: u64) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).write(true).truncate(hour == 0).append(hour > 0).open(path)
}

impl Sum {
    fn add<K: Kind>(&mut self, hour: u64, seed: u64, outcome: Outcome) {
        self.tally.add::<K>(&outcome.tally);
        if !outcome.violations.is_empty() {
            eprintln!("seed {seed}: {}", outcome.violations[0]);
            self.failures.insert(hour, Failure { seed, violations: outcome.violations });
        }
        if self.told.elapsed() > PROGRESS {
            self.told = Instant::now();
            let minutes = self.start.elapsed().as_secs_f64() / 60.0;
            let (done, failed) = (self.tally.worlds.1, self.failures.len());
            eprintln!("{done} worlds, {:.1} a minute, {failed} failed", done as f64 / minutes);
        }
    }
}
