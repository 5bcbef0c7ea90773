//! How a process ended, as `wait(2)` tells it, and the words Mesos has for it.
//!
//! Source: `status_utils.hpp`; the layout of the status word is the one of Linux, which every Mesos agent checkpoints
//! and sends (`ContainerTermination.status`, `ExitedExecutorMessage.status`). Signal names are those of glibc's
//! `strsignal`, in English.

use std::fmt;

/// Raw status word of `wait(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitStatus(pub i32);

/// What [`strsignal`](https://man7.org/linux/man-pages/man3/strsignal.3.html) says of signals 1 to 31.
const SIGNALS: [&str; 31] = [
    "Hangup",
    "Interrupt",
    "Quit",
    "Illegal instruction",
    "Trace/breakpoint trap",
    "Aborted",
    "Bus error",
    "Floating point exception",
    "Killed",
    "User defined signal 1",
    "Segmentation fault",
    "User defined signal 2",
    "Broken pipe",
    "Alarm clock",
    "Terminated",
    "Stack fault",
    "Child exited",
    "Continued",
    "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)",
    "Stopped (tty output)",
    "Urgent I/O condition",
    "CPU time limit exceeded",
    "File size limit exceeded",
    "Virtual timer expired",
    "Profiling timer expired",
    "Window changed",
    "I/O possible",
    "Power failure",
    "Bad system call",
];

/// The first and last real-time signal that glibc leaves to programs.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

impl WaitStatus {
    /// The status of a process that called `exit(code)`.
    pub fn exited(code: u8) -> WaitStatus {
        WaitStatus(i32::from(code) << 8)
    }

    /// The status of a process that a signal ended.
    pub fn signaled(signal: i32) -> WaitStatus {
        WaitStatus(signal & 0x7F)
    }

    /// The exit code, if the process ended by itself.
    pub fn code(self) -> Option<i32> {
        (self.0 & 0x7F == 0).then_some((self.0 >> 8) & 0xFF)
    }

    /// The signal, if one ended the process.
    pub fn signal(self) -> Option<i32> {
        let signal = self.0 & 0x7F;
        (signal != 0 && signal != 0x7F).then_some(signal)
    }

    /// Whether the process ended by itself with code 0.
    pub fn is_success(self) -> bool {
        self.code() == Some(0)
    }

    /// Whether the process left a core file.
    pub fn dumped_core(self) -> bool {
        self.signal().is_some() && self.0 & 0x80 != 0
    }
}

/// The name of a signal in the words of `strsignal`.
pub fn signal_name(signal: i32) -> String {
    let known = usize::try_from(signal - 1).ok().and_then(|at| SIGNALS.get(at));
    match known {
        Some(name) => (*name).to_owned(),
        None if REAL_TIME.contains(&signal) => format!("Real-time signal {}", signal - REAL_TIME.start()),
        None => format!("Unknown signal {signal}"),
    }
}

impl fmt::Display for WaitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code() {
            return write!(f, "exited with status {code}");
        }
        match self.signal() {
            Some(signal) => {
                let core = if self.dumped_core() { " (core dumped)" } else { "" };
                write!(f, "terminated with signal {}{core}", signal_name(signal))
            }
            None if self.0 & 0xFF == 0x7F => write!(f, "stopped on signal {}", signal_name((self.0 >> 8) & 0xFF)),
            None => write!(f, "wait status {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_mesos() {
        for (status, text) in [
            (0, "exited with status 0"),
            (7 << 8, "exited with status 7"),
            (9, "terminated with signal Killed"),
            (15, "terminated with signal Terminated"),
            (11 | 0x80, "terminated with signal Segmentation fault (core dumped)"),
            (36, "terminated with signal Real-time signal 2"),
            (32, "terminated with signal Unknown signal 32"),
            (0x137F, "stopped on signal Stopped (signal)"),
        ] {
            assert_eq!(WaitStatus(status).to_string(), text);
        }
    }

    #[test]
    fn codes_and_signals_exclude_each_other() {
        assert_eq!(WaitStatus::exited(3).code(), Some(3));
        assert_eq!(WaitStatus::exited(3).signal(), None);
        assert_eq!(WaitStatus::signaled(9).signal(), Some(9));
        assert_eq!(WaitStatus::signaled(9).code(), None);
        assert!(WaitStatus(0).is_success() && !WaitStatus::signaled(15).is_success());
    }
}
