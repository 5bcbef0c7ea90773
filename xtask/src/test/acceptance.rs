//! The commands a person types, with the binary a person gets.
//!
//! Each case runs `tepui` itself and looks at nothing but its exit code, its output and the processes it leaves. Every
//! process started below it inherits a mark in its environment, by which a leftover is recognized.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Setting;
use super::cargo_tests::release_binary;
use super::process::{Log, signal};
use super::report::Tally;

/// The name of the mark.
const MARK: &str = "TEPUI_ACCEPTANCE_RUN";
/// No case may take longer.
const LIMIT: Duration = Duration::from_secs(60);
/// How soon a request that cannot be met must be refused; a person should not wait for a silent timeout.
const REFUSAL: Duration = Duration::from_secs(2);
/// How long processes may take to be gone after their cluster left.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// How often a condition is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One way of typing `tepui run`, and what must come of it.
struct Case {
    name: &'static str,
    arguments: &'static [&'static str],
    code: i32,
    stdout: &'static str,
    /// What stderr must say.
    stderr: &'static str,
    within: Duration,
}

const CASES: [Case; 6] = [
    Case { name: "echo", arguments: &["--", "echo", "hello"], code: 0, stdout: "hello\n", stderr: "", within: LIMIT },
    Case {
        name: "exit code",
        arguments: &["--", "sh", "-c", "exit 7"],
        code: 7,
        stdout: "",
        stderr: "",
        within: LIMIT,
    },
    Case {
        name: "signal",
        arguments: &["--", "sh", "-c", "kill -9 $$"],
        code: 137,
        stdout: "",
        stderr: "",
        within: LIMIT,
    },
    Case {
        name: "no offer fits",
        arguments: &["--cpus", "100000", "--", "true"],
        code: 125,
        stdout: "",
        stderr: "100000",
        within: REFUSAL,
    },
    Case {
        name: "environment",
        arguments: &["--env", "GREETING=hi", "--", "sh", "-c", "echo $GREETING"],
        code: 0,
        stdout: "hi\n",
        stderr: "",
        within: LIMIT,
    },
    Case {
        name: "standard error",
        arguments: &["--", "sh", "-c", "echo complaint >&2"],
        code: 0,
        stdout: "",
        stderr: "complaint",
        within: LIMIT,
    },
];

/// Runs every case.
pub fn run(setting: &Setting, log: &mut Log) -> Result<Tally> {
    let tepui = match release_binary(setting, log)? {
        Ok(path) => path,
        Err(failure) => return Ok(failure),
    };
    let mut tally = Tally::default();
    for case in &CASES {
        tally.add(judged(log, case.name, typed(&tepui, case))?);
    }
    tally.add(judged(log, "ctrl-c", interrupted(&tepui))?);
    Ok(tally)
}

fn judged(log: &mut Log, name: &str, verdict: Result<()>) -> Result<Tally> {
    log.note(&match &verdict {
        Ok(()) => format!("PASS {name}"),
        Err(error) => format!("FAIL {name}: {error:#}"),
    })?;
    Ok(verdict.map_or_else(|error| Tally::failure(name, &format!("{error:#}")), |()| Tally::pass()))
}

fn typed(tepui: &Path, case: &Case) -> Result<()> {
    let mark = mark(case.name);
    let started = Instant::now();
    let child = spawn(tepui, case.arguments, &mark)?;
    let pid = child.id();
    let waiter = std::thread::spawn(move || child.wait_with_output());
    wait_until(LIMIT, || waiter.is_finished()).or_else(|error| signal("KILL", pid).and(Err(error)))?;
    let took = started.elapsed();
    let output = waiter.join().map_err(|_| anyhow::anyhow!("the reader ended early"))??;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.code() == Some(case.code), "{}, wanted code {}; stderr:\n{stderr}", output.status, case.code);
    ensure!(stdout == case.stdout, "stdout {stdout:?}, wanted {:?}", case.stdout);
    ensure!(stderr.contains(case.stderr), "stderr does not say {:?}:\n{stderr}", case.stderr);
    ensure!(took <= case.within, "it took {:.1} s, allowed are {:.1} s", took.as_secs_f64(), case.within.as_secs_f64());
    nothing_left(&mark)
}

/// Ctrl-C while the task runs: the task goes first, then the cluster, and nothing stays.
fn interrupted(tepui: &Path) -> Result<()> {
    let mark = mark("ctrl-c");
    let mut child = spawn(tepui, &["--", "sleep", "1000"], &mark)?;
    let running = wait_until(LIMIT, || marked(&mark).iter().any(|(_, command)| command == "sleep 1000"));
    signal("INT", child.id())?;
    let left = wait_until(LIMIT, || !matches!(child.try_wait(), Ok(None)));
    if left.is_err() {
        child.kill()?;
    }
    running.context("the task never ran")?;
    left.context("it did not leave")?;
    ensure!(child.wait()?.code() == Some(130), "{}, wanted code 130 (128 + SIGINT)", child.wait()?);
    nothing_left(&mark)
}

fn spawn(tepui: &Path, arguments: &[&str], mark: &str) -> Result<Child> {
    let mut command = Command::new(tepui);
    command.arg("run").args(arguments).env(MARK, mark).env_remove("MESOS_MASTER");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| tepui.display().to_string())
}

/// A value no other run has.
fn mark(name: &str) -> String {
    format!("{}-{}", std::process::id(), name.replace(' ', "-"))
}

/// Fails if a process that carries the mark stays. It also ends them, since they are ours.
fn nothing_left(mark: &str) -> Result<()> {
    let gone = wait_until(GONE_WITHIN, || marked(mark).is_empty());
    let left = marked(mark);
    for (pid, _) in &left {
        signal("KILL", *pid)?;
    }
    gone.with_context(|| format!("processes were left behind: {left:?}"))
}

/// Live processes whose environment carries the mark: `(pid, command line)`.
fn marked(mark: &str) -> Vec<(u32, String)> {
    let wanted = format!("{MARK}={mark}");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let with_mark = pids.filter(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    });
    let command_line = |pid: u32| {
        let words = std::fs::read(PathBuf::from(format!("/proc/{pid}/cmdline"))).unwrap_or_default();
        String::from_utf8_lossy(&words).replace('\0', " ").trim().to_owned()
    };
    with_mark.map(|pid| (pid, command_line(pid))).collect()
}

fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !done() {
        ensure!(Instant::now() < deadline, "not within {} s", limit.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
