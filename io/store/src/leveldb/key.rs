//! Keys inside a table: the user's, and which write put it there.

use bytes::Bytes;
use std::cmp::Ordering;

/// Number of a write; each change of a batch has its own, in order.
pub(crate) type Sequence = u64;

/// Sequences have 56 bits.
pub(crate) const SEQUENCE_MAX: Sequence = (1 << 56) - 1;

const DELETION: u8 = 0;
const VALUE: u8 = 1;

/// One entry of a table: what a write made of a key. No value means deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub key: Vec<u8>,
    pub sequence: Sequence,
    pub value: Option<Bytes>,
}

impl Entry {
    /// The key as it stands in a table: the user's, then sequence and kind in eight bytes.
    pub fn internal(&self) -> Vec<u8> {
        internal(&self.key, self.sequence, self.value.is_some())
    }

    /// The order of tables: by key, the newest first.
    pub fn order(&self, other: &Entry) -> Ordering {
        self.key.cmp(&other.key).then(other.sequence.cmp(&self.sequence))
    }
}

/// See [`Entry::internal`].
pub(crate) fn internal(key: &[u8], sequence: Sequence, is_value: bool) -> Vec<u8> {
    let tag = sequence << 8 | u64::from(if is_value { VALUE } else { DELETION });
    [key, &tag.to_le_bytes()].concat()
}

/// The user's key, the sequence, and whether there is a value.
pub(crate) fn split(internal: &[u8]) -> Option<(&[u8], Sequence, bool)> {
    let (key, tag) = internal.split_last_chunk::<8>()?;
    let tag = u64::from_le_bytes(*tag);
    match tag as u8 {
        DELETION => Some((key, tag >> 8, false)),
        VALUE => Some((key, tag >> 8, true)),
        _ => None,
    }
}

/// The user's part; an internal key shorter than its tag has none.
pub(crate) fn user(internal: &[u8]) -> &[u8] {
    &internal[..internal.len().saturating_sub(8)]
}
