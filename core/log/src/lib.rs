//! The replicated log: one replica of it, and the writer that may run beside it.
//!
//! A pure state machine that speaks the messages of Mesos 1.11 (`mesos.internal.log.*` between processes
//! `log-replica(1)`), so that its replicas and those of Mesos can share a quorum. What it stores are the keys and values of
//! Mesos' LevelDB directory; the files themselves are another's (`io/store`, or a simulated disk).
//!
//! Source: Mesos `src/log/{replica,coordinator,consensus,catchup,recover,network}.cpp`, `src/messages/log.proto`.
//!
//! Where things are: the machine in [`Log`] (`log.rs`); what one replica answers in `replica/`; the writer in
//! `coordinator/`; questions to all replicas in `rounds.rs`, and what their answers add up to in `tally.rs`; learning what is
//! missing in `fills.rs`; how a replica comes to vote in `recovery.rs`; who leads where there is no ZooKeeper in
//! `lease.rs`; keys and values of the directory in [`records`].
//!
//! Invariants: what was promised or accepted is on the disk before anybody hears of it, the own writer included; an entry is
//! acknowledged when a quorum holds it and every position before it is decided; bad messages are dropped.
//! Not done here: files, sockets, and who the members are.

mod action;
mod bodies;
mod client;
mod config;
mod coordinator;
mod disk;
mod effect;
mod fetches;
mod figures;
mod fills;
mod input;
mod intervals;
mod lease;
mod log;
mod messages;
pub mod records;
mod recovery;
mod replica;
mod restore;
mod rounds;
mod slot;
mod tally;

pub use action::{Accepted, Action, Value};
pub use bodies::BODIES_BYTES_MAX;
pub use client::{Answer, Request, RequestId};
pub use config::{Config, Masters};
pub use coordinator::WINDOW;
pub use effect::{Change, Effect};
pub use figures::Figures;
pub use input::{FetchId, Input};
pub use intervals::Intervals;
pub use lease::{CLOCK_ERROR, LEASE, RENEW_EVERY};
pub use log::Log;
pub use restore::{Error as RestoreError, Restored, initialize};
