//! Durations that were measured, and what is said of them.

use std::fmt;
use std::time::Duration;

/// Measured durations of one kind.
#[derive(Debug, Default)]
pub struct Durations(Vec<Duration>);

impl Durations {
    /// Adds one.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// The smallest measured value that at least `share` (0 to 1) of the values do not exceed: the nearest-rank
    /// percentile, always a value that was seen. `None` without values.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        // Ranks count from one; a share of zero means the smallest.
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied()
    }
}

impl fmt::Display for Durations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let millis = self.percentile(share).map_or(f64::NAN, |value| value.as_secs_f64() * 1e3);
            write!(f, "{name} {millis:.1} ms  ")?;
        }
        write!(f, "({} values)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_seen() {
        let mut durations = Durations::default();
        assert_eq!(durations.percentile(0.5), None);
        for millis in (1..=100).rev() {
            durations.push(Duration::from_millis(millis));
        }
        for (share, millis) in [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)] {
            assert_eq!(durations.percentile(share), Some(Duration::from_millis(millis)), "{share}");
        }
        assert_eq!(durations.to_string(), "p50 50.0 ms  p99 99.0 ms  max 100.0 ms  (100 values)");
    }
}
