//! What stays in memory of every position that is on the disk.

use crate::action::Accepted;
use crate::{Action, Value};
use bytes::Bytes;

/// A stored position without the bytes that were appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub promised: u64,
    pub learned: bool,
    pub accepted: Option<Kept>,
}

/// What was accepted, without the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub performed: u64,
    pub kind: Kind,
}

/// A value without the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nop { tombstone: bool },
    Append,
    Truncate(u64),
}

impl Slot {
    /// Takes the bytes off.
    ///
    /// A directory of 1.11 may say that less was promised than accepted, because 1.11 keeps the older promise when it obeys a
    /// newer writer. What is accepted counts as promised here, or the older writer could write over it (`replica/write.rs`).
    pub fn split(action: Action) -> (Slot, Option<Bytes>) {
        let (mut body, mut kept, mut promised) = (None, None, action.promised);
        if let Some(Accepted { performed, value }) = action.accepted {
            let kind = match value {
                Value::Nop { tombstone } => Kind::Nop { tombstone },
                Value::Truncate(to) => Kind::Truncate(to),
                Value::Append(bytes) => {
                    body = Some(bytes);
                    Kind::Append
                }
            };
            kept = Some(Kept { performed, kind });
            promised = promised.max(performed);
        }
        (Slot { promised, learned: action.learned, accepted: kept }, body)
    }

    /// Puts the bytes back; nothing if they are needed and not there.
    pub fn join(&self, position: u64, body: Option<&Bytes>) -> Option<Action> {
        let accepted = match self.accepted {
            None => None,
            Some(Kept { performed, kind }) => {
                let value = match kind {
                    Kind::Nop { tombstone } => Value::Nop { tombstone },
                    Kind::Truncate(to) => Value::Truncate(to),
                    Kind::Append => Value::Append(body?.clone()),
                };
                Some(Accepted { performed, value })
            }
        };
        Some(Action { position, promised: self.promised, accepted, learned: self.learned })
    }

    /// Whether bytes belong to it.
    pub fn has_body(&self) -> bool {
        self.accepted.is_some_and(|kept| kept.kind == Kind::Append)
    }
}
