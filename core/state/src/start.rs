//! Becoming the log's writer, and reading what it holds.

use crate::log_storage::{LogStorage, Said};
use crate::operation::Operation;
use bytes::Bytes;
use tepui_log as log;

/// Whether a storage may answer from memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Start {
    /// It is not the writer, and nobody has asked it to be.
    #[default]
    Idle,
    /// It wants to be the writer.
    Electing,
    /// It is, and reads up to this position.
    Reading(log::RequestId, u64),
    /// It is, and has read all.
    Ready,
}

impl LogStorage {
    pub(crate) fn start_if_asked(&mut self, said: &mut Said) {
        if self.start == Start::Idle && !self.queue.is_empty() {
            self.start = Start::Electing;
            said.wishes.push(log::Request::Elect);
        }
    }

    /// Tries until it is elected, for as long as somebody waits. The log pauses before it refuses.
    pub(crate) fn not_elected(&mut self) {
        if self.start == Start::Electing {
            self.start = Start::Idle;
        }
    }

    /// What was read before is not read again.
    pub(crate) fn elected(&mut self, begin: u64, end: u64, said: &mut Said) {
        if self.start != Start::Electing {
            return;
        }
        // What another writer has let the log forget is over: it was replaced or expunged at a later position, and the
        // expunging may be forgotten too.
        self.snapshots.retain(|_, snapshot| snapshot.position >= begin);
        self.truncated = self.truncated.max(begin);
        let from = self.index.map_or(begin, |index| begin.max(index.saturating_add(1)));
        if from > end {
            self.start = Start::Ready;
            return;
        }
        let request = self.next_request();
        self.start = Start::Reading(request, end);
        said.wishes.push(log::Request::Read(request, from, end));
    }

    pub(crate) fn read(&mut self, request: log::RequestId, entries: &[(u64, Bytes)], said: &mut Said) {
        let Start::Reading(awaited, end) = self.start else { return };
        if awaited != request {
            return;
        }
        for (position, bytes) in entries {
            let applied = Operation::decode(bytes).and_then(|operation| self.apply(*position, operation));
            if let Err(error) = applied {
                return self.give_up(&error.to_string(), said);
            }
            self.index = Some(*position);
        }
        self.index = self.index.max(Some(end));
        self.start = Start::Ready;
    }

    pub(crate) fn read_failed(&mut self, request: log::RequestId, text: &str, said: &mut Said) {
        if matches!(self.start, Start::Reading(awaited, _) if awaited == request) {
            self.give_up(text, said);
        }
    }

    /// Who waits is told; who asks later makes another try.
    fn give_up(&mut self, text: &str, said: &mut Said) {
        self.fail_queue(text, said);
        self.start = Start::Idle;
        said.wishes.push(log::Request::Resign);
    }

    pub(crate) fn demoted(&mut self) {
        self.start = Start::Idle;
    }
}
