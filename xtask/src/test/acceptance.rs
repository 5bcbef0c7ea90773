//! The commands a person types, with the binary a person gets.
//!
//! Each case runs `tepui` itself and looks at nothing but its exit code, its output and what it leaves. It gets a folder
//! for temporary files of its own: a process that works there, or was told of it, belongs to the case, even if it is no
//! child any more and its environment was replaced, as that of executors and tasks is.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Setting;
use super::cargo_tests::release_binary;
use super::process::{Log, signal};
use super::report::Tally;

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
        let home = home(setting, case.name)?;
        tally.add(judged(log, case.name, typed(&tepui, case, &home))?);
    }
    let home = home(setting, "ctrl-c")?;
    tally.add(judged(log, "ctrl-c", interrupted(&tepui, &home))?);
    Ok(tally)
}

fn judged(log: &mut Log, name: &str, verdict: Result<()>) -> Result<Tally> {
    log.note(&match &verdict {
        Ok(()) => format!("PASS {name}"),
        Err(error) => format!("FAIL {name}: {error:#}"),
    })?;
    Ok(verdict.map_or_else(|error| Tally::failure(name, &format!("{error:#}")), |()| Tally::pass()))
}

fn typed(tepui: &Path, case: &Case, home: &Path) -> Result<()> {
    let started = Instant::now();
    let child = spawn(tepui, case.arguments, home)?;
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
    nothing_left(home)
}

/// Ctrl-C while the task runs: the task goes first, then the cluster, and nothing stays.
fn interrupted(tepui: &Path, home: &Path) -> Result<()> {
    let mut child = spawn(tepui, &["--", "sleep", "1000"], home)?;
    let running = wait_until(LIMIT, || belonging_to(home).iter().any(|(_, command)| command == "sleep 1000"));
    signal("INT", child.id())?;
    let left = wait_until(LIMIT, || !matches!(child.try_wait(), Ok(None)));
    if left.is_err() {
        child.kill()?;
    }
    running.context("the task never ran")?;
    left.context("it did not leave")?;
    ensure!(child.wait()?.code() == Some(130), "{}, wanted code 130 (128 + SIGINT)", child.wait()?);
    nothing_left(home)
}

fn spawn(tepui: &Path, arguments: &[&str], home: &Path) -> Result<Child> {
    let mut command = Command::new(tepui);
    command.arg("run").args(arguments).env("TMPDIR", home).env_remove("MESOS_MASTER");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| tepui.display().to_string())
}

/// A folder for temporary files that no other case has.
fn home(setting: &Setting, name: &str) -> Result<PathBuf> {
    let name = format!("acceptance-{}-{}", std::process::id(), name.replace(' ', "-"));
    let folder = setting.target.join("test-logs").join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Fails if a process of the case or a temporary file stays. It also removes both, since they are ours.
fn nothing_left(home: &Path) -> Result<()> {
    let gone = wait_until(GONE_WITHIN, || belonging_to(home).is_empty());
    let left = belonging_to(home);
    for (pid, _) in &left {
        signal("KILL", *pid)?;
    }
    let files: Vec<PathBuf> = std::fs::read_dir(home)?.flatten().map(|entry| entry.path()).collect();
    std::fs::remove_dir_all(home)?;
    gone.with_context(|| format!("processes were left behind: {left:?}"))?;
    ensure!(files.is_empty(), "temporary files were left behind: {files:?}");
    Ok(())
}

/// Live processes of a case: `(pid, command line)`.
fn belonging_to(home: &Path) -> Vec<(u32, String)> {
    let told = [b"TMPDIR=", home.as_os_str().as_encoded_bytes()].concat();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let ours = pids.filter(|pid| {
        let works_there = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder.starts_with(home));
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        works_there || environment.split(|byte| *byte == 0).any(|variable| variable == told)
    });
    let command_line = |pid: u32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).replace('\0', " ").trim().to_owned()
    };
    ours.map(|pid| (pid, command_line(pid))).collect()
}

fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !done() {
        ensure!(Instant::now() < deadline, "not within {} s", limit.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
