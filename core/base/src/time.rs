//! Time as it reaches a machine: two readings made by the driver, never a call to a clock.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Monotonic time in nanoseconds since some start (of the process or of the simulated world). Deadlines, timeouts and
/// leases are kept in it; it never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

/// Wall-clock time in nanoseconds since the Unix epoch. Only for timestamps that people and peers read; it can jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub u64);

/// Both readings of one moment, taken once per input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For deadlines.
    pub monotonic: Instant,
    /// For timestamps.
    pub wall: Wall,
}

impl Instant {
    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    /// Saturates: a deadline beyond the end of time never comes.
    fn add(self, by: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, by: Duration) -> Instant {
        Instant(self.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Wall {
    /// Seconds since the epoch with fraction, as `TaskStatus.timestamp` and the JSON endpoints carry it.
    pub fn as_secs_f64(self) -> f64 {
        // Whole seconds and the rest apart, so that no digit is lost before the final addition.
        (self.0 / 1_000_000_000) as f64 + (self.0 % 1_000_000_000) as f64 / 1e9
    }

    /// From seconds with fraction; negative or non-finite values give the epoch.
    pub fn from_secs_f64(secs: f64) -> Wall {
        if secs.is_finite() && secs > 0.0 { Wall((secs * 1e9) as u64) } else { Wall(0) }
    }

    /// Nanoseconds since the epoch as the signed number of `TimeInfo.nanoseconds`.
    pub fn as_nanos_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_saturates() {
        assert_eq!(Instant(5) + Duration::MAX, Instant(u64::MAX));
        assert_eq!(Instant(5) - Duration::from_secs(1), Instant(0));
        assert_eq!(Instant(5).since(Instant(9)), Duration::ZERO);
    }

    #[test]
    fn wall_seconds_keep_microseconds() {
        let wall = Wall(1_795_307_816_578_942_976);
        assert!((wall.as_secs_f64() - 1_795_307_816.578_943).abs() < 1e-6);
    }
}
