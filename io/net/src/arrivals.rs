//! Room for bodies that are still arriving, all connections together.
//!
//! What a connection holds of a request that is not whole yet is free up to [`FREE_BYTES`]: heads, calls and nearly all
//! messages never wait for anyone. Beyond that it takes its room from one budget, in the order in which connections ask, and
//! is not read until it has got it. So that a few halves that fill the budget cannot wait for each other for ever, one
//! connection at a time may go beyond it until its request is whole. And while others wait, who has room must use it: a
//! connection that receives too little of it in a while is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// What every connection may hold of an unfinished request without asking: two reads.
pub(crate) const FREE_BYTES: usize = 64 * 1024;

/// The budget is counted in these.
const UNIT_BYTES: usize = 64 * 1024;

/// How often it is looked at whether a connection that has room uses it.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// So much must arrive in each such time while others wait for room: far less than any network between agents and masters
/// carries, and far more than a peer sends that only wants to keep its place.
const WINDOW_BYTES_MIN: usize = 1 << 20;

/// The budget of a node.
#[derive(Clone)]
pub(crate) struct Arrivals {
    room: Arc<Semaphore>,
    /// Who has the one permit may go beyond the budget.
    beyond: Arc<Semaphore>,
    /// How many connections wait for room.
    waiting: Arc<AtomicUsize>,
    units: usize,
}

impl Arrivals {
    pub(crate) fn new(bytes: usize) -> Arrivals {
        let units = (bytes / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Arrivals {
            room: Arc::new(Semaphore::new(units)),
            beyond: Arc::new(Semaphore::new(1)),
            waiting: Arc::new(AtomicUsize::new(0)),
            units,
        }
    }

    /// The share of one connection, empty so far.
    pub(crate) fn share(&self) -> Share {
        Share { arrivals: self.clone(), taken: None, beyond: None, window: Instant::now(), received: 0 }
    }
}

/// What one connection has of the budget.
pub(crate) struct Share {
    arrivals: Arrivals,
    taken: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
    /// When the present window began, and what has arrived in it.
    window: Instant,
    received: usize,
}

/// Counts a connection among those that wait, for as long as it lives.
struct Wait<'a>(&'a AtomicUsize);

impl<'a> Wait<'a> {
    fn new(waiting: &'a AtomicUsize) -> Wait<'a> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Wait(waiting)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Share {
    /// Waits until the connection may hold so many bytes.
    pub(crate) async fn grow(&mut self, bytes: usize) {
        let units = bytes.saturating_sub(FREE_BYTES).div_ceil(UNIT_BYTES);
        let more = units.saturating_sub(self.units());
        if more == 0 || self.beyond.is_some() {
            return;
        }
        // More than the whole budget is never there: that goes beyond it.
        let more = more.min(self.arrivals.units) as u32;
        let Arrivals { room, beyond, waiting, .. } = &self.arrivals;
        let got = match room.clone().try_acquire_many_owned(more) {
            Ok(got) => Some(got),
            Err(_) => {
                let _wait = Wait::new(waiting);
                tokio::select! {
                    biased;
                    got = room.clone().acquire_many_owned(more) => got.ok(),
                    turn = beyond.clone().acquire_owned() => {
                        self.beyond = turn.ok();
                        None
                    }
                }
            }
        };
        self.restart();
        match (&mut self.taken, got) {
            (Some(taken), Some(got)) => taken.merge(got),
            (none, Some(got)) => *none = Some(got),
            (_, None) => {}
        }
    }

    /// Gives back what is not needed for so many bytes; all of it once a request is whole and on its way.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let spare = self.units().saturating_sub(bytes.saturating_sub(FREE_BYTES).div_ceil(UNIT_BYTES));
        if let Some(taken) = &mut self.taken {
            drop(taken.split(spare));
        }
        if self.units() == 0 {
            self.taken = None;
        }
        if bytes <= FREE_BYTES {
            self.beyond = None;
        }
    }

    /// Whether the connection has any of the budget.
    pub(crate) fn is_taken(&self) -> bool {
        self.taken.is_some() || self.beyond.is_some()
    }

    /// So many bytes have come, or none in all the time since the last ones. False if others wait for room and the
    /// connection does not use its own.
    pub(crate) fn note(&mut self, bytes: usize) -> bool {
        self.received += bytes;
        if self.window.elapsed() < WINDOW {
            return true;
        }
        let is_used = self.received >= WINDOW_BYTES_MIN || self.arrivals.waiting.load(Ordering::Relaxed) == 0;
        self.restart();
        is_used
    }

    /// What came before the connection had to wait is no measure of what comes now.
    fn restart(&mut self) {
        (self.window, self.received) = (Instant::now(), 0);
    }

    fn units(&self) -> usize {
        self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn full() -> (Arrivals, Share) {
        let arrivals = Arrivals::new(MIB);
        let share = arrivals.share();
        (arrivals, share)
    }

    #[tokio::test]
    async fn small_requests_need_no_room() {
        let (arrivals, mut large) = full();
        large.grow(MIB + FREE_BYTES).await;
        assert_eq!(arrivals.room.available_permits(), 0);
        let mut small = arrivals.share();
        small.grow(FREE_BYTES).await;
        assert!(!small.is_taken());
    }

    #[tokio::test(start_paused = true)]
    async fn one_goes_beyond_and_the_next_waits_until_there_is_room() {
        let (arrivals, mut first) = full();
        first.grow(MIB).await;
        let (mut second, mut third) = (arrivals.share(), arrivals.share());
        second.grow(MIB).await;
        assert!(second.beyond.is_some());
        second.grow(2 * MIB).await;
        {
            let waits = third.grow(MIB);
            tokio::pin!(waits);
            assert!(tokio::time::timeout(Duration::from_secs(3600), &mut waits).await.is_err());
            first.shrink(0);
            waits.await;
        }
        assert!(third.beyond.is_none() && !first.is_taken());
        second.shrink(0);
        third.shrink(0);
        assert_eq!((arrivals.room.available_permits(), arrivals.beyond.available_permits()), (16, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_room_must_use_it_only_while_others_wait() {
        let (arrivals, mut first) = full();
        first.grow(MIB).await;
        tokio::time::advance(WINDOW).await;
        assert!(first.note(0), "nobody waits");
        let _wait = Wait::new(&arrivals.waiting);
        tokio::time::advance(WINDOW).await;
        assert!(first.note(WINDOW_BYTES_MIN));
        tokio::time::advance(WINDOW / 2).await;
        assert!(first.note(1), "the time is not over");
        tokio::time::advance(WINDOW / 2).await;
        assert!(!first.note(1));
    }
}
