//! Masters that elect their leader by the log itself, without ZooKeeper (`--masters`).
//!
//! The promise of the log already keeps an old writer from writing. What it does not end is everything else that a leader does
//! without writing: launching tasks, acknowledging, answering reads. That rests on a lease.
//!
//! * A replica that grants a lease withholds promises for everything ([`crate::messages::PromiseRequest`] without a position)
//!   from anybody else, for [`LEASE`] by its own clock. Nobody becomes the writer without promises of a quorum.
//! * The leader asks all replicas every [`RENEW_EVERY`]. What a quorum granted holds from the moment at which the leader
//!   sent its request, by the leader's clock, and ends early enough for both clocks to be wrong by [`CLOCK_ERROR`].
//! * A replica that starts has forgotten what it granted, and withholds promises for one whole lease.
//! * A master that wants to lead waits until its own replica withholds nothing, and a random while longer; asks whether
//!   a quorum would promise; and only then asks it to. A master that cannot hear the leader does no harm that way.
//!
//! Two leaders never have authority at once: the promises that made the later one a writer came from a quorum, of which one
//! member had granted the earlier one's lease, and had to wait for its end. `docs/adr/0012-lease-without-zookeeper.md` has the
//! whole argument, and what it takes for granted. Leases are never written to the log or the disk.

mod candidate;
mod holder;
mod replica;
mod wire;

use crate::log::Log;
use crate::messages::{Ask, Decoded, PromiseReply, PromiseRequest, Reply, Vote};
use crate::records::Status;
use crate::{Answer, Effect, Masters};
use bytes::Bytes;
use candidate::Candidacy;
use holder::Leading;
use replica::Granted;
use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::time::Duration;
use tepui_base::{Instant, Outbox};
use tepui_wire::{Message, Upid};
use wire::LeaseMessage;

/// How long a replica withholds promises from others. A leader that was killed is missed that long. Shorter ones make a leader of a
/// busy machine lose its place to a pause of the scheduler or the disk.
pub const LEASE: Duration = Duration::from_millis(400);

/// How often the leader asks for its lease: three requests may be lost before a lease ends.
pub const RENEW_EVERY: Duration = Duration::from_millis(100);

/// How far the rate of a clock may be wrong, in thousandths. Crystals are wrong by less than a tenth of one; `CLOCK_MONOTONIC`
/// is slewed by NTP by half of one. The rest is margin.
pub const CLOCK_ERROR: u32 = 10;

/// How many senders that do not belong here are remembered, so that each is told of once.
const REFUSED_MAX: usize = 64;

/// The state of the lease of one master.
#[derive(Debug)]
pub(crate) struct Lease {
    /// What all messages of the group carry.
    group: u64,
    members: BTreeSet<Upid>,
    length: Duration,
    /// Whether the first lease, in which nothing is promised, has begun.
    started: bool,
    granted: Granted,
    /// What others are told of this master, while it wants to lead.
    contending: Option<Bytes>,
    candidacy: Candidacy,
    leading: Option<Leading>,
    told: Told,
    refused: BTreeSet<SocketAddrV4>,
}

/// What the client was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    NoLeader,
    Leads,
    Follows(u64, Bytes),
}

impl Lease {
    pub fn new(masters: &Masters, quorum: usize) -> Lease {
        Lease {
            group: fingerprint(masters, quorum),
            members: masters.members.clone(),
            length: masters.lease,
            started: false,
            granted: Granted::default(),
            contending: None,
            candidacy: Candidacy::Resting,
            leading: None,
            told: Told::Nothing,
            refused: BTreeSet::new(),
        }
    }

    /// What all messages of the group carry.
    pub fn group(&self) -> u64 {
        self.group
    }

    /// How long a grant lasts for the leader: both clocks may be wrong, its own slow and the replica's fast.
    fn authority(&self) -> Duration {
        self.length * (1000 - CLOCK_ERROR) / (1000 + CLOCK_ERROR)
    }

    fn is_member(&self, address: SocketAddrV4) -> bool {
        self.members.iter().any(|member| member.address() == address)
    }

    fn tell(&mut self, told: Told, out: &mut Outbox<Effect>) {
        if self.told == told {
            return;
        }
        match &told {
            Told::Nothing | Told::Leads => {}
            Told::NoLeader => out.push(Effect::Answer(Answer::NoLeader)),
            Told::Follows(epoch, leader) => {
                out.push(Effect::Answer(Answer::Follows { epoch: *epoch, leader: leader.clone() }));
            }
        }
        self.told = told;
    }

    /// Tells the operator once of somebody who is not heard.
    fn refuse(&mut self, from: &Upid, why: &str, out: &mut Outbox<Effect>) {
        if self.refused.len() < REFUSED_MAX && self.refused.insert(from.address()) {
            out.push(Effect::Answer(Answer::Refused(from.clone(), why.to_owned())));
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        if !self.started {
            return Some(Instant(0));
        }
        let following = matches!(self.told, Told::Follows(..)).then_some(self.granted.until);
        let leading = self.leading.as_ref().map(Leading::deadline);
        [following, leading, self.candidacy.deadline()].into_iter().flatten().min()
    }
}

/// One number for a group: masters that were given other members, another quorum or another lease do not count each other.
fn fingerprint(masters: &Masters, quorum: usize) -> u64 {
    let members = masters.members.iter().map(|member| member.to_string());
    let rest = [quorum.to_string(), masters.lease.as_nanos().to_string(), CLOCK_ERROR.to_string()];
    // FNV-1a, with a byte that is in no address between two texts.
    let texts: Vec<String> = members.chain(rest).collect();
    texts
        .join("\n")
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

/// Why somebody is not heard.
const STRANGER: &str = "it is not one of --masters";
const OTHER_GROUP: &str = "it was started with other --masters";
const WITHOUT_LEASE: &str =
    "its replica of the log knows no leases: it is one of Mesos, or was started without --masters";

impl Log {
    /// Whether a message of the log may be heard.
    pub(crate) fn is_heard(&mut self, from: &Upid, decoded: &Decoded, out: &mut Outbox<Effect>) -> bool {
        let Some(lease) = &mut self.lease else {
            // A master that elects by the log would take our promise for one that keeps to its leases.
            return decoded.group.is_none();
        };
        if !lease.is_member(from.address()) {
            lease.refuse(from, STRANGER, out);
        } else if !decoded.content.says_group() || decoded.group == Some(lease.group) {
            return true;
        } else if decoded.group.is_some() {
            lease.refuse(from, OTHER_GROUP, out);
        } else {
            lease.refuse(from, WITHOUT_LEASE, out);
        }
        false
    }

    /// Takes a message that only masters that elect by the log exchange. Says whether it was one.
    pub(crate) fn lease_message(&mut self, message: &Message, now: Instant, out: &mut Outbox<Effect>) -> bool {
        let Some(content) = wire::decode(&message.name, &message.body) else { return false };
        let Some(lease) = &mut self.lease else { return true };
        let from = message.from.clone();
        if !lease.members.contains(&from) {
            lease.refuse(&from, STRANGER, out);
        } else if content.group() != lease.group {
            lease.refuse(&from, OTHER_GROUP, out);
        } else {
            match content {
                LeaseMessage::Request { epoch, sent, leader, .. } => {
                    self.lease_asked(from, (epoch, sent), leader, now, out)
                }
                LeaseMessage::Response { granted: false, .. } => {}
                LeaseMessage::Response { epoch, sent, .. } => self.lease_granted(&from, epoch, sent, now, out),
                LeaseMessage::Release { epoch, .. } => self.lease_released(&from, epoch, now, out),
                LeaseMessage::Candidate { round, .. } => self.candidate_asked(from, round, now, out),
                LeaseMessage::CandidateReply { round, free, promised, .. } => {
                    self.candidate_answered(from, round, free.then_some(promised), now, out);
                }
            }
        }
        true
    }

    /// Whether a request for a promise has to wait for the end of somebody's lease: the answer then.
    pub(crate) fn withheld(&mut self, ask: &Ask, from: SocketAddrV4, now: Instant) -> Option<Reply> {
        let Ask::Promise(PromiseRequest { proposal, position: None }) = *ask else { return None };
        let lease = self.lease.as_mut()?;
        // What is too low is refused whoever holds the lease: that promises nothing.
        let would_promise = self.replica.status() == Status::Voting && proposal > self.replica.promised();
        let withheld = would_promise && lease.granted.is_withheld_from(from, now);
        if would_promise && !withheld {
            // Who was promised everything is about to lead: two candidates do not take it from each other.
            lease.granted = Granted { epoch: proposal, holder: Some(from), until: now + lease.length };
        }
        withheld.then(|| Reply::Promise(PromiseReply::new(Vote::Ignored, proposal)))
    }

    /// Begins the first lease, in which nothing is promised to anybody.
    pub(crate) fn start_lease(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let Some(lease) = self.lease.as_mut().filter(|lease| !lease.started) else { return };
        lease.started = true;
        lease.granted.until = now + lease.length;
        lease.tell(Told::NoLeader, out);
    }

    pub(crate) fn lease_tick(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        self.follow_no_longer(now, out);
        self.lead_on(now, out);
        self.contend_on(now, out);
    }

    /// Wants to lead.
    pub(crate) fn contend(&mut self, info: Bytes, now: Instant, out: &mut Outbox<Effect>) {
        let Some(lease) = &mut self.lease else { return };
        lease.contending = Some(info);
        self.contend_on(now, out);
    }

    /// The client acts as the leader no more, or does not want to any more.
    pub(crate) fn withdraw(&mut self, out: &mut Outbox<Effect>) {
        let Some(lease) = &mut self.lease else { return };
        lease.contending = None;
        lease.candidacy = Candidacy::Resting;
        if let Some(leading) = lease.leading.take() {
            lease.tell(Told::NoLeader, out);
            self.release(leading.epoch(), out);
        }
    }

    fn send_lease(&self, to: &Upid, content: &LeaseMessage, out: &mut Outbox<Effect>) {
        let (name, body) = content.encode();
        let (from, to) = (self.config.pid.clone(), to.clone());
        out.push(Effect::Send(Message { from, to, name: name.to_owned(), body, epoch: None }));
    }

    /// Everybody but this one.
    fn others(&self) -> Vec<Upid> {
        self.rounds.members().iter().filter(|member| **member != self.config.pid).cloned().collect()
    }
}
