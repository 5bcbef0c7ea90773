//! What a log does.

use crate::{Answer, FetchId};
use bytes::Bytes;
use tepui_base::WriteKey;
use tepui_wire::Message;

/// One change of the local store. Keys and values are those of Mesos' LevelDB directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This value under this key.
    Put(Vec<u8>, Bytes),
    /// Nothing under this key any more.
    Delete(Vec<u8>),
}

impl Change {
    /// The bytes of its key and value.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Change::Put(key, value) => key.len() + value.len(),
            Change::Delete(key) => key.len(),
        }
    }
}

/// One effect of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To another replica, or an answer to one. Never to this one: what it tells itself stays inside.
    Send(Message),
    /// To the local store, all of it or nothing. Leaves through `Outbox::write` where something waits for it, through
    /// `Outbox::lazy` where it may be lost.
    Write(Vec<Change>),
    /// Wants what the local store holds from one key to the other, both included. Answered by [`crate::Input::Fetched`].
    /// Asked only for what is durable already, so it need not wait for a write that is under way or lazy.
    Fetch(FetchId, Vec<u8>, Vec<u8>),
    /// Leaves through `Outbox::after` with the same key, and is to come back at once as [`crate::Input::Durable`]: the
    /// replica counts as one of its own quorum only when what it accepted is on its disk.
    Durable(WriteKey),
    /// To the client.
    Answer(Answer),
}
