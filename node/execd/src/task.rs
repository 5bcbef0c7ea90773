//! The task's processes: started, signalled, reaped.

use nix::errno::Errno;
use nix::sys::signal::Signal as Number;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus as Ended, waitid, waitpid};
use tepui_base::WaitStatus;
use tepui_container::process::{Error, Spec};
use tepui_container::{tree, user};
use tepui_executor::{Command, Signal};

/// The bit of a wait status that says that a core file was left.
const CORE: i32 = 0x80;

/// Starts the command in a session of its own; it dies with this process. Gives its process id.
pub fn fork(command: Command, user: Option<&str>) -> Result<i32, Error> {
    let mut spec = Spec::new(&command.info, command.environment.into_iter().collect())?;
    spec.user = user::to_switch_to(user)?;
    spec.dies_with_parent = true;
    let child = spec.command().spawn().map_err(Error::Exec)?;
    Ok(i32::try_from(child.id()).expect("a process id fits 31 bits"))
}

/// Signals the whole tree.
pub fn signal(pid: i32, signal: Signal) {
    let number = match signal {
        Signal::Terminate => Number::SIGTERM,
        Signal::Kill => Number::SIGKILL,
    };
    if let Err(e) = tree::signal(pid, number) {
        eprintln!("Failed to kill the process tree rooted at pid {pid}: {e}");
    }
}

/// Takes the status of all children that have ended: the task, and what it left to this process.
pub fn reap() -> Vec<(i32, WaitStatus)> {
    let mut ended = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(Ended::Exited(pid, code)) => ended.push((pid.as_raw(), WaitStatus((code & 0xFF) << 8))),
            Ok(Ended::Signaled(pid, signal, core)) => {
                ended.push((pid.as_raw(), WaitStatus(signal as i32 | if core { CORE } else { 0 })));
            }
            Ok(Ended::StillAlive) | Err(Errno::ECHILD) => return ended,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => {
                eprintln!("Failed to wait for children: {e}");
                return ended;
            }
        }
    }
}

/// Kills whatever is left of the task.
pub fn kill_all() {
    // This process is the subreaper of all below it: without a child it has no descendants, and the process table of the
    // machine need not be read.
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    if waitid(Id::All, look) == Err(Errno::ECHILD) {
        return;
    }
    let own = i32::try_from(std::process::id()).expect("a process id fits 31 bits");
    if let Err(e) = tree::kill_descendants(own) {
        eprintln!("Failed to kill what the task left behind: {e}");
    }
}
