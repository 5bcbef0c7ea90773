//! The parts that cargo builds and runs: unit tests, properties, fuzz bodies, and the interop suite.
//!
//! Properties stand in a test file named `laws.rs` beside their crate; the other tests are unit tests. nextest runs them when it is installed, because it runs each in a process of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;

use super::Setting;
use super::process::Log;
use super::report::{self, Tally};
use crate::tree;

/// Nothing that builds from cold on two cores takes longer.
const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);
/// The standard harness keeps what a passing test prints to itself, and so that it was skipped.
const SHOW_SKIPS: [&str; 2] = ["--", "--show-output"];
/// Seconds of random input for each parser.
const FUZZ_SECONDS: &str = "5";

/// Tests beside the code, without the properties (without nextest they run here as well); then documentation tests.
pub fn unit(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let mut tally = tests(
        setting,
        log,
        "not (binary(laws) or package(interop) or package(zookeeper))",
        &["--lib", "--bins", "--tests", "--examples"],
    )?;
    if nextest_is_installed() {
        // Unlike the standard harness it does not say which tests are ignored, or why.
        tally.skips.extend(ignored_tests(setting)?);
    }
    if !setting.quick {
        let ended = log.run(cargo(setting).args(["test", "--workspace", "--doc", "--no-fail-fast"]), BUILD_LIMIT)?;
        tally.add(report::of_libtest(&ended.text).and_status("cargo test --doc", ended.status.success()));
    }
    Ok(tally.or_nothing_ran("unit"))
}

/// Laws, by name.
pub fn properties(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let tally = tests(setting, log, "binary(laws)", &["--test", "laws"])?;
    Ok(tally.or_nothing_ran("properties"))
}

/// Messages and golden bytes: ordinary tests, kept apart because they compare with Mesos and not with ourselves.
pub fn descriptors(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let ended =
        log.run(cargo(setting).args(["test", "-p", "interop", "--no-fail-fast"]).args(SHOW_SKIPS), BUILD_LIMIT)?;
    Ok(report::of_libtest(&ended.text)
        .and_status("cargo test -p interop", ended.status.success())
        .or_nothing_ran("descriptors"))
}

/// Groups, variables and elections in a real ZooKeeper, which the tests install and start themselves.
pub fn zookeeper(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let ended =
        log.run(cargo(setting).args(["test", "-p", "zookeeper", "--no-fail-fast"]).args(SHOW_SKIPS), BUILD_LIMIT)?;
    Ok(report::of_libtest(&ended.text)
        .and_status("cargo test -p zookeeper", ended.status.success())
        .or_nothing_ran("zookeeper"))
}

/// Every fuzz body on its corpus and on random bytes.
pub fn fuzz(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let mut command = cargo(setting);
    command.args(["run", "--release", "-p", "fuzz", "--", "--seconds", FUZZ_SECONDS]);
    let ended = log.run(&mut command, BUILD_LIMIT)?;
    Ok(report::of_cases(&ended.text).and_status("the fuzz runner", ended.status.success()).or_nothing_ran("fuzz"))
}

/// Real peers against the real binary, and the examples of the SDK. The suite installs what its peers need.
pub fn interop(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let examples = log.run(cargo(setting).args(["build", "-p", "tepui-sdk", "--examples"]), BUILD_LIMIT)?;
    if !examples.status.success() {
        return Ok(Tally::failure("cargo build -p tepui-sdk --examples", "they do not build"));
    }
    against_mesos(setting, log, "interop", &[])
}

/// The same requests to a real Mesos and to the real binary.
pub fn differential(setting: &Setting, log: &mut Log) -> Result<Tally> {
    against_mesos(setting, log, "differential", &["differential"])
}

/// The same allocations at a real Mesos and at the real binary.
pub fn scenarios(setting: &Setting, log: &mut Log) -> Result<Tally> {
    against_mesos(setting, log, "scenarios", &["scenarios"])
}

/// One replicated log of a real Mesos and the real binary, and LevelDB's own directories.
pub fn log(setting: &Setting, log: &mut Log) -> Result<Tally> {
    against_mesos(setting, log, "log", &["log"])
}

/// Three masters, agents and ZooKeeper as processes, each on a host of its own: the operations drills, then chaos.
pub fn failover(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let tepui = match release_binary(setting, log)? {
        Ok(path) => path,
        Err(failure) => return Ok(failure),
    };
    let mut command = cargo(setting);
    command.args(["run", "-p", "failover", "--", "--tepui"]).arg(tepui);
    command.arg("--folder").arg(setting.target.join("failover"));
    let ended = log.run(&mut command, BUILD_LIMIT)?;
    Ok(report::of_cases(&ended.text).and_status("the drills", ended.status.success()).or_nothing_ran("failover"))
}

/// Masters that are found in a real ZooKeeper.
pub fn election(setting: &Setting, log: &mut Log) -> Result<Tally> {
    against_mesos(setting, log, "election", &["election"])
}

fn against_mesos(setting: &Setting, log: &mut Log, part: &str, arguments: &[&str]) -> Result<Tally> {
    let tepui = match release_binary(setting, log)? {
        Ok(path) => path,
        Err(failure) => return Ok(failure),
    };
    let mut command = cargo(setting);
    command.args(["run", "-p", "interop", "--"]).args(arguments).arg("--tepui").arg(tepui);
    command.arg("--tools").arg(setting.target.join("interop"));
    let ended = log.run(&mut command, BUILD_LIMIT)?;
    let suite = format!("the {part} suite");
    Ok(report::of_cases(&ended.text).and_status(&suite, ended.status.success()).or_nothing_ran(part))
}

/// Builds the binary that people get; a failure to build is a failure of the part that asked.
pub fn release_binary(setting: &Setting, log: &mut Log) -> Result<Result<PathBuf, Tally>> {
    let ended = log.run(cargo(setting).args(["build", "--release", "-p", "tepui"]), BUILD_LIMIT)?;
    if !ended.status.success() {
        return Ok(Err(Tally::failure("cargo build --release -p tepui", "it does not build")));
    }
    Ok(Ok(setting.target.join("release/tepui")))
}

/// Cargo, at the repository's top.
pub fn cargo(setting: &Setting) -> Command {
    tree::cargo(&setting.root)
}

/// Runs tests by nextest's filter, or by cargo's choice of targets where nextest is not installed.
fn tests(setting: &Setting, log: &mut Log, filter: &str, targets: &[&str]) -> Result<Tally> {
    if nextest_is_installed() {
        let mut command = cargo(setting);
        command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "pass"]);
        let ended = log.run(command.args(["--success-output", "final", "-E", filter]), BUILD_LIMIT)?;
        return Ok(report::of_nextest(&ended.text).and_status("cargo nextest", ended.status.success()));
    }
    let mut command = cargo(setting);
    command
        .args(["test", "--workspace", "--exclude", "interop", "--exclude", "zookeeper", "--no-fail-fast"])
        .args(targets)
        .args(SHOW_SKIPS);
    let ended = log.run(&mut command, BUILD_LIMIT)?;
    Ok(report::of_libtest(&ended.text).and_status("cargo test", ended.status.success()))
}

fn nextest_is_installed() -> bool {
    let mut command = Command::new("cargo-nextest");
    command.args(["nextest", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Tests marked `#[ignore = "why"]`, read from the source with their reasons.
fn ignored_tests(setting: &Setting) -> Result<Vec<String>> {
    let mut skips = Vec::new();
    for file in tree::files(&setting.root)?.iter().filter(|f| f.is("rs")) {
        for (number, line) in file.text.as_deref().unwrap_or_default().lines().enumerate() {
            if let Some(reason) = line.trim_start().strip_prefix("#[ignore = \"") {
                skips.push(format!("{}:{}: {}", file.path, number + 1, reason.trim_end_matches("\"]")));
            }
        }
    }
    Ok(skips)
}
