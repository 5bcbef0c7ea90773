//! What a log is told when it is made.

use crate::bodies::BODIES_BYTES_MAX;
use crate::lease::LEASE;
use std::collections::BTreeSet;
use std::time::Duration;
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
    /// The group, if its members elect the leading master by the log itself (`--masters`).
    pub masters: Option<Masters>,
}

/// A group whose writer leads the cluster. See the module `lease`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masters {
    /// The replicas of all masters: `log-replica(1)` at each one's address, this one's too.
    pub members: BTreeSet<Upid>,
    /// How long a replica withholds promises from others: [`LEASE`].
    pub lease: Duration,
}

impl Config {
    /// A replica that may begin a log by itself.
    pub fn new(pid: Upid, quorum: usize) -> Config {
        Config { pid, quorum, auto_initialize: true, bodies_bytes: BODIES_BYTES_MAX, masters: None }
    }

    /// A replica of a group of masters that elect their leader by the log. More than half of them decide.
    pub fn of_masters(pid: Upid, members: BTreeSet<Upid>) -> Config {
        let quorum = members.len() / 2 + 1;
        Config { masters: Some(Masters { members, lease: LEASE }), ..Config::new(pid, quorum) }
    }
}
