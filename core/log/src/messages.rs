//! The messages between replicas, as values.
//!
//! Readers of 1.11 take a missing `type` from `okay` (that of Mesos before 0.26); both are always written. Votes carry one
//! field more than those of 1.11, which that ignores: [`SEALS_FIELD`]. Source: Mesos `src/messages/log.proto`.

use crate::action::Body;
use crate::records::{LAST_POSITION, Status, status_from_proto, status_to_proto};
use crate::{Action, Value};
use bytes::Bytes;
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::{MessageField, codec};

/// The number of a field that Mesos does not have, `optional bool seals = 1000`: this replica's process, if it becomes the
/// writer, leaves no gap that an earlier writer's late writes could fill (see `coordinator/seal.rs`). A writer puts several
/// positions under way only while every member says so.
const SEALS_FIELD: u32 = 1000;

/// `seals: true` on the wire.
const SEALS: [u8; 3] = [0xC0, 0x3E, 1];

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

/// Reads a message; nothing if it is none of the log's, or broken. 1.11 ends its process at some broken ones.
pub(crate) fn decode(name: &str, body: &[u8]) -> Option<Content> {
    match name {
        PROMISE_REQUEST => {
            let request: proto::PromiseRequest = codec::decode(body).ok()?;
            // There is no key for the very last position; nobody gets there by counting.
            let in_range = request.position.is_none_or(|position| position <= LAST_POSITION);
            let request = PromiseRequest { proposal: request.proposal, position: request.position };
            in_range.then_some(Content::Ask(Ask::Promise(request)))
        }
        WRITE_REQUEST => write_request(body).map(|request| Content::Ask(Ask::Write(request))),
        RECOVER_REQUEST => codec::decode::<proto::RecoverRequest>(body).ok().map(|_| Content::Ask(Ask::Recover)),
        LEARNED => {
            let message: proto::LearnedMessage = codec::decode(body).ok()?;
            let action = Action::from_proto(message.action.into_option()?)?;
            let usable = action.learned && action.accepted.is_some() && action.position <= LAST_POSITION;
            usable.then_some(Content::Learned(action))
        }
        PROMISE_RESPONSE => promise_reply(body).map(|reply| Content::Reply(Reply::Promise(reply))),
        WRITE_RESPONSE => {
            let response: proto::WriteResponse = codec::decode(body).ok()?;
            let vote = match response.r#type {
                Some(proto::write_response::Type::ACCEPT) => Vote::Accept,
                Some(proto::write_response::Type::REJECT) => Vote::Reject,
                Some(proto::write_response::Type::IGNORED) => Vote::Ignored,
                None => vote_of(response.okay),
            };
            let seals = response.__buffa_unknown_fields.iter().any(|field| field.number == SEALS_FIELD);
            let reply = WriteReply { vote, proposal: response.proposal, position: response.position, seals };
            Some(Content::Reply(Reply::Write(reply)))
        }
        RECOVER_RESPONSE => recover_reply(body).map(|reply| Content::Reply(Reply::Recover(reply))),
        _ => None,
    }
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

fn promise_reply(body: &[u8]) -> Option<PromiseReply> {
    let response: proto::PromiseResponse = codec::decode(body).ok()?;
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
    let seals = response.__buffa_unknown_fields.iter().any(|field| field.number == SEALS_FIELD);
    Some(PromiseReply { vote, proposal: response.proposal, position: response.position, action, seals })
}

fn recover_reply(body: &[u8]) -> Option<RecoverReply> {
    let response: proto::RecoverResponse = codec::decode(body).ok()?;
    let status = status_from_proto(response.status);
    let range = response.begin.zip(response.end);
    (status != Status::Voting || range.is_some()).then_some(RecoverReply { status, range })
}

impl Content {
    /// Its name and bytes.
    pub fn encode(&self) -> (&'static str, Bytes) {
        match self {
            Content::Ask(Ask::Promise(request)) => {
                let (proposal, position) = (request.proposal, request.position);
                let request = proto::PromiseRequest { proposal, position, ..Default::default() };
                (PROMISE_REQUEST, codec::encode(&request))
            }
            Content::Ask(Ask::Write(request)) => (WRITE_REQUEST, encode_write(request)),
            Content::Ask(Ask::Recover) => (RECOVER_REQUEST, Bytes::new()),
            Content::Reply(Reply::Promise(reply)) => (PROMISE_RESPONSE, encode_promise_reply(reply)),
            Content::Reply(Reply::Write(reply)) => (WRITE_RESPONSE, encode_write_reply(reply)),
            Content::Reply(Reply::Recover(reply)) => {
                let (begin, end) = reply.range.unzip();
                let status = status_to_proto(reply.status);
                let response = proto::RecoverResponse { status, begin, end, ..Default::default() };
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

fn encode_promise_reply(reply: &PromiseReply) -> Bytes {
    let r#type = match reply.vote {
        Vote::Accept => proto::promise_response::Type::ACCEPT,
        Vote::Reject => proto::promise_response::Type::REJECT,
        Vote::Ignored => proto::promise_response::Type::IGNORED,
    };
    let response = proto::PromiseResponse {
        okay: reply.vote == Vote::Accept,
        r#type: Some(r#type),
        proposal: reply.proposal,
        position: reply.position,
        action: reply.action.as_ref().map(Action::to_proto).map_or_else(MessageField::none, MessageField::some),
        ..Default::default()
    };
    with_seals(codec::encode(&response), reply.seals)
}

fn with_seals(body: Bytes, seals: bool) -> Bytes {
    if seals { [&body[..], &SEALS[..]].concat().into() } else { body }
}

fn encode_write_reply(reply: &WriteReply) -> Bytes {
    let r#type = match reply.vote {
        Vote::Accept => proto::write_response::Type::ACCEPT,
        Vote::Reject => proto::write_response::Type::REJECT,
        Vote::Ignored => proto::write_response::Type::IGNORED,
    };
    let response = proto::WriteResponse {
        okay: reply.vote == Vote::Accept,
        r#type: Some(r#type),
        proposal: reply.proposal,
        position: reply.position,
        ..Default::default()
    };
    with_seals(codec::encode(&response), reply.seals)
}
