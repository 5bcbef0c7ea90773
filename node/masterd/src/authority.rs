//! What a term's effects leave under: the right to speak as the leader, which ends once and for all.
//!
//! Whatever a term wants to say passes a [`Gate`], which looks at the clock: a term whose lease or session is over says
//! nothing more, even if nobody has noticed yet that it is over. A process that was stopped for a while finds its gate
//! closed before it does anything else.

use std::sync::Arc;
use std::time::Duration;
use tepui_base::Instant;
use tepui_driver::Clock;
use tepui_net::{Outlet, Promise};
use tepui_wire::{Message, NetEffect, RequestId};
use tokio::sync::watch;

/// No clock ends it.
const FOR_EVER: Instant = Instant(u64::MAX);
/// It is over; no extension brings it back.
const OVER: Instant = Instant(0);
/// How long to sleep at most before the end is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// The right to speak as the leader.
#[derive(Debug)]
pub(crate) struct Authority {
    until: watch::Sender<Instant>,
    clock: Clock,
    /// The number of the leadership, where masters elect by the log.
    epoch: Option<u64>,
}

impl Authority {
    /// Lasts until it is revoked.
    pub fn unlimited(clock: Clock) -> Arc<Authority> {
        Authority::lasting(clock, FOR_EVER)
    }

    /// Lasts until then, unless it is extended in time.
    pub fn lasting(clock: Clock, until: Instant) -> Arc<Authority> {
        Arc::new(Authority { until: watch::Sender::new(until), clock, epoch: None })
    }

    /// As [`Authority::lasting`], for a leadership that has a number, which goes on every message.
    pub fn of_epoch(clock: Clock, until: Instant, epoch: u64) -> Arc<Authority> {
        Arc::new(Authority { until: watch::Sender::new(until), clock, epoch: Some(epoch) })
    }

    /// The number of the leadership, if it has one.
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// Lasts until then at least, if it is not over already.
    pub fn extend(&self, to: Instant) {
        let now = self.clock.now().monotonic;
        self.until.send_if_modified(|until| {
            let longer = now < *until && *until < to;
            if longer {
                *until = to;
            }
            longer
        });
    }

    /// Ends it.
    pub fn revoke(&self) {
        self.until.send_if_modified(|until| std::mem::replace(until, OVER) != OVER);
    }

    /// Whether it lasts. Once the answer was no, it is no for ever: something may not have left because of it.
    pub fn holds(&self) -> bool {
        let until = *self.until.borrow();
        if until == FOR_EVER {
            return true;
        }
        let lasts = until > self.clock.now().monotonic;
        if !lasts {
            self.revoke();
        }
        lasts
    }

    /// Returns when it is over.
    pub async fn over(&self) {
        let mut until = self.until.subscribe();
        while self.holds() {
            let left = until.borrow_and_update().since(self.clock.now().monotonic).min(LOOK_AGAIN);
            // Either the time is up or the end has moved; both are looked at.
            let _ = tokio::time::timeout(left, until.changed()).await;
        }
    }
}

/// The way to the network that is open as long as an authority lasts.
#[derive(Clone)]
pub(crate) struct Gate {
    outlet: Outlet,
    authority: Arc<Authority>,
}

impl Gate {
    pub fn new(outlet: Outlet, authority: Arc<Authority>) -> Gate {
        Gate { outlet, authority }
    }

    /// Lets an effect out, or drops it.
    pub fn apply(&self, effect: NetEffect) {
        if self.authority.holds() {
            self.outlet.apply(self.stamped(effect));
        }
    }

    /// Whether anything can leave.
    pub fn is_open(&self) -> bool {
        self.authority.holds()
    }

    /// Agents refuse what a leader of an older epoch says.
    fn stamped(&self, effect: NetEffect) -> NetEffect {
        match effect {
            NetEffect::Send(message) => NetEffect::Send(Message { epoch: self.authority.epoch, ..message }),
            other => other,
        }
    }

    /// A place in an open stream; see [`Outlet::promise`].
    pub fn promise(&self, stream: RequestId) -> Option<Promise> {
        self.outlet.promise(stream).filter(|_| self.authority.holds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Instant {
        Instant(secs * 1_000_000_000)
    }

    #[tokio::test(start_paused = true)]
    async fn it_lasts_as_long_as_it_is_extended_in_time() {
        let authority = Authority::lasting(Clock::default(), secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(authority.holds());
        authority.extend(secs(20));
        authority.extend(secs(15));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(authority.holds());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!authority.holds());
        authority.extend(secs(30));
        assert!(!authority.holds(), "an extension that comes too late is none");
    }

    #[tokio::test(start_paused = true)]
    async fn an_extension_that_comes_too_late_is_none_even_if_nobody_has_looked() {
        let authority = Authority::lasting(Clock::default(), secs(10));
        tokio::time::advance(Duration::from_secs(11)).await;
        authority.extend(secs(30));
        assert!(!authority.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn its_end_is_told_at_its_time() {
        let clock = Clock::default();
        let authority = Authority::lasting(clock, secs(10));
        let (waiting, extended) = (authority.clone(), authority.clone());
        let over = tokio::spawn(async move {
            waiting.over().await;
            clock.now().monotonic
        });
        tokio::time::advance(Duration::from_secs(5)).await;
        extended.extend(secs(7200));
        assert_eq!(over.await.unwrap().0 / 1_000_000_000, 7200);
    }

    #[tokio::test]
    async fn what_is_revoked_is_over_at_once() {
        let authority = Authority::unlimited(Clock::default());
        assert!(authority.holds());
        let waiting = authority.clone();
        let over = tokio::spawn(async move { waiting.over().await });
        authority.revoke();
        over.await.unwrap();
        assert!(!authority.holds());
    }
}
