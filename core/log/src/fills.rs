//! Learning positions that are missing here: finding out what was decided there, or deciding it.
//!
//! Each position takes a promise of its own, and then a write of what was found, or of nothing (NOP). Several positions are
//! under way at once, where 1.11 takes one after the other. Source: Mesos `src/log/catchup.cpp`, `consensus.cpp` (FillProcess).

use crate::log::{Log, ROUND_WAIT, ROUND_WAIT_MAX};
use crate::messages::{Ask, PromiseRequest, WriteRequest};
use crate::rounds::{Owner, RoundId};
use crate::tally::Verdict;
use crate::{Action, Effect, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use tepui_base::{Instant, Outbox};

/// Positions under way at once: enough for one sync of a peer's disk to serve many.
const FILL_WINDOW: usize = 64;

/// The shortest pause after another proposer was ahead; the longest is twice that.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What the positions are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Election,
    Recovery,
}

/// A range of positions being learned.
#[derive(Debug)]
pub(crate) struct Filling {
    purpose: Purpose,
    /// The next position to look at; nothing when all are under way or done.
    next: Option<u64>,
    last: u64,
    /// What to begin with: no lower than what another position needed.
    proposal: u64,
    /// From this position on nothing is begun before this time.
    quiet: (u64, Instant),
    active: BTreeMap<u64, Fill>,
}

#[derive(Debug)]
struct Fill {
    proposal: u64,
    step: Step,
    wait: Duration,
    rejections: u32,
}

#[derive(Debug)]
enum Step {
    Promising(RoundId),
    Writing(RoundId, Value),
    Waiting(Instant),
}

impl Filling {
    /// The missing ones of these positions, beginning with this proposal.
    pub fn new(purpose: Purpose, first: u64, last: u64, proposal: u64, quiet: (u64, Instant)) -> Filling {
        Filling { purpose, next: Some(first), last, proposal, quiet, active: BTreeMap::new() }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let room = self.active.len() < FILL_WINDOW;
        let quiet = self.next.filter(|next| room && *next >= self.quiet.0).map(|_| self.quiet.1);
        let waiting = self.active.values().filter_map(|fill| match fill.step {
            Step::Waiting(until) => Some(until),
            _ => None,
        });
        waiting.chain(quiet).min()
    }
}

impl Log {
    /// Ends the positions that are learned by now, begins others, and goes on when none is left.
    pub(crate) fn pump_filling(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let Some(mut filling) = self.filling.take() else { return };
        let known: Vec<u64> = filling.active.keys().copied().filter(|at| !self.replica.is_missing(*at)).collect();
        for position in known {
            if let Some(Fill { step: Step::Promising(round) | Step::Writing(round, _), .. }) =
                filling.active.remove(&position)
            {
                self.rounds.end(round);
            }
        }
        let due = |fill: &Fill| matches!(fill.step, Step::Waiting(until) if until <= now);
        let due: Vec<u64> = filling.active.iter().filter(|(_, fill)| due(fill)).map(|(at, _)| *at).collect();
        for position in due {
            self.promise_for(&mut filling, position, now, out);
        }
        self.begin_fills(&mut filling, now, out);
        if filling.active.is_empty() && filling.next.is_none() {
            return match filling.purpose {
                Purpose::Election => self.filled(now, out),
                Purpose::Recovery => self.caught_up(now, out),
            };
        }
        self.filling = Some(filling);
    }

    /// Ends it unfinished.
    pub(crate) fn end_filling(&mut self, filling: Filling) {
        for fill in filling.active.into_values() {
            if let Step::Promising(round) | Step::Writing(round, _) = fill.step {
                self.rounds.end(round);
            }
        }
    }

    fn begin_fills(&mut self, filling: &mut Filling, now: Instant, out: &mut Outbox<Effect>) {
        while filling.active.len() < FILL_WINDOW {
            filling.next =
                filling.next.and_then(|next| self.replica.next_missing(next)).filter(|at| *at <= filling.last);
            let Some(position) = filling.next else { return };
            if position >= filling.quiet.0 && now < filling.quiet.1 {
                return;
            }
            filling.next = position.checked_add(1);
            let step = Step::Waiting(now);
            let fill = Fill { proposal: filling.proposal, step, wait: ROUND_WAIT, rejections: 0 };
            filling.active.insert(position, fill);
            self.promise_for(filling, position, now, out);
        }
    }

    fn promise_for(&mut self, filling: &mut Filling, position: u64, now: Instant, out: &mut Outbox<Effect>) {
        let Some(fill) = filling.active.get_mut(&position) else { return };
        let ask = Ask::Promise(PromiseRequest { proposal: fill.proposal, position: Some(position) });
        fill.step = Step::Promising(self.start_round(Owner::Fill(position), ask, now, fill.wait, out));
    }

    pub(crate) fn fill_decided(
        &mut self,
        position: u64,
        round: RoundId,
        verdict: Verdict,
        now: Instant,
        out: &mut Outbox<Effect>,
    ) {
        let Some(mut filling) = self.filling.take() else { return };
        self.fill_goes_on(&mut filling, position, round, verdict, now, out);
        self.filling = Some(filling);
        self.pump_filling(now, out);
    }

    #[expect(clippy::too_many_arguments, reason = "one step of one position, in one place")]
    fn fill_goes_on(
        &mut self,
        filling: &mut Filling,
        position: u64,
        round: RoundId,
        verdict: Verdict,
        now: Instant,
        out: &mut Outbox<Effect>,
    ) {
        let Some(fill) = filling.active.get_mut(&position) else { return };
        let wrote = match &fill.step {
            Step::Promising(current) if *current == round => None,
            Step::Writing(current, value) if *current == round => Some(value.clone()),
            _ => return,
        };
        match (verdict, wrote) {
            (Verdict::Found(found), None) => self.fill_found(fill, position, found, now, out),
            (Verdict::Written, Some(value)) => {
                self.broadcast_learned(Action::of(position, fill.proposal, value, true), out);
            }
            (Verdict::Rejected(nack), _) => {
                fill.rejections += 1;
                fill.proposal = fill.proposal.max(nack).saturating_add(1);
                filling.proposal = filling.proposal.max(fill.proposal);
                // The first time the number was just too low. A new writer does not lose time over that; a replica that
                // catches up does, because whoever is ahead may be writing this very position.
                let at_once = fill.rejections == 1 && filling.purpose == Purpose::Election;
                let wait = if at_once { Duration::ZERO } else { self.back_off(BACK_OFF) };
                fill.step = Step::Waiting(now + wait);
            }
            (Verdict::TimedOut, _) => {
                fill.proposal = fill.proposal.saturating_add(1);
                fill.wait = (fill.wait * 2).min(ROUND_WAIT_MAX);
                fill.step = Step::Waiting(now);
            }
            // Too few replicas take part just now. (1.11 stops its process.)
            _ => fill.step = Step::Waiting(now + self.back_off(BACK_OFF)),
        }
    }

    fn fill_found(
        &mut self,
        fill: &mut Fill,
        position: u64,
        found: Option<Action>,
        now: Instant,
        out: &mut Outbox<Effect>,
    ) {
        let proposal = fill.proposal;
        let learned = found.as_ref().is_some_and(|action| action.learned);
        let value = found.and_then(|action| action.accepted).map(|accepted| accepted.value);
        match value {
            // It was decided before, so only this replica has to be told; 1.11 tells all of them again.
            Some(value) if learned => self.replica.learn(Action::of(position, proposal, value, true), out),
            value => {
                let value = value.unwrap_or(Value::Nop { tombstone: false });
                let request = WriteRequest { proposal, position, learned: false, value: value.clone() };
                let owner = Owner::Fill(position);
                fill.step = Step::Writing(self.start_round(owner, Ask::Write(request), now, fill.wait, out), value);
            }
        }
    }
}
