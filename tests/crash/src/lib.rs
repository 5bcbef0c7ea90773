//! From every disk that a crash may leave, what was acknowledged comes back, and nothing that was not written.
//!
//! `kill -9` leaves the kernel's page cache as it is, and so cannot show that a sync is missing. Here each [`Subject`] does
//! its work on a disk in memory that writes down every operation (`tepui_store::disk::Recorder`); from the disks that the
//! recorded syncs permit (`tepui_store::disk::crashes`, whose text says which are tried) it is recovered as a process that
//! starts does, and each recovery crashes in turn ([`judge`]). That the judge bites is shown by disks that leave syncs out
//! ([`skip`]): each kind of sync that a subject relies on is left out once, and must be missed.
//!
//! The subjects are those that run in a node, down to the calls of `io/store`: only sockets and threads are left out. A replica
//! is judged as the only one of its log and as one of three, where what it answers the others is what it acknowledges.
//! `tests/crash_points.rs` tries a share of the disks, the program of this crate all of them.

mod follower;
mod group;
pub mod judge;
mod log;
mod registry;
mod replica;
mod sidecar;
pub mod skip;
mod small_file;
mod state;
mod store;
pub mod subjects;
