//! The updates of one task.

use crate::state::task::is_terminal;
use std::collections::VecDeque;
use std::time::Duration;
use tepui_base::{Instant, Set};
use tepui_proto::mesos::internal::StatusUpdate;

/// The first pause before an unacknowledged update is sent again.
pub const RETRY_MIN: Duration = Duration::from_secs(10);
/// The longest such pause.
pub const RETRY_MAX: Duration = Duration::from_secs(10 * 60);

/// Why an acknowledgement changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckError {
    /// The task has no updates that wait.
    NoStream,
    /// The update was acknowledged before.
    Duplicate,
    /// It is not the update that was sent last.
    Unexpected,
}

/// Updates of one task in the order they came.
#[derive(Debug, Default)]
pub struct Stream {
    pending: VecDeque<StatusUpdate>,
    received: Set<Vec<u8>>,
    acknowledged: Set<Vec<u8>>,
    /// When the head is to be sent again, and the pause that led there.
    retry: Option<(Instant, Duration)>,
}

impl Stream {
    /// Takes an update; true if it is new and now the head.
    pub fn push(&mut self, update: StatusUpdate) -> bool {
        let uuid = update.uuid.clone().unwrap_or_default();
        if self.acknowledged.contains(&uuid) || !self.received.insert(uuid) {
            return false;
        }
        self.pending.push_back(update);
        self.pending.len() == 1
    }

    /// Whether everything of it was acknowledged.
    pub fn is_quiet(&self) -> bool {
        self.pending.is_empty()
    }

    /// The head, to be sent now and again after `pause`.
    pub fn send(&mut self, now: Instant, pause: Duration) -> Option<StatusUpdate> {
        let head = self.pending.front()?;
        self.retry = Some((now + pause, pause));
        Some(head.clone())
    }

    /// The head once more, if its time has come; the next pause is twice as long.
    pub fn retry(&mut self, now: Instant) -> Option<StatusUpdate> {
        let (at, pause) = self.retry.filter(|(at, _)| *at <= now)?;
        debug_assert!(at <= now);
        self.send(now, (pause * 2).min(RETRY_MAX))
    }

    /// When the head is to be sent again.
    pub fn deadline(&self) -> Option<Instant> {
        self.retry.map(|(at, _)| at)
    }

    /// Removes the head if `uuid` is its own. True if it was terminal, which ends the stream.
    pub fn acknowledge(&mut self, uuid: &[u8]) -> Result<bool, AckError> {
        if self.acknowledged.contains(uuid) {
            return Err(AckError::Duplicate);
        }
        let head = self.pending.front().ok_or(AckError::Unexpected)?;
        if head.uuid.as_deref() != Some(uuid) {
            return Err(AckError::Unexpected);
        }
        let terminal = is_terminal(head.status.state);
        self.acknowledged.insert(uuid.to_vec());
        self.pending.pop_front();
        self.retry = None;
        Ok(terminal)
    }
}
