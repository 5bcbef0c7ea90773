//! Waiting between attempts, with jitter so that many clients do not come back at the same moment.

use std::time::Duration;
use tepui_base::Rng;

/// Random waits in `[0, limit]`, the limit doubling from `first` to `max` until [`Backoff::reset`].
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    limit: Duration,
}

impl Backoff {
    /// With `first == max` the limit never grows, as for executors (`MESOS_SUBSCRIPTION_BACKOFF_MAX`).
    pub fn new(first: Duration, max: Duration) -> Backoff {
        Backoff { first: first.min(max), max, limit: first.min(max) }
    }

    /// The next wait.
    pub fn next(&mut self, rng: &mut Rng) -> Duration {
        let wait = rng.up_to(self.limit);
        self.limit = self.limit.saturating_mul(2).min(self.max);
        wait
    }

    /// Starts again at `first`, after a success.
    pub fn reset(&mut self) {
        self.limit = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_limit_that_doubles_up_to_the_maximum() {
        let (mut backoff, mut rng) = (Backoff::new(Duration::from_secs(1), Duration::from_secs(4)), Rng::new(1));
        for limit in [1, 2, 4, 4, 4] {
            assert!(backoff.next(&mut rng) <= Duration::from_secs(limit));
        }
        backoff.reset();
        assert!(backoff.next(&mut rng) <= Duration::from_secs(1));
    }

    #[test]
    fn an_equal_first_and_maximum_never_grows() {
        let (mut backoff, mut rng) = (Backoff::new(Duration::from_secs(2), Duration::from_secs(2)), Rng::new(1));
        assert!((0..100).all(|_| backoff.next(&mut rng) <= Duration::from_secs(2)));
    }
}
