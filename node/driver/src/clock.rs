//! The only place of a node that reads clocks for machines.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tepui_base::{Instant, Now, Wall};

/// Monotonic time since the clock was made, and wall time. Machines of one node share one clock, so that their times
/// can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: tokio::time::Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Clock { start: tokio::time::Instant::now() }
    }
}

impl Clock {
    /// Both readings.
    pub fn now(&self) -> Now {
        let monotonic = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        Now { monotonic: Instant(monotonic), wall: Wall(wall) }
    }

    /// The moment of a deadline. Far deadlines are cut to a year, which the timer can hold.
    pub(crate) fn at(&self, deadline: Instant) -> tokio::time::Instant {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let after = Duration::from_nanos(deadline.0).min(self.start.elapsed() + YEAR);
        self.start + after
    }
}
