//! The random order: who has more weight is more likely to be served early (`sorter/random/sorter.cpp`).

use tepui_base::Rng;

/// Contenders that are drawn one after the other, each with a chance in proportion to its weight among those left.
/// Drawing as many as are needed costs less than shuffling all.
#[derive(Clone, Debug)]
pub struct Lottery<T> {
    tickets: Vec<(T, f64)>,
    weights: f64,
    /// All weights are equal: whom a draw means is found without looking at them.
    is_even: bool,
}

impl<T> Lottery<T> {
    /// All contenders and their weights, which are positive.
    pub fn new(tickets: Vec<(T, f64)>) -> Lottery<T> {
        let weights = tickets.iter().map(|(_, weight)| weight).sum();
        let is_even = tickets.windows(2).all(|pair| pair[0].1 == pair[1].1);
        Lottery { tickets, weights, is_even }
    }

    /// The next one.
    pub fn draw(&mut self, rng: &mut Rng) -> Option<T> {
        let last = self.tickets.len().checked_sub(1)?;
        let mut drawn = rng.unit() * self.weights;
        let at = match self.is_even {
            true => (drawn / self.tickets[last].1) as usize,
            false => {
                let is_meant = |(_, weight): &(T, f64)| {
                    drawn -= weight;
                    drawn < 0.0
                };
                self.tickets.iter().position(is_meant).unwrap_or(last)
            }
        };
        // Rounding may leave a little of the sum; then the last one is meant.
        let (ticket, weight) = self.tickets.swap_remove(at.min(last));
        self.weights -= weight;
        Some(ticket)
    }
}

/// Contenders in the order in which they are served, by either sorter.
pub enum Turns<I: Iterator> {
    /// As sorted by share.
    Sorted(I),
    /// As drawn.
    Drawn(Lottery<I::Item>),
}

impl<I: Iterator> Turns<I> {
    /// The next one.
    pub fn next(&mut self, rng: &mut Rng) -> Option<I::Item> {
        match self {
            Turns::Sorted(sorted) => sorted.next(),
            Turns::Drawn(lottery) => lottery.draw(rng),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_is_likelihood_and_each_is_drawn_once() {
        let mut rng = Rng::new(3);
        let mut first = [0_u32; 3];
        for _ in 0..6_000 {
            let mut lottery = Lottery::new(vec![(0, 1.0), (1, 2.0), (2, 3.0)]);
            let mut drawn: Vec<usize> = std::iter::from_fn(|| lottery.draw(&mut rng)).collect();
            first[drawn[0]] += 1;
            drawn.sort_unstable();
            assert_eq!(drawn, [0, 1, 2]);
        }
        let mut even = Lottery::new((0..100).map(|ticket| (ticket, 0.01)).collect());
        let mut drawn: Vec<i32> = std::iter::from_fn(|| even.draw(&mut rng)).collect();
        assert_ne!(drawn, (0..100).collect::<Vec<_>>());
        drawn.sort_unstable();
        assert_eq!(drawn, (0..100).collect::<Vec<_>>());
        for (count, expected) in first.into_iter().zip([1_000, 2_000, 3_000]) {
            assert!(count.abs_diff(expected) < 200, "{first:?}");
        }
    }
}
