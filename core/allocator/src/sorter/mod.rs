//! Who is served next: by weighted dominant resource fairness (`sorter/drf/sorter.cpp`), or at random.
//!
//! A [`Standing`] is what one contender (a framework in its role, a role among its siblings) has and how it compares;
//! an [`Order`] keeps contenders sorted by their standings. A change of one standing moves one entry of an order;
//! only a change of the pool (an agent came, went or grew) makes every share, and so every order, stale.
//! A [`Lottery`] draws contenders by weight instead.

mod lottery;
mod order;
mod standing;

pub use lottery::{Lottery, Turns};
pub use order::Order;
pub use standing::{Standing, Standings};

/// How roles, and the frameworks in each, take turns (`--role_sorter`, `--framework_sorter`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorter {
    /// The smallest weighted dominant share first.
    #[default]
    Drf,
    /// At random, roles with more weight more likely early.
    Random,
}
