//! A replicated log as part of a node: the machine of `core/log` over a directory and the network.
//!
//! * [`replica`]: the process `log-replica(1)` and what becomes of it when its disk fails;  [`client`]: the way to its log
//! * [`storage`]: the thread that owns a store, for any machine that has a log inside;  [`directory`]: a replica's directory,
//!   opened and read
//! * [`members`]: the group of a log in ZooKeeper;  `group`: the group held against the quorum
//! * [`quorum`]: what a log was last started with, and starts that contradict it
//!
//! Invariants: a directory has one owner; what the machine lets out after a write leaves after its sync; a store that failed
//! is never used again.
//! Not done here: what a log means to a master (`node/masterd`), and the log itself (`core/log`).

pub mod client;
pub mod directory;
mod group;
pub mod members;
pub mod quorum;
pub mod replica;
pub mod storage;

pub use client::Client;
pub use replica::Replica;
pub use storage::Storage;
