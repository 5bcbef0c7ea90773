//! Why a new writer decides some positions beyond the end before it begins.
//!
//! A writer with several positions under way may be gone when its last entries stand at a minority of replicas only, beyond
//! a gap. Say its entry stands at position 13 of one replica, and the next writer was elected without that replica: it
//! sees an end of 10, and writes 11. The writer after that one may hear of position 13, and has to take what it finds there for
//! possibly decided: an old entry would follow newer ones. Whole snapshots are what is appended, so acknowledged ones would be undone.
//!
//! A writer has never more than [`WINDOW`] positions under way beyond the last one that was decided with all before it. The
//! next writer's end is no smaller than that one. So it decides the `WINDOW` positions behind its end as NOP, and whatever
//! was accepted there with a lower proposal is decided against before the client hears of the election.
//!
//! A writer of Mesos has one position under way and does not do this. So positions are under way together only while every
//! member of the group, and no fewer than the quorum implies, says in its votes that it does ([`Log::window`]).

use super::{State, Writer};
use crate::log::{Log, answer};
use crate::{Answer, Effect, Value};
use tepui_base::{Instant, Outbox};
use tepui_wire::Upid;

/// How many positions a writer may have under way. Part of the protocol between replicas: the next writer decides as many.
pub const WINDOW: u64 = 64;

impl Log {
    /// How many positions this writer may have under way.
    pub(super) fn window(&self) -> u64 {
        let members = self.rounds.members();
        let everyone = members.len() >= 2 * self.rounds.quorum() - 1;
        let seals = |member: &Upid| *member == self.config.pid || self.sealing.contains(member);
        if everyone && members.iter().all(seals) { WINDOW } else { 1 }
    }

    pub(super) fn seal(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        // The one replica of the group has answered, so there is no other end.
        let alone = self.rounds.quorum() == 1 && self.rounds.members().len() == 1;
        let State::Writing(writer) = &mut self.coordinator.state else { return };
        if !alone {
            writer.sealing = Some(writer.next.saturating_add(WINDOW - 1));
        }
        self.seal_on(now, out);
    }

    /// Decides the next positions, or tells the client that it is the writer if all are decided.
    pub(super) fn seal_on(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        loop {
            let State::Writing(writer) = &mut self.coordinator.state else { return };
            match writer.sealing {
                Some(last) if writer.next <= last => {
                    self.put_under_way(Value::Nop { tombstone: false }, Vec::new(), now, out)
                }
                Some(_) if !writer.in_flight.is_empty() => return,
                _ => break,
            }
        }
        let State::Writing(Writer { sealing, next, .. }) = &mut self.coordinator.state else { return };
        *sealing = None;
        if self.lease.is_some() {
            // The client hears of it when it is sure that no other leader has authority.
            return self.lease_serves(now, out);
        }
        let (begin, end) = (self.replica.begin(), next.saturating_sub(1));
        answer(Answer::Elected { begin, end }, out);
    }
}
