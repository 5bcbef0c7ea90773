//! A small, fast world for the replicated log alone: replicas and their disks, the network between them, what ZooKeeper
//! shows of the group, and clients that write. See docs/simulation.md.

mod check;
mod client;
mod clock;
mod faults;
mod hour;
mod network;
mod node;
mod observe;
mod planted;
mod world;

pub use hour::LogWorld;
