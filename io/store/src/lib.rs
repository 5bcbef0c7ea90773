//! Files that must not be lost: LevelDB directories, and small files that are replaced as a whole.
//!
//! * [`Store`]: a LevelDB directory as LevelDB 1.19 and Mesos 1.11 read and write it, in place and both ways.
//! * [`small_file`]: a small file that has its old or its new content, whatever happens.
//! * [`disk`]: the file system below both, as a trait, with one that records what is done to it, and every state in which
//!   a crash may leave it.
//!
//! Invariants: what was acknowledged is on the disk. A directory that is damaged is refused, with the file and offset; only
//! the end of a write that nobody was told of is left out. After a failed write or sync nothing is written any more.
//!
//! Not done here: what keys and values mean (`core/log`), and what is to be done about a full disk (`node/logd`).

pub mod disk;
mod error;
mod leveldb;
mod place;
pub mod small_file;
mod store;

pub use error::{Error, Trouble};
pub use leveldb::batch::Change;
pub use store::{Durability, Options, Repair, Report, Store, verify};
