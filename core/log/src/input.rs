//! What a log learns.

use crate::Request;
use bytes::Bytes;
use std::collections::BTreeSet;
use tepui_wire::{Message, Upid};

/// Names one read of the local store between question and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// One input of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message for `log-replica(1)`, or for one of the short-lived processes `__req_res__(N)` this log sends from.
    Message(Message),
    /// The replicas of the group, as far as they are known now. This one is always counted.
    Members(BTreeSet<Upid>),
    /// A client's wish.
    Request(Request),
    /// The answer to [`crate::Effect::Fetch`]: the values found, by key.
    Fetched(FetchId, Vec<(Vec<u8>, Bytes)>),
}
