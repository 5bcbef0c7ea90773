//! What an elected writer puts into the log.

use super::{Coordinator, Pending, State, Truncation, Writer};
use crate::client::RequestId;
use crate::log::{Log, ROUND_WAIT, answer};
use crate::messages::{Ask, WriteRequest};
use crate::rounds::Owner;
use crate::tally::Verdict;
use crate::{Action, Answer, Effect, Value};
use bytes::Bytes;
use tepui_base::{Instant, Outbox};

/// Appended bytes under way at once; one entry may be larger. A registry of a big cluster has some megabytes, and every
/// member's connection holds what is under way.
const IN_FLIGHT_BYTES_MAX: usize = 32 << 20;

impl Log {
    pub(crate) fn append(&mut self, id: RequestId, bytes: Bytes, now: Instant, out: &mut Outbox<Effect>) {
        let Some(writer) = self.coordinator.writer() else { return answer(Answer::Unknown(id), out) };
        writer.backlog.push_back((id, bytes));
        self.pump_writer(now, out);
    }

    /// Truncations that come while one is under way are written as one: the last includes the others.
    pub(crate) fn truncate(&mut self, id: RequestId, to: u64, now: Instant, out: &mut Outbox<Effect>) {
        let Some(writer) = self.coordinator.writer() else { return answer(Answer::Unknown(id), out) };
        let truncation = writer.truncation.get_or_insert(Truncation { to, requests: Vec::new() });
        truncation.to = truncation.to.max(to);
        truncation.requests.push(id);
        self.pump_writer(now, out);
    }

    fn pump_writer(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let window = self.window();
        while let Some(writer) = self.coordinator.writer() {
            if !writer.has_room(window) {
                return;
            }
            let Some((value, requests)) = writer.next_value() else { return };
            self.put_under_way(value, requests, now, out);
        }
    }

    /// Writes a value at the next position.
    pub(super) fn put_under_way(
        &mut self,
        value: Value,
        requests: Vec<RequestId>,
        now: Instant,
        out: &mut Outbox<Effect>,
    ) {
        let State::Writing(writer) = &mut self.coordinator.state else { return };
        let (proposal, position) = (writer.proposal, writer.next);
        writer.next = position.saturating_add(1);
        let request = WriteRequest { proposal, position, learned: false, value: value.clone() };
        let round = self.start_round(Owner::Write(position), Ask::Write(request), now, ROUND_WAIT, out);
        let State::Writing(writer) = &mut self.coordinator.state else { return };
        writer.in_flight_bytes += bytes_of(&value);
        writer.in_flight.insert(position, Pending { requests, value, round, written: false });
    }

    pub(crate) fn write_decided(&mut self, position: u64, verdict: &Verdict, now: Instant, out: &mut Outbox<Effect>) {
        let State::Writing(writer) = &mut self.coordinator.state else { return };
        let proposal = writer.proposal;
        let Some(pending) = writer.in_flight.get_mut(&position) else { return };
        match verdict {
            Verdict::Written => {
                pending.written = true;
                let action = Action::of(position, proposal, pending.value.clone(), true);
                self.broadcast_learned(action, out);
                self.acknowledge(out);
                match &self.coordinator.state {
                    State::Writing(writer) if writer.sealing.is_some() => self.seal_on(now, out),
                    _ => self.pump_writer(now, out),
                }
            }
            Verdict::Rejected(nack) => {
                self.coordinator.proposal = self.coordinator.proposal.max(*nack);
                self.demote(out);
            }
            // Too few replicas take part. (1.11 stops its process.)
            _ => self.demote(out),
        }
    }

    /// Another proposer says that a position is decided. If it is one that this writer has under way, or one behind it, then
    /// the place is lost, and nobody may be left to refuse what is under way: replicas do not answer for truncated positions.
    pub(crate) fn another_decided(&mut self, position: u64, out: &mut Outbox<Effect>) {
        let State::Writing(writer) = &self.coordinator.state else { return };
        let first = writer.in_flight.first_key_value().map_or(writer.next, |(first, _)| *first);
        let ours = writer.in_flight.get(&position).is_some_and(|pending| pending.written);
        if position >= first && !ours {
            self.demote(out);
        }
    }

    /// In the order of positions: an entry that is decided waits for those before it, because the next writer may find
    /// nothing at their places.
    fn acknowledge(&mut self, out: &mut Outbox<Effect>) {
        let State::Writing(writer) = &mut self.coordinator.state else { return };
        while let Some(first) = writer.in_flight.first_entry().filter(|first| first.get().written) {
            let (position, pending) = first.remove_entry();
            writer.in_flight_bytes -= bytes_of(&pending.value);
            if writer.truncating == Some(position) {
                writer.truncating = None;
            }
            for id in pending.requests {
                answer(Answer::Written(id, position), out);
            }
        }
    }

    /// The writer's place is lost.
    fn demote(&mut self, out: &mut Outbox<Effect>) {
        let sealing = matches!(&self.coordinator.state, State::Writing(writer) if writer.sealing.is_some());
        self.end_writer(out);
        match (sealing, self.lease.is_some()) {
            (false, _) => answer(Answer::Demoted, out),
            (true, false) => answer(Answer::NotElected, out),
            (true, true) => {}
        }
        self.lease_lost(out);
    }

    /// Ends the writer, or its election, because it may not lead any more.
    pub(crate) fn end_writing(&mut self, out: &mut Outbox<Effect>) {
        match &self.coordinator.state {
            State::Idle | State::Wanted => {}
            State::Writing(_) => self.demote(out),
            State::Electing(_) => self.abandon_election(out),
        }
    }

    pub(crate) fn resign(&mut self, out: &mut Outbox<Effect>) {
        match &self.coordinator.state {
            State::Idle => {}
            State::Writing(writer) if writer.sealing.is_none() => self.end_writer(out),
            State::Writing(_) => self.demote(out),
            State::Wanted | State::Electing(_) => self.abandon_election(out),
        }
        self.withdraw(out);
    }

    /// Whatever is under way may or may not come to be in the log; what waits behind it did not get there.
    fn end_writer(&mut self, out: &mut Outbox<Effect>) {
        let State::Writing(writer) = std::mem::take(&mut self.coordinator.state) else { return };
        for pending in writer.in_flight.into_values() {
            self.rounds.end(pending.round);
            pending.requests.into_iter().for_each(|id| answer(Answer::Unknown(id), out));
        }
        let waiting = writer.truncation.into_iter().flat_map(|truncation| truncation.requests);
        for id in waiting.chain(writer.backlog.into_iter().map(|(id, _)| id)) {
            answer(Answer::Unknown(id), out);
        }
    }
}

impl Coordinator {
    /// The writer, if it is elected.
    fn writer(&mut self) -> Option<&mut Writer> {
        match &mut self.state {
            State::Writing(writer) if writer.sealing.is_none() => Some(writer),
            _ => None,
        }
    }
}

impl Writer {
    fn has_room(&self, window: u64) -> bool {
        // Counted from the first position that is not decided together with all before it.
        let spread = self.in_flight.first_key_value().map_or(0, |(first, _)| self.next - first);
        spread < window && (self.in_flight.is_empty() || self.in_flight_bytes < IN_FLIGHT_BYTES_MAX)
    }

    fn next_value(&mut self) -> Option<(Value, Vec<RequestId>)> {
        let decided = self.in_flight.first_key_value().map_or(self.next, |(first, _)| *first);
        // Never before what is to remain is decided: a truncation that outlived its snapshot would lose everything.
        let ready = |truncation: &Truncation| truncation.to < decided || decided == self.next;
        if self.truncating.is_none() && self.truncation.as_ref().is_some_and(ready) {
            let truncation = self.truncation.take()?;
            self.truncating = Some(self.next);
            // What is to come cannot be forgotten: a position before the begin is not accepted by anybody.
            return Some((Value::Truncate(truncation.to.min(self.next)), truncation.requests));
        }
        let (id, bytes) = self.backlog.pop_front()?;
        Some((Value::Append(bytes), vec![id]))
    }
}

fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Append(bytes) => bytes.len(),
        Value::Nop { .. } | Value::Truncate(_) => 0,
    }
}
