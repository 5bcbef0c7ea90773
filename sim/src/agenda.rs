//! What is going to happen in a world, in the order of (time, sequence), so that the same seed gives the same run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// When an event happens, where it stands among those of one moment, and its place in [`Agenda::events`].
type Entry = Reverse<(u64, u64, usize)>;

/// Events to come. They are large, so the heap moves only their places about.
pub struct Agenda<E> {
    order: BinaryHeap<Entry>,
    events: Vec<Option<E>>,
    free: Vec<usize>,
    sequence: u64,
}

/// An event whose time has come.
pub struct Due<E> {
    /// In nanoseconds since the beginning of the world.
    pub at: u64,
    /// So many were planned before it.
    pub sequence: u64,
    /// What happens.
    pub event: E,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Agenda { order: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), sequence: 0 }
    }
}

impl<E> Agenda<E> {
    /// Plans an event.
    pub fn push(&mut self, at: u64, event: E) {
        self.sequence += 1;
        let place = self.free.pop().unwrap_or(self.events.len());
        if place == self.events.len() {
            self.events.push(None);
        }
        self.events[place] = Some(event);
        self.order.push(Reverse((at, self.sequence, place)));
    }

    /// Takes the next event out, if it is due by then.
    pub fn pop(&mut self, until: u64) -> Option<Due<E>> {
        let Reverse((at, sequence, place)) = *self.order.peek().filter(|next| next.0.0 <= until)?;
        self.order.pop();
        self.free.push(place);
        self.events[place].take().map(|event| Due { at, sequence, event })
    }
}
