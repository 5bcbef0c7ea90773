//! Who is served next: weighted dominant resource fairness (`sorter/drf/sorter.cpp`).
//!
//! A [`Standing`] is what one contender (a framework in its role, a role among its siblings) has and how it compares;
//! an [`Order`] keeps contenders sorted by their standings. A change of one standing moves one entry of an order;
//! only a change of the pool (an agent came, went or grew) makes every share, and so every order, stale.
//!
//! Not done here: the random sorter of Mesos.

mod order;
mod standing;

pub use order::Order;
pub use standing::{Standing, Standings};
