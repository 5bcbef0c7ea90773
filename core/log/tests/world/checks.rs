//! What must always hold, judged by messages, disks and answers.

use bytes::Bytes;
use std::collections::BTreeMap;
use tepui_base::Instant;
use tepui_log::{Answer, RequestId, Value, records};
use tepui_proto::codec;
use tepui_proto::mesos::internal::log as proto;
use tepui_wire::Message;

#[derive(Default)]
pub struct Checks {
    next: u64,
    /// What was asked and by whom, while it is not answered.
    asked: BTreeMap<RequestId, (usize, Asked)>,
    /// What was decided, as far as a message or a disk told it.
    pub decided: BTreeMap<u64, Value>,
    /// What was acknowledged.
    pub acknowledged: BTreeMap<u64, Bytes>,
    /// The last position acknowledged to a writer.
    last: BTreeMap<usize, u64>,
    /// The proposal of each node that is or was the writer.
    proposals: BTreeMap<usize, u64>,
    /// Who was elected with which proposal.
    writers: BTreeMap<u64, usize>,
    /// The epoch of each leader, and the true time until which it may act.
    authority: BTreeMap<usize, (u64, Instant)>,
    /// When which master began to lead.
    pub led: Vec<(Instant, usize)>,
    pub unknown: usize,
    pub elections: usize,
    pub truncations: usize,
}

#[derive(Clone, Debug)]
enum Asked {
    Append(Bytes),
    Truncate(u64),
}

impl Checks {
    /// An append that tells who wrote it: the proposal of the writer and a number.
    pub fn new_append(&mut self, at: usize) -> (RequestId, Bytes) {
        self.next += 1;
        let proposal = self.proposals.get(&at).copied().unwrap_or(0);
        let bytes = Bytes::from(format!("{proposal} {} by {at}", self.next));
        self.asked.insert(RequestId(self.next), (at, Asked::Append(bytes.clone())));
        (RequestId(self.next), bytes)
    }

    /// A truncation to a position that was acknowledged to this node.
    pub fn new_truncation(&mut self, at: usize) -> Option<(RequestId, u64)> {
        let to = self.last.get(&at)?.saturating_sub(self.next % 20);
        self.next += 1;
        self.asked.insert(RequestId(self.next), (at, Asked::Truncate(to)));
        Some((RequestId(self.next), to))
    }

    /// A master has authority until this true time. Only one may at any time.
    pub fn leads(&mut self, at: usize, epoch: u64, until: Instant, now: Instant) {
        for (other, (theirs, end)) in &self.authority {
            let both = *other != at && now < *end && now < until;
            assert!(!both, "{other} leads with {theirs} until {end:?}, and {at} with {epoch} at {now:?}");
            assert!(*theirs < epoch || *other == at, "{at} leads with {epoch} after {other} with {theirs}");
        }
        if self.authority.get(&at).is_none_or(|(before, _)| *before != epoch) {
            self.led.push((now, at));
        }
        self.authority.insert(at, (epoch, until));
    }

    /// Who may act at this time.
    #[allow(dead_code, reason = "one of the two tests that share this asks")]
    pub fn leader(&self, now: Instant) -> Option<usize> {
        self.authority.iter().find(|(_, (_, until))| now < *until).map(|(at, _)| *at)
    }

    pub fn acts_no_more(&mut self, at: usize) {
        self.authority.remove(&at);
    }

    pub fn crashed(&mut self, at: usize) {
        self.acts_no_more(at);
        self.asked.retain(|_, (by, _)| *by != at);
        self.last.remove(&at);
    }

    pub fn resigned(&mut self, at: usize) {
        assert!(self.asked.values().all(|(by, _)| *by != at), "everything under way is answered before");
        self.last.remove(&at);
    }

    pub fn elected(&mut self, at: usize, proposal: Option<u64>, end: u64) {
        let proposal = proposal.expect("an elected writer has a proposal");
        let before = *self.writers.entry(proposal).or_insert(at);
        assert_eq!(before, at, "two writers with the proposal {proposal}");
        // A writer that hears late of its election, when there is another one already, will not get to write anything.
        let newest = self.writers.last_key_value().is_some_and(|(newest, _)| *newest == proposal);
        let acknowledged = self.acknowledged.last_key_value().map_or(0, |(position, _)| *position);
        assert!(!newest || acknowledged <= end, "{acknowledged} was acknowledged, the new writer ends at {end}");
        self.proposals.insert(at, proposal);
        self.elections += 1;
    }

    pub fn answer(&mut self, at: usize, answer: &Answer) {
        match answer {
            Answer::Written(id, position) => self.written(at, *id, *position),
            Answer::Unknown(id) => {
                self.asked.remove(id).expect("answered once");
                self.unknown += 1;
            }
            Answer::Demoted => self.resigned(at),
            _ => {}
        }
    }

    fn written(&mut self, at: usize, id: RequestId, position: u64) {
        let (by, asked) = self.asked.remove(&id).expect("answered once");
        assert_eq!(by, at);
        let last = self.last.insert(at, position).unwrap_or(0);
        let value = match asked {
            Asked::Append(bytes) => {
                assert!(last < position, "acknowledged in the order of positions");
                assert_eq!(self.acknowledged.insert(position, bytes.clone()), None);
                Value::Append(bytes)
            }
            // Several truncations may have become one.
            Asked::Truncate(to) => match self.decided.get(&position) {
                Some(Value::Truncate(written)) if *written >= to => {
                    self.truncations += 1;
                    return;
                }
                // Nobody else was told.
                None => return,
                other => panic!("{other:?} at {position} instead of a truncation to {to}"),
            },
        };
        self.decide(position, value);
    }

    /// A value is said to be decided.
    pub fn decide(&mut self, position: u64, value: Value) {
        // It stands for whatever was decided there.
        if value == (Value::Nop { tombstone: true }) {
            return;
        }
        let before = self.decided.entry(position).or_insert_with(|| value.clone());
        assert_eq!(*before, value, "two values at {position}");
    }

    pub fn message(&mut self, message: &Message) {
        if message.name == "mesos.internal.log.LearnedMessage" {
            let learned: proto::LearnedMessage = codec::decode(&message.body).expect("well-formed");
            let action = learned.action.into_option().and_then(tepui_log::Action::from_proto).expect("complete");
            self.decide(action.position, action.value().expect("a value").clone());
        }
    }

    pub fn disk(&mut self, disk: &BTreeMap<Vec<u8>, Bytes>) {
        for value in disk.values() {
            if let Ok(records::Record::Action(action)) = records::record(value)
                && action.learned
            {
                self.decide(action.position, action.value().expect("a value").clone());
            }
        }
    }

    /// Where the log has to begin, by the truncations that were decided.
    #[allow(dead_code, reason = "one of the two tests that share this asks")]
    pub fn truncated_to(&self) -> u64 {
        let to = |value: &Value| if let Value::Truncate(to) = value { Some(*to) } else { None };
        self.decided.values().filter_map(to).max().unwrap_or(0)
    }

    /// No entry of an earlier writer follows one of a later writer.
    pub fn in_order_of_writers(&self) {
        let mut newest = 0;
        for (position, value) in &self.decided {
            let Value::Append(bytes) = value else { continue };
            let text = std::str::from_utf8(bytes).expect("ours");
            let proposal: u64 = text.split(' ').next().and_then(|word| word.parse().ok()).expect("ours");
            assert!(newest <= proposal, "{text} at {position} follows an entry of writer {newest}");
            newest = proposal;
        }
    }
}
