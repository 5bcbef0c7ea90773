//! The simulator as a test: fixed seeds always, a random minute for luck, and the same seed twice.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::Setting;
use super::cargo_tests::cargo;
use super::process::Log;
use super::report::Tally;

/// Seeds that every run tries. A seed that once failed becomes a named test in `sim` itself.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// Simulated hours for each fixed seed.
const HOURS: &str = "1";
/// Wall time spent on seeds nobody has tried before.
const RANDOM_TIME: Duration = Duration::from_secs(60);
/// Hours of the replicated log, each with a seed of its own that follows from the day's.
const LOG_HOURS: &str = "6";
/// Hours of several masters, the same way: about a minute.
const MASTERS_HOURS: &str = "12";
/// Bugs that can be planted in a world, at least.
const PLANTED_MIN: [(&str, usize); 3] = [("cluster", 60), ("masters", 10), ("log", 51)];
/// How it is started.
const SIM: [&str; 6] = ["run", "--release", "--quiet", "-p", "sim", "--"];
/// No single run may take longer, build included.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Runs the seeds one after another.
pub fn run(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let mut tally = Tally::default();
    let fixed = if setting.quick { &SEEDS[..1] } else { &SEEDS[..] };
    for seed in fixed {
        tally.add(one(setting, log, *seed)?);
    }
    for (world, least) in PLANTED_MIN {
        // The others' bugs take a minute to find.
        if world == "cluster" || !setting.quick {
            tally.add(planted(setting, log, world, least)?);
        }
    }
    let hours = if setting.quick { "1" } else { LOG_HOURS };
    tally.add(simulate(setting, log, &["--world", "log", "--seed", &fresh_seed().to_string(), "--hours", hours])?);
    if setting.quick {
        return Ok(tally);
    }
    let first = fresh_seed().to_string();
    tally.add(simulate(setting, log, &["--world", "masters", "--seed", &first, "--hours", MASTERS_HOURS])?);
    let start = std::time::Instant::now();
    let mut seed = fresh_seed();
    while start.elapsed() < RANDOM_TIME && tally.failures.is_empty() {
        tally.add(one(setting, log, seed)?);
        seed = seed.wrapping_add(1);
    }
    Ok(tally)
}

fn one(setting: &Setting, log: &mut Log, seed: u64) -> Result<Tally> {
    simulate(setting, log, &["--seed", &seed.to_string(), "--hours", HOURS])
}

fn simulate(setting: &Setting, log: &mut Log, args: &[&str]) -> Result<Tally> {
    let mut command = cargo(setting);
    command.args(SIM).args(args);
    let ended = log.run(&mut command, LIMIT)?;
    let replay = format!("cargo run --release -p sim -- {}", args.join(" "));
    if !ended.status.success() {
        return Ok(Tally::failure(&replay, "the checkers found something"));
    }
    // A simulator that prints no faults has simulated nothing.
    if !ended.text.contains("faults") {
        return Ok(Tally::failure(&replay, "it reported no faults at all"));
    }
    Ok(Tally::pass())
}

/// Checkers that find nothing prove nothing: each planted bug must be found.
fn planted(setting: &Setting, log: &mut Log, world: &str, least: usize) -> Result<Tally> {
    let args = ["--world", world, "--find-planted"];
    let mut command = cargo(setting);
    command.args(SIM).args(args);
    let ended = log.run(&mut command, LIMIT)?;
    let found = ended.text.lines().filter(|line| line.starts_with("found ")).count();
    if !ended.status.success() || found < least {
        let replay = format!("cargo run --release -p sim -- {}", args.join(" "));
        return Ok(Tally::failure(&replay, &format!("only {found} planted bugs were found")));
    }
    Ok(Tally::pass())
}

/// A seed that differs from run to run; it is in the log and in the command that replays it.
fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
