//! Processes on this machine: their memory, processor time and children, from `/proc`.

use anyhow::Context;
use std::fs;
use std::ops::Sub;
use std::time::Duration;

/// Memory of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Resident pages, shared ones included, in KiB.
    pub rss_kib: u64,
    /// Resident pages nobody else has mapped (unique set size), in KiB: what would be free without this process.
    pub uss_kib: u64,
    /// Resident pages, each shared one divided by the number of its users (proportional set size), in KiB.
    pub pss_kib: u64,
}

/// Memory of a process now.
pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    memory_of(&text).with_context(|| format!("{path} misses a line"))
}

fn memory_of(rollup: &str) -> Option<Memory> {
    let kib = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
    };
    let uss_kib = kib("Private_Clean")? + kib("Private_Dirty")?;
    Some(Memory { rss_kib: kib("Rss")?, uss_kib, pss_kib: kib("Pss")? })
}

/// Processor time of all threads of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// In the program.
    pub user: Duration,
    /// In the kernel, for the program.
    pub system: Duration,
}

impl Cpu {
    /// Both.
    pub fn total(self) -> Duration {
        self.user + self.system
    }
}

impl Sub for Cpu {
    type Output = Cpu;

    fn sub(self, earlier: Cpu) -> Cpu {
        Cpu { user: self.user.saturating_sub(earlier.user), system: self.system.saturating_sub(earlier.system) }
    }
}

/// What `/proc/PID/stat` counts in: `USER_HZ`, which is the same on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// Processor time a process has taken so far, in steps of 10 ms.
pub fn cpu(pid: u32) -> anyhow::Result<Cpu> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    cpu_of(&text).with_context(|| format!("{path} misses a field"))
}

fn cpu_of(stat: &str) -> Option<Cpu> {
    // The second field is a name in parentheses, which may hold anything; `utime` is the 14th, `stime` the 15th.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(Cpu { user: TICK * ticks()?, system: TICK * ticks()? })
}

/// How many files, sockets among them, a process has open.
pub fn open_files(pid: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// How many threads a process has.
pub fn threads(pid: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.count())
}

/// The children of a process whose program (`argv[0]`) ends in `name`.
pub fn children(pid: u32, name: &str) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while the others are asked.
        let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()) {
            let arguments = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            let program = arguments.split(|byte| *byte == 0).next().unwrap_or_default();
            if program.ends_with(name.as_bytes()) {
                found.push(child);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollup_is_read_and_private_pages_are_summed() {
        let text = "00400000-7fff [rollup]\nRss:    2000 kB\nPss:     900 kB\nPss_Dirty:  1 kB\nShared_Clean: 1200 kB\n\
                    Private_Clean:  300 kB\nPrivate_Dirty:  500 kB\n";
        assert_eq!(memory_of(text), Some(Memory { rss_kib: 2000, uss_kib: 800, pss_kib: 900 }));
        assert_eq!(memory_of("Rss: 1 kB"), None);
    }

    #[test]
    fn processor_time_stands_after_the_name() {
        let text = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 3 0 99 1 2";
        let wanted = Cpu { user: Duration::from_millis(1500), system: Duration::from_millis(250) };
        assert_eq!(cpu_of(text), Some(wanted));
        assert_eq!(cpu_of("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_can_be_seen() {
        let own = memory(std::process::id()).unwrap();
        assert!(own.uss_kib > 0 && own.uss_kib <= own.rss_kib, "{own:?}");
        assert!(threads(std::process::id()).unwrap() >= 1);
        assert!(open_files(std::process::id()).unwrap() >= 1 && cpu(std::process::id()).is_ok());
    }
}
