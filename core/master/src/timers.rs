//! Everything the master waits for in time, in one queue.
//!
//! What has come due is checked against the state it was set for (an epoch, a stream, an offer that still stands) and ignored
//! if that has passed. So an entry is only taken back where peers could pile up others: a framework's patience can last for
//! ever, and it may come and go as often as it likes.

use std::collections::BTreeMap;
use tepui_base::{AgentId, FrameworkId, Instant, Map, OfferId};
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
    /// Where the one failover timer of a framework stands.
    failovers: Map<FrameworkId, (Instant, u64)>,
}

impl Timers {
    /// Wakes the master at `at`.
    pub fn set(&mut self, at: Instant, timer: Timer) {
        self.set += 1;
        if let Timer::Failover(framework, _) = &timer
            && let Some(earlier) = self.failovers.insert(framework.clone(), (at, self.set))
        {
            self.queue.remove(&earlier);
        }
        self.queue.insert((at, self.set), timer);
    }

    /// A framework is gone for good: nobody waits for it.
    pub fn cancel_failover(&mut self, framework: &FrameworkId) {
        if let Some(earlier) = self.failovers.remove(framework) {
            self.queue.remove(&earlier);
        }
    }

    /// The earliest entry due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let first = self.queue.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let timer = first.remove();
        if let Timer::Failover(framework, _) = &timer {
            self.failovers.remove(framework);
        }
        Some(timer)
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

    #[test]
    fn a_framework_has_one_failover_timer_however_often_it_goes() {
        let mut timers = Timers::default();
        let of = |number| Timer::Failover(FrameworkId::from("f"), number);
        (0..100).for_each(|number| timers.set(Instant(u64::MAX - number), of(number)));
        timers.set(Instant(7), of(100));
        assert_eq!((timers.queue.len(), timers.failovers.len()), (1, 1));
        assert_eq!(timers.pop_due(Instant(7)), Some(of(100)));
        timers.set(Instant(9), of(101));
        timers.cancel_failover(&FrameworkId::from("f"));
        assert!(timers.queue.is_empty() && timers.failovers.is_empty());
    }
}
