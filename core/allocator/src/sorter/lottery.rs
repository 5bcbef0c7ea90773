//! The random order: who has more weight is more likely to be served early (`sorter/random/sorter.cpp`).

use tepui_base::Rng;

/// Contenders that are drawn one after the other, each with a chance in proportion to its weight among those left.
/// Drawing as many as are needed costs less than shuffling all.
#[derive(Clone, Debug)]
pub struct Lottery<T> {
    tickets: Vec<(T, f64)>,
    weights: f64,
}

impl<T> Lottery<T> {
    /// All contenders and their weights, which are positive.
    pub fn new(tickets: Vec<(T, f64)>) -> Lottery<T> {
        let weights = tickets.iter().map(|(_, weight)| weight).sum();
        Lottery { tickets, weights }
    }

    /// The next one.
    pub fn draw(&mut self, rng: &mut Rng) -> Option<T> {
        let mut drawn = rng.unit() * self.weights;
        // Rounding may leave a little of the sum; then the last one is meant.
        let last = self.tickets.len().checked_sub(1)?;
        let at = self.tickets.iter().position(|(_, weight)| {
            drawn -= weight;
            drawn < 0.0
        });
        let (ticket, weight) = self.tickets.swap_remove(at.unwrap_or(last));
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
        for (count, expected) in first.into_iter().zip([1_000, 2_000, 3_000]) {
            assert!(count.abs_diff(expected) < 200, "{first:?}");
        }
    }
}
