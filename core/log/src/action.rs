//! What one position of the log holds.

use bytes::Bytes;
use tepui_proto::MessageField;
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::mesos::internal::log::action as proto_action;

/// What one position of the log holds at one replica: what it promised there, and what it accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Which position.
    pub position: u64,
    /// Writes with a lower proposal are refused.
    pub promised: u64,
    /// What was accepted and with which proposal; nothing where only a promise was given.
    pub accepted: Option<Accepted>,
    /// Whether this value is known to be the one that a quorum accepted.
    pub learned: bool,
}

/// A value and the proposal it was written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The proposal of the writer.
    pub performed: u64,
    /// What it wrote.
    pub value: Value,
}

/// What a position can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing; it stands where a writer left a gap.
    Nop {
        /// It stands for a position that was truncated; so were all before it.
        tombstone: bool,
    },
    /// What a client appended.
    Append(Bytes),
    /// Every position before this one is forgotten.
    Truncate(u64),
}

impl Action {
    /// An accepted or learned value.
    pub fn of(position: u64, proposal: u64, value: Value, learned: bool) -> Action {
        Action { position, promised: proposal, accepted: Some(Accepted { performed: proposal, value }), learned }
    }

    /// The value, if one was accepted.
    pub fn value(&self) -> Option<&Value> {
        self.accepted.as_ref().map(|accepted| &accepted.value)
    }

    /// As it is stored and sent.
    pub fn to_proto(&self) -> proto::Action {
        let mut action = proto::Action { position: self.position, promised: self.promised, ..Default::default() };
        action.learned = self.learned.then_some(true);
        if let Some(accepted) = &self.accepted {
            action.performed = Some(accepted.performed);
            let body = Body::of(&accepted.value);
            action.r#type = Some(body.r#type);
            (action.nop, action.append, action.truncate) = (body.nop, body.append, body.truncate);
        }
        action
    }

    /// From a record or a peer. Nothing if it claims a type and lacks what belongs to it.
    pub fn from_proto(action: proto::Action) -> Option<Action> {
        let (position, promised, learned) = (action.position, action.promised, action.learned == Some(true));
        let accepted = match action.r#type {
            None => None,
            Some(r#type) => {
                let body = Body { r#type, nop: action.nop, append: action.append, truncate: action.truncate };
                // 1.11 always writes both; what has no number of its own was promised with the one it was written with.
                Some(Accepted { performed: action.performed.unwrap_or(promised), value: body.into_value()? })
            }
        };
        Some(Action { position, promised, accepted, learned })
    }
}

/// The fields that `Action` and `WriteRequest` share.
pub(crate) struct Body {
    pub r#type: proto_action::Type,
    pub nop: MessageField<proto_action::Nop>,
    pub append: MessageField<proto_action::Append>,
    pub truncate: MessageField<proto_action::Truncate>,
}

impl Body {
    pub(crate) fn of(value: &Value) -> Body {
        let mut body = Body {
            r#type: proto_action::Type::NOP,
            nop: MessageField::none(),
            append: MessageField::none(),
            truncate: MessageField::none(),
        };
        match value {
            Value::Nop { tombstone } => {
                let tombstone = tombstone.then_some(true);
                body.nop = MessageField::some(proto_action::Nop { tombstone, ..Default::default() });
            }
            Value::Append(bytes) => {
                body.r#type = proto_action::Type::APPEND;
                body.append = MessageField::some(proto_action::Append { bytes: bytes.to_vec(), ..Default::default() });
            }
            Value::Truncate(to) => {
                body.r#type = proto_action::Type::TRUNCATE;
                body.truncate = MessageField::some(proto_action::Truncate { to: *to, ..Default::default() });
            }
        }
        body
    }

    /// Nothing where the part that the type announces is missing. A NOP carries nothing that could be missed.
    pub(crate) fn into_value(self) -> Option<Value> {
        Some(match self.r#type {
            proto_action::Type::NOP => {
                Value::Nop { tombstone: self.nop.as_option().is_some_and(|nop| nop.tombstone == Some(true)) }
            }
            proto_action::Type::APPEND => Value::Append(self.append.into_option()?.bytes.into()),
            proto_action::Type::TRUNCATE => Value::Truncate(self.truncate.as_option()?.to),
        })
    }
}
