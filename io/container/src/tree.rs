//! Processes that belong together, and signals to all of them.
//!
//! Belonging is decided as Mesos does (stout `killtree.hpp`): from a root process to its children, to all of each
//! visited process's session and process group, and so on; never up to the session and group of the root's parent.
//! Each process is stopped before its relatives are looked for, so that none can fork away meanwhile; then all get the
//! signal and are continued. A root that is gone stands for its session and group. A process that has left all three
//! (forked twice, its own session) is beyond reach; only cgroups would find it.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::{fs, io};

/// Longer than any line of `/proc/<pid>/stat`: 52 fields of at most 20 digits, and a name of at most 64 bytes.
const STAT_SIZE: usize = 2048;

/// One line of the process table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// Processor time spent in user mode, in clock ticks.
    pub user_ticks: u64,
    /// Processor time spent in the kernel, in clock ticks.
    pub system_ticks: u64,
    /// Resident memory, in pages.
    pub resident_pages: u64,
    /// Whether it has ended and waits to be reaped.
    pub is_zombie: bool,
}

/// The process table by process id.
pub type Table = BTreeMap<i32, Process>;

/// Reads the whole process table.
pub fn processes() -> io::Result<Table> {
    let mut table = Table::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.parse().ok()) else { continue };
        if let Some(process) = process(pid) {
            table.insert(pid, process);
        }
    }
    Ok(table)
}

/// Reads one process; `None` if there is none (any more).
///
/// One read, which the kernel answers with the whole line: the table is read at the end of every container, and asking
/// for the file's size and growing a buffer made that a sixth of the cost of a short task.
pub fn process(pid: i32) -> Option<Process> {
    let mut line = [0; STAT_SIZE];
    let length = fs::File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut line)).ok()?;
    // A program may give itself any bytes as a name.
    parse_stat(pid, &String::from_utf8_lossy(line.get(..length)?))
}

/// The text is `pid (name) state ppid pgrp session ...`; the name may hold spaces and parentheses (proc(5)).
fn parse_stat(pid: i32, text: &str) -> Option<Process> {
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|f| f.parse::<i64>().ok());
    let unsigned = |at: usize| number(at).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let id = |at: usize| number(at).and_then(|n| i32::try_from(n).ok());
    Some(Process {
        pid,
        parent: id(1)?,
        group: id(2)?,
        session: id(3)?,
        user_ticks: unsigned(11),
        system_ticks: unsigned(12),
        resident_pages: unsigned(21),
        is_zombie: fields.first() == Some(&"Z"),
    })
}

/// All that belongs to `root`, calling `visit` on each process before its relatives are looked for in what `table`
/// then gives.
fn walk(
    root: i32,
    mut table: impl FnMut() -> io::Result<Table>,
    mut visit: impl FnMut(i32),
) -> io::Result<BTreeSet<i32>> {
    let first = table()?;
    let mut seen = Seen::default();
    let mut queue: VecDeque<i32> = match first.get(&root) {
        Some(process) => {
            if let Some(parent) = first.get(&process.parent) {
                seen.groups.insert(parent.group);
                seen.sessions.insert(parent.session);
            }
            VecDeque::from([root])
        }
        None => first.values().filter(|p| p.group == root || p.session == root).map(|p| p.pid).collect(),
    };
    while let Some(pid) = queue.pop_front() {
        if seen.pids.contains(&pid) {
            continue;
        }
        visit(pid);
        let table = table()?;
        let Some(process) = table.get(&pid) else { continue };
        seen.pids.insert(pid);
        let new_group = seen.groups.insert(process.group).then_some(process.group);
        let new_session = seen.sessions.insert(process.session).then_some(process.session);
        queue.extend(table.values().filter_map(|p| {
            let related = p.parent == pid || Some(p.group) == new_group || Some(p.session) == new_session;
            (related && !seen.pids.contains(&p.pid)).then_some(p.pid)
        }));
    }
    Ok(seen.pids)
}

#[derive(Default)]
struct Seen {
    pids: BTreeSet<i32>,
    groups: BTreeSet<i32>,
    sessions: BTreeSet<i32>,
}

/// All processes that belong to `root` in a table, itself included.
pub fn members(root: i32, table: &Table) -> BTreeSet<i32> {
    // A table that does not change cannot fail.
    walk(root, || Ok(table.clone()), |_| {}).unwrap_or_default()
}

/// Sends a signal to `root` and all that belongs to it; gives the processes it went to.
pub fn signal(root: i32, signal: Signal) -> io::Result<BTreeSet<i32>> {
    let pids = walk(root, processes, |pid| send(pid, Signal::SIGSTOP));
    if pids.is_err() {
        // The table cannot be read: at least the root must hear of it, and must not stay stopped.
        send(root, signal);
        send(root, Signal::SIGCONT);
    }
    let pids = pids?;
    for what in [signal, Signal::SIGCONT] {
        pids.iter().for_each(|pid| send(*pid, what));
    }
    Ok(pids)
}

/// Kills every descendant of `ancestor` with what belongs to each, but not `ancestor` itself.
pub fn kill_descendants(ancestor: i32) -> io::Result<()> {
    let children: Vec<i32> =
        processes()?.values().filter(|p| p.parent == ancestor && !p.is_zombie).map(|p| p.pid).collect();
    children.into_iter().try_for_each(|child| signal(child, Signal::SIGKILL).map(drop))
}

/// A process may end at any moment, and one of another user cannot be signalled: neither is an error here.
fn send(pid: i32, signal: Signal) {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
        Err(e) => tracing::warn!(pid, "failed to send {signal}: {e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(i32, i32, i32, i32)]) -> Table {
        let row = |&(pid, parent, group, session)| {
            let stat = format!("{pid} (a) b) S {parent} {group} {session} 0 0 0 0 0 0 0 5 6 0 0 0 0 1 0 0 0 9");
            (pid, parse_stat(pid, &stat).unwrap())
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn a_stat_line_with_an_odd_name_is_read() {
        let process = &table(&[(7, 1, 2, 3)])[&7];
        assert_eq!((process.parent, process.group, process.session), (1, 2, 3));
        assert_eq!((process.user_ticks, process.system_ticks), (5, 6));
        assert_eq!((process.resident_pages, process.is_zombie), (9, false));
        assert_eq!(parse_stat(1, "nonsense"), None);
    }

    #[test]
    fn belonging_follows_children_groups_and_sessions() {
        // 10 is the executor (own session), 20 the task (own session), 21 its child in a third session.
        let table = table(&[
            (1, 0, 1, 1),
            (10, 1, 10, 10),
            (20, 10, 20, 20),
            (21, 20, 21, 21),
            (22, 1, 22, 20),  // reparented to init, still in the task's session
            (23, 1, 21, 99),  // reparented to init, still in the group of 21
            (30, 1, 30, 30),  // forked twice into its own session: beyond reach
            (40, 10, 10, 10), // another child of the executor
        ]);
        assert_eq!(members(20, &table), BTreeSet::from([20, 21, 22, 23]));
        assert_eq!(members(10, &table), BTreeSet::from([10, 20, 21, 22, 23, 40]));
    }

    #[test]
    fn the_parents_session_is_never_climbed() {
        let table = table(&[(1, 0, 1, 1), (10, 1, 10, 10), (11, 10, 10, 10), (12, 10, 10, 10)]);
        assert_eq!(members(11, &table), BTreeSet::from([11]));
    }

    #[test]
    fn a_root_that_is_gone_stands_for_its_session_and_group() {
        let table = table(&[(1, 0, 1, 1), (11, 1, 10, 10), (12, 1, 12, 10), (13, 12, 13, 13), (20, 1, 20, 20)]);
        assert_eq!(members(10, &table), BTreeSet::from([11, 12, 13]));
        assert_eq!(members(99, &table), BTreeSet::new());
    }
}
