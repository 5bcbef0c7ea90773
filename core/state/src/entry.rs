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

    /// Reads the message.
    pub fn from_proto(entry: proto::Entry) -> Result<Entry, Error> {
        let length = entry.uuid.len();
        let uuid = entry.uuid.try_into().map_err(|_| Error::Version(entry.name.clone(), length))?;
        Ok(Entry { name: entry.name, uuid, value: entry.value.into() })
    }
}

impl Operation {
    /// The bytes that Mesos appends.
    pub fn encode(&self) -> Bytes {
        use proto::operation::{Diff, Expunge, Snapshot, Type};
        let mut message = proto::Operation::default();
        match self {
            Operation::Snapshot(entry) => {
                message.r#type = Type::SNAPSHOT;
                let entry = MessageField::some(entry.to_proto());
                message.snapshot = MessageField::some(Snapshot { entry, ..Default::default() });
            }
            Operation::Diff(entry) => {
                message.r#type = Type::DIFF;
                let entry = MessageField::some(entry.to_proto());
                message.diff = MessageField::some(Diff { entry, ..Default::default() });
            }
            Operation::Expunge(name) => {
                message.r#type = Type::EXPUNGE;
                message.expunge = MessageField::some(Expunge { name: name.clone(), ..Default::default() });
            }
        }
        codec::encode(&message)
    }

    /// Reads such bytes.
    pub fn decode(bytes: &[u8]) -> Result<Operation, Error> {
        use proto::operation::Type;
        let message: proto::Operation = codec::decode(bytes)?;
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
