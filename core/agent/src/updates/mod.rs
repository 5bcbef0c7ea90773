//! Status updates on their way to the scheduler: sent until acknowledged, one at a time for each task.
//!
//! A stream is pure bookkeeping: it says what is to be forwarded and when to try again; who forwards is
//! [`crate::status_update`]. Invariants: the head of a stream is the only update in flight; an update leaves only when
//! its own uuid is acknowledged; a stream ends with the acknowledgement of a terminal update.
//!
//! Source: `src/slave/task_status_update_manager.cpp`. Checkpointing is not done here yet.

mod stream;

pub use stream::{AckError, RETRY_MAX, RETRY_MIN};

use std::collections::BTreeMap;
use stream::Stream;
use tepui_base::{FrameworkId, Instant, TaskId};
use tepui_proto::ids::ProtoId;
use tepui_proto::mesos::internal::StatusUpdate;

/// The streams of all tasks.
#[derive(Debug, Default)]
pub struct Streams {
    streams: BTreeMap<(FrameworkId, TaskId), Stream>,
    /// While there is no master to send to, updates only gather.
    paused: bool,
}

impl Streams {
    /// Takes an update. Returns it if it is to be forwarded now: it is new and first in its stream.
    pub fn update(&mut self, now: Instant, update: StatusUpdate) -> Option<StatusUpdate> {
        let key = key(&update);
        let stream = self.streams.entry(key).or_default();
        let is_next = stream.push(update);
        if is_next && !self.paused { stream.send(now, RETRY_MIN) } else { None }
    }

    /// The scheduler has seen an update. Returns whether the stream has ended, and what is to be forwarded next.
    pub fn acknowledge(
        &mut self,
        now: Instant,
        framework: &FrameworkId,
        task: &TaskId,
        uuid: &[u8],
    ) -> Result<(bool, Option<StatusUpdate>), AckError> {
        let key = (framework.clone(), task.clone());
        let stream = self.streams.get_mut(&key).ok_or(AckError::NoStream)?;
        if stream.acknowledge(uuid)? {
            self.streams.remove(&key);
            return Ok((true, None));
        }
        Ok((false, if self.paused { None } else { stream.send(now, RETRY_MIN) }))
    }

    /// Stops sending.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Sends again, starting with the head of every stream.
    pub fn resume(&mut self, now: Instant) -> Vec<StatusUpdate> {
        self.paused = false;
        self.streams.values_mut().filter_map(|stream| stream.send(now, RETRY_MIN)).collect()
    }

    /// Forgets the streams of a framework that left.
    pub fn forget(&mut self, framework: &FrameworkId) {
        self.streams.retain(|(of, _), _| of != framework);
    }

    /// Whether a framework has yet to acknowledge something.
    pub fn has_any(&self, framework: &FrameworkId) -> bool {
        self.streams.iter().any(|((of, _), stream)| of == framework && !stream.is_quiet())
    }

    /// What is to be sent once more.
    pub fn tick(&mut self, now: Instant) -> Vec<StatusUpdate> {
        if self.paused {
            return Vec::new();
        }
        self.streams.values_mut().filter_map(|stream| stream.retry(now)).collect()
    }

    /// When [`Streams::tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        if self.paused { None } else { self.streams.values().filter_map(Stream::deadline).min() }
    }

    /// How many streams are open.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether nothing waits for an acknowledgement.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }
}

fn key(update: &StatusUpdate) -> (FrameworkId, TaskId) {
    (update.framework_id.id(), update.status.task_id.id())
}

#[cfg(test)]
mod tests;
