//! Each replica by itself: it keeps its promises and says what it has accepted, across crashes, and what it says is
//! durable when it says it. A replica that has lost everything votes only once it holds every decision again.

use super::super::observe::{self, Accepted, Action, Promised, Record, Said, Status};
use super::{Ledger, NodeId, show};
use crate::disk::Disk;
use std::collections::{BTreeMap, HashMap};

/// All replicas.
pub struct Replicas(Vec<Replica>);

/// What a replica has said, since it last lost its disk.
#[derive(Default)]
struct Replica {
    /// Promises for every position beyond the last one it held: that last one, by proposal.
    general: BTreeMap<u64, u64>,
    /// The highest promise for each position.
    single: HashMap<u64, u64>,
    /// The highest proposal it has accepted at each position.
    accepted: HashMap<u64, u64>,
    /// The last position it has accepted something at.
    last: u64,
    disk: Held,
    status: Option<Status>,
}

/// A change of a disk.
#[derive(Clone, Debug)]
pub enum Stored {
    /// It holds this.
    Record(Record),
    /// It no longer holds this position, or the metadata.
    Deleted(Option<u64>),
}

/// What its disk has held, whoever was told of it: a replica promises and accepts for its own writer without a message.
#[derive(Default)]
struct Held {
    /// The general promises, and the last position held then.
    promises: BTreeMap<u64, u64>,
    /// By position: promised, performed, learned.
    actions: BTreeMap<u64, (u64, Option<u64>, bool)>,
}

/// What a promise is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every position that is not held yet.
    General,
    /// One position.
    Position(u64),
}

impl Replicas {
    /// So many.
    pub fn new(nodes: usize) -> Replicas {
        Replicas((0..nodes).map(|_| Replica::default()).collect())
    }

    /// Whether its disk says that it votes.
    pub fn votes(&self, node: NodeId) -> bool {
        self.0[node].status == Some(Status::VOTING)
    }

    /// It has lost its disk.
    pub fn wiped(&mut self, node: NodeId) {
        self.0[node] = Replica::default();
    }

    /// Its disk says this of it now.
    pub fn status(&mut self, node: NodeId, status: Status, disk: &Disk, ledger: &mut Ledger) -> Vec<String> {
        let replica = &mut self.0[node];
        let before = replica.status.replace(status);
        let mut found = Vec::new();
        if before == Some(Status::VOTING) && status != Status::VOTING {
            found.push(format!("a voting member became {status:?}"));
        }
        if status == Status::VOTING
            && let Some(owed) = ledger.votes(node)
        {
            let first = lacks(disk, ledger, false).into_iter().find(|(position, _)| *position <= owed);
            found.extend(first.map(|(_, text)| format!("votes again, but {text}")));
        }
        found
    }

    /// Its disk holds this now, or no longer holds it.
    pub fn changed(&mut self, node: NodeId, change: &Stored, ledger: &Ledger) -> Option<String> {
        let held = &mut self.0[node].disk;
        match change {
            Stored::Record(Record::Metadata(_, promised)) => held.promises(*promised),
            Stored::Record(Record::Action(action)) => held.holds(action),
            Stored::Deleted(None) => Some("deletes its metadata".to_owned()),
            Stored::Deleted(Some(position)) => {
                held.actions.remove(position);
                let truncated = ledger.truncated();
                (*position >= truncated)
                    .then(|| format!("deletes position {position}, and only {truncated} is truncated"))
            }
        }
    }

    /// It says this; `scope` is that of the request it answers, if that is known.
    pub fn sent(
        &mut self,
        node: NodeId,
        said: &Said,
        scope: Option<Scope>,
        disk: &Disk,
        ledger: &Ledger,
    ) -> Vec<String> {
        let replica = &mut self.0[node];
        // What is decided stays so, whoever tells it and whatever becomes of it: to tell it is no vote. A replica does, once
        // it holds all that is decided, while the disk still writes down that it votes.
        let is_decided = |action: &Option<Action>| action.as_ref().is_some_and(|action| action.learned);
        let is_vote = match said {
            Said::PromiseResponse(Promised::ACCEPT, _, _, action) => !is_decided(action),
            Said::WriteResponse(Accepted::ACCEPT, ..) => true,
            _ => false,
        };
        if is_vote && replica.status != Some(Status::VOTING) {
            return vec![format!("promises or accepts as {:?}", replica.status)];
        }
        match (said, scope) {
            (Said::PromiseResponse(Promised::ACCEPT, proposal, end, _), Some(Scope::General)) => {
                replica.promises_all(*proposal, end.unwrap_or_default())
            }
            (Said::PromiseResponse(Promised::ACCEPT, proposal, _, action), Some(Scope::Position(position))) => {
                replica.promises_one(*proposal, position, action.as_ref(), ledger)
            }
            (Said::WriteResponse(Accepted::ACCEPT, proposal, position), _) => {
                replica.accepts(*proposal, *position, ledger)
            }
            (Said::RecoverResponse(Status::VOTING, range), _) => replica.describes(*range, disk),
            _ => Vec::new(),
        }
    }
}

impl Held {
    /// What it would hold at a position after a crash; nothing if the position may be gone.
    fn at(&self, position: u64, ledger: &Ledger) -> Option<(u64, Option<u64>, bool)> {
        let held = self.actions.get(&position).copied();
        held.or_else(|| (position >= ledger.truncated()).then_some((0, None, false)))
    }

    fn promises(&mut self, promised: u64) -> Option<String> {
        let highest = self.promises.last_key_value().map_or(0, |(proposal, _)| *proposal);
        let end = self.actions.last_key_value().map_or(0, |(position, _)| *position);
        self.promises.entry(promised).or_insert(end);
        (promised < highest).then(|| format!("its disk forgets the promise {highest} for {promised}"))
    }

    fn holds(&mut self, action: &Action) -> Option<String> {
        let position = action.position;
        let before = self.actions.insert(position, (action.promised, action.performed, action.learned));
        if action.learned {
            return None;
        }
        let (promised, performed, learned) = before.unwrap_or_default();
        let general = self.promises.iter().rev().find(|(_, end)| **end < position).map_or(0, |(proposal, _)| *proposal);
        match () {
            () if learned => Some(format!("its disk forgets the decision at position {position}")),
            () if action.promised < promised || action.performed < performed => {
                Some(format!("its disk forgets a promise or a value at position {position}"))
            }
            () if action.performed > performed && action.performed < Some(general.max(promised)) => {
                let promised = general.max(promised);
                Some(format!(
                    "its disk accepts {:?} at position {position} after the promise {promised}",
                    action.performed
                ))
            }
            () => None,
        }
    }
}

impl Replica {
    fn promises_all(&mut self, proposal: u64, end: u64) -> Vec<String> {
        let mut found = Vec::new();
        if let Some((before, _)) = self.general.range(proposal..).next_back() {
            found.push(format!("promised {proposal} after {before}"));
        }
        if end < self.last {
            found.push(format!("promised {proposal} up to {end}, having accepted position {}", self.last));
        }
        if self.disk.promises.last_key_value().is_none_or(|(promised, _)| *promised < proposal) {
            found.push(format!("promised {proposal} before that was durable"));
        }
        self.general.insert(proposal, end);
        found
    }

    fn promises_one(&mut self, proposal: u64, position: u64, action: Option<&Action>, ledger: &Ledger) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(action) = action {
            found.extend(if action.learned { ledger.told(action) } else { ledger.accepted(action) });
            if action.position != position {
                found.push(format!("answered for position {} when asked about {position}", action.position));
            }
        }
        if action.is_some_and(|action| action.learned) {
            // A decision: who hears it asks no more of this position.
            return found;
        }
        if let Some(before) = self.promised(position).filter(|before| *before >= proposal) {
            found.push(format!("promised {proposal} at position {position} after {before}"));
        }
        let accepted = self.accepted.get(&position);
        if accepted.is_some_and(|accepted| action.and_then(|action| action.performed) < Some(*accepted)) {
            found.push(format!("does not tell what it accepted at position {position}"));
        }
        if self.disk.at(position, ledger).is_some_and(|(promised, _, learned)| promised < proposal && !learned) {
            found.push(format!("promised {proposal} at position {position} before that was durable"));
        }
        self.single.insert(position, proposal);
        found
    }

    /// The highest promise that covers a position.
    fn promised(&self, position: u64) -> Option<u64> {
        let general = self.general.iter().rev().find(|(_, end)| **end < position).map(|(proposal, _)| *proposal);
        general.max(self.single.get(&position).copied())
    }

    fn accepts(&mut self, proposal: u64, position: u64, ledger: &Ledger) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(before) = self.promised(position).filter(|before| *before > proposal) {
            found.push(format!("accepted {proposal} at position {position} after it had promised {before}"));
        }
        let held = self.disk.at(position, ledger);
        if held.is_some_and(|(_, performed, learned)| performed < Some(proposal) && !learned) {
            found.push(format!("accepted {proposal} at position {position} before that was durable"));
        }
        let accepted = self.accepted.entry(position).or_insert(proposal);
        *accepted = proposal.max(*accepted);
        self.last = self.last.max(position);
        found
    }

    fn describes(&self, range: Option<(u64, u64)>, disk: &Disk) -> Vec<String> {
        let durable = disk.durable(observe::METADATA_KEY).map(|bytes| observe::record(bytes));
        let mut found = Vec::new();
        if !matches!(durable, Some(Ok(Record::Metadata(Status::VOTING, _)))) {
            found.push("calls itself a voting member and is none on its disk".to_owned());
        }
        if range.is_none_or(|(_, end)| end < self.last) {
            found.push(format!("says that it holds {range:?}, having accepted position {}", self.last));
        }
        found
    }
}

/// What a disk would hold at a position after a crash; nothing if the position may be gone.
fn stored(disk: &Disk, position: u64, ledger: &Ledger) -> Option<Action> {
    let nothing = Action { position, promised: 0, performed: None, learned: false, value: None };
    match disk.durable(&observe::key(position)).map(|bytes| observe::record(bytes)) {
        Some(Ok(Record::Action(action))) => Some(action),
        _ => (position >= ledger.truncated()).then_some(nothing),
    }
}

/// The decisions that a disk does not hold, with a text on each.
pub fn lacks(disk: &Disk, ledger: &Ledger, learned: bool) -> Vec<(u64, String)> {
    let lacking = ledger.decisions(ledger.truncated()).filter_map(|(position, value)| {
        let held = stored(disk, position, ledger)?;
        let right = held.value.as_ref() == Some(value) && (held.learned || !learned);
        let text =
            || format!("holds {:?} at position {position} instead of {}", held.value.as_ref().map(show), show(value));
        (!right).then(|| (position, text()))
    });
    lacking.collect()
}
