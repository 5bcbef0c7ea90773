//! The commands a person types.
//!
//! * [`run`]: `tepui run`, one command from here to an agent and its output back.
//! * [`execute`]: `mesos-execute`, with the flags of Mesos 1.11.
//! * [`resolve`]: `mesos-resolve`, the leading master of an address.
//! * [`log`]: `mesos-log`, the replicated log and its directories.
//! * [`dev`]: `tepui dev`, a cluster that stays up.
//! * [`daemon`]: `mesos-master`, `mesos-agent`, `mesos-local`, with the flags of Mesos 1.11.
//! * [`cluster`]: the one-process cluster that `tepui run` starts when no master is named.
//!
//! Those that are clients talk to the cluster through `tepui-sdk` and nothing else. Each entry point is a plain function that
//! brings its own runtime, so that the binary decides which command it is before any thread exists.

pub mod cluster;
pub mod daemon;
pub mod dev;
mod environment;
pub mod execute;
mod exit;
pub mod log;
pub mod logging;
mod output;
mod program;
pub mod resolve;
pub mod run;
mod version;

pub use program::main;

/// A runtime of one thread, for a command.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
