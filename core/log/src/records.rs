//! Keys and values of Mesos' LevelDB directory.
//!
//! A position stands under its number plus one, in ten decimal digits, so that the order of the bytes is the order of the
//! positions; the metadata stands under zero. Beyond ten digits the key is `A` and twenty digits, as in the Mesos that came
//! after 1.11 (1.11 itself counts keys in 32 bits and cannot go there). Source: Mesos `src/log/leveldb.cpp`.

use crate::Action;
use bytes::Bytes;
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::{MessageField, codec};

/// The key of the metadata.
pub const METADATA_KEY: &[u8] = b"0000000000";

/// The last position that has a key.
pub const LAST_POSITION: u64 = u64::MAX - 1;

/// The largest number written in ten digits.
const TEN_DIGITS: u64 = 9_999_999_999;

/// In which part of its life a replica is. Source: `log.proto` (Metadata.Status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It takes part.
    Voting,
    /// It catches up with a group that votes, and does not take part yet.
    Recovering,
    /// It saw that the whole group is new, and waits until every replica saw it.
    Starting,
    /// It has nothing.
    Empty,
}

/// What a replica keeps beside its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// In which part of its life it is.
    pub status: Status,
    /// The highest proposal it promised for all positions.
    pub promised: u64,
}

/// One value of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// What a replica keeps beside its positions.
    Metadata(Metadata),
    /// What Mesos before 0.14 kept instead: it votes, and promised this.
    Promise(u64),
    /// One position.
    Action(Action),
}

/// Why a value is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not protobuf, or not this message.
    #[error("Failed to deserialize record: {0}")]
    Malformed(#[from] codec::Error),
    /// The part that its type announces is missing.
    #[error("Bad record")]
    Incomplete,
}

/// The key of a position; nothing for the one position too many.
pub fn key(position: u64) -> Option<Vec<u8>> {
    let number = position.checked_add(1)?;
    Some(if number <= TEN_DIGITS { format!("{number:010}") } else { format!("A{number:020}") }.into_bytes())
}

/// The key of a position that is known to have one.
pub(crate) fn known_key(position: u64) -> Vec<u8> {
    key(position.min(LAST_POSITION)).unwrap_or_default()
}

/// The value of a position.
pub fn action_value(action: &Action) -> Bytes {
    let action = MessageField::some(action.to_proto());
    codec::encode(&proto::Record { r#type: proto::record::Type::ACTION, action, ..Default::default() })
}

/// The value of the metadata.
pub fn metadata_value(metadata: Metadata) -> Bytes {
    let status = status_to_proto(metadata.status);
    let metadata = proto::Metadata { status, promised: metadata.promised, ..Default::default() };
    let metadata = MessageField::some(metadata);
    codec::encode(&proto::Record { r#type: proto::record::Type::METADATA, metadata, ..Default::default() })
}

/// Reads a value.
pub fn record(value: &[u8]) -> Result<Record, Error> {
    let record: proto::Record = codec::decode_stored(value)?;
    match record.r#type {
        proto::record::Type::METADATA => {
            let metadata = record.metadata.into_option().ok_or(Error::Incomplete)?;
            let status = status_from_proto(metadata.status);
            Ok(Record::Metadata(Metadata { status, promised: metadata.promised }))
        }
        proto::record::Type::PROMISE => {
            Ok(Record::Promise(record.promise.as_option().ok_or(Error::Incomplete)?.proposal))
        }
        proto::record::Type::ACTION => {
            let action = record.action.into_option().and_then(Action::from_proto);
            Ok(Record::Action(action.ok_or(Error::Incomplete)?))
        }
    }
}

pub(crate) fn status_to_proto(status: Status) -> proto::metadata::Status {
    match status {
        Status::Voting => proto::metadata::Status::VOTING,
        Status::Recovering => proto::metadata::Status::RECOVERING,
        Status::Starting => proto::metadata::Status::STARTING,
        Status::Empty => proto::metadata::Status::EMPTY,
    }
}

pub(crate) fn status_from_proto(status: proto::metadata::Status) -> Status {
    match status {
        proto::metadata::Status::VOTING => Status::Voting,
        proto::metadata::Status::RECOVERING => Status::Recovering,
        proto::metadata::Status::STARTING => Status::Starting,
        proto::metadata::Status::EMPTY => Status::Empty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn keys_are_ordered_as_positions_are() {
        assert_eq!(key(0).unwrap(), b"0000000001");
        assert_eq!(key(TEN_DIGITS - 1).unwrap(), b"9999999999");
        assert_eq!(key(TEN_DIGITS).unwrap(), b"A00000000010000000000");
        assert_eq!(key(u64::MAX), None);
        let positions = [0, 1, 8, 9, 10, TEN_DIGITS - 2, TEN_DIGITS - 1, TEN_DIGITS, TEN_DIGITS + 1, LAST_POSITION];
        assert!(positions.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
    }

    #[test]
    fn what_is_written_reads_back() {
        let values =
            [Value::Nop { tombstone: false }, Value::Nop { tombstone: true }, Value::Append(Bytes::from_static(b"x"))];
        for value in values.into_iter().chain([Value::Truncate(7)]) {
            for learned in [false, true] {
                let action = Action::of(9, 3, value.clone(), learned);
                assert_eq!(record(&action_value(&action)), Ok(Record::Action(action)));
            }
        }
        let promise = Action { position: 4, promised: 2, accepted: None, learned: false };
        assert_eq!(record(&action_value(&promise)), Ok(Record::Action(promise)));
        let metadata = Metadata { status: Status::Recovering, promised: 8 };
        assert_eq!(record(&metadata_value(metadata)), Ok(Record::Metadata(metadata)));
    }

    /// What Mesos 1.11.0 wrote for the first append of 3 bytes with proposal 1 after the NOP at 0.
    #[test]
    fn the_bytes_are_those_of_mesos() {
        let action = Action::of(1, 1, Value::Append(Bytes::from_static(b"abc")), true);
        let bytes = [8, 2, 26, 17, 8, 1, 16, 1, 24, 1, 32, 1, 40, 2, 58, 5, 10, 3, b'a', b'b', b'c'];
        assert_eq!(action_value(&action).as_ref(), bytes);
        let metadata = Metadata { status: Status::Voting, promised: 1 };
        assert_eq!(metadata_value(metadata).as_ref(), [8, 3, 34, 4, 8, 1, 16, 1]);
    }

    #[test]
    fn an_old_promise_and_what_is_no_record() {
        assert_eq!(record(&[8, 1, 18, 2, 8, 6]), Ok(Record::Promise(6)));
        assert_eq!(record(&[8, 3]), Err(Error::Incomplete));
        assert_eq!(record(&[8, 2, 26, 6, 8, 1, 16, 1, 40, 2]), Err(Error::Incomplete));
        assert!(matches!(record(&[255]), Err(Error::Malformed(_))));
    }
}
