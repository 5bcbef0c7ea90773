//! Everything the master waits for in time, in one queue.
//!
//! Entries are never searched for and removed: what has come due is checked against the state it was set for (an
//! epoch, a stream, an offer that still stands) and ignored if that has passed.

use std::collections::BTreeMap;
use tepui_base::{AgentId, FrameworkId, Instant, OfferId};
use tepui_wire::RequestId;

/// What has come due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A heartbeat on this stream, as long as it is the framework's.
    Heartbeat(FrameworkId, RequestId),
    /// A heartbeat on this operator event stream, as long as it lives.
    OperatorHeartbeat(RequestId),
    /// A disconnected framework has not come back; valid for the disconnection with this number.
    Failover(FrameworkId, u64),
    /// Time for the next ping of an agent, by its observer's number.
    Ping(u64),
    /// A disconnected agent has not come back; valid for the disconnection with this number.
    Reregister(AgentId, u64),
    /// An offer or inverse offer has not been answered.
    Offer(OfferId),
    /// Agents known from the registry only had their time to come back after a master failover.
    Recovered,
    /// An agent that waits at the removal limit may have its turn.
    Removal,
    /// Time to look for old entries of the registry.
    Prune,
}

/// Timers in the order they come due, equal times in the order they were set.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    queue: BTreeMap<(Instant, u64), Timer>,
    set: u64,
}

impl Timers {
    /// Wakes the master at `at`.
    pub fn set(&mut self, at: Instant, timer: Timer) {
        self.set += 1;
        self.queue.insert((at, self.set), timer);
    }

    /// The earliest entry due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the earliest entry comes due.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_timers_leave_in_order() {
        let mut timers = Timers::default();
        timers.set(Instant(5), Timer::Ping(5));
        timers.set(Instant(3), Timer::Ping(1));
        timers.set(Instant(3), Timer::Ping(2));
        assert_eq!(timers.next(), Some(Instant(3)));
        assert_eq!(timers.pop_due(Instant(2)), None);
        assert_eq!(timers.pop_due(Instant(4)), Some(Timer::Ping(1)));
        assert_eq!(timers.pop_due(Instant(4)), Some(Timer::Ping(2)));
        assert_eq!(timers.pop_due(Instant(4)), None);
    }
}
