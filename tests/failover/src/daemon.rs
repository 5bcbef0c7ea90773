//! A process that is started, killed, stopped and started again.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use interop::process::{Daemon as Child, signal};

/// From SIGTERM to the end of a process; nothing here has long good-byes.
const LEAVES_WITHIN: Duration = Duration::from_secs(20);

/// How a process is started: called again for each life.
type Recipe = Box<dyn Fn() -> Command + Send>;

/// One process through all its lives.
pub struct Daemon {
    /// As reports have it.
    pub name: &'static str,
    recipe: Recipe,
    logs: PathBuf,
    child: Option<Child>,
    lives: u32,
}

impl Daemon {
    /// Not started yet. Each life writes `NAME.N.log` below `logs`.
    pub fn new(name: &'static str, logs: PathBuf, recipe: impl Fn() -> Command + Send + 'static) -> Daemon {
        Daemon { name, recipe: Box::new(recipe), logs, child: None, lives: 0 }
    }

    /// Starts it, unless it runs.
    pub fn start(&mut self) -> Result<()> {
        if self.child.is_none() {
            self.lives += 1;
            self.child = Some(Child::start(self.name, &mut (self.recipe)(), self.log())?);
        }
        Ok(())
    }

    /// What its present life, or its last one, writes.
    pub fn log(&self) -> PathBuf {
        self.logs.join(format!("{}.{}.log", self.name, self.lives))
    }

    /// Fails if it has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        self.child.as_mut().map_or(Ok(()), Child::is_alive)
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.is_alive()?;
            // Its end kills and reaps.
            drop(child);
        }
        Ok(())
    }

    /// SIGSTOP: the process stands still, its sockets stay open.
    pub fn pause(&mut self) -> Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT.
    pub fn resume(&mut self) -> Result<()> {
        self.signal("CONT")
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let status = child.stop(LEAVES_WITHIN).context(self.name)?;
        ensure!(status.success() || status.code() == Some(143), "{} left with {status}", self.name);
        Ok(())
    }

    fn signal(&self, name: &str) -> Result<()> {
        self.child.as_ref().map_or(Ok(()), |child| signal(name, child.id()))
    }
}
