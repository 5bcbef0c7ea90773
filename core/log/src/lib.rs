//! The replicated log: one replica of it, and the writer that may run beside it.
//!
//! A pure state machine that speaks the messages of Mesos 1.11 (`mesos.internal.log.*` between processes
//! `log-replica(1)`), so that its replicas and those of Mesos can share a quorum. What it stores are the keys and values of
//! Mesos' LevelDB directory; the files themselves are another's (`io/store`, or a simulated disk).
//!
//! Source: Mesos `src/log/{replica,coordinator,consensus,catchup,recover,network}.cpp`, `src/messages/log.proto`.

mod client;
mod effect;
mod input;

pub use client::{Answer, Request, RequestId};
pub use effect::{Change, Effect};
pub use input::{FetchId, Input};
