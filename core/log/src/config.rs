//! What a log is told when it is made.

use crate::bodies::BODIES_BYTES_MAX;
use tepui_wire::Upid;

/// What a log is told when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its own address: `log-replica(1)` at the address the process advertises.
    pub pid: Upid,
    /// How many replicas decide: more than half of the group.
    pub quorum: usize,
    /// Whether replicas that are all empty may begin a log by themselves (`--log_auto_initialize`). The group is then taken
    /// to have `2 * quorum - 1` members.
    pub auto_initialize: bool,
    /// How many appended bytes stay in memory: [`BODIES_BYTES_MAX`].
    pub bodies_bytes: usize,
}

impl Config {
    /// A replica that may begin a log by itself.
    pub fn new(pid: Upid, quorum: usize) -> Config {
        Config { pid, quorum, auto_initialize: true, bodies_bytes: BODIES_BYTES_MAX }
    }
}
