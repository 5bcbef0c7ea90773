//! A task's stdout and stderr, from its sandbox to here while they grow.

use std::io::Write;
use std::time::Duration;
use tepui_sdk::operator::{Agent, Error, FileData};
use tokio::sync::watch;

/// Bytes asked for at once: what every agent of 1.11 gives at most.
const READ_BYTES: u64 = 64 * 1024;

/// A line of several instances' output longer than this is cut.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The pause after a read that brought nothing; it doubles up to the second value while nothing comes.
const PAUSE: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));

/// One of the two streams.
struct Stream {
    path: String,
    offset: u64,
    lines: Lines,
    to_stderr: bool,
}

/// Copies both streams until the task is `done` and all it wrote has been read.
pub async fn follow(agent: Agent, framework: String, task: String, prefix: String, mut done: watch::Receiver<bool>) {
    let stream = |file: &str, to_stderr| Stream {
        path: Agent::sandbox(&framework, &task, file),
        offset: 0,
        lines: Lines { prefix: prefix.clone(), begun: Vec::new() },
        to_stderr,
    };
    let mut streams = [stream("stdout", false), stream("stderr", true)];
    let mut pause = PAUSE.0;
    loop {
        // Asked before reading: what a finished task wrote is there by then.
        let last = *done.borrow();
        let mut any = false;
        for stream in &mut streams {
            match stream.copy(&agent).await {
                Ok(copied) => any |= copied,
                Err(error) => {
                    eprintln!("tepui: the output of {task} cannot be read: {error}");
                    return;
                }
            }
        }
        if any {
            pause = PAUSE.0;
            continue;
        }
        if last {
            streams.iter_mut().for_each(Stream::end);
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
            // The sender lives until the task is done; if it is gone all the same, so is the task.
            changed = done.changed() => if changed.is_err() { return },
        }
    }
}

impl Stream {
    /// Copies what is there now; whether that was anything.
    async fn copy(&mut self, agent: &Agent) -> Result<bool, Error> {
        let FileData { data, .. } = match agent.read_file(&self.path, self.offset, READ_BYTES).await {
            Ok(read) => read,
            // The sandbox comes into being with the executor.
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error),
        };
        self.offset += data.len() as u64;
        let out = self.lines.push(&data);
        self.put(&out);
        Ok(!data.is_empty())
    }

    fn put(&self, data: &[u8]) {
        // Whoever reads our output may leave before its end; the task runs on all the same.
        let _ = if self.to_stderr { put(std::io::stderr(), data) } else { put(std::io::stdout(), data) };
    }

    fn end(&mut self) {
        let rest = self.lines.end();
        self.put(&rest);
    }
}

fn put(mut to: impl Write, data: &[u8]) -> std::io::Result<()> {
    to.write_all(data)?;
    to.flush()
}

/// Puts a prefix before each line. A line is held back until it is whole, so that the lines of several instances do
/// not run into each other; without prefix there is only one instance, and everything passes at once.
struct Lines {
    prefix: String,
    begun: Vec<u8>,
}

impl Lines {
    fn push(&mut self, data: &[u8]) -> Vec<u8> {
        if self.prefix.is_empty() {
            return data.to_vec();
        }
        let mut out = Vec::with_capacity(data.len() + self.prefix.len());
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.begun.len() >= MAX_LINE_BYTES {
                out.extend_from_slice(self.prefix.as_bytes());
                out.append(&mut self.begun);
            }
        }
        out
    }

    /// What is left of a line without end, which gets one.
    fn end(&mut self) -> Vec<u8> {
        if self.begun.is_empty() { Vec::new() } else { self.push(b"\n") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_gets_its_prefix_once_however_it_is_cut() {
        let (mut lines, mut out) = (Lines { prefix: "[1] ".into(), begun: Vec::new() }, Vec::new());
        for piece in ["a", "b\nc\n", "\nd"] {
            out.extend(lines.push(piece.as_bytes()));
        }
        out.extend(lines.end());
        assert_eq!(String::from_utf8(out).unwrap(), "[1] ab\n[1] c\n[1] \n[1] d\n");
        assert!(lines.end().is_empty());
    }

    #[test]
    fn without_prefix_bytes_pass_as_they_are() {
        let mut lines = Lines { prefix: String::new(), begun: Vec::new() };
        assert_eq!(lines.push(b"\xff\n\x00"), b"\xff\n\x00");
        assert!(lines.end().is_empty());
    }
}
