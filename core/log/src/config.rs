//! What a log is told when it is made.

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
}
