//! The messages between replicas, as values.
//!
//! Readers of 1.11 take a missing `type` from `okay` (that of Mesos before 0.26); both are always written. Votes carry one
//! field more than those of 1.11, which that ignores: [`SEALS_FIELD`]; and between masters that elect by the log there is another one:
//! [`GROUP_FIELD`]. Source: Mesos `src/messages/log.proto`.

use crate::action::Body;
use crate::records::{LAST_POSITION, Status, status_from_proto, status_to_proto};
use crate::{Action, Value};
use buffa::{UnknownField, UnknownFieldData, UnknownFields};
use bytes::Bytes;
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::{MessageField, codec};

/// The number of a field that Mesos does not have, `optional bool seals = 1000`: this replica's process, if it becomes the
/// writer, leaves no gap that an earlier writer's late writes could fill (see `coordinator/seal.rs`). A writer puts several
/// positions under way only while every member says so.
const SEALS_FIELD: u32 = 1000;

/// The number of a field that Mesos does not have, `optional uint64 group = 1001` of requests for promises and of every answer:
/// the group of masters that elect by the log (`lease.rs`). Who does not say it does not keep to the leases.
const GROUP_FIELD: u32 = 1001;

/// Asks for the promise to refuse lower proposals: for one position, or for all that hold nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PromiseRequest {
    pub proposal: u64,
    pub position: Option<u64>,
}

/// Asks to accept a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WriteRequest {
    pub proposal: u64,
    pub position: u64,
    pub learned: bool,
    pub value: Value,
}

/// What a replica says to a promise or a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    Accept,
    /// It promised more.
    Reject,
    /// It does not take part (yet).
    Ignored,
}

/// Answers a [`PromiseRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PromiseReply {
    pub vote: Vote,
    pub proposal: u64,
    pub position: Option<u64>,
    pub action: Option<Action>,
    pub seals: bool,
}

impl PromiseReply {
    /// One that says nothing of a position.
    pub fn new(vote: Vote, proposal: u64) -> PromiseReply {
        PromiseReply { vote, proposal, position: None, action: None, seals: true }
    }
}

/// Answers a [`WriteRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteReply {
    pub vote: Vote,
    pub proposal: u64,
    pub position: u64,
    pub seals: bool,
}

/// Answers a recover request: where the replica is in its life, and what it holds if it votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecoverReply {
    pub status: Status,
    pub range: Option<(u64, u64)>,
}

/// What a replica is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Promise(PromiseRequest),
    Write(WriteRequest),
    Recover,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Promise(PromiseReply),
    Write(WriteReply),
    Recover(RecoverReply),
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Ask(Ask),
    Reply(Reply),
    /// A value is decided.
    Learned(Action),
}

macro_rules! names {
    ($($name:ident = $text:literal;)*) => { $(const $name: &str = concat!("mesos.internal.log.", $text);)* };
}

names! {
    PROMISE_REQUEST = "PromiseRequest";
    PROMISE_RESPONSE = "PromiseResponse";
    WRITE_REQUEST = "WriteRequest";
    WRITE_RESPONSE = "WriteResponse";
    RECOVER_REQUEST = "RecoverRequest";
    RECOVER_RESPONSE = "RecoverResponse";
    LEARNED = "LearnedMessage";
}

/// A message that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub content: Content,
    /// The group it says, if it is one of those that can ([`Content::says_group`]).
    pub group: Option<u64>,
}

/// Reads a message; nothing if it is none of the log's, or broken. 1.11 ends its process at some broken ones.
pub(crate) fn decode(name: &str, body: &[u8]) -> Option<Decoded> {
    let (content, extras) = match name {
        PROMISE_REQUEST => {
            let request: proto::PromiseRequest = codec::decode(body).ok()?;
            // There is no key for the very last position; nobody gets there by counting.
            let in_range = request.position.is_none_or(|position| position <= LAST_POSITION);
            let ask = Ask::Promise(PromiseRequest { proposal: request.proposal, position: request.position });
            (in_range.then_some(Content::Ask(ask))?, request.__buffa_unknown_fields)
        }
        WRITE_REQUEST => (Content::Ask(Ask::Write(write_request(body)?)), UnknownFields::new()),
        RECOVER_REQUEST => {
            codec::decode::<proto::RecoverRequest>(body).ok()?;
            (Content::Ask(Ask::Recover), UnknownFields::new())
        }
        LEARNED => {
            let message: proto::LearnedMessage = codec::decode(body).ok()?;
            let action = Action::from_proto(message.action.into_option()?)?;
            let usable = action.learned && action.accepted.is_some() && action.position <= LAST_POSITION;
            (usable.then_some(Content::Learned(action))?, UnknownFields::new())
        }
        PROMISE_RESPONSE => promise_reply(codec::decode(body).ok()?)?,
        WRITE_RESPONSE => write_reply(codec::decode(body).ok()?),
        RECOVER_RESPONSE => recover_reply(codec::decode(body).ok()?)?,
        _ => return None,
    };
    Some(Decoded { content, group: extra(&extras, GROUP_FIELD) })
}

fn vote_of(okay: bool) -> Vote {
    if okay { Vote::Accept } else { Vote::Reject }
}

fn write_request(body: &[u8]) -> Option<WriteRequest> {
    let request: proto::WriteRequest = codec::decode(body).ok()?;
    let body = Body { r#type: request.r#type, nop: request.nop, append: request.append, truncate: request.truncate };
    let (proposal, position, learned) = (request.proposal, request.position, request.learned == Some(true));
    let value = body.into_value()?;
    (position <= LAST_POSITION).then_some(WriteRequest { proposal, position, learned, value })
}

fn promise_reply(response: proto::PromiseResponse) -> Option<(Content, UnknownFields)> {
    let vote = match response.r#type {
        Some(proto::promise_response::Type::ACCEPT) => Vote::Accept,
        Some(proto::promise_response::Type::REJECT) => Vote::Reject,
        Some(proto::promise_response::Type::IGNORED) => Vote::Ignored,
        None => vote_of(response.okay),
    };
    let action = match response.action.into_option() {
        Some(action) => Some(Action::from_proto(action)?),
        None => None,
    };
    let extras = response.__buffa_unknown_fields;
    let (proposal, position, seals) = (response.proposal, response.position, says_seals(&extras));
    Some((Content::Reply(Reply::Promise(PromiseReply { vote, proposal, position, action, seals })), extras))
}

fn write_reply(response: proto::WriteResponse) -> (Content, UnknownFields) {
    let vote = match response.r#type {
        Some(proto::write_response::Type::ACCEPT) => Vote::Accept,
        Some(proto::write_response::Type::REJECT) => Vote::Reject,
        Some(proto::write_response::Type::IGNORED) => Vote::Ignored,
        None => vote_of(response.okay),
    };
    let extras = response.__buffa_unknown_fields;
    let (proposal, position, seals) = (response.proposal, response.position, says_seals(&extras));
    (Content::Reply(Reply::Write(WriteReply { vote, proposal, position, seals })), extras)
}

fn recover_reply(response: proto::RecoverResponse) -> Option<(Content, UnknownFields)> {
    let status = status_from_proto(response.status);
    let range = response.begin.zip(response.end);
    let complete = status != Status::Voting || range.is_some();
    let reply = Content::Reply(Reply::Recover(RecoverReply { status, range }));
    complete.then_some((reply, response.__buffa_unknown_fields))
}

fn says_seals(extras: &UnknownFields) -> bool {
    extra(extras, SEALS_FIELD) == Some(1)
}

fn extra(fields: &UnknownFields, number: u32) -> Option<u64> {
    fields.iter().find_map(|field| match field.data {
        UnknownFieldData::Varint(value) if field.number == number => Some(value),
        _ => None,
    })
}

fn extras(seals: bool, group: Option<u64>) -> UnknownFields {
    let mut fields = UnknownFields::new();
    for (number, value) in [(SEALS_FIELD, seals.then_some(1)), (GROUP_FIELD, group)] {
        if let Some(value) = value {
            fields.push(UnknownField { number, data: UnknownFieldData::Varint(value) });
        }
    }
    fields
}

impl Content {
    /// Whether it is a message that says its group: every one that something is counted or promised for.
    pub fn says_group(&self) -> bool {
        matches!(self, Content::Ask(Ask::Promise(_)) | Content::Reply(_))
    }

    /// Its name and bytes, as sent in a group.
    pub fn encode(&self, group: Option<u64>) -> (&'static str, Bytes) {
        match self {
            Content::Ask(Ask::Promise(request)) => {
                let (proposal, position) = (request.proposal, request.position);
                let __buffa_unknown_fields = extras(false, group);
                let request = proto::PromiseRequest { proposal, position, __buffa_unknown_fields };
                (PROMISE_REQUEST, codec::encode(&request))
            }
            Content::Ask(Ask::Write(request)) => (WRITE_REQUEST, encode_write(request)),
            Content::Ask(Ask::Recover) => (RECOVER_REQUEST, Bytes::new()),
            Content::Reply(Reply::Promise(reply)) => (PROMISE_RESPONSE, encode_promise_reply(reply, group)),
            Content::Reply(Reply::Write(reply)) => (WRITE_RESPONSE, encode_write_reply(reply, group)),
            Content::Reply(Reply::Recover(reply)) => {
                let (begin, end) = reply.range.unzip();
                let (status, __buffa_unknown_fields) = (status_to_proto(reply.status), extras(false, group));
                let response = proto::RecoverResponse { status, begin, end, __buffa_unknown_fields };
                (RECOVER_RESPONSE, codec::encode(&response))
            }
            Content::Learned(action) => {
                let action = MessageField::some(action.to_proto());
                (LEARNED, codec::encode(&proto::LearnedMessage { action, ..Default::default() }))
            }
        }
    }
}

fn encode_write(request: &WriteRequest) -> Bytes {
    let body = Body::of(&request.value);
    codec::encode(&proto::WriteRequest {
        proposal: request.proposal,
        position: request.position,
        learned: request.learned.then_some(true),
        r#type: body.r#type,
        nop: body.nop,
        append: body.append,
        truncate: body.truncate,
        ..Default::default()
    })
}

fn encode_promise_reply(reply: &PromiseReply, group: Option<u64>) -> Bytes {
    let r#type = match reply.vote {
        Vote::Accept => proto::promise_response::Type::ACCEPT,
        Vote::Reject => proto::promise_response::Type::REJECT,
        Vote::Ignored => proto::promise_response::Type::IGNORED,
    };
    codec::encode(&proto::PromiseResponse {
        okay: reply.vote == Vote::Accept,
        r#type: Some(r#type),
        proposal: reply.proposal,
        position: reply.position,
        action: reply.action.as_ref().map(Action::to_proto).map_or_else(MessageField::none, MessageField::some),
        __buffa_unknown_fields: extras(reply.seals, group),
    })
}

fn encode_write_reply(reply: &WriteReply, group: Option<u64>) -> Bytes {
    let r#type = match reply.vote {
        Vote::Accept => proto::write_response::Type::ACCEPT,
        Vote::Reject => proto::write_response::Type::REJECT,
        Vote::Ignored => proto::write_response::Type::IGNORED,
    };
    codec::encode(&proto::WriteResponse {
        okay: reply.vote == Vote::Accept,
        r#type: Some(r#type),
        proposal: reply.proposal,
        position: reply.position,
        __buffa_unknown_fields: extras(reply.seals, group),
    })
}
