//! Bodies for fuzzing.

use crate::{Entry, Operation, svndiff};

/// Entries and operations: what is read is written back and read the same.
pub fn fuzz_operation(data: &[u8]) {
    if let Ok(entry) = Entry::decode(data) {
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }
    if let Ok(operation) = Operation::decode(data) {
        assert_eq!(Operation::decode(&operation.encode()), Ok(operation));
    }
}

/// A difference to a source: the first byte says how much of the rest is the source. And the rest as what the source becomes.
pub fn fuzz_svndiff(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else { return };
    let (source, difference) = rest.split_at(rest.len().min(usize::from(*length)));
    if let Ok(target) = svndiff::apply(source, difference) {
        assert!(target.len() <= svndiff::TARGET_MAX);
    }
    let made = svndiff::make(source, difference);
    assert_eq!(svndiff::apply(source, &made).as_deref(), Ok(difference));
}
