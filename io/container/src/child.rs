//! A child process of the agent: started, watched, killed with all that belongs to it.

use crate::process::{self, Spec};
use crate::tree;
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;
use tepui_base::WaitStatus;
use tokio::sync::Notify;

/// A running child, leader of its own session.
#[derive(Debug)]
pub struct Child {
    child: tokio::process::Child,
    pid: i32,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Wait status of the child itself.
    pub status: WaitStatus,
    /// Whether it ended because it was to be destroyed.
    pub destroyed: bool,
}

impl Child {
    /// Forks and executes; fails if the program cannot be executed.
    pub fn spawn(spec: Spec) -> Result<Child, process::Error> {
        let child = tokio::process::Command::from(spec.command()).spawn().map_err(process::Error::Exec)?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).expect("a child that was not awaited has a pid");
        Ok(Child { child, pid })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits for it to end, killing it when told to, then kills whatever it left behind.
    pub async fn end(mut self, destroy: &Notify) -> End {
        let ended = tokio::select! {
            status = self.child.wait() => Some(status),
            () = destroy.notified() => None,
        };
        let destroyed = ended.is_none();
        let status = match ended {
            Some(status) => status,
            None => {
                kill(self.pid).await;
                self.child.wait().await
            }
        };
        // Members of the session and the group outlive their leader.
        kill(self.pid).await;
        let status = status.expect("a child of this process can be waited for");
        End { status: WaitStatus(status.into_raw()), destroyed }
    }
}

/// Kills a tree, off the asynchronous threads: the process table is read, perhaps many times.
async fn kill(pid: i32) {
    let result = tokio::task::spawn_blocking(move || tree::signal(pid, Signal::SIGKILL)).await;
    if let Ok(Err(e)) = result {
        tracing::error!(pid, "failed to kill a process tree: {e}");
    }
}
