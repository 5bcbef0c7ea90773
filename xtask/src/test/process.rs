//! Running a program with its output in a log file and an end in sight.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The log file of one part.
pub struct Log {
    path: std::path::PathBuf,
    file: File,
}

/// A program that ended.
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// Everything it printed, on either stream, in the order it was printed.
    pub text: String,
}

/// How often a running program is looked at; the wait is not part of what it measures.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a program that was told to end may take.
const GRACE: Duration = Duration::from_secs(10);

impl Log {
    /// Starts an empty log.
    pub fn create(path: &Path) -> Result<Log> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Log { path: path.to_owned(), file })
    }

    /// Writes a line of our own.
    pub fn note(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.file, "{line}")?)
    }

    /// Runs a program to its end, or ends it after `limit`.
    pub fn run(&mut self, command: &mut Command, limit: Duration) -> Result<Ended> {
        self.note(&format!("$ {}", shown(command)))?;
        let start = std::fs::metadata(&self.path)?.len();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(self.file.try_clone()?)
            .stderr(self.file.try_clone()?)
            .spawn()
            .with_context(|| format!("starting {}", shown(command)))?;
        let deadline = Instant::now() + limit;
        let mut told = false;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if !told && Instant::now() > deadline {
                told = true;
                self.note(&format!("FAIL {}: not done after {} s, told to end", shown(command), limit.as_secs()))?;
                signal("TERM", child.id())?;
            } else if Instant::now() > deadline + GRACE {
                child.kill()?;
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let written = std::fs::read(&self.path)?;
        let text = String::from_utf8_lossy(&written[usize::try_from(start)?..]).into_owned();
        Ok(Ended { status, text })
    }
}

/// Sends a signal to one process that we started.
pub fn signal(name: &str, pid: u32) -> Result<()> {
    Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().context("kill")?;
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_status_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(&folder.path().join("log")).unwrap();
        let mut command = Command::new("sh");
        let ended = log.run(command.args(["-c", "echo out; echo err >&2; exit 3"]), Duration::from_secs(60)).unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(ended.text, "out\nerr\n");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(&folder.path().join("log")).unwrap();
        let ended = log.run(Command::new("sleep").arg("1000"), Duration::ZERO).unwrap();
        assert!(!ended.status.success());
        assert!(ended.text.contains("told to end"));
    }
}
