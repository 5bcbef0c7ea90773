//! `cargo xtask test`: everything that can prove the project wrong, part after part, with one summary at the end.
//!
//! Parts run one after another, because some of them measure and all of them share two cores. What a part prints goes
//! to a log file while it runs; the terminal gets a line per part, and the tail of the log if it failed. The last line
//! is `N passed, N failed, N skipped`, so that a person and a script read the same verdict. A case that was skipped proves
//! nothing, so it fails the run, unless `--allow-skips` says that this machine lacks something.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::tree;

mod acceptance;
mod benchmarks;
mod cargo_tests;
mod process;
mod report;
mod simulation;

use process::Log;
use report::Tally;

/// What every part needs to know.
pub struct Setting {
    /// The repository's top folder.
    root: PathBuf,
    /// Where cargo puts what it builds; logs, venvs and eggs live there too.
    target: PathBuf,
    /// Whether the person asked for the short run.
    quick: bool,
}

/// One part of the run.
struct Part {
    name: &'static str,
    about: &'static str,
    /// Whether `--quick` includes it.
    quick: bool,
    run: fn(&Setting, &mut Log) -> Result<Tally>,
}

const PARTS: [Part; 14] = [
    Part {
        name: "unit",
        about: "tests beside the code, and the examples in its documentation",
        quick: true,
        run: cargo_tests::unit,
    },
    Part { name: "properties", about: "laws that hold for all values", quick: true, run: cargo_tests::properties },
    Part {
        name: "sim",
        about: "a whole cluster from fixed seeds, a random minute, planted bugs",
        quick: true,
        run: simulation::run,
    },
    Part {
        name: "fuzz",
        about: "each parser on its corpus and on random bytes, for a bounded time",
        quick: false,
        run: cargo_tests::fuzz,
    },
    Part {
        name: "descriptors",
        about: "messages and recorded bytes compared with Mesos 1.11",
        quick: false,
        run: cargo_tests::descriptors,
    },
    Part {
        name: "zookeeper",
        about: "groups, variables and elections in a real ZooKeeper",
        quick: false,
        run: cargo_tests::zookeeper,
    },
    Part {
        name: "interop",
        about: "clients written by others for Mesos 1.11, against real processes",
        quick: false,
        run: cargo_tests::interop,
    },
    Part {
        name: "differential",
        about: "the same requests to a real Mesos 1.11.0 and to Tepui: every difference in the answers",
        quick: false,
        run: cargo_tests::differential,
    },
    Part {
        name: "scenarios",
        about: "the same allocations at a real Mesos 1.11.0 and at Tepui: who is offered what",
        quick: false,
        run: cargo_tests::scenarios,
    },
    Part {
        name: "log",
        about: "one replicated log of a real Mesos 1.11.0 and Tepui, and directories each opens of the other",
        quick: false,
        run: cargo_tests::log,
    },
    Part {
        name: "election",
        about: "masters found in a real ZooKeeper: ours by clients of others, a real Mesos by our agent",
        quick: false,
        run: cargo_tests::election,
    },
    Part {
        name: "failover",
        about: "drills and chaos with several masters, real tasks and a real ZooKeeper, each on a host of its own",
        quick: false,
        run: cargo_tests::failover,
    },
    Part {
        name: "bench",
        about: "each benchmark in short: that it runs and prints figures, which nothing judges",
        quick: false,
        run: benchmarks::run,
    },
    Part { name: "acceptance", about: "the commands a person types", quick: false, run: acceptance::run },
];

/// How a part ended.
struct Outcome {
    name: &'static str,
    tally: Tally,
    took: Duration,
    log: PathBuf,
}

/// Runs what was asked for. Answers whether nothing failed, and nothing was skipped that should not be.
pub fn run(root: &Path, arguments: &[String]) -> Result<bool> {
    let Some(Chosen { quick, allow_skips, parts }) = chosen(arguments)? else { return Ok(true) };
    let target = tree::workspace(root)?.target;
    let setting = Setting { root: root.to_owned(), target, quick };
    let logs = setting.target.join("test-logs");
    std::fs::create_dir_all(&logs).with_context(|| format!("creating {}", logs.display()))?;
    let mut outcomes = Vec::new();
    for part in parts {
        println!("{:<12} {}", part.name, part.about);
        let start = Instant::now();
        let path = logs.join(format!("{}.log", part.name));
        let mut log = Log::create(&path)?;
        let tally =
            (part.run)(&setting, &mut log).unwrap_or_else(|error| Tally::failure(part.name, &format!("{error:#}")));
        let outcome = Outcome { name: part.name, tally, took: start.elapsed(), log: path };
        show(&outcome);
        outcomes.push(outcome);
    }
    Ok(summary(&outcomes, allow_skips))
}

/// What the arguments ask for.
struct Chosen {
    quick: bool,
    allow_skips: bool,
    parts: Vec<&'static Part>,
}

/// Reads the arguments; `None` when only the list was wanted.
fn chosen(arguments: &[String]) -> Result<Option<Chosen>> {
    let (mut quick, mut allow_skips) = (false, false);
    let mut only: Vec<&str> = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--allow-skips" => allow_skips = true,
            "--only" => only.extend(rest.next().context("--only wants the name of a part")?.split(',')),
            "--list" => {
                PARTS.iter().for_each(|part| println!("{:<12} {}", part.name, part.about));
                return Ok(None);
            }
            other => bail!("unknown argument {other}; `cargo xtask help` shows what there is"),
        }
    }
    if let Some(name) = only.iter().find(|name| !PARTS.iter().any(|part| part.name == **name)) {
        let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        bail!("there is no part {name}; there are {}", names.join(", "));
    }
    let wanted = |part: &&Part| if only.is_empty() { part.quick || !quick } else { only.contains(&part.name) };
    Ok(Some(Chosen { quick, allow_skips, parts: PARTS.iter().filter(wanted).collect() }))
}

/// How much of a failed part's log the terminal shows.
const TAIL_LINES: usize = 60;

fn show(outcome: &Outcome) {
    let Tally { passed, failures, skips } = &outcome.tally;
    let took = outcome.took.as_secs_f64();
    println!("{:<12} {passed} passed, {} failed, {} skipped in {took:.1} s", "", failures.len(), skips.len());
    if failures.is_empty() {
        return;
    }
    println!("---- the end of {}", outcome.log.display());
    let text = std::fs::read(&outcome.log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(TAIL_LINES)).for_each(|line| println!("{line}"));
    println!("----");
}

/// Prints the table, the failures, each skip with its reason, and the verdict on the last line.
fn summary(outcomes: &[Outcome], allow_skips: bool) -> bool {
    println!("\n{:<12} {:>7} {:>7} {:>7} {:>8}", "part", "passed", "failed", "skipped", "minutes");
    for Outcome { name, tally, took, .. } in outcomes {
        let minutes = took.as_secs_f64() / 60.0;
        println!("{name:<12} {:>7} {:>7} {:>7} {minutes:>8.2}", tally.passed, tally.failures.len(), tally.skips.len());
    }
    for Outcome { name, tally, log, .. } in outcomes {
        tally.failures.iter().for_each(|failure| println!("FAILED {name}: {failure} (see {})", log.display()));
        tally.skips.iter().for_each(|skip| println!("SKIPPED {name}: {skip}"));
    }
    let passed: usize = outcomes.iter().map(|o| o.tally.passed).sum();
    let failed: usize = outcomes.iter().map(|o| o.tally.failures.len()).sum();
    let skipped: usize = outcomes.iter().map(|o| o.tally.skips.len()).sum();
    if skipped > 0 && !allow_skips {
        println!("What was skipped fails the run; where this machine cannot have what it needs, give --allow-skips");
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    is_well(outcomes, allow_skips)
}

/// What did not run proves nothing.
fn is_well(outcomes: &[Outcome], allow_skips: bool) -> bool {
    outcomes.iter().all(|outcome| outcome.tally.failures.is_empty() && (allow_skips || outcome.tally.skips.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Vec<&'static str> {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        chosen(&arguments).unwrap().unwrap().parts.iter().map(|part| part.name).collect()
    }

    #[test]
    fn a_skip_fails_the_run_unless_it_is_allowed() {
        let outcome = |failures: &[&str], skips: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let tally = Tally { passed: 1, failures: owned(failures), skips: owned(skips) };
            Outcome { name: "part", tally, took: Duration::ZERO, log: PathBuf::new() }
        };
        assert!(is_well(&[outcome(&[], &[])], false));
        assert!(!is_well(&[outcome(&[], &[]), outcome(&[], &["a: no Python 2.7"])], false));
        assert!(is_well(&[outcome(&[], &["a: no Python 2.7"])], true));
        assert!(!is_well(&[outcome(&["b: wrong"], &["a: no Python 2.7"])], true));
        let allowed = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            chosen(&words).unwrap().unwrap().allow_skips
        };
        assert!(!allowed(&[]) && !allowed(&["--quick"]) && allowed(&["--quick", "--allow-skips"]));
    }

    #[test]
    fn parts_are_chosen_by_name_and_speed() {
        assert_eq!(names(&["--quick"]), ["unit", "properties", "sim"]);
        assert_eq!(names(&["--only", "fuzz,unit"]), ["unit", "fuzz"]);
        assert_eq!(names(&[]).len(), PARTS.len());
        assert!(chosen(&["--only".to_owned(), "nothing".to_owned()]).is_err());
    }
}
