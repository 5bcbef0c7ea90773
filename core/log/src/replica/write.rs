//! Accepting values.
//!
//! One thing is not as in 1.11, which keeps what was promised when a higher proposal is accepted. A replica that did not hear
//! of the election of the writer it then obeys would also obey the writer before, and let it write over what a quorum has
//! accepted (a seeded run found it). Here what is accepted is promised too.

use super::{Loss, Outcome, Replica, When};
use crate::Effect;
use crate::action::{Accepted, Action};
use crate::messages::{Reply, Vote, WriteReply, WriteRequest};
use crate::records::Status;
use crate::slot::Slot;
use tepui_base::Outbox;

impl Replica {
    pub(super) fn write(&mut self, request: &WriteRequest, out: &mut Outbox<Effect>) -> Outcome {
        let (proposal, position) = (request.proposal, request.position);
        let reply = |vote, proposal| {
            Outcome::Reply(When::Durable, Reply::Write(WriteReply { vote, proposal, position, seals: true }))
        };
        if self.status() != Status::Voting {
            return reply(Vote::Ignored, proposal);
        }
        if position < self.begin {
            return Outcome::Silent;
        }
        let slot = self.slots.get(&position);
        let promised = slot.map_or(self.promised(), |slot| slot.promised);
        let ballot = slot.map_or(promised, Slot::ballot);
        if proposal < ballot {
            return reply(Vote::Reject, ballot);
        }
        if slot.is_some_and(|slot| slot.learned) {
            // The message that it is decided may overtake the write; what is decided is not written over.
            return Outcome::Silent;
        }
        let promised = promised.max(proposal);
        let accepted = Some(Accepted { performed: proposal, value: request.value.clone() });
        self.persist(Action { position, promised, accepted, learned: request.learned }, Loss::Forbidden, out);
        reply(Vote::Accept, proposal)
    }
}
