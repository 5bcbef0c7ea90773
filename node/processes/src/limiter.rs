//! Lets so many through in a time; the others wait their turn, in order.
//!
//! Source: Mesos `3rdparty/libprocess/include/process/limiter.hpp`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The limit of `/metrics/snapshot` and `/monitor/statistics`, as a time between two answers: 2 in a second.
pub const USUAL: Duration = Duration::from_millis(500);

/// The variable that sets the limit of `/metrics/snapshot`: `<number>/<duration>`, or nothing for no limit.
pub const VARIABLE: &str = "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT";

/// One limit.
#[derive(Debug)]
pub struct Limiter {
    pause: Duration,
    next: Mutex<Option<Instant>>,
}

impl Limiter {
    /// Lets one through each `pause`; everybody if that is no time at all.
    pub fn new(pause: Duration) -> Limiter {
        Limiter { pause, next: Mutex::new(None) }
    }

    /// The pause that the value of [`VARIABLE`] asks for; an error names what is wrong with it.
    pub fn pause(value: Option<&str>) -> Result<Duration, String> {
        let Some(value) = value else { return Ok(USUAL) };
        if value.is_empty() {
            return Ok(Duration::ZERO);
        }
        let wrong = || format!("{VARIABLE}={value} cannot be used: expecting <number>/<duration>, e.g. 2/1secs");
        let (number, time) = value.split_once('/').ok_or_else(wrong)?;
        let number: u32 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        let time = tepui_base::duration::parse(time).map_err(|_| wrong())?;
        Ok(time / number)
    }

    /// Waits for its turn.
    pub async fn acquire(&self) {
        if self.pause.is_zero() {
            return;
        }
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
            *next = Some(turn + self.pause);
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_a_pause_apart() {
        let (limiter, start) = (Limiter::new(USUAL), Instant::now());
        for number in 0..4u32 {
            limiter.acquire().await;
            assert_eq!(start.elapsed(), USUAL * number);
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        let later = Instant::now();
        limiter.acquire().await;
        assert_eq!(later.elapsed(), Duration::ZERO, "time without requests is not saved up for a burst, nor owed");
        limiter.acquire().await;
        assert_eq!(later.elapsed(), USUAL);
    }

    #[test]
    fn the_variable_has_the_form_of_libprocess() {
        assert_eq!(Limiter::pause(None), Ok(USUAL));
        assert_eq!(Limiter::pause(Some("")), Ok(Duration::ZERO));
        assert_eq!(Limiter::pause(Some("10/1secs")), Ok(Duration::from_millis(100)));
        for wrong in ["2", "0/1secs", "x/1secs", "2/soon"] {
            assert!(Limiter::pause(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
