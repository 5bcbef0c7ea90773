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
/// Bugs that can be planted, at least.
const PLANTED_MIN: usize = 60;
/// Worlds of the log that every run tries, an hour each.
const LOG_HOURS: &str = "12";
/// Bugs that can be planted in the log, at least.
const LOG_PLANTED_MIN: usize = 50;
/// No single run may take longer, build included.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Runs the seeds one after another.
pub fn run(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let mut tally = Tally::default();
    let fixed = if setting.quick { &SEEDS[..1] } else { &SEEDS[..] };
    for seed in fixed {
        tally.add(one(setting, log, *seed)?);
    }
    tally.add(planted(setting, log)?);
    tally.add(log_world(setting, log)?);
    if setting.quick {
        return Ok(tally);
    }
    let start = std::time::Instant::now();
    let mut seed = fresh_seed();
    while start.elapsed() < RANDOM_TIME && tally.failures.is_empty() {
        tally.add(one(setting, log, seed)?);
        seed = seed.wrapping_add(1);
    }
    Ok(tally)
}

fn one(setting: &Setting, log: &mut Log, seed: u64) -> Result<Tally> {
    let mut command = cargo(setting);
    command.args(["run", "--release", "--quiet", "-p", "sim", "--", "--seed", &seed.to_string(), "--hours", HOURS]);
    let ended = log.run(&mut command, LIMIT)?;
    let replay = format!("cargo run --release -p sim -- --seed {seed} --hours {HOURS}");
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
fn planted(setting: &Setting, log: &mut Log) -> Result<Tally> {
    const FIND: [&str; 6] = ["run", "--release", "--quiet", "-p", "sim", "--"];
    let mut command = cargo(setting);
    command.args(FIND).arg("--find-planted");
    let ended = log.run(&mut command, LIMIT)?;
    let found = ended.text.lines().filter(|line| line.starts_with("found ")).count();
    if !ended.status.success() || found < PLANTED_MIN {
        let replay = "cargo run --release -p sim -- --find-planted";
        return Ok(Tally::failure(replay, &format!("only {found} planted bugs were found")));
    }
    Ok(Tally::pass())
}

/// The replicated log alone: some hours, and the bugs planted in it.
fn log_world(setting: &Setting, log: &mut Log) -> Result<Tally> {
    const WORLD: [&str; 10] = ["run", "--release", "--quiet", "-p", "sim", "--", "--world", "log", "--jobs", "2"];
    let mut command = cargo(setting);
    command.args(WORLD).args(["--hours", LOG_HOURS]);
    let ended = log.run(&mut command, LIMIT)?;
    let replay = format!("cargo run --release -p sim -- --world log --hours {LOG_HOURS}");
    if !ended.status.success() || !ended.text.contains("faults") {
        return Ok(Tally::failure(&replay, "the judges of the log found something, or nothing was simulated"));
    }
    let mut command = cargo(setting);
    command.args(WORLD).arg("--find-planted");
    let ended = log.run(&mut command, LIMIT)?;
    let found = ended.text.lines().filter(|line| line.starts_with("found ")).count();
    if !ended.status.success() || found < LOG_PLANTED_MIN {
        let replay = "cargo run --release -p sim -- --world log --find-planted";
        return Ok(Tally::failure(replay, &format!("only {found} bugs planted in the log were found")));
    }
    Ok(Tally::pass())
}

/// A seed that differs from run to run; it is in the log and in the command that replays it.
fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
