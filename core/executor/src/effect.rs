//! What the executor can do.

use crate::command::Command;
use tepui_proto::mesos::executor::Call;

/// Signals for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// See the variants.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Opens the connections to the agent anew, dropping any there are. Answered by `Connected` or `Disconnected`.
    Connect,
    /// Sends a call to the agent.
    Call(Box<Call>),
    /// Starts the task. Answered by `Forked` or `ForkFailed`, then `Exited`.
    Fork(Box<Command>),
    /// Sends a signal to the task's whole tree of processes.
    Signal(Signal),
    /// A line for the log, which is the sandbox's `stderr`.
    Log(String),
    /// Ends the process with this code, and whatever the task has left behind.
    Exit(u8),
}
