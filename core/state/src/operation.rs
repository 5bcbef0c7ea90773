//! What stands in the log: `mesos.internal.state.Operation`. Source: Mesos `src/messages/state.proto`.

use crate::entry::{Entry, varint};
use crate::svndiff;
use bytes::Bytes;
use tepui_proto::codec;
use tepui_proto::mesos::internal::state as proto;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A variable has this version and value. All that is ever written here.
    Snapshot(Entry),
    /// A variable has this version; its value is the one before, changed by this `svndiff`.
    Diff(Entry),
    /// There is no variable of this name any more.
    Expunge(String),
}

/// Why an entry of the log cannot be used. The texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not protobuf, or not this message.
    #[error("Failed to deserialize Operation")]
    Malformed,
    /// A difference to a variable that is not there.
    #[error("Failed to apply the diff: no snapshot of '{0}'")]
    NoSnapshot(String),
    /// A difference that cannot be applied.
    #[error("Failed to apply the diff: {0}")]
    Diff(#[from] svndiff::Error),
}

impl Operation {
    /// The bytes of the message. The value is copied once.
    pub fn encode(&self) -> Bytes {
        match self {
            Operation::Snapshot(entry) => with_entry(1, 0x12, entry),
            Operation::Diff(entry) => with_entry(3, 0x22, entry),
            Operation::Expunge(name) => {
                let mut inner = vec![0x0A];
                varint(name.len(), &mut inner);
                inner.extend_from_slice(name.as_bytes());
                let mut bytes = vec![0x08, 2, 0x1A];
                varint(inner.len(), &mut bytes);
                bytes.extend_from_slice(&inner);
                bytes.into()
            }
        }
    }

    /// Reads the bytes of the message.
    pub fn decode(bytes: &[u8]) -> Result<Operation, Error> {
        let operation: proto::Operation = codec::decode(bytes).map_err(|_| Error::Malformed)?;
        let read = |entry: Option<proto::Entry>| entry.and_then(Entry::from_proto).ok_or(Error::Malformed);
        match operation.r#type {
            proto::operation::Type::SNAPSHOT => {
                let snapshot = operation.snapshot.into_option().and_then(|snapshot| snapshot.entry.into_option());
                read(snapshot).map(Operation::Snapshot)
            }
            proto::operation::Type::DIFF => {
                let diff = operation.diff.into_option().and_then(|diff| diff.entry.into_option());
                read(diff).map(Operation::Diff)
            }
            proto::operation::Type::EXPUNGE => {
                let expunge = operation.expunge.into_option().ok_or(Error::Malformed)?;
                Ok(Operation::Expunge(expunge.name))
            }
        }
    }
}

/// A message whose last field is a message whose only field is the entry, whose last field is the value: so everything but
/// the value is one head.
fn with_entry(kind: u8, field: u8, entry: &Entry) -> Bytes {
    let mut head = Vec::with_capacity(entry.name.len() + 40);
    entry.head(&mut head);
    let entry_length = head.len() + entry.value.len();
    let mut wrapper = vec![0x0A];
    varint(entry_length, &mut wrapper);
    let mut bytes = Vec::with_capacity(entry_length + 40);
    bytes.extend_from_slice(&[0x08, kind, field]);
    varint(wrapper.len() + entry_length, &mut bytes);
    bytes.extend_from_slice(&wrapper);
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&entry.value);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_proto::MessageField;

    fn entry(length: usize) -> Entry {
        Entry { name: "registry".to_owned(), uuid: [3; 16], value: vec![5; length].into() }
    }

    fn message(entry: &Entry) -> MessageField<proto::Entry> {
        let Entry { name, uuid, value } = entry.clone();
        MessageField::some(proto::Entry { name, uuid: uuid.to_vec(), value: value.to_vec(), ..Default::default() })
    }

    #[test]
    fn operations_are_the_messages_of_mesos() {
        for length in [0, 1, 100, 127, 128, 20_000] {
            let entry = entry(length);
            let snapshot = MessageField::some(proto::operation::Snapshot {
                entry: message(&entry),
                ..Default::default()
            });
            let expected =
                proto::Operation { r#type: proto::operation::Type::SNAPSHOT, snapshot, ..Default::default() };
            assert_eq!(Operation::Snapshot(entry.clone()).encode(), codec::encode(&expected));
            let diff = MessageField::some(proto::operation::Diff { entry: message(&entry), ..Default::default() });
            let expected = proto::Operation { r#type: proto::operation::Type::DIFF, diff, ..Default::default() };
            assert_eq!(Operation::Diff(entry).encode(), codec::encode(&expected));
        }
        let expunge = proto::operation::Expunge { name: "registry".to_owned(), ..Default::default() };
        let expunge = MessageField::some(expunge);
        let expected = proto::Operation { r#type: proto::operation::Type::EXPUNGE, expunge, ..Default::default() };
        assert_eq!(Operation::Expunge("registry".to_owned()).encode(), codec::encode(&expected));
    }

    #[test]
    fn what_was_written_is_read() {
        for operation in
            [Operation::Snapshot(entry(9)), Operation::Diff(entry(0)), Operation::Expunge("registry".to_owned())]
        {
            assert_eq!(Operation::decode(&operation.encode()), Ok(operation));
        }
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        // Nothing; a snapshot without one; a kind of the future, which proto2 takes for none.
        for bytes in [&b""[..], b"\x08\x01", b"\x08\x09"] {
            assert_eq!(Operation::decode(bytes), Err(Error::Malformed));
        }
    }
}
