//! The agent's own timers as a table. Whoever fires looks whether it still matters, so only that for the next ping is cancelled,
//! by the one that follows: anybody can ping.

use std::collections::BTreeMap;
use tepui_base::{ContainerId, Instant};
use tepui_wire::RequestId;

/// What has come due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Try to register; valid for one registration cycle.
    Register {
        /// The cycle.
        cycle: u64,
        /// Upper bound of the pause before the next attempt.
        ceiling: std::time::Duration,
    },
    /// No ping came for too long; valid until the next ping.
    Ping {
        /// The number of the last ping.
        ping: u64,
    },
    /// The executor in this container had its time to register.
    ExecutorRegistration(ContainerId),
    /// The executor in this container had its time to leave.
    ExecutorShutdown(ContainerId),
    /// The executor's stream is due a heartbeat.
    Heartbeat(RequestId),
}

/// Timers by due time, first come first served among equals.
#[derive(Debug, Default)]
pub struct Timers {
    due: BTreeMap<(Instant, u64), Timer>,
    count: u64,
    /// Where the timer for the next ping stands.
    ping: Option<(Instant, u64)>,
}

impl Timers {
    /// Sets a timer.
    pub fn set(&mut self, at: Instant, timer: Timer) {
        self.count += 1;
        if matches!(timer, Timer::Ping { .. })
            && let Some(earlier) = self.ping.replace((at, self.count))
        {
            self.due.remove(&earlier);
        }
        self.due.insert((at, self.count), timer);
    }

    /// Takes the next timer due at `now`.
    pub fn pop(&mut self, now: Instant) -> Option<Timer> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// When the next timer is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.due.first_key_value().map(|(key, _)| key.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_not_early() {
        let mut timers = Timers::default();
        let heartbeat = |number| Timer::Heartbeat(RequestId(number));
        timers.set(Instant(2), heartbeat(2));
        timers.set(Instant(1), heartbeat(1));
        timers.set(Instant(2), Timer::Ping { ping: 3 });
        assert_eq!(timers.deadline(), Some(Instant(1)));
        assert_eq!(timers.pop(Instant(0)), None);
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop(Instant(2))).collect();
        assert_eq!(fired, [heartbeat(1), heartbeat(2), Timer::Ping { ping: 3 }]);
    }

    #[test]
    fn one_timer_waits_for_the_next_ping_however_many_came() {
        let mut timers = Timers::default();
        (0..100).for_each(|ping| timers.set(Instant(100 + ping), Timer::Ping { ping }));
        assert_eq!((timers.due.len(), timers.deadline()), (1, Some(Instant(199))));
        assert_eq!(timers.pop(Instant(199)), Some(Timer::Ping { ping: 99 }));
        timers.set(Instant(200), Timer::Ping { ping: 100 });
        assert_eq!(timers.pop(Instant(200)), Some(Timer::Ping { ping: 100 }));
    }
}
