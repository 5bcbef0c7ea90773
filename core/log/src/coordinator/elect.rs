//! The election: a promise of a quorum for everything that is empty, then learning everything that is not.

use super::{Electing, State, Step, Writer};
use crate::fills::{Filling, Purpose};
use crate::log::{Log, ROUND_WAIT, ROUND_WAIT_MAX, answer};
use crate::messages::{Ask, PromiseRequest};
use crate::rounds::{Owner, RoundId};
use crate::tally::Verdict;
use crate::{Answer, Effect};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tepui_base::{Instant, Outbox};

/// How often another try is made before the client hears that it was not elected. The first refusal mostly says only that the
/// number was too low.
const TRIES: u32 = 3;

/// How long the promises of the other masters are waited for, where they elect by the log. What they promised to this one keeps
/// them from promising it to others, so that must not take long.
const LEASE_ROUND_WAIT: Duration = Duration::from_millis(250);

/// The shortest pause between two tries; the longest is twice that.
const BACK_OFF: Duration = Duration::from_millis(100);

impl Log {
    pub(crate) fn elect(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        match &self.coordinator.state {
            State::Writing(writer) if writer.sealing.is_none() => {
                let (begin, end) = (self.replica.begin(), writer.next.saturating_sub(1));
                answer(Answer::Elected { begin, end }, out);
            }
            // Answered once, when it is over.
            // The masters' election decides who is the writer, and asks by itself.
            _ if self.lease.is_some() => answer(Answer::NotElected, out),
            State::Writing(_) | State::Electing(_) | State::Wanted => {}
            State::Idle if self.is_voting() => self.try_election(0, ROUND_WAIT, now, out),
            State::Idle => self.coordinator.state = State::Wanted,
        }
    }

    pub(crate) fn elect_if_wanted(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if matches!(self.coordinator.state, State::Wanted) {
            self.try_election(0, ROUND_WAIT, now, out);
        }
    }

    /// Elects with a proposal higher than this, where masters elect by the log.
    pub(crate) fn elect_above(&mut self, promised: u64, now: Instant, out: &mut Outbox<Effect>) {
        self.coordinator.proposal = self.coordinator.proposal.max(promised);
        self.try_election(0, LEASE_ROUND_WAIT, now, out);
    }

    fn try_election(&mut self, failures: u32, wait: Duration, now: Instant, out: &mut Outbox<Effect>) {
        // At least what was tried before, and what this replica promised.
        let proposal = self.coordinator.proposal.max(self.replica.promised()).saturating_add(1);
        self.coordinator.proposal = proposal;
        let ask = Ask::Promise(PromiseRequest { proposal, position: None });
        let round = self.start_round(Owner::Election, ask, now, wait, out);
        self.coordinator.state = State::Electing(Electing { step: Step::Promising(round), failures, wait, asked: now });
    }

    pub(crate) fn election_decided(
        &mut self,
        round: RoundId,
        verdict: Verdict,
        now: Instant,
        out: &mut Outbox<Effect>,
    ) {
        let State::Electing(electing) = &mut self.coordinator.state else { return };
        if !matches!(electing.step, Step::Promising(current) if current == round) {
            return;
        }
        let (failures, wait, asked) = (electing.failures, electing.wait, electing.asked);
        match verdict {
            Verdict::Promised(end) => {
                electing.step = Step::Filling(end);
                self.lease_won(self.coordinator.proposal, asked, now, out);
                if !matches!(self.coordinator.state, State::Electing(_)) {
                    return;
                }
                // One more than was promised for everything: as high as a position that was not empty can ask for at the
                // first try (MESOS-1165).
                let proposal = self.coordinator.proposal.saturating_add(1);
                self.filling = Some(Filling::new(Purpose::Election, 0, end, proposal, (u64::MAX, now)));
                self.pump_filling(now, out);
            }
            Verdict::TimedOut if self.lease.is_none() => {
                self.try_election(failures, (wait * 2).min(ROUND_WAIT_MAX), now, out)
            }
            Verdict::Rejected(nack) => {
                let asked = self.coordinator.proposal;
                self.coordinator.proposal = asked.max(nack);
                match failures {
                    0 if self.lease.is_none() => self.try_election(1, wait, now, out),
                    _ => self.election_failed(asked, failures + 1, now, out),
                }
            }
            _ => self.election_failed(self.coordinator.proposal, failures + 1, now, out),
        }
    }

    /// Nothing has come of asking with this proposal.
    fn election_failed(&mut self, proposal: u64, failures: u32, now: Instant, out: &mut Outbox<Effect>) {
        if self.lease.is_some() {
            self.coordinator.state = State::Idle;
            return self.candidacy_failed(proposal, now, out);
        }
        let step = Step::Waiting(now + self.back_off(BACK_OFF));
        self.coordinator.state = State::Electing(Electing { step, failures, wait: ROUND_WAIT, asked: now });
    }

    pub(crate) fn election_tick(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let State::Electing(Electing { step: Step::Waiting(until), failures, wait, .. }) = &self.coordinator.state
        else {
            return;
        };
        if *until > now {
            return;
        }
        if *failures < TRIES {
            return self.try_election(*failures, *wait, now, out);
        }
        // The pause comes before the answer too, so that a client that asks again at once does no harm.
        self.coordinator.state = State::Idle;
        answer(Answer::NotElected, out);
    }

    /// Every position up to the end is learned here.
    pub(crate) fn filled(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let State::Electing(Electing { step: Step::Filling(end), .. }) = self.coordinator.state else { return };
        // A truncation may point beyond the end; what comes before it would be forgotten as it is written.
        let next = end.saturating_add(1).max(self.replica.begin());
        self.coordinator.state = State::Writing(Writer {
            proposal: self.coordinator.proposal,
            next,
            sealing: None,
            in_flight: BTreeMap::new(),
            in_flight_bytes: 0,
            backlog: VecDeque::new(),
            truncation: None,
            truncating: None,
        });
        self.seal(now, out);
    }

    /// Ends an election that nobody waits for any more.
    pub(crate) fn abandon_election(&mut self, out: &mut Outbox<Effect>) {
        match self.coordinator.state {
            State::Electing(Electing { step: Step::Promising(round), .. }) => {
                self.rounds.end(round);
                // What some have promised by now need not be kept from others.
                self.release(self.coordinator.proposal, out);
            }
            State::Electing(Electing { step: Step::Filling(_), .. }) => {
                if let Some(filling) = self.filling.take() {
                    self.end_filling(filling);
                }
            }
            _ => {}
        }
        self.coordinator.state = State::Idle;
        if self.lease.is_none() {
            answer(Answer::NotElected, out);
        }
    }
}
