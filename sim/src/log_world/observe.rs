//! Bytes to facts: what replicas say to each other and what their disks hold, as the judges need it.

use bytes::Bytes;
use tepui_log::Change;
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::{MessageField, codec};
use tepui_wire::Message;

pub use proto::metadata::Status;
pub use proto::promise_response::Type as Promised;
pub use proto::write_response::Type as Accepted;

/// The key of the metadata record.
pub const METADATA_KEY: &[u8] = b"0000000000";

/// What a position of the log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Nop,
    /// Nothing, because it was truncated.
    Tombstone,
    /// What a client appended.
    Append(Bytes),
    /// Everything before this position is to be forgotten.
    Truncate(u64),
}

/// An action as a replica stores and tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Where.
    pub position: u64,
    /// The highest proposal promised for it.
    pub promised: u64,
    /// The proposal it was accepted under.
    pub performed: Option<u64>,
    /// Whether it is known to be decided.
    pub learned: bool,
    /// What was accepted.
    pub value: Option<Value>,
}

/// A record of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// What the replica is, and the proposal it has promised.
    Metadata(Status, u64),
    /// A position.
    Action(Action),
}

/// What one message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Proposal, and the position if it is about one.
    PromiseRequest(u64, Option<u64>),
    /// How, proposal, position, action.
    PromiseResponse(Promised, u64, Option<u64>, Option<Action>),
    /// Proposal, position, value.
    WriteRequest(u64, u64, Value),
    /// How, proposal, position.
    WriteResponse(Accepted, u64, u64),
    /// A decision.
    Learned(Action),
    /// What a replica is, and the positions it holds.
    RecoverResponse(Status, Option<(u64, u64)>),
    /// Not for these judges.
    Other,
}

/// Reads a message; an error is one that no machine may send.
pub fn said(message: &Message) -> Result<Said, String> {
    let body = &message.body;
    let name = message.name.strip_prefix("mesos.internal.log.").unwrap_or_default();
    let read = match name {
        "PromiseRequest" => {
            codec::decode(body).map(|m: proto::PromiseRequest| Said::PromiseRequest(m.proposal, m.position))
        }
        "PromiseResponse" => codec::decode(body).map(promise_response),
        "WriteRequest" => codec::decode(body).map(write_request),
        "WriteResponse" => codec::decode(body).map(write_response),
        "LearnedMessage" => codec::decode(body).map(learned),
        "RecoverResponse" => codec::decode(body).map(|m: proto::RecoverResponse| {
            Said::RecoverResponse(m.status, m.begin.and_then(|begin| m.end.map(|end| (begin, end))))
        }),
        _ => Ok(Said::Other),
    };
    read.map_err(|error| format!("{} cannot be read: {error}", message.name))
}

fn learned(m: proto::LearnedMessage) -> Said {
    Said::Learned(action(m.action.into_option().unwrap_or_default()))
}

fn promise_response(m: proto::PromiseResponse) -> Said {
    let kind = m.r#type.unwrap_or(if m.okay { Promised::ACCEPT } else { Promised::REJECT });
    Said::PromiseResponse(kind, m.proposal, m.position, m.action.into_option().map(action))
}

fn write_request(m: proto::WriteRequest) -> Said {
    let value = value(m.r#type, &m.nop, m.append, &m.truncate);
    Said::WriteRequest(m.proposal, m.position, value)
}

fn write_response(m: proto::WriteResponse) -> Said {
    let kind = m.r#type.unwrap_or(if m.okay { Accepted::ACCEPT } else { Accepted::REJECT });
    Said::WriteResponse(kind, m.proposal, m.position)
}

fn value(
    kind: proto::action::Type,
    nop: &MessageField<proto::action::Nop>,
    append: MessageField<proto::action::Append>,
    truncate: &MessageField<proto::action::Truncate>,
) -> Value {
    match kind {
        proto::action::Type::NOP if nop.tombstone == Some(true) => Value::Tombstone,
        proto::action::Type::NOP => Value::Nop,
        proto::action::Type::APPEND => Value::Append(append.into_option().unwrap_or_default().bytes.into()),
        proto::action::Type::TRUNCATE => Value::Truncate(truncate.to),
    }
}

fn action(m: proto::Action) -> Action {
    Action {
        position: m.position,
        promised: m.promised,
        performed: m.performed,
        learned: m.learned == Some(true),
        value: m.r#type.map(|kind| value(kind, &m.nop, m.append, &m.truncate)),
    }
}

/// Reads a record of the store.
pub fn record(bytes: &[u8]) -> Result<Record, String> {
    let record: proto::Record = codec::decode(bytes).map_err(|error| format!("a record cannot be read: {error}"))?;
    match record.r#type {
        proto::record::Type::METADATA => Ok(Record::Metadata(record.metadata.status, record.metadata.promised)),
        proto::record::Type::PROMISE => Ok(Record::Metadata(Status::VOTING, record.promise.proposal)),
        proto::record::Type::ACTION => Ok(Record::Action(action(record.action.into_option().unwrap_or_default()))),
    }
}

/// The key of a position.
pub fn key(position: u64) -> Vec<u8> {
    format!("{:010}", position + 1).into_bytes()
}

/// A change that writes metadata: what an operator does to a directory before its first start.
pub fn metadata(status: Status, promised: u64) -> Change {
    let metadata = proto::Metadata { status, promised, ..Default::default() };
    let record = proto::Record {
        r#type: proto::record::Type::METADATA,
        metadata: MessageField::some(metadata),
        ..Default::default()
    };
    Change::Put(METADATA_KEY.to_vec(), codec::encode(&record))
}
