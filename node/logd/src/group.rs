//! The group of a log as it is listed now, held against the quorum.
//!
//! With ZooKeeper the group is found by and by, so that a quorum that is no majority of it shows only while the replica runs.
//! It must not vote from then on: half of the group could decide without the other half. Who is listed comes and goes with
//! the members' processes, and a member that is down is still one, so what counts is the largest group that was ever listed at
//! once. Only two things make it smaller: an operator who says so, and a contradiction that ends.

use crate::quorum::{Contradiction, Membership};
use std::collections::BTreeSet;
use std::time::Duration;
use tepui_wire::Upid;
use tokio::time::Instant;

/// A member that moves to another address is listed twice until its old session is over. Sessions of masters last seconds, so
/// a contradiction that is older than this is not of that kind.
const MOVED_WITHIN: Duration = Duration::from_secs(60);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Group {
    /// The quorum, and the largest group: what is written down.
    membership: Membership,
    /// The others that are listed; none before the first list.
    listed: BTreeSet<Upid>,
    /// Since when the quorum has been no majority.
    since: Option<Instant>,
}

impl Group {
    /// As it was written down.
    pub fn new(membership: Membership) -> Group {
        Group { membership, listed: BTreeSet::new(), since: None }
    }

    /// What is to be written down.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Why the replica must not vote, if so.
    pub fn contradiction(&self) -> Option<Contradiction> {
        self.membership.check_majority().err()
    }

    /// These others are listed now. Says whether there is something else to be written down.
    pub fn list(&mut self, others: &BTreeSet<Upid>, now: Instant) -> bool {
        if *others == self.listed {
            return false;
        }
        self.listed.clone_from(others);
        let old = self.membership.others.clone();
        if others.len() >= old.len() || self.is_mended(now) {
            self.membership.others.clone_from(others);
        }
        self.since = self.contradiction().map(|_| self.since.unwrap_or(now));
        self.membership.others != old
    }

    /// Whether those that were too many have left. Not if more than half of the group has gone: those left and those gone could
    /// each take themselves for what remains of it. Unless all of it is so young that one who moved explains it.
    fn is_mended(&self, now: Instant) -> bool {
        let Some(since) = self.since else { return false };
        let listed = Membership { others: self.listed.clone(), ..self.membership.clone() };
        let is_most = 2 * listed.members() > self.membership.members();
        listed.check_majority().is_ok() && (is_most || now - since < MOVED_WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(ports: &[u16]) -> BTreeSet<Upid> {
        ports.iter().map(|port| Upid::new("log-replica(1)", [10, 0, 0, 1].into(), *port)).collect()
    }

    fn group(quorum: usize, recorded: &[u16]) -> Group {
        Group::new(Membership { quorum, others: others(recorded), ..Membership::default() })
    }

    #[test]
    fn a_member_that_is_down_is_one_and_a_member_that_was_replaced_is_not() {
        let (mut group, now) = (group(2, &[]), Instant::now());
        assert!(group.list(&others(&[1, 2]), now));
        assert!(!group.list(&others(&[2]), now));
        assert_eq!(group.membership().others, others(&[1, 2]));
        assert!(group.list(&others(&[2, 3]), now));
        assert_eq!(group.membership().others, others(&[2, 3]));
        assert_eq!(group.contradiction(), None);
        assert!(!group.list(&others(&[]), now));
        assert_eq!(group.membership().others, others(&[2, 3]), "alone");
    }

    #[test]
    fn a_quorum_that_is_no_majority_contradicts_until_those_too_many_have_left() {
        let (mut group, now) = (group(2, &[1, 2]), Instant::now());
        let later = now + MOVED_WITHIN * 2;
        assert!(group.list(&others(&[1, 2, 3]), now));
        assert_eq!(group.contradiction(), Some(Contradiction::NoMajority { quorum: 2, members: 4 }));
        assert!(!group.list(&others(&[3]), later), "the other half may look like this too");
        assert!(group.contradiction().is_some());
        assert!(group.list(&others(&[2, 3]), later));
        assert_eq!((group.contradiction(), &group.membership().others), (None, &others(&[2, 3])));
    }

    #[test]
    fn one_who_moved_is_listed_twice_for_a_moment() {
        for (after, mended) in [(MOVED_WITHIN / 2, true), (MOVED_WITHIN, false)] {
            let (mut group, now) = (group(1, &[]), Instant::now());
            assert!(group.list(&others(&[1]), now) && group.contradiction().is_some());
            assert_eq!(group.list(&others(&[]), now + after), mended);
            assert_eq!(group.contradiction().is_none(), mended);
        }
    }
}
