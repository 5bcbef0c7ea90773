//! Promises, for one position or for all that hold nothing yet.

use super::{Loss, Outcome, Replica, When};
use crate::messages::{PromiseReply, PromiseRequest, Reply, Vote};
use crate::records::{Metadata, Status};
use crate::{Action, Effect, Value};
use tepui_base::Outbox;

impl Replica {
    pub(super) fn promise(&mut self, request: PromiseRequest, out: &mut Outbox<Effect>) -> Outcome {
        let proposal = request.proposal;
        if self.status() != Status::Voting {
            return reply(When::Durable, PromiseReply::new(Vote::Ignored, proposal));
        }
        match request.position {
            None => self.promise_all(proposal, out),
            Some(position) if position < self.begin => self.truncated(proposal, position),
            Some(position) if self.slots.contains_key(&position) => self.promise_stored(proposal, position, out),
            Some(position) => self.promise_empty(proposal, position, out),
        }
    }

    fn promise_all(&mut self, proposal: u64, out: &mut Outbox<Effect>) -> Outcome {
        if proposal <= self.promised() {
            return reject(self.promised());
        }
        self.write_metadata(Metadata { promised: proposal, ..self.metadata }, out);
        let position = Some(self.end);
        reply(When::Durable, PromiseReply { position, ..PromiseReply::new(Vote::Accept, proposal) })
    }

    /// It is decided whatever the proposal is, and what it was does not matter any more.
    fn truncated(&self, proposal: u64, position: u64) -> Outcome {
        let action = Action::of(position, self.promised(), Value::Nop { tombstone: true }, true);
        reply(When::Now, PromiseReply { action: Some(action), ..PromiseReply::new(Vote::Accept, proposal) })
    }

    /// A position that holds nothing is covered by the promise for all: otherwise two writers could hold it at once.
    fn promise_empty(&mut self, proposal: u64, position: u64, out: &mut Outbox<Effect>) -> Outcome {
        if proposal <= self.promised() {
            return reject(self.promised());
        }
        let action = Action { position, promised: proposal, accepted: None, learned: false };
        self.persist(action, Loss::Forbidden, out);
        let position = Some(position);
        reply(When::Durable, PromiseReply { position, ..PromiseReply::new(Vote::Accept, proposal) })
    }

    fn promise_stored(&mut self, proposal: u64, position: u64, out: &mut Outbox<Effect>) -> Outcome {
        let slot = &self.slots[&position];
        if proposal <= slot.promised {
            return reject(slot.promised);
        }
        let Some(original) = slot.join(position, self.bodies.get(position)) else { return Outcome::Wants(position) };
        let when = if original.learned {
            // Its value cannot change any more, so the promise only makes late writers go away: not worth a sync.
            self.slots.entry(position).and_modify(|slot| slot.promised = proposal);
            When::Now
        } else {
            self.persist(Action { promised: proposal, ..original.clone() }, Loss::Forbidden, out);
            When::Durable
        };
        reply(when, PromiseReply { action: Some(original), ..PromiseReply::new(Vote::Accept, proposal) })
    }
}

fn reply(when: When, reply: PromiseReply) -> Outcome {
    Outcome::Reply(when, Reply::Promise(reply))
}

fn reject(promised: u64) -> Outcome {
    reply(When::Durable, PromiseReply::new(Vote::Reject, promised))
}
