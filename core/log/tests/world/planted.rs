//! Bugs of the lease, planted where a node meets the rest of the world: what it is told, what its clock shows, what it says.

use super::World;
use std::time::Duration;
use tepui_base::{Instant, Now};
use tepui_log::{Answer, CLOCK_ERROR, Input, LEASE};
use tepui_proto::codec;
use tepui_proto::tepui::internal::log as proto;
use tepui_wire::Message;

/// One bug.
#[allow(dead_code, reason = "one of the two tests that share this plants them")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A replica takes every lease that it has granted for over when somebody asks for a promise.
    PromiseNotWithheld,
    /// The leader counts its lease from when the answer came, and not from when it asked.
    CountedFromTheAnswer,
    /// A replica that starts again promises at once.
    ForgottenByRestart,
    /// Clocks are wrong by much more than the bound.
    WildClocks,
    /// A replica forgets that it has granted a lease when its leader is not heard for half of it.
    HalfTheLease,
    /// The master acts on after the end of its lease.
    ActsAfterTheEnd,
    /// The others are released before the master has ceased to act.
    ReleasedTooEarly,
}

const PROMISE_REQUEST: &str = "mesos.internal.log.PromiseRequest";
const CANDIDATE_REQUEST: &str = "tepui.internal.log.CandidateRequest";
const LEASE_REQUEST: &str = "tepui.internal.log.LeaseRequest";
const LEASE_RELEASE: &str = "tepui.internal.log.LeaseRelease";

/// What a node hears, and what its clock shows meanwhile.
pub fn input(bug: Option<Bug>, now: Now, input: Input) -> (Now, Input) {
    let (Some(bug), Input::Message(message)) = (bug, input.clone()) else { return (now, input) };
    let wants_promise = [PROMISE_REQUEST, CANDIDATE_REQUEST].contains(&message.name.as_str());
    match bug {
        Bug::PromiseNotWithheld if wants_promise => (later(now, LEASE), input),
        Bug::HalfTheLease if wants_promise => (later(now, LEASE / 2), input),
        _ => (now, input),
    }
}

fn later(now: Now, by: Duration) -> Now {
    Now { monotonic: now.monotonic + by, ..now }
}

/// The group that a message says.
pub fn group(message: &Message) -> Option<u64> {
    let request = (message.name == LEASE_REQUEST).then(|| codec::decode::<proto::LeaseRequest>(&message.body));
    request?.ok().map(|request| request.group)
}

/// How fast the clock of a node goes, in millionths of true time.
#[allow(dead_code, reason = "only the tests of the lease skew clocks")]
pub fn rate(bug: Option<Bug>, at: usize, rate: u64) -> u64 {
    match bug {
        Some(Bug::WildClocks) if at == 0 => 800_000,
        Some(Bug::WildClocks) => 1_250_000,
        _ => rate,
    }
}

/// What the clock shows when a node starts.
pub fn first(bug: Option<Bug>, now: Now) -> Now {
    match bug {
        Some(Bug::ForgottenByRestart) => {
            Now { monotonic: Instant(now.monotonic.0.saturating_sub(nanos(LEASE))), ..now }
        }
        _ => now,
    }
}

/// What a node's client takes an answer for that it gets when its clock shows `now`.
pub fn answer(bug: Option<Bug>, now: Now, answer: Answer) -> Answer {
    match (bug, answer) {
        (Some(Bug::ActsAfterTheEnd), Answer::Leads { epoch, until }) => Answer::Leads { epoch, until: until + LEASE },
        (Some(Bug::CountedFromTheAnswer), Answer::Leads { epoch, .. }) => {
            let length = LEASE * (1000 - CLOCK_ERROR) / (1000 + CLOCK_ERROR);
            Answer::Leads { epoch, until: now.monotonic + length }
        }
        (_, answer) => answer,
    }
}

fn nanos(of: Duration) -> u64 {
    u64::try_from(of.as_nanos()).expect("short")
}

impl World {
    /// A leader that has just been confirmed releases everybody, and acts on.
    pub fn release_too_early(&mut self, at: usize, answer: &Answer) {
        let Answer::Leads { epoch, .. } = answer else { return };
        if self.bug != Some(Bug::ReleasedTooEarly) || self.rng.below(4) > 0 {
            return;
        }
        let Some(group) = self.group else { return };
        let body = codec::encode(&proto::LeaseRelease { group, epoch: *epoch, ..Default::default() });
        for to in (0..self.nodes.len()).filter(|to| *to != at) {
            let (from, to) = (super::pid(at), super::pid(to));
            self.send(at, Message { from, to, name: LEASE_RELEASE.to_owned(), body: body.clone(), epoch: None });
        }
    }
}
