//! How a replica that does not vote becomes one that does.
//!
//! It asks all replicas where they are. If a quorum votes, it catches up with everything between the lowest begin and the
//! highest end of that quorum: it may have lost what it once promised and accepted, so it must not vote before it knows all
//! that could have been decided with its help. If the whole group is new, it begins in two steps, so that no replica votes
//! before every other one knows that all are new.
//!
//! What was accepted with its help need not be decided yet: a writer that has heard of it goes on asking the others, and one
//! that has heard of its promise goes on collecting promises. A quorum need not know. But the writer itself does: its own
//! replica is asked in the same step as the others, so it has accepted, or promised, whatever was accepted or promised
//! anywhere. So all the others are to be heard, both when they are asked where they are and when they are asked what they
//! have promised. (In a group of three they are the quorum. 1.11 hears a quorum only, and asks for no promises.) If one cannot
//! be heard, it may be a writer that has been cut off: then it is waited until that one has given up ([`WRITERS_GIVE_UP`]).
//!
//! Source: Mesos `src/log/recover.cpp`.

use crate::fills::{Filling, Purpose};
use crate::log::{Log, ROUND_WAIT, ROUND_WAIT_MAX};
use crate::messages::{Ask, PromiseRequest};
use crate::records::Status;
use crate::rounds::{Owner, RoundId};
use crate::tally::Verdict;
use crate::{Answer, Effect};
use std::time::Duration;
use tepui_base::{Instant, Outbox};

/// The shortest pause before everybody is asked again; the longest is twice that.
const AGAIN: Duration = Duration::from_millis(500);

/// The same where the group is named once and for all: its members start at about the same time, and a new group should be
/// complete before it loses one of them.
const AGAIN_IN_GROUP: Duration = Duration::from_millis(100);

/// Positions that close to the end may be under way just now. They are left alone for a while, because they will be decided
/// without us, and a promise for one of them would take its writer's place away. More than any writer has under way.
const TAIL: u64 = 1024;

/// How long they are left alone.
const TAIL_WAIT: Duration = Duration::from_millis(300);

/// How long a replica waits for those that do not answer. A write is put again for 35 seconds, everything else for less, and
/// what comes of it then counts for nobody. It is less than a minute, within which a registrar has to have read its registry
/// (`--registry_fetch_timeout`). A process that was stopped goes on with the rest of its time: one that cannot be heard, and
/// is stopped for this long while it writes, and goes on, is what is not reckoned with; nor is a writer of 1.11 with a
/// `--registry_store_timeout` as long as this.
const WRITERS_GIVE_UP: Duration = Duration::from_secs(45);

/// Where the recovery is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// Not begun.
    #[default]
    New,
    /// Everybody is being asked, and has this long to answer.
    Asking(RoundId, Duration),
    /// Nothing could be said; asks again then.
    Waiting(Instant),
    /// As `Waiting`, and the whole group waits to be initialized.
    NotInitialized(Instant),
    /// Positions are being learned.
    CatchingUp,
    /// The others are being asked what they have promised, and have this long to answer.
    Probing(RoundId, Duration),
    /// The replica votes.
    Done,
}

impl Recovery {
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Recovery::New => Some(Instant(0)),
            Recovery::Waiting(until) | Recovery::NotInitialized(until) => Some(*until),
            _ => None,
        }
    }
}

impl Log {
    pub(crate) fn recovery_tick(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if self.recovery.deadline().is_some_and(|due| due <= now) {
            self.recover(now, out);
        }
    }

    fn recover(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if self.is_voting() {
            return self.recovered(now, out);
        }
        self.recovering_since.get_or_insert(now);
        self.ask_all(ROUND_WAIT, now, out);
    }

    /// Replicas that start together miss each other's first question, so it is put again soon; 1.11 waits 10 seconds.
    fn ask_all(&mut self, wait: Duration, now: Instant, out: &mut Outbox<Effect>) {
        self.recovery = Recovery::Asking(self.start_round(Owner::Recovery, Ask::Recover, now, wait, out), wait);
    }

    pub(crate) fn recovery_decided(
        &mut self,
        round: RoundId,
        verdict: Verdict,
        now: Instant,
        out: &mut Outbox<Effect>,
    ) {
        let (Recovery::Asking(current, wait) | Recovery::Probing(current, wait)) = self.recovery else { return };
        if current != round {
            return;
        }
        let verdict = match verdict {
            Verdict::OfSome(_) if self.recovering_since.is_none_or(|since| now < since + WRITERS_GIVE_UP) => {
                return self.ask_longer(wait, now, out);
            }
            Verdict::OfSome(verdict) => *verdict,
            verdict => verdict,
        };
        if matches!(self.recovery, Recovery::Probing(..)) {
            return self.probed(&verdict, wait, now, out);
        }
        match verdict {
            Verdict::Next(Status::Recovering, (first, last)) => {
                self.replica.set_status(Status::Recovering, out);
                self.recovery = Recovery::CatchingUp;
                let quiet = (last.saturating_sub(TAIL), now + TAIL_WAIT);
                self.filling = Some(Filling::new(Purpose::Recovery, first, last, 0, quiet));
                self.pump_filling(now, out);
            }
            Verdict::Next(status, _) => {
                self.replica.set_status(status, out);
                self.recover(now, out);
            }
            Verdict::Inconclusive(not_initialized) => {
                let pause = if self.lease.is_some() { AGAIN_IN_GROUP } else { AGAIN };
                let until = now + self.back_off(pause);
                self.recovery =
                    if not_initialized { Recovery::NotInitialized(until) } else { Recovery::Waiting(until) };
            }
            _ => self.ask_all(longer(wait), now, out),
        }
    }

    /// Who has not answered may have a slow disk: it is given longer each time, within what is waited in all.
    fn ask_longer(&mut self, wait: Duration, now: Instant, out: &mut Outbox<Effect>) {
        let until = self.recovering_since.unwrap_or(now) + WRITERS_GIVE_UP;
        let wait = longer(wait).min(until.since(now)).max(ROUND_WAIT);
        match self.recovery {
            Recovery::Probing(..) => self.probe(wait, now, out),
            _ => self.ask_all(wait, now, out),
        }
    }

    /// Everything that could have been decided with the help of this replica is known to it.
    pub(crate) fn caught_up(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        self.probe(ROUND_WAIT, now, out);
    }

    fn probe(&mut self, wait: Duration, now: Instant, out: &mut Outbox<Effect>) {
        // Zero is promised by every replica from the beginning, so it is refused, and nothing is written anywhere.
        let ask = Ask::Promise(PromiseRequest { proposal: 0, position: None });
        self.recovery = Recovery::Probing(self.start_round(Owner::Recovery, ask, now, wait, out), wait);
    }

    fn probed(&mut self, verdict: &Verdict, wait: Duration, now: Instant, out: &mut Outbox<Effect>) {
        match verdict {
            Verdict::Rejected(promised) => {
                self.replica.vote_from(*promised, out);
                self.recovered(now, out);
            }
            // Too few of the others vote any more, which is to be found out again, or did not answer.
            Verdict::Ignored => self.recovery = Recovery::Waiting(now + self.back_off(AGAIN)),
            _ => self.probe(longer(wait), now, out),
        }
    }

    fn recovered(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        self.recovery = Recovery::Done;
        self.replica.disk.after_all(Effect::Answer(Answer::Recovered), out);
        for (id, from, to) in std::mem::take(&mut self.early_reads) {
            self.read(id, from, to, out);
        }
        self.elect_if_wanted(now, out);
    }
}

/// How long to wait when nobody has answered for so long.
fn longer(wait: Duration) -> Duration {
    (wait * 2).min(ROUND_WAIT_MAX)
}
