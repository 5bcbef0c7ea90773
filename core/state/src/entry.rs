//! A variable as it is stored, and what a log of variables holds.

use bytes::Bytes;
use tepui_proto::MessageField;
use tepui_proto::codec;
use tepui_proto::mesos::internal::state as proto;

/// Names one version of a variable. Sixteen random bytes.
pub type Uuid = [u8; 16];

/// One version of one variable (`mesos.internal.state.Entry`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The variable.
    pub name: String,
    /// Its version.
    pub uuid: Uuid,
    /// What it holds.
    pub value: Bytes,
}

/// One entry of a log that holds variables (`mesos.internal.state.Operation`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A whole new version.
    Snapshot(Entry),
    /// A new version as a difference to the one before: `value` is an svndiff.
    Diff(Entry),
    /// The variable of this name is no more.
    Expunge(String),
}

/// Bytes that are no [`Operation`] or no [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the message.
    #[error("not an operation of a State: {0}")]
    Malformed(#[from] codec::Error),
    /// A version that has not sixteen bytes.
    #[error("the version of '{0}' has {1} bytes instead of 16")]
    Version(String, usize),
    /// A type without the part that belongs to it.
    #[error("an operation of type {0} without its part")]
    Incomplete(&'static str),
}

impl Entry {
    /// The message.
    pub fn to_proto(&self) -> proto::Entry {
        proto::Entry {
            name: self.name.clone(),
            uuid: self.uuid.to_vec(),
            value: self.value.to_vec(),
            ..Default::default()
        }
    }

    /// The bytes that the other storages keep under the variable's name.
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.value.len() + self.name.len() + 40);
        self.head(&mut bytes);
        bytes.extend_from_slice(&self.value);
        bytes.into()
    }

    /// Reads such bytes.
    pub fn decode(bytes: &[u8]) -> Result<Entry, Error> {
        Entry::from_proto(codec::decode_stored(bytes)?)
    }

    /// All of the message but its value.
    fn head(&self, out: &mut Vec<u8>) {
        out.push(0x0A);
        varint(self.name.len(), out);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&[0x12, 16]);
        out.extend_from_slice(&self.uuid);
        out.push(0x1A);
        varint(self.value.len(), out);
    }

    /// Reads the message.
    pub fn from_proto(entry: proto::Entry) -> Result<Entry, Error> {
        let length = entry.uuid.len();
        let uuid = entry.uuid.try_into().map_err(|_| Error::Version(entry.name.clone(), length))?;
        Ok(Entry { name: entry.name, uuid, value: entry.value.into() })
    }
}

/// A message whose last field is a message whose only field is the entry, whose last field is the value: so all but the
/// value, which may have megabytes, is one head.
fn with_entry(kind: u8, field: u8, entry: &Entry) -> Bytes {
    let mut head = Vec::with_capacity(entry.name.len() + 40);
    entry.head(&mut head);
    let length = head.len() + entry.value.len();
    let mut wrapper = vec![0x0A];
    varint(length, &mut wrapper);
    let mut bytes = Vec::with_capacity(length + 40);
    bytes.extend_from_slice(&[0x08, kind, field]);
    varint(wrapper.len() + length, &mut bytes);
    bytes.extend_from_slice(&wrapper);
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&entry.value);
    bytes.into()
}

/// A number as protobuf writes it.
fn varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

impl Operation {
    /// The bytes that Mesos appends. The value is copied once.
    pub fn encode(&self) -> Bytes {
        match self {
            Operation::Snapshot(entry) => with_entry(1, 0x12, entry),
            Operation::Diff(entry) => with_entry(3, 0x22, entry),
            Operation::Expunge(name) => {
                use proto::operation::{Expunge, Type};
                let expunge = MessageField::some(Expunge { name: name.clone(), ..Default::default() });
                codec::encode(&proto::Operation { r#type: Type::EXPUNGE, expunge, ..Default::default() })
            }
        }
    }

    /// Reads such bytes.
    pub fn decode(bytes: &[u8]) -> Result<Operation, Error> {
        use proto::operation::Type;
        let message: proto::Operation = codec::decode_stored(bytes)?;
        match message.r#type {
            Type::SNAPSHOT => {
                let part = message.snapshot.into_option().ok_or(Error::Incomplete("SNAPSHOT"))?;
                Entry::from_proto(part.entry.into_option().unwrap_or_default()).map(Operation::Snapshot)
            }
            Type::DIFF => {
                let part = message.diff.into_option().ok_or(Error::Incomplete("DIFF"))?;
                Entry::from_proto(part.entry.into_option().unwrap_or_default()).map(Operation::Diff)
            }
            Type::EXPUNGE => {
                let part = message.expunge.into_option().ok_or(Error::Incomplete("EXPUNGE"))?;
                Ok(Operation::Expunge(part.name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry { name: "registry".to_owned(), uuid: [7; 16], value: Bytes::from_static(b"value") }
    }

    #[test]
    fn what_is_written_is_the_message_of_mesos() {
        use proto::operation::{Diff, Snapshot, Type};
        for length in [0, 1, 100, 127, 128, 20_000] {
            let entry = Entry { value: vec![5; length].into(), ..entry() };
            let message = || MessageField::some(entry.to_proto());
            assert_eq!(entry.encode(), codec::encode(&entry.to_proto()));
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry.clone()));
            let snapshot = MessageField::some(Snapshot { entry: message(), ..Default::default() });
            let expected = proto::Operation { r#type: Type::SNAPSHOT, snapshot, ..Default::default() };
            assert_eq!(Operation::Snapshot(entry.clone()).encode(), codec::encode(&expected));
            let diff = MessageField::some(Diff { entry: message(), ..Default::default() });
            let expected = proto::Operation { r#type: Type::DIFF, diff, ..Default::default() };
            assert_eq!(Operation::Diff(entry).encode(), codec::encode(&expected));
        }
    }

    #[test]
    fn operations_round_trip() {
        for operation in
            [Operation::Snapshot(entry()), Operation::Diff(entry()), Operation::Expunge("registry".to_owned())]
        {
            assert_eq!(Operation::decode(&operation.encode()), Ok(operation));
        }
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        assert!(matches!(Operation::decode(b""), Err(Error::Malformed(_))));
        assert_eq!(Operation::decode(&[0x08, 1]), Err(Error::Incomplete("SNAPSHOT")));
    }
}
