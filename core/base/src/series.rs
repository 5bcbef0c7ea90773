//! Measured values of the last hour, and what is said of them (libprocess `timeseries.hpp`, `statistics.hpp`).

use crate::time::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// How many values are kept at most, as in Mesos; there old ones are thinned out, here they are dropped.
const CAPACITY: usize = 1_000;
/// How long a value counts.
const WINDOW: Duration = Duration::from_secs(3600);

/// Values in the order in which they were measured.
#[derive(Clone, Debug, Default)]
pub struct Series(VecDeque<(Instant, f64)>);

/// What is said of a series with at least one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// The last value.
    pub last: f64,
    /// How many values, and of those of the last hour: smallest, largest, and percentiles by name. Only if there are two
    /// values.
    pub spread: Vec<(&'static str, f64)>,
}

/// The percentiles that are told.
const PERCENTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999)];

impl Series {
    /// Adds a value that was measured now.
    pub fn push(&mut self, now: Instant, value: f64) {
        let is_old = |at: Instant| now.0.saturating_sub(at.0) > WINDOW.as_nanos() as u64;
        while self.0.len() >= CAPACITY || self.0.front().is_some_and(|(at, _)| is_old(*at)) {
            self.0.pop_front();
        }
        self.0.push_back((now, value));
    }

    /// What is said of it.
    pub fn statistics(&self) -> Option<Statistics> {
        let last = self.0.back()?.1;
        let mut sorted: Vec<f64> = self.0.iter().map(|(_, value)| *value).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut spread = Vec::new();
        if let [min, .., max] = sorted[..] {
            spread.extend([("count", sorted.len() as f64), ("min", min), ("max", max)]);
            spread.extend(PERCENTILES.map(|(name, share)| (name, percentile(&sorted, share))));
        }
        Some(Statistics { last, spread })
    }
}

/// Between two values, in proportion.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let (below, part) = (position.floor() as usize, position.fract());
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + part * (above - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_values() {
        let mut series = Series::default();
        assert_eq!(series.statistics(), None);
        series.push(Instant(1), 5.0);
        assert_eq!(series.statistics(), Some(Statistics { last: 5.0, spread: Vec::new() }));
        (0..4).for_each(|value| series.push(Instant(2), f64::from(value)));
        let statistics = series.statistics().unwrap();
        assert_eq!(statistics.last, 3.0);
        let of = |name| statistics.spread.iter().find(|(other, _)| *other == name).unwrap().1;
        assert_eq!((of("count"), of("min"), of("max"), of("p50")), (5.0, 0.0, 5.0, 2.0));
        assert!((of("p90") - 4.2).abs() < 1e-9);
    }

    #[test]
    fn old_values_and_too_many_go() {
        let mut series = Series::default();
        (0..2 * CAPACITY).for_each(|value| series.push(Instant(0), value as f64));
        assert_eq!(series.statistics().unwrap().spread[1], ("min", CAPACITY as f64));
        series.push(Instant(0) + 2 * WINDOW, 1.0);
        assert_eq!(series.statistics().unwrap().spread, []);
    }
}
