//! Clocks that go at rates of their own.

use tepui_base::{Instant, Now, Rng};

/// True time is a million of these.
const TRUE_RATE: u64 = 1_000_000;

/// A monotonic clock, by what it shows in true time.
#[derive(Clone, Copy, Debug)]
pub struct Skew {
    /// What it shows at the beginning.
    first: u64,
    /// How much it goes on in a million nanoseconds.
    rate: u64,
}

impl Skew {
    /// One that is right.
    pub const NONE: Skew = Skew { first: 0, rate: TRUE_RATE };

    /// One that is wrong by so many thousandths at most; often by just that much.
    pub fn within(thousandths: u32, rng: &mut Rng) -> Skew {
        let error = u64::from(thousandths) * TRUE_RATE / 1000;
        let rate = match rng.below(3) {
            0 => TRUE_RATE - error,
            1 => TRUE_RATE + error,
            _ => TRUE_RATE - error + rng.below(2 * error + 1),
        };
        Skew { first: rng.below(1 << 40), rate }
    }

    /// What it shows now.
    pub fn show(self, now: Now) -> Now {
        Now { monotonic: Instant(self.first + scale(now.monotonic.0, self.rate, TRUE_RATE)), ..now }
    }

    /// The true time at which it still shows no more than this.
    pub fn before(self, shown: Instant) -> Instant {
        Instant(scale(shown.0.saturating_sub(self.first), TRUE_RATE, self.rate))
    }

    /// The true time from which on it shows this.
    pub fn after(self, shown: Instant) -> Instant {
        if self.rate == TRUE_RATE && self.first == 0 { shown } else { Instant(self.before(shown).0.saturating_add(2)) }
    }
}

fn scale(nanos: u64, by: u64, of: u64) -> u64 {
    u64::try_from(u128::from(nanos) * u128::from(by) / u128::from(of)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_base::Wall;

    #[test]
    fn what_is_due_by_such_a_clock_is_due_at_its_true_time() {
        let mut rng = Rng::new(7);
        for _ in 0..1000 {
            let (skew, true_time) = (Skew::within(10, &mut rng), rng.below(1 << 42));
            let show = |at| skew.show(Now { monotonic: Instant(at), wall: Wall(0) }).monotonic;
            let shown = show(true_time);
            assert!(skew.before(shown).0 <= true_time && show(skew.before(shown).0) <= shown);
            assert!(show(skew.after(shown).0) >= shown && skew.after(shown).0 <= true_time + 3);
        }
        let now = Now { monotonic: Instant(5), wall: Wall(0) };
        assert_eq!((Skew::NONE.show(now).monotonic, Skew::NONE.after(Instant(5))), (Instant(5), Instant(5)));
    }
}
