//! Agreement: one value is proposed under a proposal at a position, one value is ever decided at a position, and nothing
//! is called decided that is not.
//!
//! A value is decided once a quorum of disks has held it, accepted under the same proposal, whatever they hold later.
//!
//! That is so even if one of these disks was lost before another one accepted: whoever has lost its disk promises nothing
//! to anybody, so every quorum that can still come together has one in it that accepted, or that will refuse to. It ends
//! when the replica votes again. Until then it has to have learned what was decided with its help; what was not decided by
//! then it has forgotten for good.

use super::super::observe::{Action, Value};
use super::{NodeId, show};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};

/// What was proposed, accepted and decided, by position.
pub struct Ledger {
    quorum: usize,
    proposals: HashMap<(u64, u64), Proposal>,
    decided: BTreeMap<u64, Value>,
    /// Where each append was decided.
    places: HashMap<Bytes, u64>,
    /// The proposal of the writer that was asked for each append.
    writers: HashMap<Bytes, u64>,
    /// That proposal, by position of what is decided.
    order: BTreeMap<u64, u64>,
    /// Nothing before this has to be kept.
    truncated: u64,
    /// Who has lost its disk and does not vote yet, with the last position decided before that or with its help.
    lost: BTreeMap<NodeId, u64>,
}

struct Proposal {
    value: Value,
    /// One bit for each replica whose disk has accepted it.
    accepted: u32,
}

impl Ledger {
    /// So many replicas decide.
    pub fn new(quorum: usize) -> Ledger {
        Ledger {
            quorum,
            proposals: HashMap::new(),
            decided: BTreeMap::new(),
            places: HashMap::new(),
            writers: HashMap::new(),
            order: BTreeMap::new(),
            truncated: 0,
            lost: BTreeMap::new(),
        }
    }

    /// What was decided at a position, if anything.
    pub fn decided(&self, position: u64) -> Option<&Value> {
        self.decided.get(&position)
    }

    /// The decisions from one position on.
    pub fn decisions(&self, from: u64) -> impl Iterator<Item = (u64, &Value)> {
        self.decided.range(from..).map(|(position, value)| (*position, value))
    }

    /// Positions before this one may be gone: the highest truncation that was decided.
    pub fn truncated(&self) -> u64 {
        self.truncated
    }

    /// The last position that was decided.
    pub fn end(&self) -> u64 {
        self.decided.last_key_value().map_or(0, |(position, _)| *position)
    }

    /// Someone asks for this to be accepted.
    pub fn proposed(&mut self, position: u64, proposal: u64, value: &Value) -> Option<String> {
        if let Value::Append(bytes) = value {
            // Who asks later has found it and completes it.
            self.writers.entry(bytes.clone()).or_insert(proposal);
        }
        let known = self
            .proposals
            .entry((position, proposal))
            .or_insert_with(|| Proposal { value: value.clone(), accepted: 0 });
        let (one, other) = (&known.value, value);
        (one != other).then(|| {
            format!("proposal {proposal} is for two values at position {position}: {} and {}", show(one), show(other))
        })
    }

    /// A disk holds this action now.
    pub fn stored(&mut self, node: NodeId, action: &Action) -> Vec<String> {
        let Some(value) = &action.value else { return Vec::new() };
        if action.learned {
            return self.told(action).into_iter().collect();
        }
        let (position, Some(performed)) = (action.position, action.performed) else { return Vec::new() };
        // What a writer accepts itself it may not have asked of anyone else yet.
        let mut found: Vec<String> = self.proposed(position, performed, value).into_iter().collect();
        if let Some(proposal) = self.proposals.get_mut(&(position, performed)) {
            proposal.accepted |= 1 << node;
            if proposal.accepted.count_ones() as usize >= self.quorum {
                let accepted = proposal.accepted;
                let helped = self.lost.iter_mut().filter(|(lost, _)| accepted & (1 << **lost) != 0);
                helped.for_each(|(_, last)| *last = position.max(*last));
                found.extend(self.decide(position, value));
            }
        }
        found
    }

    fn decide(&mut self, position: u64, value: &Value) -> Vec<String> {
        if let Some(before) = self.decided.get(&position) {
            let text = || format!("position {position} was decided twice: {} and {}", show(before), show(value));
            return (before != value).then(text).into_iter().collect();
        }
        self.decided.insert(position, value.clone());
        match value {
            Value::Truncate(to) => self.truncated = self.truncated.max(*to),
            Value::Append(bytes) => {
                if let Some(other) = self.places.insert(bytes.clone(), position) {
                    return vec![format!("{} was decided at positions {other} and {position}", show(value))];
                }
                return self.out_of_order(position, bytes).into_iter().collect();
            }
            _ => {}
        }
        Vec::new()
    }

    /// What an older writer left behind must not come to stand after what a newer one wrote: whole snapshots are appended,
    /// and the last one counts.
    fn out_of_order(&mut self, position: u64, bytes: &Bytes) -> Option<String> {
        let writer = self.writers.get(bytes).copied()?;
        self.order.insert(position, writer);
        let before = self.order.range(..position).next_back().filter(|(_, other)| **other > writer);
        let after = self.order.range(position + 1..).next().filter(|(_, other)| **other < writer);
        let (other, theirs) = before.or(after)?;
        Some(format!("position {position} is of writer {writer}, and position {other} of writer {theirs}"))
    }

    /// Someone says that it has accepted this.
    pub fn accepted(&self, action: &Action) -> Option<String> {
        let (position, performed) = (action.position, action.performed?);
        let proposed = self.proposals.get(&(position, performed)).map(|proposal| &proposal.value);
        (proposed != action.value.as_ref())
            .then(|| format!("tells of position {position} what nobody proposed under {performed}"))
    }

    /// Someone says that this is decided.
    pub fn told(&self, action: &Action) -> Option<String> {
        let (position, Some(value)) = (action.position, &action.value) else {
            return Some(format!("position {} was learned without a value", action.position));
        };
        match self.decided.get(&position) {
            // A truncated position is told as nothing.
            _ if *value == Value::Tombstone && position < self.truncated => None,
            Some(decided) if decided == value => None,
            Some(decided) => Some(format!("position {position} was learned as {}, not {}", show(value), show(decided))),
            None => Some(format!("position {position} was learned as {} and is not decided", show(value))),
        }
    }

    /// A disk has lost what it held.
    pub fn wiped(&mut self, node: NodeId) {
        self.lost.insert(node, self.end());
    }

    /// A replica votes. If it had lost its disk it must hold all that was decided up to the position that is given.
    pub fn votes(&mut self, node: NodeId) -> Option<u64> {
        let owed = self.lost.remove(&node)?;
        let undecided = self.proposals.values_mut().filter(|one| (one.accepted.count_ones() as usize) < self.quorum);
        undecided.for_each(|proposal| proposal.accepted &= !(1 << node));
        Some(owed)
    }
}
