//! The storage over the replicated log, as Mesos' `LogStorage`.
//!
//! Every write is an entry of the log. All variables are in memory; they are read from the log when this storage becomes its
//! writer (`start.rs`), and a `get` is answered from memory after that. So a storage that has lost the writer's place and
//! does not know it yet answers with what was stored until then; it learns it at its next write, which is then answered by
//! [`Answer::Lost`], and the one after that makes it the writer again and reads what happened since.
//!
//! After each write the log is told to forget what is before the oldest entry that still counts.
//! Source: Mesos `src/state/log.cpp`.

use crate::entry::{Entry, check_expunge, check_set};
use crate::operation::{Error, Operation};
use crate::request::{Answer, Request, RequestId};
use crate::start::Start;
use crate::svndiff;
use std::collections::{BTreeMap, VecDeque};
use tepui_log as log;

/// A variable, and where in the log it stands. Of one with differences this is where they begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub position: u64,
    pub entry: Entry,
}

/// A write under way.
#[derive(Debug)]
struct Writing {
    id: RequestId,
    append: log::RequestId,
    operation: Operation,
}

/// What a storage says: to those who asked, and to the log.
#[derive(Debug, Default)]
pub struct Said {
    /// Answers, in order.
    pub answers: Vec<(RequestId, Answer)>,
    /// Wishes, in order.
    pub wishes: Vec<log::Request>,
}

/// See the module's text. It has no time of its own; the log has.
#[derive(Debug, Default)]
pub struct LogStorage {
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    /// The last position that was read or written.
    pub(crate) index: Option<u64>,
    /// Where the log begins, as far as is known.
    pub(crate) truncated: u64,
    pub(crate) start: Start,
    /// What is asked and not begun, in order.
    pub(crate) queue: VecDeque<(RequestId, Request)>,
    writing: Option<Writing>,
    truncating: Option<(log::RequestId, u64)>,
    next_request: u64,
}

impl LogStorage {
    /// Takes a request. Each is answered once, in the order in which they came.
    pub fn ask(&mut self, id: RequestId, request: Request, said: &mut Said) {
        self.queue.push_back((id, request));
        self.pump(said);
    }

    /// Gives up what was asked and the writer's place. The next request makes this storage the writer anew, as the first one
    /// did.
    pub fn resign(&mut self, said: &mut Said) {
        self.fail_queue("The storage was given up", said);
        if self.start != Start::Idle {
            self.start = Start::Idle;
            said.wishes.push(log::Request::Resign);
        }
    }

    /// Takes an answer of the log.
    pub fn hear(&mut self, answer: log::Answer, said: &mut Said) {
        match answer {
            log::Answer::Recovered => {}
            log::Answer::Elected { begin, end } => self.elected(begin, end, said),
            log::Answer::NotElected => self.not_elected(),
            log::Answer::Entries(id, entries) => self.read(id, &entries, said),
            log::Answer::ReadFailed(id, text) => self.read_failed(id, &text, said),
            log::Answer::Written(id, position) => self.written(id, position, said),
            log::Answer::Unknown(id) => self.lost(id, said),
            log::Answer::Demoted => self.demoted(),
        }
        self.pump(said);
    }

    pub(crate) fn next_request(&mut self) -> log::RequestId {
        self.next_request += 1;
        log::RequestId(self.next_request)
    }

    /// Answers and begins what can be.
    fn pump(&mut self, said: &mut Said) {
        if self.start != Start::Ready {
            return self.start_if_asked(said);
        }
        while self.writing.is_none()
            && let Some((id, request)) = self.queue.pop_front()
        {
            match request {
                Request::Get(name) => {
                    let found = self.snapshots.get(&name).map(|snapshot| snapshot.entry.clone());
                    said.answers.push((id, Answer::Entry(found)));
                }
                Request::Names => {
                    said.answers.push((id, Answer::Names(self.snapshots.keys().cloned().collect())));
                }
                Request::Set(entry, known) => {
                    let may = check_set(self.entry(&entry.name), &known);
                    self.write(id, may, Operation::Snapshot(entry), said);
                }
                Request::Expunge(entry) => {
                    let may = check_expunge(self.entry(&entry.name), &entry.uuid);
                    self.write(id, may, Operation::Expunge(entry.name), said);
                }
            }
        }
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.snapshots.get(name).map(|snapshot| &snapshot.entry)
    }

    fn write(&mut self, id: RequestId, may: bool, operation: Operation, said: &mut Said) {
        if !may {
            return said.answers.push((id, Answer::Done(false)));
        }
        let append = self.next_request();
        said.wishes.push(log::Request::Append(append, operation.encode()));
        self.writing = Some(Writing { id, append, operation });
    }

    fn written(&mut self, request: log::RequestId, position: u64, said: &mut Said) {
        if let Some((_, to)) = self.truncating.take_if(|(truncation, _)| *truncation == request) {
            self.truncated = self.truncated.max(to);
            self.index = self.index.max(Some(position));
        }
        let Some(writing) = self.writing.take_if(|writing| writing.append == request) else { return };
        self.apply(position, writing.operation).expect("what is written here can be applied");
        self.index = self.index.max(Some(position));
        said.answers.push((writing.id, Answer::Done(true)));
        self.truncate(said);
    }

    /// Applies what stands in the log.
    pub(crate) fn apply(&mut self, position: u64, operation: Operation) -> Result<(), Error> {
        match operation {
            Operation::Snapshot(entry) => drop(self.snapshots.insert(entry.name.clone(), Snapshot { position, entry })),
            Operation::Expunge(name) => drop(self.snapshots.remove(&name)),
            Operation::Diff(diff) => {
                let Some(snapshot) = self.snapshots.get_mut(&diff.name) else {
                    return Err(Error::NoSnapshot(diff.name));
                };
                let value = svndiff::apply(&snapshot.entry.value, &diff.value)?.into();
                snapshot.entry = Entry { value, ..diff };
            }
        }
        Ok(())
    }

    /// Has the log forget what is before the oldest variable. If that fails, a later one does it.
    fn truncate(&mut self, said: &mut Said) {
        let oldest = self.snapshots.values().map(|snapshot| snapshot.position).min();
        let begun = self.truncating.map_or(self.truncated, |(_, to)| to);
        let Some(oldest) = oldest.filter(|oldest| *oldest > begun) else { return };
        let request = self.next_request();
        self.truncating = Some((request, oldest));
        said.wishes.push(log::Request::Truncate(request, oldest));
    }

    fn lost(&mut self, request: log::RequestId, said: &mut Said) {
        self.truncating.take_if(|(truncation, _)| *truncation == request);
        let Some(writing) = self.writing.take_if(|writing| writing.append == request) else { return };
        self.demoted();
        said.answers.push((writing.id, Answer::Lost));
    }

    pub(crate) fn fail_queue(&mut self, text: &str, said: &mut Said) {
        let failed = self.queue.drain(..).map(|(id, _)| (id, Answer::Failed(text.to_owned())));
        said.answers.extend(failed);
    }
}
