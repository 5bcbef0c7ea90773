//! Write frameworks, executors and operator tools for Tepui and Apache Mesos 1.11 in Rust.
//!
//! * [`Scheduler`]: take offers, launch tasks, hear of them. Finds the leading master, stays subscribed.
//! * [`Executor`]: run tasks for an agent.
//! * [`Operator`]: ask masters and agents about their state, read the files of tasks.
//! * [`messages`] and [`resources`]: short ways to the messages and sums every framework needs; [`call`]: all calls.
//!
//! All speak the V1 HTTP APIs, in protobuf or JSON. The types of messages are those of `tepui-proto`, re-exported as
//! [`mesos`]. The protocols themselves are decided in `tepui-framework`, without sockets; this crate brings clock and
//! network. It runs on any tokio runtime, a current-thread one included.
//!
//! Not done here: the V0 driver protocol, TLS.

mod authorization;
mod connection;
pub mod executor;
pub mod messages;
pub mod operator;
mod pump;
pub mod resources;
pub mod scheduler;
mod transport;

pub use executor::Executor;
pub use operator::Operator;
pub use scheduler::Scheduler;
pub use tepui_detector::{AddressError, MASTER_PORT, Masters, endpoint};
pub use tepui_framework::scheduler::{call, is_terminal};
pub use tepui_proto::{ContentType, MessageField, mesos};
