//! The clocks of a node: a monotonic one that may run too fast or too slow, and a wall clock that is anywhere.

use tepui_base::{Instant, Now, Wall};

/// Wall time at the beginning: any moment will do.
const EPOCH_NANOS: u64 = 1_700_000_000_000_000_000;
/// One, as a rate.
pub const EXACT: u64 = 1_000_000;

/// What a node believes of time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// A true moment and what the monotonic clock showed then.
    known: (u64, u64),
    /// Nanoseconds shown in a million true ones.
    rate: u64,
    /// How far the wall clock is ahead.
    pub wall_ahead: u64,
}

impl Clock {
    /// An exact one that shows something else than the truth.
    pub fn new(ahead: u64) -> Clock {
        Clock { known: (0, ahead), rate: EXACT, wall_ahead: 0 }
    }

    /// Runs at another rate from now on.
    pub fn set_rate(&mut self, now: u64, rate: u64) {
        self.known = (now, self.monotonic(now));
        self.rate = rate;
    }

    fn monotonic(&self, now: u64) -> u64 {
        let (at, shown) = self.known;
        shown + (u128::from(now - at) * u128::from(self.rate) / u128::from(EXACT)) as u64
    }

    /// What it shows.
    pub fn read(&self, now: u64) -> Now {
        Now { monotonic: Instant(self.monotonic(now)), wall: Wall(EPOCH_NANOS + self.wall_ahead + now) }
    }

    /// The first true moment when it shows this, not before `now`.
    pub fn when(&self, now: u64, shows: Instant) -> u64 {
        let (at, shown) = self.known;
        let ahead = u128::from(shows.0.saturating_sub(shown)) * u128::from(EXACT);
        let since = ahead.div_ceil(u128::from(self.rate));
        now.max(at.saturating_add(u64::try_from(since).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_reached_when_the_clock_shows_it_and_not_a_nanosecond_before() {
        let mut clock = Clock::new(77);
        clock.set_rate(1_000, EXACT + 1_234);
        clock.set_rate(5_000_000, EXACT - 4_321);
        for shows in [6_000_000, 7_777_777, 123_456_789] {
            let at = clock.when(0, Instant(shows));
            assert!(clock.read(at).monotonic >= Instant(shows));
            assert!(clock.read(at - 1).monotonic < Instant(shows));
        }
        assert_eq!(clock.when(9_000_000, Instant(5)), 9_000_000, "what is past is due now");
    }
}
