//! Becoming the leader when there is none.

use super::Lease;
use super::wire::LeaseMessage;
use crate::Effect;
use crate::log::Log;
use std::collections::BTreeSet;
use std::time::Duration;
use tepui_base::{Instant, Outbox};
use tepui_wire::Upid;

/// How long after the end of a lease a candidate asks at most. It is chosen at random, so that mostly one is first by more
/// than an election takes.
const SPREAD: Duration = Duration::from_millis(100);

/// How long answers are waited for.
const ASK_WAIT: Duration = Duration::from_millis(100);

/// The shortest pause after a try that came to nothing; the longest is twice that.
const AGAIN: Duration = Duration::from_millis(50);

/// Where a candidate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Candidacy {
    /// Nothing is under way.
    Resting,
    /// Asks then, if there is still no leader.
    Waiting(Instant),
    /// Has asked whether it would be promised something, and waits for answers until then.
    Asking(Asking),
    /// Asks for the promises. The writer's election says what comes of it.
    Electing,
}

/// A question under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    round: u64,
    until: Instant,
    free: BTreeSet<Upid>,
    /// The highest proposal that any of them has promised.
    promised: u64,
}

impl Candidacy {
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Candidacy::Waiting(until) | Candidacy::Asking(Asking { until, .. }) => Some(*until),
            Candidacy::Resting | Candidacy::Electing => None,
        }
    }
}

impl Log {
    /// Goes on wanting to lead, if it does.
    pub(super) fn contend_on(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let voting = self.is_voting();
        let Some(lease) = &self.lease else { return };
        let wants = voting && lease.started && lease.contending.is_some() && !lease.is_leading();
        let until = lease.granted.until;
        match &lease.candidacy {
            _ if !wants => {}
            Candidacy::Resting => self.wait_to_contend(until.max(now), SPREAD, Duration::ZERO),
            // The lease was renewed meanwhile.
            Candidacy::Waiting(at) if *at <= now && until > now => self.wait_to_contend(until, SPREAD, Duration::ZERO),
            Candidacy::Waiting(at) if *at <= now => self.ask_for_election(now, out),
            Candidacy::Asking(asking) if asking.until <= now => self.contend_again(now),
            _ => {}
        }
    }

    fn wait_to_contend(&mut self, from: Instant, spread: Duration, least: Duration) {
        let at = from + least + self.rng.up_to(spread);
        if let Some(lease) = &mut self.lease {
            lease.candidacy = Candidacy::Waiting(at);
        }
    }

    fn contend_again(&mut self, now: Instant) {
        self.wait_to_contend(now, AGAIN, AGAIN);
    }

    fn ask_for_election(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let round = self.rng.next_u64();
        let promised = self.replica.promised();
        let Some(lease) = &mut self.lease else { return };
        let free = BTreeSet::from([self.config.pid.clone()]);
        lease.candidacy = Candidacy::Asking(Asking { round, until: now + ASK_WAIT, free, promised });
        let request = LeaseMessage::Candidate { group: lease.group, round };
        for to in self.others() {
            self.send_lease(&to, &request, out);
        }
        self.elect_if_free(now, out);
    }

    pub(super) fn candidate_asked(&mut self, from: Upid, round: u64, now: Instant, out: &mut Outbox<Effect>) {
        let (voting, promised) = (self.is_voting(), self.replica.promised());
        let Some(lease) = &self.lease else { return };
        let free = voting && !lease.granted.is_withheld_from(from.address(), now);
        let reply = LeaseMessage::CandidateReply { group: lease.group, round, free, promised };
        self.send_lease(&from, &reply, out);
        // Two that ask for promises at once refuse each other; of two that are about to, one lets the other go first.
        let asks = self.lease.as_ref().is_some_and(|lease| matches!(lease.candidacy, Candidacy::Asking(_)));
        if free && asks && from < self.config.pid {
            self.contend_again(now);
        }
    }

    /// A replica that is free says what it has promised.
    pub(super) fn candidate_answered(
        &mut self,
        from: Upid,
        round: u64,
        free: Option<u64>,
        now: Instant,
        out: &mut Outbox<Effect>,
    ) {
        let Some(Lease { candidacy: Candidacy::Asking(asking), .. }) = &mut self.lease else { return };
        if asking.round == round
            && let Some(promised) = free
        {
            asking.promised = asking.promised.max(promised);
            asking.free.insert(from);
            self.elect_if_free(now, out);
        }
    }

    fn elect_if_free(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let quorum = self.rounds.quorum();
        let Some(lease) = &mut self.lease else { return };
        let Candidacy::Asking(asking) = &lease.candidacy else { return };
        if asking.free.len() >= quorum {
            let promised = asking.promised;
            lease.candidacy = Candidacy::Electing;
            self.elect_above(promised, now, out);
        }
    }

    /// The election came to nothing. Whoever promised something to this candidate need not keep it from others.
    pub(crate) fn candidacy_failed(&mut self, epoch: u64, now: Instant, out: &mut Outbox<Effect>) {
        if self.lease.is_some() {
            self.release(epoch, out);
            self.contend_again(now);
        }
    }
}
