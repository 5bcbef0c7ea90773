//! What can be seen of a log from outside.

use crate::records::Status;

/// The figures of one log: for metrics, views and tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Whether the replica votes (`log/recovered`).
    pub recovered: bool,
    /// Members of the group, this one included (`log/ensemble_size`).
    pub ensemble_size: usize,
    /// In which part of its life the replica is.
    pub status: Status,
    /// The highest proposal it promised for all positions.
    pub promised: u64,
    /// The first position that is not truncated.
    pub begin: u64,
    /// The last position that was written here.
    pub end: u64,
    /// Positions up to the end that are not known to be decided.
    pub missing: u64,
    /// Every replica of the group is empty, and none may begin by itself: `mesos-log initialize` has to be run on each host.
    pub not_initialized: bool,
    /// The proposal of the writer, if this node is it.
    pub proposal: Option<u64>,
    /// Positions under way.
    pub in_flight: usize,
    /// Appended bytes in memory.
    pub bodies_bytes: usize,
}
