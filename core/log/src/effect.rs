//! What a log does.

use crate::{Answer, FetchId};
use bytes::Bytes;
use tepui_wire::Message;

/// One change of the local store. Keys and values are those of Mesos' LevelDB directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This value under this key.
    Put(Vec<u8>, Bytes),
    /// Nothing under this key any more.
    Delete(Vec<u8>),
}

/// One effect of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To another replica, or an answer to it.
    Send(Message),
    /// To the local store, all of it or nothing. Leaves through `Outbox::write` where something waits for it, through
    /// `Outbox::lazy` where it may be lost.
    Write(Vec<Change>),
    /// Wants what the local store holds from one key to the other, both included, with every write before it applied.
    Fetch(FetchId, Vec<u8>, Vec<u8>),
    /// To the client.
    Answer(Answer),
}
