//! What a storage is asked and answers.

use crate::entry::{Entry, Uuid};

/// Names one request between question and answer; chosen by who asks, increasing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a storage is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A variable.
    Get(String),
    /// To store this entry in place of the known version.
    Set(Entry, Uuid),
    /// To remove the variable, if this is its version.
    Expunge(Entry),
    /// The names of all variables.
    Names,
}

/// What a storage answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The variable, if it is stored.
    Entry(Option<Entry>),
    /// Whether the variable was set or expunged; if not, it has another version.
    Done(bool),
    /// The place in the log was lost while it was written: it may be there or not. 1.11 takes it for another version.
    Lost,
    /// The names, in order.
    Names(Vec<String>),
    /// It cannot be done; why, in Mesos' words where Mesos has some.
    Failed(String),
}
