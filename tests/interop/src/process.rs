//! Child processes that are always ended, and waits that always end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How often a condition is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until `done` answers something, or gives up after `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut done: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = done() {
            return Ok(value);
        }
        ensure!(Instant::now() < deadline, "{what}: not within {} s", limit.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A process whose output goes to a file and which does not outlive its owner.
pub struct Daemon {
    name: &'static str,
    child: Child,
    /// Both its streams.
    pub log: PathBuf,
}

impl Daemon {
    /// Starts it.
    pub fn start(name: &'static str, command: &mut Command, log: PathBuf) -> Result<Daemon> {
        Daemon::start_with(name, command, log, Stdio::null())
    }

    /// Starts it with something to read.
    pub fn start_with(name: &'static str, command: &mut Command, log: PathBuf, stdin: Stdio) -> Result<Daemon> {
        let file = File::create(&log)?;
        command.stdin(stdin).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Daemon { name, child, log })
    }

    /// Fails, with the end of its log, if it has ended.
    pub fn is_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself: {status}\n{}", self.name, tail(&self.log)),
        }
    }

    /// Tells it to end and waits for that.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} had ended by itself: {status}\n{}", self.name, tail(&self.log));
        }
        signal("TERM", self.child.id())?;
        let child = &mut self.child;
        wait_for(&format!("{} to leave after SIGTERM", self.name), limit, || child.try_wait().ok().flatten())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // After a proper stop this finds nothing to do; a failure on the way out has nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end with its output in `log`; past `limit` it is killed and that is a failure.
pub fn run(command: &mut Command, log: &Path, limit: Duration) -> Result<ExitStatus> {
    let file = File::create(log).with_context(|| log.display().to_string())?;
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let ended = wait_for(&program, limit, || child.try_wait().ok().flatten());
    if ended.is_err() {
        child.kill()?;
        child.wait()?;
    }
    ended
}

/// Runs a program that must succeed.
pub fn succeed(command: &mut Command, log: &Path, limit: Duration) -> Result<()> {
    let status = run(command, log, limit)?;
    ensure!(status.success(), "{command:?}: {status}\n{}", tail(log));
    Ok(())
}

/// Sends a signal to one process that we started.
pub fn signal(name: &str, pid: u32) -> Result<()> {
    Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().context("kill")?;
    Ok(())
}

/// How much of a log a failure shows.
const TAIL_LINES: usize = 40;

/// The end of a log.
pub fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Live processes that work below `folder` or whose environment holds `variable`: `(pid, command line)`.
///
/// Executors and tasks get an environment of their own, but they work in their sandbox.
pub fn belonging_to(folder: &Path, variable: &str) -> Vec<(u32, String)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let ours = pids.filter(|pid| {
        let works_there = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        works_there || environment.split(|byte| *byte == 0).any(|v| v == variable.as_bytes())
    });
    let described = ours.map(|pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        (pid, String::from_utf8_lossy(&words).replace('\0', " "))
    });
    described.collect()
}
