//! Variables in a replicated log, as Mesos' `LogStorage` keeps them.
//!
//! The log's entries are operations on variables; what a variable holds is what the last of them says. To change one the
//! writer's place must be held, so a storage that has lost it is elected again with the next request, and reads what
//! others have appended meanwhile. After each change everything before the oldest snapshot that is still needed is
//! truncated. One request is worked on at a time. Source: `src/state/log.cpp`.
//!
//! A version that differs little from the one before is written as the difference ([`svndiff`]), so that a change costs the
//! log about what it changes, not what the variable holds. 1.11 reads these; that it writes them is a parameter which its
//! master leaves at none.

use crate::entry::{Entry, Operation, Uuid};
use crate::svndiff;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tepui_base::{Instant, Rng};
use tepui_log::{Answer, Request, RequestId};

/// Between two elections that were not won. Mesos tries again at once; then two contenders keep each other busy.
const ELECT_AGAIN: Duration = Duration::from_millis(100);

/// So many differences are made to one snapshot: a reader applies them one after the other.
const DIFFERENCES_MAX: usize = 256;

/// Names one request of a storage's user; chosen by the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageId(pub u64);

/// What a storage is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The present version of a variable.
    Get(String),
    /// This version, if the present one is `Uuid` or there is none.
    Set(Entry, Uuid),
    /// No more of this variable, if this is its present version.
    Expunge(Entry),
    /// The names of all variables.
    Names,
}

/// What a storage answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// To [`Ask::Get`].
    Entry(Option<Entry>),
    /// To [`Ask::Set`] and [`Ask::Expunge`]: whether it was done. If not, another has changed the variable or has become
    /// the writer; then it may have been done all the same.
    Done(bool),
    /// To [`Ask::Names`].
    Names(BTreeSet<String>),
    /// The log holds what cannot be read.
    Failed(String),
}

/// What a storage does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Asks its log.
    Log(Request),
    /// Answers its user.
    Tell(StorageId, Told),
}

#[derive(Debug)]
struct Snapshot {
    /// Where its last whole version is in the log.
    position: u64,
    /// The version of now.
    entry: Entry,
    /// How many differences lead from the one to the other, and their bytes.
    differences: (usize, usize),
}

impl Snapshot {
    /// The difference to another version, if it is worth it: all that a reader must read stays within twice what the variable
    /// holds.
    fn difference(&self, value: &[u8]) -> Option<Vec<u8>> {
        if self.differences.0 >= DIFFERENCES_MAX {
            return None;
        }
        let difference = svndiff::make(&self.entry.value, value);
        (self.differences.1 + difference.len() < value.len()).then_some(difference)
    }

    fn differs(&mut self, entry: Entry, bytes: usize) {
        self.entry = entry;
        self.differences = (self.differences.0 + 1, self.differences.1 + bytes);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Writer {
    /// Somebody else may be the writer.
    None,
    Electing,
    /// Between elections.
    Resting(Instant),
    /// Elected, and reading what was appended by others.
    Reading(RequestId, u64),
    Ready,
}

/// A change on its way through the log.
#[derive(Debug)]
struct Change {
    id: StorageId,
    request: RequestId,
    made: Made,
}

/// What a change comes to.
#[derive(Debug)]
enum Made {
    Snapshot(Entry),
    /// By a difference of so many bytes.
    Difference(Entry, usize),
    Expunged(String),
}

/// See the module's text.
#[derive(Debug)]
pub struct LogStorage {
    rng: Rng,
    writer: Writer,
    snapshots: BTreeMap<String, Snapshot>,
    /// The last position whose operation was applied.
    applied: Option<u64>,
    truncated: u64,
    queue: VecDeque<(StorageId, Ask)>,
    change: Option<Change>,
    next_request: u64,
}

impl LogStorage {
    /// Knows nothing yet; the first request has it elected.
    pub fn new(seed: u64) -> LogStorage {
        LogStorage {
            rng: Rng::new(seed),
            writer: Writer::None,
            snapshots: BTreeMap::new(),
            applied: None,
            truncated: 0,
            queue: VecDeque::new(),
            change: None,
            next_request: 0,
        }
    }

    /// Takes a request.
    pub fn ask(&mut self, id: StorageId, ask: Ask, acts: &mut Vec<Act>) {
        self.queue.push_back((id, ask));
        self.pump(acts);
    }

    /// Gives the writer's place up. Requests that are not answered yet never are.
    pub fn resign(&mut self, acts: &mut Vec<Act>) {
        self.queue.clear();
        self.change = None;
        if std::mem::replace(&mut self.writer, Writer::None) != Writer::None {
            acts.push(Act::Log(Request::Resign));
        }
    }

    /// Takes an answer of the log.
    pub fn answered(&mut self, now: Instant, answer: Answer, acts: &mut Vec<Act>) {
        match answer {
            Answer::Elected { begin, end } if self.writer == Writer::Electing => self.elected(begin, end, acts),
            Answer::NotElected if self.writer == Writer::Electing => {
                self.writer = Writer::Resting(now + ELECT_AGAIN + self.rng.up_to(ELECT_AGAIN));
            }
            Answer::Entries(request, entries) => self.read(request, &entries, acts),
            Answer::ReadFailed(request, why) => self.read_failed(now, request, &why, acts),
            Answer::Written(request, position) => self.written(request, position, acts),
            Answer::Unknown(request) => self.unknown(request, acts),
            Answer::Demoted => self.demoted(acts),
            _ => {}
        }
    }

    /// Does what has come due.
    pub fn tick(&mut self, now: Instant, acts: &mut Vec<Act>) {
        if let Writer::Resting(until) = self.writer
            && until <= now
        {
            self.writer = Writer::None;
            self.pump(acts);
        }
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        match self.writer {
            Writer::Resting(until) => Some(until),
            _ => None,
        }
    }

    fn request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    fn pump(&mut self, acts: &mut Vec<Act>) {
        while self.change.is_none() && !self.queue.is_empty() {
            match self.writer {
                Writer::Ready => {
                    let Some((id, ask)) = self.queue.pop_front() else { return };
                    self.perform(id, ask, acts);
                }
                Writer::None => {
                    self.writer = Writer::Electing;
                    acts.push(Act::Log(Request::Elect));
                    return;
                }
                Writer::Electing | Writer::Resting(_) | Writer::Reading(..) => return,
            }
        }
    }

    fn elected(&mut self, begin: u64, end: u64, acts: &mut Vec<Act>) {
        // What another writer has truncated is over: it was replaced, or expunged, and the expunging may be truncated too.
        self.snapshots.retain(|_, snapshot| snapshot.position >= begin);
        self.truncated = self.truncated.max(begin);
        let from = self.applied.map_or(begin, |applied| begin.max(applied + 1));
        if from > end {
            self.writer = Writer::Ready;
            return self.pump(acts);
        }
        let request = self.request();
        self.writer = Writer::Reading(request, end);
        acts.push(Act::Log(Request::Read(request, from, end)));
    }

    fn read(&mut self, request: RequestId, entries: &[(u64, bytes::Bytes)], acts: &mut Vec<Act>) {
        let Writer::Reading(wanted, end) = self.writer else { return };
        if wanted != request {
            return;
        }
        for (position, bytes) in entries {
            let applied = Operation::decode(bytes).map_err(|error| error.to_string());
            if let Err(why) = applied.and_then(|operation| self.apply(*position, operation)) {
                return self.fail(&format!("position {position} of the log: {why}"), acts);
            }
        }
        self.applied = Some(end);
        self.writer = Writer::Ready;
        self.pump(acts);
    }

    fn read_failed(&mut self, now: Instant, request: RequestId, _why: &str, acts: &mut Vec<Act>) {
        if matches!(self.writer, Writer::Reading(wanted, _) if wanted == request) {
            // Another writer may have truncated meanwhile; the next election tells from where to read.
            acts.push(Act::Log(Request::Resign));
            self.writer = Writer::Resting(now + ELECT_AGAIN);
        }
    }

    /// What cannot be read cannot be read the next time either.
    fn fail(&mut self, why: &str, acts: &mut Vec<Act>) {
        let waiting: Vec<_> = self.queue.drain(..).collect();
        acts.extend(waiting.into_iter().map(|(id, _)| Act::Tell(id, Told::Failed(why.to_owned()))));
        acts.push(Act::Log(Request::Resign));
        self.writer = Writer::None;
    }

    fn perform(&mut self, id: StorageId, ask: Ask, acts: &mut Vec<Act>) {
        let present = |name: &str| self.snapshots.get(name).map(|snapshot| &snapshot.entry);
        let told = match ask {
            Ask::Get(name) => Told::Entry(present(&name).cloned()),
            Ask::Names => Told::Names(self.snapshots.keys().cloned().collect()),
            Ask::Set(entry, version) if present(&entry.name).is_none_or(|present| present.uuid == version) => {
                return self.set(id, entry, acts);
            }
            Ask::Expunge(entry) if present(&entry.name).is_some_and(|present| present.uuid == entry.uuid) => {
                let operation = Operation::Expunge(entry.name.clone());
                return self.append(id, &operation, Made::Expunged(entry.name), acts);
            }
            Ask::Set(..) | Ask::Expunge(_) => Told::Done(false),
        };
        acts.push(Act::Tell(id, told));
    }

    fn set(&mut self, id: StorageId, entry: Entry, acts: &mut Vec<Act>) {
        match self.snapshots.get(&entry.name).and_then(|snapshot| snapshot.difference(&entry.value)) {
            Some(difference) => {
                let bytes = difference.len();
                let operation = Operation::Diff(Entry { value: difference.into(), ..entry.clone() });
                self.append(id, &operation, Made::Difference(entry, bytes), acts);
            }
            None => self.append(id, &Operation::Snapshot(entry.clone()), Made::Snapshot(entry), acts),
        }
    }

    fn append(&mut self, id: StorageId, operation: &Operation, made: Made, acts: &mut Vec<Act>) {
        let request = self.request();
        acts.push(Act::Log(Request::Append(request, operation.encode())));
        self.change = Some(Change { id, request, made });
    }

    fn written(&mut self, request: RequestId, position: u64, acts: &mut Vec<Act>) {
        let Some(change) = self.change.take_if(|change| change.request == request) else { return };
        match change.made {
            Made::Snapshot(entry) => self.snapshot(position, entry),
            Made::Difference(entry, bytes) => {
                self.snapshots.entry(entry.name.clone()).and_modify(|snapshot| snapshot.differs(entry, bytes));
            }
            Made::Expunged(name) => drop(self.snapshots.remove(&name)),
        }
        self.applied = Some(position);
        acts.push(Act::Tell(change.id, Told::Done(true)));
        self.truncate(position, acts);
        self.pump(acts);
    }

    /// Everything before the oldest snapshot goes; without any, everything up to the last operation.
    fn truncate(&mut self, position: u64, acts: &mut Vec<Act>) {
        let to = self.snapshots.values().map(|snapshot| snapshot.position).min().unwrap_or(position);
        if to > self.truncated {
            self.truncated = to;
            let request = self.request();
            acts.push(Act::Log(Request::Truncate(request, to)));
        }
    }

    fn unknown(&mut self, request: RequestId, acts: &mut Vec<Act>) {
        if let Some(change) = self.change.take_if(|change| change.request == request) {
            acts.push(Act::Tell(change.id, Told::Done(false)));
        }
    }

    fn demoted(&mut self, acts: &mut Vec<Act>) {
        if let Some(change) = self.change.take() {
            acts.push(Act::Tell(change.id, Told::Done(false)));
        }
        self.writer = Writer::None;
        self.pump(acts);
    }

    fn apply(&mut self, position: u64, operation: Operation) -> Result<(), String> {
        match operation {
            Operation::Snapshot(entry) => self.snapshot(position, entry),
            Operation::Expunge(name) => drop(self.snapshots.remove(&name)),
            Operation::Diff(diff) => {
                let snapshot = self.snapshots.get_mut(&diff.name).ok_or("a difference to nothing")?;
                let value = svndiff::apply(&snapshot.entry.value, &diff.value).map_err(|error| error.to_string())?;
                // The snapshot it builds upon stays needed, so the position does too.
                let bytes = diff.value.len();
                snapshot.differs(Entry { value: value.into(), ..diff }, bytes);
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, position: u64, entry: Entry) {
        self.snapshots.insert(entry.name.clone(), Snapshot { position, entry, differences: (0, 0) });
    }
}
