//! Runs a protocol machine over the network: its clock, its requests, its events.

use crate::transport::Transport;
use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tepui_base::machine::Entry;
use tepui_base::{Instant, Machine, Now, Outbox, Wall};
use tepui_framework::exchange::{HttpEffect, HttpInput};
use tokio::sync::mpsc;

/// Events the program has not taken yet; when they are this many, the network is not read.
const MAX_UNTAKEN_EVENTS: usize = 256;

/// What an effect of a machine means to its surroundings.
pub(crate) enum Sorted<E> {
    /// A request to be made.
    Http(HttpEffect),
    /// Something the program is to learn.
    Event(E),
    /// Dealt with.
    Done,
}

/// One machine and its surroundings.
pub(crate) struct Pump<M: Machine, E> {
    pub machine: M,
    pub commands: mpsc::UnboundedReceiver<M::Input>,
    pub events: mpsc::Sender<E>,
    /// Makes an input of what the network did.
    pub http: fn(HttpInput) -> M::Input,
    /// Whether nothing follows any more.
    pub is_stopped: fn(&M) -> bool,
}

impl<M: Machine, E> Pump<M, E> {
    /// Runs until the machine has stopped and its events are taken, or until nobody takes events any more.
    pub async fn run(mut self, start: M::Input, mut sort: impl FnMut(M::Effect) -> Sorted<E>) {
        let (mut transport, mut network) = Transport::new();
        let (clock, mut out) = (tokio::time::Instant::now(), Outbox::default());
        let mut untaken = VecDeque::new();
        self.machine.handle(now(clock), start, &mut out);
        loop {
            for entry in out.drain() {
                let (Entry::Free(effect) | Entry::Write(_, effect) | Entry::Lazy(effect) | Entry::After(_, effect)) =
                    entry;
                match sort(effect) {
                    Sorted::Http(effect) => transport.apply(effect),
                    Sorted::Event(event) => untaken.push_back(event),
                    Sorted::Done => {}
                }
            }
            if untaken.is_empty() && (self.is_stopped)(&self.machine) {
                return;
            }
            let deadline = self.machine.deadline().map(|at| clock + Duration::from_nanos(at.0));
            tokio::select! {
                permit = self.events.reserve(), if !untaken.is_empty() => match (permit, untaken.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => return,
                },
                () = self.events.closed(), if untaken.is_empty() => return,
                Some(input) = self.commands.recv() => self.machine.handle(now(clock), input, &mut out),
                Some(input) = network.recv(), if untaken.len() < MAX_UNTAKEN_EVENTS => {
                    self.machine.handle(now(clock), (self.http)(input), &mut out);
                }
                () = sleep_until(deadline) => self.machine.tick(now(clock), &mut out),
            }
        }
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn now(clock: tokio::time::Instant) -> Now {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { monotonic: Instant(nanos(clock.elapsed())), wall: Wall(nanos(wall)) }
}

/// A seed for back-off and uuids, from the operating system.
pub(crate) fn seed() -> std::io::Result<u64> {
    getrandom::u64().map_err(|error| std::io::Error::other(error.to_string()))
}
