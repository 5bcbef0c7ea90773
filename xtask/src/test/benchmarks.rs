//! The benchmarks as a test: each runs in short and prints its figures, which depend on the machine and are not judged.
//!
//! CONTRIBUTING.md lists the long forms, and docs/performance.md what was measured.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::Setting;
use super::cargo_tests::cargo;
use super::process::Log;
use super::report::Tally;

/// Nothing that builds from cold on two cores takes longer.
const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);
/// No short form takes longer, on whatever machine; they take seconds.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// A benchmark in short, and what stands in each line that has a figure.
struct Short {
    name: &'static str,
    words: &'static str,
    /// Said once at least, each.
    says: &'static [&'static str],
}

const SHORT: [Short; 7] = [
    Short {
        name: "appends",
        words: "log --seconds 1",
        says: &["1 replica(s),   1 in flight:", "3 replica(s),  64 in flight:", "appends/s", "fdatasync"],
    },
    Short {
        name: "durable admissions",
        words: "cluster --registry replicated_log --agents 500 --tasks 2000 --poll-secs 1 --settle 1",
        says: &["fdatasyncs of 512 bytes", "registrations:", "RSS", "/state to 10 clients:", "tasks:"],
    },
    Short {
        name: "freed resources",
        words: "cluster --agents 1 --tasks 0 --poll-secs 0 --settle 0 --freed 100",
        says: &["terminal update -> OFFERS"],
    },
    Short { name: "failover", words: "failover --rounds 3", says: &["kill -9 to the first acknowledged write:"] },
    Short {
        name: "allocator",
        words: "allocator --agents 1000 --frameworks 50 --rounds 2",
        says: &["full cycle, all free", "rss", "recover one, offer it at once"],
    },
    Short { name: "views", words: "views --agents 500 --tasks 500 --rounds 5", says: &["nothing changed: p50"] },
    Short { name: "resources", words: "resources --millis 20", says: &["plain     contains", "parse", "M/s"] },
];

/// Runs them one after another.
pub fn run(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let mut build = cargo(setting);
    let ended = log.run(build.args(["build", "--release", "-p", "tepui", "-p", "tepui-bench"]), BUILD_LIMIT)?;
    if !ended.status.success() {
        return Ok(Tally::failure("cargo build --release -p tepui -p tepui-bench", "it does not build"));
    }
    // The disk of the target folder is measured, not that of the directory for temporary files.
    let folder = setting.target.join("bench");
    std::fs::create_dir_all(&folder)?;
    let mut tally = Tally::default();
    for Short { name, words, says } in &SHORT {
        let mut command = Command::new(setting.target.join("release/tepui-bench"));
        command.current_dir(&folder).env("TMPDIR", &folder).args(words.split(' '));
        let ended = log.run(&mut command, LIMIT)?;
        tally.add(verdict(name, ended.status.success(), &ended.text, says));
    }
    // What is left there takes room and harms nobody.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(tally)
}

/// A benchmark that says nothing, or gives a figure that is none, has measured nothing.
fn verdict(name: &str, well: bool, text: &str, says: &[&str]) -> Tally {
    if !well {
        return Tally::failure(name, "it failed; the log says why");
    }
    if let Some(missing) = says.iter().find(|words| !text.contains(**words)) {
        return Tally::failure(name, &format!("it does not say '{missing}'"));
    }
    if text.split(|c: char| !c.is_alphanumeric()).any(|word| ["NaN", "inf"].contains(&word)) {
        return Tally::failure(name, "a figure is none");
    }
    Tally::pass()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_must_end_well_and_print_its_figures() {
        let judge = |well, text| verdict("b", well, text, &["tasks:", "p50"]);
        assert_eq!(judge(true, "tasks: 7 per second\np50 3 ms\n"), Tally::pass());
        assert_eq!(judge(true, "tasks: 7 per second\n").failures, ["b: it does not say 'p50'"]);
        assert_eq!(judge(true, "tasks: 7\np50 NaN ms\n").failures, ["b: a figure is none"]);
        assert_eq!(judge(true, "tasks: 7\np50 3 ms, inf of it\n").failures, ["b: a figure is none"]);
        assert_eq!(judge(false, "tasks: 7\np50 3 ms\n").failures.len(), 1);
    }
}
