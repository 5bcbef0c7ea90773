//! Runs every parser on its kept corpus and then on mutations of it, on stable Rust and for a bounded time.
//!
//! This is the guard in the test suite; a long hunt with coverage uses cargo-fuzz on the same bodies. Inputs come from a
//! seed, so a run can be repeated. An input that makes a body panic is written to a file; moved into the corpus it is
//! tried first in every later run. Each body prints one line: `PASS name` or `FAIL name: where and how to repeat`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use tepui_base::Rng;

mod mutate;
mod targets;

use targets::{TARGETS, Target};

const USAGE: &str = "usage: fuzz [--seconds N] [--seed N] [--only NAME] [--found FOLDER]";

struct Options {
    /// For each body.
    time: Duration,
    seed: u64,
    only: Option<String>,
    /// Where inputs that fail are written.
    found: PathBuf,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options> {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut options =
        Options { time: Duration::from_secs(5), seed: fresh, only: None, found: "target/fuzz-found".into() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{argument}?\n{USAGE}"))?;
        match argument.as_str() {
            "--seconds" => options.time = Duration::from_secs(value.parse()?),
            "--seed" => options.seed = value.parse()?,
            "--only" => options.only = Some(value),
            "--found" => options.found = value.into(),
            _ => bail!("{argument}?\n{USAGE}"),
        }
    }
    if let Some(only) = options.only.as_ref().filter(|only| !TARGETS.iter().any(|target| target.name == only.as_str()))
    {
        bail!("there is no fuzz body {only}");
    }
    Ok(options)
}

fn run(options: &Options) -> Result<bool> {
    println!("seed {}", options.seed);
    let mut well = true;
    for target in TARGETS.iter().filter(|target| options.only.as_ref().is_none_or(|only| only == target.name)) {
        let (tried, failed) = hunt(target, options)?;
        match failed {
            None => println!("PASS {} ({tried} inputs)", target.name),
            Some(input) => {
                well = false;
                std::fs::create_dir_all(&options.found)?;
                let path = options.found.join(target.name);
                std::fs::write(&path, &input)?;
                println!(
                    "FAIL {}: {} panics it; move that file into tests/fuzz/corpus/{}/ and run with --only {0}",
                    target.name,
                    path.display(),
                    target.name
                );
            }
        }
    }
    Ok(well)
}

/// Tries the corpus, then mutations until the time is over. Answers how many were tried, and the first that failed.
fn hunt(target: &Target, options: &Options) -> Result<(u64, Option<Vec<u8>>)> {
    let corpus = corpus(target.name)?;
    let mut tried = 0;
    for input in &corpus {
        tried += 1;
        if panics(target, input) {
            return Ok((tried, Some(input.clone())));
        }
    }
    let mut rng = Rng::new(options.seed);
    let deadline = Instant::now() + options.time;
    while Instant::now() < deadline {
        let input = mutate::mutated(&mut rng, &corpus);
        tried += 1;
        if panics(target, &input) {
            return Ok((tried, Some(input)));
        }
    }
    Ok((tried, None))
}

fn panics(target: &Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err()
}

/// The kept inputs of a body. A body without any still runs, on what mutation makes of nothing.
fn corpus(name: &str) -> Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    // The order of a folder differs between machines; a run must not.
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).with_context(|| path.display().to_string())).collect()
}
