//! Contenders, sorted.

use super::{Standing, Standings};
use crate::amounts::Pool;

/// Numbers of standings in the order in which they are served.
///
/// The order is *fresh* while every share in it was computed for the present pool; then a change of one standing
/// moves one entry, found by binary search. A stale order is put right by [`Order::refresh`] before it is read.
#[derive(Clone, Debug, Default)]
pub struct Order {
    sorted: Vec<u32>,
    /// The pool's version the shares are of; an empty order is fresh for any pool.
    version: u64,
    stale: bool,
}

impl Order {
    /// The contenders, first served first. Only right after [`Order::refresh`].
    pub fn as_slice(&self) -> &[u32] {
        &self.sorted
    }

    /// Whether there is no contender.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Adds a contender.
    pub fn insert(&mut self, standings: &mut Standings, at: u32, pool: &Pool) {
        standings.get_mut(at).rate(pool);
        if self.sorted.is_empty() {
            (self.version, self.stale) = (pool.version(), false);
        }
        let position = match self.is_fresh(pool) {
            true => self.place(standings, standings.get(at)),
            false => self.sorted.len(),
        };
        self.sorted.insert(position, at);
    }

    /// Takes a contender out, if it is in.
    pub fn remove(&mut self, at: u32) {
        if let Some(position) = self.sorted.iter().position(|other| *other == at) {
            self.sorted.remove(position);
        }
    }

    /// Changes the standing of a contender in this order and moves it to its new place.
    pub fn settle(&mut self, standings: &mut Standings, at: u32, pool: &Pool, change: impl FnOnce(&mut Standing)) {
        if !self.is_fresh(pool) {
            change(standings.get_mut(at));
            self.stale = true;
            return;
        }
        // Most changes are those of who is served, and that is nearly always the first.
        let from = match self.sorted.first() == Some(&at) {
            true => 0,
            false => self.place(standings, standings.get(at)),
        };
        assert!(self.sorted.get(from) == Some(&at), "a contender stands where its standing says");
        let standing = standings.get_mut(at);
        change(standing);
        standing.rate(pool);
        let standing = standings.get(at);
        // The entry itself still stands at `from` under its new standing, so each side is searched without it.
        let before = |other: &u32| standings.get(*other).compare(standing).is_lt();
        let is_later = self.sorted.get(from + 1).is_some_and(before);
        if is_later {
            let right = from + 1 + first_after(&self.sorted[from + 1..], before);
            self.sorted[from..right].rotate_left(1);
        } else {
            let left = self.sorted[..from].partition_point(before);
            self.sorted[left..=from].rotate_right(1);
        }
    }

    /// Computes every share for the present pool and sorts, if anything made that necessary.
    pub fn refresh(&mut self, standings: &mut Standings, pool: &Pool) {
        if self.is_fresh(pool) {
            return;
        }
        for at in &self.sorted {
            standings.get_mut(*at).rate(pool);
        }
        // No two contenders compare equal (names differ), so an unstable sort has one result.
        self.sorted.sort_unstable_by(|a, b| standings.get(*a).compare(standings.get(*b)));
        (self.version, self.stale) = (pool.version(), false);
    }

    fn is_fresh(&self, pool: &Pool) -> bool {
        !self.stale && self.version == pool.version()
    }

    fn place(&self, standings: &Standings, standing: &Standing) -> usize {
        self.sorted.partition_point(|other| standings.get(*other).compare(standing).is_lt())
    }
}

/// As `partition_point`, and found the sooner the nearer it is to the end: among equals who is served in turn, whoever was
/// just served is the last.
fn first_after(sorted: &[u32], before: impl Fn(&u32) -> bool) -> usize {
    let (mut end, mut step) = (sorted.len(), 1);
    while let Some(at) = end.checked_sub(step) {
        if before(&sorted[at]) {
            return at + 1 + sorted[at + 1..end].partition_point(before);
        }
        (end, step) = (at, step * 2);
    }
    sorted[..end].partition_point(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amounts::Amounts;
    use std::sync::Arc;
    use tepui_base::Rng;

    fn cpus(thousandths: i64) -> Amounts {
        let mut amounts = Amounts::default();
        amounts.add_one(0, thousandths);
        amounts
    }

    fn pool(thousandths: i64) -> Pool {
        let mut pool = Pool::default();
        pool.replace(&Amounts::default(), &cpus(thousandths));
        pool
    }

    #[test]
    fn moving_one_entry_gives_the_same_order_as_sorting_all() {
        let (mut rng, mut pool) = (Rng::new(11), pool(100_000));
        let (mut order, mut standings) = (Order::default(), Standings::default());
        for at in 0..40 {
            standings.put(at, Standing::new(Arc::from(format!("f{:02}", 39 - at)), 1.0 + f64::from(at % 3)));
            order.insert(&mut standings, at, &pool);
        }
        for round in 0..2_000 {
            if round % 100 == 0 {
                let old = pool.amounts().clone();
                pool.replace(&old, &cpus(100_000 + round));
                order.refresh(&mut standings, &pool);
            }
            let (at, amount) = (rng.below(40) as u32, cpus(rng.below(5) as i64 * 1_000));
            let give = rng.below(2) == 0;
            order.settle(&mut standings, at, &pool, |standing| {
                if give {
                    standing.allocated.add(&amount);
                    standing.count += 1;
                } else if standing.allocated.contains(&amount) {
                    standing.allocated.subtract(&amount);
                }
            });
            let mut expected = order.as_slice().to_vec();
            expected.sort_by(|a, b| standings.get(*a).compare(standings.get(*b)));
            assert_eq!(order.as_slice(), expected, "round {round}");
        }
    }

    #[test]
    fn ties_go_to_who_was_served_less_often_then_to_the_smaller_name() {
        let pool = pool(10_000);
        let (mut order, mut standings) = (Order::default(), Standings::default());
        for (at, name) in ["c", "b", "a"].into_iter().enumerate() {
            standings.put(at as u32, Standing::new(Arc::from(name), 1.0));
            order.insert(&mut standings, at as u32, &pool);
        }
        assert_eq!(order.as_slice(), [2, 1, 0]);
        order.settle(&mut standings, 2, &pool, |standing| standing.count += 1);
        assert_eq!(order.as_slice(), [1, 0, 2]);
    }

    #[test]
    fn a_weight_divides_the_share() {
        let pool = pool(10_000);
        let (mut order, mut standings) = (Order::default(), Standings::default());
        for (at, name, weight, amount) in [(0, "a", 1.0, 3_000), (1, "b", 2.0, 4_000)] {
            let mut standing = Standing::new(Arc::from(name), weight);
            standing.allocated = cpus(amount);
            standings.put(at, standing);
            order.insert(&mut standings, at, &pool);
        }
        assert_eq!(order.as_slice(), [1, 0]);
    }
}
