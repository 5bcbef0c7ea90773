//! Changes that happen together: one record of the write-ahead log.

use super::coding::{Reader, put_bytes};
use super::key::{SEQUENCE_MAX, Sequence};
use bytes::Bytes;

/// One change of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This value under this key.
    Put(Vec<u8>, Bytes),
    /// Nothing under this key any more.
    Delete(Vec<u8>),
}

impl Change {
    /// The key that changes.
    pub fn key(&self) -> &[u8] {
        match self {
            Change::Put(key, _) | Change::Delete(key) => key,
        }
    }
}

const DELETION: u8 = 0;
const VALUE: u8 = 1;

/// The record; the first change has sequence `first`, each further one the next.
pub(crate) fn encode<'a>(first: Sequence, changes: impl ExactSizeIterator<Item = &'a Change>) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 + 64 * changes.len());
    out.extend_from_slice(&first.to_le_bytes());
    // A store writes a batch long before it holds 2^32 changes.
    out.extend_from_slice(&(changes.len() as u32).to_le_bytes());
    for change in changes {
        match change {
            Change::Put(key, value) => {
                out.push(VALUE);
                put_bytes(&mut out, key);
                put_bytes(&mut out, value);
            }
            Change::Delete(key) => {
                out.push(DELETION);
                put_bytes(&mut out, key);
            }
        }
    }
    out
}

/// The first sequence and the changes of a record; `None` if it is no batch.
pub(crate) fn decode(record: Vec<u8>) -> Option<(Sequence, Vec<Change>)> {
    let record = Bytes::from(record);
    let mut reader = Reader(&record);
    let (first, count) = (reader.fixed64()?, reader.fixed32()?);
    let mut changes = Vec::new();
    while !reader.0.is_empty() {
        let kind = reader.take(1)?[0];
        let key = reader.bytes()?.to_vec();
        changes.push(match kind {
            VALUE => Change::Put(key, record.slice_ref(reader.bytes()?)),
            DELETION => Change::Delete(key),
            _ => return None,
        });
    }
    let fits = first <= SEQUENCE_MAX && changes.len() == usize::try_from(count).ok()?;
    fits.then_some((first, changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_come_back_and_others_are_refused() {
        let changes = [Change::Put(b"k".to_vec(), Bytes::from_static(b"value")), Change::Delete(Vec::new())];
        let record = encode(7, changes.iter());
        assert_eq!(record[..12], [7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
        for cut in 0..record.len() {
            assert_eq!(decode(record[..cut].to_vec()), None, "cut at {cut}");
        }
        assert_eq!(decode(record), Some((7, changes.to_vec())));
    }
}
