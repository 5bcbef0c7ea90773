//! The group of a log as it is listed now, held against the quorum.
//!
//! With ZooKeeper the group is found by and by, so that a quorum that is no majority of it shows only while the replica runs.
//! It must not vote then: half of the group could decide without the other half. Two things look like that and pass: a member
//! that has moved to another address is listed twice until its old session is over, and so is whoever was started by mistake
//! and ended again. So there is some patience: one member too many is let pass for that long where the quorum was a
//! majority before, and only what lasts longer is written down and outlives a restart.
//!
//! Who is listed comes and goes with the members' processes, and a member that is down is still one, so what is written down is
//! the largest group that was ever listed at once. Only two things make it smaller: an operator who says so, and a
//! contradiction that ends while most of the group is there.

use crate::quorum::{Contradiction, Membership};
use std::collections::BTreeSet;
use std::time::Duration;
use tepui_wire::Upid;
use tokio::time::Instant;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Group {
    /// The quorum, and the largest group.
    membership: Membership,
    /// What of it is written down.
    written: Membership,
    /// The others that are listed; none before the first list.
    listed: BTreeSet<Upid>,
    /// Since when too many have been listed.
    since: Option<Instant>,
    patience: Duration,
}

impl Group {
    /// As it was written down.
    pub fn new(membership: Membership, patience: Duration) -> Group {
        Group { written: membership.clone(), membership, listed: BTreeSet::new(), since: None, patience }
    }

    /// What is to be written down, if that is something else than what is.
    pub fn unwritten(&self) -> Option<&Membership> {
        (self.membership != self.written).then_some(&self.membership)
    }

    /// This is written down now.
    pub fn wrote(&mut self, membership: Membership) {
        self.written = membership;
    }

    /// What the quorum was held against last.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// How far the directory is now.
    pub fn reached(&mut self, membership: Membership) {
        self.membership.reached = membership.reached;
        self.written = membership;
    }

    /// Why the replica must not vote now, if so.
    pub fn contradiction(&self, now: Instant) -> Option<Contradiction> {
        let (lasting, present) = (self.membership.check_majority().err(), self.now_listed().check_majority().err());
        lasting.or(present.filter(|_| !self.may_be_one_who_moved(now)))
    }

    /// When it is to be looked at again though nothing changes.
    pub fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + self.patience).filter(|_| self.membership.check_majority().is_ok())
    }

    /// These others are listed at this moment.
    pub fn list(&mut self, others: &BTreeSet<Upid>, now: Instant) {
        self.listed.clone_from(others);
        let is_majority = self.now_listed().check_majority().is_ok();
        self.since = (!is_majority).then(|| self.since.unwrap_or(now));
        let is_lasting = self.since.is_some_and(|since| now >= since + self.patience);
        let is_larger = others.len() >= self.membership.others.len();
        if is_majority && (is_larger || self.is_mended()) || is_lasting && is_larger {
            self.membership.others.clone_from(others);
        }
    }

    fn now_listed(&self) -> Membership {
        Membership { others: self.listed.clone(), ..self.membership.clone() }
    }

    /// Whether those that were too many have left. Not if more than half of the group has gone: those left and those gone could
    /// each take themselves for what remains of it.
    fn is_mended(&self) -> bool {
        let is_most = 2 * self.now_listed().members() > self.membership.members();
        self.membership.check_majority().is_err() && is_most
    }

    /// A group of one that becomes two tells nothing of what was meant, so that is not let pass.
    fn may_be_one_who_moved(&self, now: Instant) -> bool {
        let quorum = self.membership.quorum;
        quorum > 1 && self.listed.len() + 1 == 2 * quorum && self.since.is_some_and(|since| now < since + self.patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn others(ports: &[u16]) -> BTreeSet<Upid> {
        ports.iter().map(|port| Upid::new("log-replica(1)", [10, 0, 0, 1].into(), *port)).collect()
    }

    fn group(quorum: usize, recorded: &[u16]) -> Group {
        let membership = Membership { quorum, others: others(recorded), ..Membership::default() };
        Group::new(membership, PATIENCE)
    }

    #[test]
    fn a_member_that_is_down_is_one_and_a_member_that_was_replaced_is_not() {
        let (mut group, now) = (group(2, &[]), Instant::now());
        for (listed, written) in [(&[1, 2][..], &[1, 2][..]), (&[2], &[1, 2]), (&[2, 3], &[2, 3]), (&[], &[2, 3])] {
            group.list(&others(listed), now);
            assert_eq!((group.contradiction(now), &group.membership.others), (None, &others(written)), "{listed:?}");
        }
    }

    #[test]
    fn one_who_moved_is_listed_twice_for_a_while_and_nobody_stops() {
        let (mut group, now) = (group(2, &[1, 2]), Instant::now());
        group.list(&others(&[1, 2, 3]), now);
        assert_eq!((group.contradiction(now), group.unwritten()), (None, None));
        assert_eq!(group.deadline(), Some(now + PATIENCE));
        group.list(&others(&[2, 3]), now + PATIENCE / 2);
        assert_eq!((group.contradiction(now + PATIENCE * 2), group.deadline()), (None, None));
        assert_eq!(group.unwritten().unwrap().others, others(&[2, 3]));
    }

    #[test]
    fn one_too_many_that_stays_contradicts_until_it_has_left() {
        let (mut group, now) = (group(2, &[1, 2]), Instant::now());
        let later = now + PATIENCE;
        group.list(&others(&[1, 2, 3]), now);
        assert_eq!(group.contradiction(later), Some(Contradiction::NoMajority { quorum: 2, members: 4 }));
        group.list(&others(&[1, 2, 3]), later);
        assert_eq!(group.unwritten().unwrap().others, others(&[1, 2, 3]), "it outlives a restart");
        group.list(&others(&[3]), later);
        assert!(group.contradiction(later).is_some(), "the other half may look like this too");
        group.list(&others(&[2, 3]), later);
        assert_eq!((group.contradiction(later), &group.membership.others), (None, &others(&[2, 3])));
    }

    #[test]
    fn two_too_many_or_a_quorum_of_one_stop_at_once_and_go_on_if_that_passes() {
        for (quorum, before, too_many) in [(2, &[1, 2][..], &[1, 2, 3, 4][..]), (1, &[], &[1])] {
            let (mut group, now) = (group(quorum, before), Instant::now());
            group.list(&others(too_many), now);
            assert!(group.contradiction(now).is_some());
            assert_eq!(group.unwritten(), None, "it may pass");
            group.list(&others(before), now + PATIENCE / 2);
            assert_eq!(group.contradiction(now), None);
        }
    }
}
