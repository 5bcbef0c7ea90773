//! The messages of the lease, as values (`proto/internal/tepui_log.proto`).

use bytes::Bytes;
use tepui_proto::codec;
use tepui_proto::tepui::internal::log as proto;

/// One message of the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LeaseMessage {
    Request { group: u64, epoch: u64, sent: u64, leader: Option<Bytes> },
    Response { group: u64, epoch: u64, sent: u64, granted: bool },
    Release { group: u64, epoch: u64 },
    Candidate { group: u64, round: u64 },
    CandidateReply { group: u64, round: u64, free: bool, promised: u64 },
}

const REQUEST: &str = "tepui.internal.log.LeaseRequest";
const RESPONSE: &str = "tepui.internal.log.LeaseResponse";
const RELEASE: &str = "tepui.internal.log.LeaseRelease";
const CANDIDATE: &str = "tepui.internal.log.CandidateRequest";
const CANDIDATE_REPLY: &str = "tepui.internal.log.CandidateResponse";

/// Reads a message; nothing if it is another one, or broken.
pub(super) fn decode(name: &str, body: &[u8]) -> Option<LeaseMessage> {
    Some(match name {
        REQUEST => {
            let message: proto::LeaseRequest = codec::decode(body).ok()?;
            let (group, epoch, sent) = (message.group, message.epoch, message.sent);
            LeaseMessage::Request { group, epoch, sent, leader: message.leader.map(Bytes::from) }
        }
        RESPONSE => {
            let message: proto::LeaseResponse = codec::decode(body).ok()?;
            let (group, epoch, sent) = (message.group, message.epoch, message.sent);
            LeaseMessage::Response { group, epoch, sent, granted: message.granted }
        }
        RELEASE => {
            let message: proto::LeaseRelease = codec::decode(body).ok()?;
            LeaseMessage::Release { group: message.group, epoch: message.epoch }
        }
        CANDIDATE => {
            let message: proto::CandidateRequest = codec::decode(body).ok()?;
            LeaseMessage::Candidate { group: message.group, round: message.round }
        }
        CANDIDATE_REPLY => {
            let message: proto::CandidateResponse = codec::decode(body).ok()?;
            let (group, round) = (message.group, message.round);
            LeaseMessage::CandidateReply { group, round, free: message.free, promised: message.promised }
        }
        _ => return None,
    })
}

impl LeaseMessage {
    /// The group it was sent in.
    pub fn group(&self) -> u64 {
        match self {
            LeaseMessage::Request { group, .. }
            | LeaseMessage::Response { group, .. }
            | LeaseMessage::Release { group, .. }
            | LeaseMessage::Candidate { group, .. }
            | LeaseMessage::CandidateReply { group, .. } => *group,
        }
    }

    /// Its name and bytes.
    pub fn encode(&self) -> (&'static str, Bytes) {
        match self.clone() {
            LeaseMessage::Request { group, epoch, sent, leader } => {
                let leader = leader.map(|leader| leader.to_vec());
                (REQUEST, codec::encode(&proto::LeaseRequest { group, epoch, sent, leader, ..Default::default() }))
            }
            LeaseMessage::Response { group, epoch, sent, granted } => {
                (RESPONSE, codec::encode(&proto::LeaseResponse { group, epoch, sent, granted, ..Default::default() }))
            }
            LeaseMessage::Release { group, epoch } => {
                (RELEASE, codec::encode(&proto::LeaseRelease { group, epoch, ..Default::default() }))
            }
            LeaseMessage::Candidate { group, round } => {
                (CANDIDATE, codec::encode(&proto::CandidateRequest { group, round, ..Default::default() }))
            }
            LeaseMessage::CandidateReply { group, round, free, promised } => {
                let reply = proto::CandidateResponse { group, round, free, promised, ..Default::default() };
                (CANDIDATE_REPLY, codec::encode(&reply))
            }
        }
    }
}
