//! The replica's side: whom it has granted a lease, and what it withholds from others meanwhile.

use super::candidate::Candidacy;
use super::wire::LeaseMessage;
use super::{Lease, Told};
use crate::Effect;
use crate::log::Log;
use bytes::Bytes;
use std::net::SocketAddrV4;
use tepui_base::{Instant, Outbox};
use tepui_wire::Upid;

/// The last lease that was granted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Granted {
    /// The proposal of the one it was granted to.
    pub epoch: u64,
    /// Its address; nobody's after a start.
    pub holder: Option<SocketAddrV4>,
    /// When it ends, by this replica's clock.
    pub until: Instant,
}

impl Default for Granted {
    fn default() -> Granted {
        Granted { epoch: 0, holder: None, until: Instant(0) }
    }
}

impl Granted {
    /// Whether a promise has to be withheld. The holder itself may ask for more: it leads itself, or has ended.
    pub fn is_withheld_from(&self, from: SocketAddrV4, now: Instant) -> bool {
        now < self.until && self.holder != Some(from)
    }
}

impl Log {
    /// Answers the leader of an epoch, who asked at a time of its own clock.
    pub(super) fn lease_asked(
        &mut self,
        from: Upid,
        (epoch, sent): (u64, u64),
        leader: Option<Bytes>,
        now: Instant,
        out: &mut Outbox<Effect>,
    ) {
        let (promised, voting) = (self.replica.promised(), self.is_voting());
        let Some(lease) = &mut self.lease else { return };
        let granted = voting && lease.grant(&from, epoch, promised, now);
        if granted && let Some(leader) = leader {
            lease.tell(Told::Follows(epoch, leader), out);
        }
        let response = LeaseMessage::Response { group: lease.group, epoch, sent, granted };
        self.send_lease(&from, &response, out);
    }

    /// The leader has ceased to act.
    pub(super) fn lease_released(&mut self, from: &Upid, epoch: u64, now: Instant, out: &mut Outbox<Effect>) {
        let Some(lease) = &mut self.lease else { return };
        if lease.granted.epoch == epoch && lease.granted.holder == Some(from.address()) {
            lease.granted.until = now;
            // It waited for the end of that lease.
            if matches!(lease.candidacy, Candidacy::Waiting(_)) {
                lease.candidacy = Candidacy::Resting;
            }
        }
        self.lease_tick(now, out);
    }

    /// The leader that was followed has not been heard of for a lease.
    pub(super) fn follow_no_longer(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        if let Some(lease) = &mut self.lease
            && matches!(lease.told, Told::Follows(..))
            && lease.granted.until <= now
        {
            lease.tell(Told::NoLeader, out);
        }
    }
}

impl Lease {
    /// Grants a lease, unless somebody with a higher proposal was promised everything, or still holds one. Whoever has a higher
    /// proposal than the holder was made the writer by a quorum whose leases had ended, and so has the holder's.
    pub(super) fn grant(&mut self, from: &Upid, epoch: u64, promised: u64, now: Instant) -> bool {
        let taken = now < self.granted.until && self.granted.epoch > epoch;
        if epoch < promised || taken {
            return false;
        }
        self.granted = Granted { epoch, holder: Some(from.address()), until: now + self.length };
        true
    }
}
