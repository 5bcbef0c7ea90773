//! Bugs between a machine and the network.

use super::super::check::NodeId;
use super::{Bug, Planted};
use tepui_proto::mesos::internal::log as proto;
use tepui_proto::{MessageField, MessageName, codec};
use tepui_wire::{Message, Upid};

type Promised = proto::promise_response::Type;
type Accepted = proto::write_response::Type;

/// Changes what a message says.
fn edit<M: tepui_proto::Message + MessageName>(mut message: Message, change: impl FnOnce(&mut M)) -> Message {
    if let Ok(mut body) = codec::decode::<M>(&message.body) {
        change(&mut body);
        message.body = codec::encode(&body);
    }
    message
}

fn kind(message: &Message) -> &str {
    message.name.strip_prefix("mesos.internal.log.").unwrap_or_default()
}

/// What was asked by the process that sends or awaits a message.
fn question(message: &Message) -> Option<(u64, Option<u64>)> {
    match kind(message) {
        "PromiseRequest" => {
            codec::decode::<proto::PromiseRequest>(&message.body).ok().map(|m| (m.proposal, m.position))
        }
        "WriteRequest" => {
            codec::decode::<proto::WriteRequest>(&message.body).ok().map(|m| (m.proposal, Some(m.position)))
        }
        _ => None,
    }
}

/// What a machine says.
pub fn sent(planted: &mut Planted, node: NodeId, message: Message) -> Vec<Message> {
    let Some(bug) = planted.bug else { return vec![message] };
    if let Some(question) = question(&message) {
        planted.asked.insert(message.from.clone(), question);
    }
    vec![match kind(&message) {
        "PromiseResponse" => promise_response(planted, bug, node, message),
        "WriteResponse" => write_response(planted, bug, message),
        "WriteRequest" => return write_request(planted, bug, message),
        "LearnedMessage" => learned(bug, message),
        "RecoverResponse" => recover_response(bug, message),
        _ => message,
    }]
}

fn promise_response(planted: &mut Planted, bug: Bug, node: NodeId, message: Message) -> Message {
    let asked = planted.asked.get(&message.to).copied();
    let end = planted.ends.get(&node).copied();
    let mut told = None;
    let message = edit(message, |m: &mut proto::PromiseResponse| {
        let accepts = m.r#type == Some(Promised::ACCEPT);
        let general = asked.is_some_and(|(_, position)| position.is_none());
        if accepts && general {
            told = m.position;
        }
        let agree = match m.r#type {
            Some(Promised::REJECT) => bug == Bug::PromiseOld,
            Some(Promised::IGNORED) => bug == Bug::PromiseIgnored,
            _ => false,
        };
        if let (true, Some((proposal, position))) = (agree, asked) {
            (m.okay, m.r#type, m.proposal) = (true, Some(Promised::ACCEPT), proposal);
            m.position = position.or(end).or(Some(0));
        }
        match bug {
            Bug::EndHidden if accepts && general => m.position = m.position.map(|end| end.saturating_sub(1)),
            Bug::ActionHidden if accepts && m.action.is_set() && !m.action.learned.unwrap_or(false) => {
                m.position = Some(m.action.position);
                m.action = MessageField::none();
            }
            Bug::ActionOlder if accepts && m.action.is_set() => {
                let action = m.action.get_or_insert_default();
                action.performed = action.performed.map(|performed| performed.saturating_sub(1));
            }
            _ => {}
        }
    });
    planted.ends.extend(told.map(|end| (node, end)));
    message
}

fn write_response(planted: &Planted, bug: Bug, message: Message) -> Message {
    let asked = planted.asked.get(&message.to).copied();
    edit(message, |m: &mut proto::WriteResponse| {
        let agree = match m.r#type {
            Some(Accepted::REJECT) => bug == Bug::AcceptOld,
            Some(Accepted::IGNORED) => bug == Bug::AcceptIgnored,
            _ => false,
        };
        if let (true, Some((proposal, _))) = (agree, asked) {
            (m.okay, m.r#type, m.proposal) = (true, Some(Accepted::ACCEPT), proposal);
        }
    })
}

fn write_request(planted: &mut Planted, bug: Bug, message: Message) -> Vec<Message> {
    match bug {
        Bug::LearnedEarly => vec![as_learned(&message), message],
        Bug::PositionReused if planted.every(8) => {
            vec![edit(message, |m: &mut proto::WriteRequest| m.position = m.position.saturating_sub(1))]
        }
        Bug::BytesChanged if planted.every(8) => vec![edit(message, |m: &mut proto::WriteRequest| {
            if m.append.is_set() {
                m.append.get_or_insert_default().bytes.push(b'!');
            }
        })],
        _ => vec![message],
    }
}

/// The same as a decision, to the replica that is asked.
fn as_learned(request: &Message) -> Message {
    let m: proto::WriteRequest = codec::decode(&request.body).unwrap_or_default();
    let action = proto::Action {
        position: m.position,
        promised: m.proposal,
        performed: Some(m.proposal),
        learned: Some(true),
        r#type: Some(m.r#type),
        nop: m.nop,
        append: m.append,
        truncate: m.truncate,
        ..Default::default()
    };
    let learned = proto::LearnedMessage { action: MessageField::some(action), ..Default::default() };
    Message {
        epoch: None,
        from: Upid::at("log-replica(1)", request.from.address()),
        to: request.to.clone(),
        name: "mesos.internal.log.LearnedMessage".to_owned(),
        body: codec::encode(&learned),
    }
}

fn learned(bug: Bug, message: Message) -> Message {
    edit(message, |m: &mut proto::LearnedMessage| {
        let action = m.action.get_or_insert_default();
        if bug == Bug::LearnedWrong && action.append.is_set() {
            action.r#type = Some(proto::action::Type::NOP);
            action.append = MessageField::none();
            action.nop = MessageField::some(proto::action::Nop::default());
        }
    })
}

fn recover_response(bug: Bug, message: Message) -> Message {
    edit(message, |m: &mut proto::RecoverResponse| match bug {
        Bug::RecoverVoting if m.begin.is_none() => {
            (m.status, m.begin, m.end) = (proto::metadata::Status::VOTING, Some(0), Some(0));
        }
        Bug::RecoverShort => m.end = m.end.map(|end| end.saturating_sub(3)),
        _ => {}
    })
}

/// What reaches a machine.
pub fn received(planted: &mut Planted, message: Message) -> Vec<Message> {
    let Some(bug) = planted.bug else { return vec![message] };
    if let Some(question) = question(&message) {
        planted.asked.insert(message.from.clone(), question);
    }
    let asked = planted.asked.get(&message.to).copied();
    vec![match kind(&message) {
        "PromiseResponse" if bug == Bug::CountedTwice => return twice(message),
        "WriteResponse" if bug == Bug::CountedTwice => return twice(message),
        "PromiseResponse" => edit(message, |m: &mut proto::PromiseResponse| promise_heard(bug, asked, m)),
        "WriteResponse" => edit(message, |m: &mut proto::WriteResponse| {
            let agree = match m.r#type {
                Some(Accepted::REJECT) => bug == Bug::RejectAsAccept,
                Some(Accepted::IGNORED) => bug == Bug::IgnoredAsAccept,
                _ => false,
            };
            if let (true, Some((proposal, _))) = (agree, asked) {
                (m.okay, m.r#type, m.proposal) = (true, Some(Accepted::ACCEPT), proposal);
            }
        }),
        "RecoverResponse" => edit(message, |m: &mut proto::RecoverResponse| match bug {
            Bug::RecoverUnheard if m.end.is_some() => (m.begin, m.end) = (Some(0), Some(0)),
            Bug::InitializedEagerly if m.status == proto::metadata::Status::VOTING => {
                m.status = proto::metadata::Status::STARTING;
            }
            _ => {}
        }),
        _ => message,
    }]
}

fn promise_heard(bug: Bug, asked: Option<(u64, Option<u64>)>, m: &mut proto::PromiseResponse) {
    let agree = match m.r#type {
        Some(Promised::REJECT) => bug == Bug::NackAsPromise,
        Some(Promised::IGNORED) => bug == Bug::IgnoredAsAccept,
        _ => false,
    };
    if let (true, Some((proposal, position))) = (agree, asked) {
        (m.okay, m.r#type, m.proposal, m.position) = (true, Some(Promised::ACCEPT), proposal, position.or(Some(0)));
    }
    let general = asked.is_some_and(|(_, position)| position.is_none());
    let action = m.action.as_option_mut().filter(|action| action.learned != Some(true));
    match (bug, action) {
        (Bug::EndsUnheard, _) if general && m.r#type == Some(Promised::ACCEPT) => m.position = Some(0),
        (Bug::ActionsUnheard, Some(action)) => {
            m.position = Some(action.position);
            m.action = MessageField::none();
        }
        // The order of proposals is turned round.
        (Bug::HighestWrong, Some(action)) => action.performed = action.performed.map(|p| (1 << 32) - p),
        _ => {}
    }
}

/// Delivers an answer to the process that waits for the next replica's answer, too.
fn twice(message: Message) -> Vec<Message> {
    let number = message.to.id.strip_prefix("__req_res__(").and_then(|rest| rest.strip_suffix(')'));
    let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) else { return vec![message] };
    let others = [number.wrapping_sub(1), number + 1].map(|number| Message {
        to: Upid::at(&format!("__req_res__({number})"), message.to.address()),
        ..message.clone()
    });
    others.into_iter().chain([message]).collect()
}
