//! What the answers of several replicas add up to.
//!
//! Answers that say "ignored" are counted apart: a quorum of them ends the round, and no other answer makes up for one. Where
//! 1.11 stops its process (an answer for another position, a promise without one) the answer is not counted. Source: Mesos
//! `src/log/consensus.cpp`, `recover.cpp`.

use crate::Action;
use crate::messages::{PromiseReply, RecoverReply, Reply, Vote, WriteReply};
use crate::records::Status;

/// The answers so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tally {
    Promise(PromiseTally),
    Write(WriteTally),
    Recover(RecoverTally),
}

/// To a promise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PromiseTally {
    pub proposal: u64,
    /// Of one position, or of all.
    pub position: Option<u64>,
    votes: usize,
    nack: Option<u64>,
    end: u64,
    best: Option<Action>,
}

/// To a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteTally {
    pub proposal: u64,
    pub position: u64,
    votes: usize,
    nack: Option<u64>,
}

/// To a recover request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecoverTally {
    /// Where this replica was when it asked.
    pub own: Status,
    pub auto_initialize: bool,
    everyone: usize,
    voting: usize,
    starting: usize,
    empty: usize,
    range: Option<(u64, u64)>,
}

/// What came of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A quorum promised, for all positions: the highest of their ends.
    Promised(u64),
    /// A quorum promised for one position, or one replica knows what was decided there: the value that has to be written.
    Found(Option<Action>),
    /// A quorum accepted.
    Written,
    /// A replica promised this much to somebody else.
    Rejected(u64),
    /// Too few replicas take part.
    Ignored,
    /// What the replica is to be next, and what it has to catch up with if that is [`Status::Recovering`].
    Next(Status, (u64, u64)),
    /// Everybody answered, and it says nothing yet. Whether the whole group is empty and waits to be initialized.
    Inconclusive(bool),
    /// The answers did not come in time.
    TimedOut,
    /// This is what a quorum said to one who wanted to hear everybody, and the others did not answer in time.
    OfSome(Box<Verdict>),
}

/// Whether an answer counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It says nothing about this round; the replica has not answered.
    No,
    /// It counts, and decides nothing yet.
    Yes,
    /// It says that the replica does not take part.
    Ignored,
    /// It decides.
    Decides(Verdict),
}

impl Tally {
    pub fn count(&mut self, quorum: usize, reply: &Reply) -> Counted {
        match (self, reply) {
            (Tally::Promise(tally), Reply::Promise(reply)) => tally.count(quorum, reply),
            (Tally::Write(tally), Reply::Write(reply)) => tally.count(quorum, reply),
            (Tally::Recover(tally), Reply::Recover(reply)) => tally.count(quorum, reply),
            _ => Counted::No,
        }
    }
}

impl PromiseTally {
    pub fn new(proposal: u64, position: Option<u64>) -> PromiseTally {
        PromiseTally { proposal, position, ..PromiseTally::default() }
    }

    fn count(&mut self, quorum: usize, reply: &PromiseReply) -> Counted {
        match reply.vote {
            Vote::Ignored => return Counted::Ignored,
            Vote::Reject => self.nack = self.nack.max(Some(reply.proposal)),
            // It still counts, but what it holds no longer matters.
            Vote::Accept if self.nack.is_some() => {}
            Vote::Accept => match self.accepted(reply) {
                Counted::Yes => {}
                other => return other,
            },
        }
        self.votes += 1;
        if self.votes < quorum {
            return Counted::Yes;
        }
        Counted::Decides(match (self.nack, self.position) {
            (Some(nack), _) => Verdict::Rejected(nack),
            (None, None) => Verdict::Promised(self.end),
            (None, Some(_)) => Verdict::Found(self.best.take()),
        })
    }

    fn accepted(&mut self, reply: &PromiseReply) -> Counted {
        if reply.proposal != self.proposal {
            return Counted::No;
        }
        let Some(position) = self.position else {
            let Some(end) = reply.position else { return Counted::No };
            self.end = self.end.max(end);
            return Counted::Yes;
        };
        match &reply.action {
            None if reply.position == Some(position) => Counted::Yes,
            Some(action) if action.position == position => self.stored(action),
            _ => Counted::No,
        }
    }

    fn stored(&mut self, action: &Action) -> Counted {
        let Some(accepted) = &action.accepted else { return Counted::Yes };
        if action.learned {
            return Counted::Decides(Verdict::Found(Some(action.clone())));
        }
        let performed = |action: &Action| action.accepted.as_ref().map(|accepted| accepted.performed);
        if self.best.as_ref().is_none_or(|best| performed(best) < Some(accepted.performed)) {
            self.best = Some(action.clone());
        }
        Counted::Yes
    }
}

impl WriteTally {
    pub fn new(proposal: u64, position: u64) -> WriteTally {
        WriteTally { proposal, position, ..WriteTally::default() }
    }

    fn count(&mut self, quorum: usize, reply: &WriteReply) -> Counted {
        if reply.position != self.position {
            return Counted::No;
        }
        match reply.vote {
            Vote::Ignored => return Counted::Ignored,
            Vote::Reject => self.nack = self.nack.max(Some(reply.proposal)),
            Vote::Accept if reply.proposal != self.proposal => return Counted::No,
            Vote::Accept => {}
        }
        self.votes += 1;
        match self.nack {
            _ if self.votes < quorum => Counted::Yes,
            Some(nack) => Counted::Decides(Verdict::Rejected(nack)),
            None => Counted::Decides(Verdict::Written),
        }
    }
}

impl RecoverTally {
    /// Of a group that has so many members when it is complete.
    pub fn new(own: Status, auto_initialize: bool, everyone: usize) -> RecoverTally {
        RecoverTally { own, auto_initialize, everyone, voting: 0, starting: 0, empty: 0, range: None }
    }

    fn count(&mut self, quorum: usize, reply: &RecoverReply) -> Counted {
        match reply.status {
            Status::Voting => self.voting += 1,
            Status::Starting => self.starting += 1,
            Status::Empty => self.empty += 1,
            Status::Recovering => {}
        }
        if let (Status::Voting, Some((begin, end))) = (reply.status, reply.range) {
            let (lowest, highest) = self.range.unwrap_or((begin, end));
            self.range = Some((lowest.min(begin), highest.max(end)));
        }
        let everyone = self.everyone;
        let next = match (self.range, self.own) {
            (Some(range), _) if self.voting >= quorum => Some((Status::Recovering, range)),
            _ if !self.auto_initialize => None,
            (_, Status::Empty) if self.empty + self.starting >= everyone => Some((Status::Starting, (0, 0))),
            (_, Status::Starting) if self.starting + self.voting >= everyone => Some((Status::Voting, (0, 0))),
            _ => None,
        };
        next.map_or(Counted::Yes, |(status, range)| Counted::Decides(Verdict::Next(status, range)))
    }

    /// What it says when everybody answered.
    pub fn inconclusive(&self) -> Verdict {
        Verdict::Inconclusive(!self.auto_initialize && self.empty >= self.everyone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    /// A promise for one position by a replica that has accepted this, under that proposal.
    fn accepted(position: u64, performed: u64, learned: bool) -> PromiseReply {
        let action = Action::of(position, performed, Value::Truncate(performed), learned);
        PromiseReply { action: Some(action), ..PromiseReply::new(Vote::Accept, 9) }
    }

    fn empty(position: u64) -> PromiseReply {
        PromiseReply { position: Some(position), ..PromiseReply::new(Vote::Accept, 9) }
    }

    fn found(performed: u64) -> Counted {
        let action = Action::of(4, performed, Value::Truncate(performed), false);
        Counted::Decides(Verdict::Found(Some(action)))
    }

    #[test]
    fn the_value_with_the_highest_proposal_is_found_in_any_order() {
        for order in [[3, 7, 5], [7, 3, 5], [3, 5, 7]] {
            let mut tally = PromiseTally::new(9, Some(4));
            assert_eq!(tally.count(3, &accepted(4, order[0], false)), Counted::Yes);
            assert_eq!(tally.count(3, &accepted(4, order[1], false)), Counted::Yes);
            assert_eq!(tally.count(3, &accepted(4, order[2], false)), found(7), "{order:?}");
        }
        let mut tally = PromiseTally::new(9, Some(4));
        assert_eq!(tally.count(2, &accepted(4, 3, false)), Counted::Yes);
        assert_eq!(tally.count(2, &empty(4)), found(3), "one that holds nothing does not take it away");
    }

    #[test]
    fn what_is_decided_needs_no_quorum() {
        let mut tally = PromiseTally::new(9, Some(4));
        let decided = Counted::Decides(Verdict::Found(Some(Action::of(4, 3, Value::Truncate(3), true))));
        assert_eq!(tally.count(3, &accepted(4, 3, true)), decided);
    }

    #[test]
    fn answers_to_something_else_are_not_counted() {
        let mut tally = PromiseTally::new(9, Some(4));
        assert_eq!(tally.count(1, &empty(5)), Counted::No);
        assert_eq!(tally.count(1, &accepted(5, 3, true)), Counted::No);
        assert_eq!(tally.count(1, &PromiseReply { proposal: 8, ..empty(4) }), Counted::No);
        assert_eq!(tally.count(1, &PromiseReply::new(Vote::Accept, 9)), Counted::No, "it names no position");
        assert_eq!(PromiseTally::new(9, None).count(1, &PromiseReply::new(Vote::Accept, 9)), Counted::No);
        let mut tally = WriteTally::new(9, 4);
        let reply = |vote, proposal, position| WriteReply { vote, proposal, position, seals: true };
        assert_eq!(tally.count(1, &reply(Vote::Accept, 9, 5)), Counted::No);
        assert_eq!(tally.count(1, &reply(Vote::Reject, 10, 5)), Counted::No);
        assert_eq!(tally.count(1, &reply(Vote::Accept, 8, 4)), Counted::No);
        assert_eq!(tally.count(1, &reply(Vote::Accept, 9, 4)), Counted::Decides(Verdict::Written));
    }

    /// One refusal among a quorum of answers is enough, and the highest is told.
    #[test]
    fn one_refusal_refuses() {
        let refusal = |proposal| PromiseReply::new(Vote::Reject, proposal);
        let mut tally = PromiseTally::new(9, Some(4));
        assert_eq!(tally.count(3, &refusal(12)), Counted::Yes);
        assert_eq!(tally.count(3, &refusal(11)), Counted::Yes);
        assert_eq!(tally.count(3, &accepted(4, 3, true)), Counted::Decides(Verdict::Rejected(12)));
        let reply = |vote, proposal| WriteReply { vote, proposal, position: 4, seals: true };
        let mut tally = WriteTally::new(9, 4);
        assert_eq!(tally.count(3, &reply(Vote::Reject, 12)), Counted::Yes);
        assert_eq!(tally.count(3, &reply(Vote::Accept, 9)), Counted::Yes);
        assert_eq!(tally.count(3, &reply(Vote::Reject, 11)), Counted::Decides(Verdict::Rejected(12)));
    }

    #[test]
    fn the_highest_end_is_promised() {
        let mut tally = PromiseTally::new(9, None);
        assert_eq!(tally.count(3, &empty(4)), Counted::Yes);
        assert_eq!(tally.count(3, &empty(7)), Counted::Yes);
        assert_eq!(tally.count(3, &empty(5)), Counted::Decides(Verdict::Promised(7)));
    }

    fn recover(tally: &mut RecoverTally, replies: &[(Status, Option<(u64, u64)>)]) -> Counted {
        let mut last = Counted::No;
        for (at, (status, range)) in replies.iter().enumerate() {
            last = tally.count(2, &RecoverReply { status: *status, range: *range });
            assert!(at + 1 == replies.len() || last == Counted::Yes, "{last:?} after {at}");
        }
        last
    }

    fn next(status: Status, range: (u64, u64)) -> Counted {
        Counted::Decides(Verdict::Next(status, range))
    }

    #[test]
    fn a_quorum_that_votes_is_caught_up_with() {
        for own in [Status::Empty, Status::Starting, Status::Recovering] {
            for auto_initialize in [false, true] {
                let mut tally = RecoverTally::new(own, auto_initialize, 3);
                let replies = [(Status::Voting, Some((3, 9))), (Status::Empty, None), (Status::Voting, Some((1, 7)))];
                assert_eq!(recover(&mut tally, &replies), next(Status::Recovering, (1, 9)), "{own:?}");
            }
        }
    }

    /// Fewer than all three would begin anew while the third one may hold what the others have lost.
    #[test]
    fn a_group_begins_when_all_of_it_is_new() {
        use Status::{Empty, Recovering, Starting, Voting};
        let mut tally = RecoverTally::new(Empty, true, 3);
        let replies = [(Empty, None), (Recovering, None), (Starting, None), (Empty, None)];
        assert_eq!(recover(&mut tally, &replies), next(Starting, (0, 0)));
        let mut tally = RecoverTally::new(Starting, true, 3);
        let replies = [(Starting, None), (Empty, None), (Voting, Some((0, 0))), (Starting, None)];
        assert_eq!(recover(&mut tally, &replies), next(Voting, (0, 0)));
        for own in [Empty, Starting] {
            let mut tally = RecoverTally::new(own, false, 3);
            assert_eq!(recover(&mut tally, &[(own, None); 3]), Counted::Yes, "an operator begins it");
        }
        let mut tally = RecoverTally::new(Recovering, true, 3);
        assert_eq!(recover(&mut tally, &[(Empty, None); 3]), Counted::Yes, "it has lost what it knew");
    }

    #[test]
    fn a_group_waits_for_its_operator_when_all_of_it_is_empty() {
        let mut tally = RecoverTally::new(Status::Empty, false, 3);
        recover(&mut tally, &[(Status::Empty, None); 2]);
        assert_eq!(tally.inconclusive(), Verdict::Inconclusive(false));
        recover(&mut tally, &[(Status::Empty, None)]);
        assert_eq!(tally.inconclusive(), Verdict::Inconclusive(true));
        let tally = RecoverTally { auto_initialize: true, ..tally };
        assert_eq!(tally.inconclusive(), Verdict::Inconclusive(false));
    }
}
