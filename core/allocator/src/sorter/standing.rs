//! What one contender has, and how two contenders compare.

use crate::amounts::{Amounts, Pool};
use std::cmp::Ordering;
use std::sync::Arc;

/// One contender: a framework in its role, or a role among its siblings.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The last tie-break: a framework's id, or a role's path.
    pub name: Arc<str>,
    /// Divides the share; positive.
    pub weight: f64,
    /// All scalar quantities offered or allocated to it. A shared resource counts once per agent.
    pub allocated: Amounts,
    /// How many times it was given something: between equal shares, who was served less often goes first.
    pub count: u64,
    /// The weighted dominant share as last computed.
    share: f64,
}

impl Standing {
    /// A contender who has nothing yet.
    pub fn new(name: Arc<str>, weight: f64) -> Standing {
        Standing { name, weight, allocated: Amounts::default(), count: 0, share: 0.0 }
    }

    /// The same history under another name, with weight 1.
    pub fn renamed(self, name: Arc<str>) -> Standing {
        Standing { name, weight: 1.0, ..self }
    }

    /// Computes the share anew.
    pub fn rate(&mut self, pool: &Pool) {
        self.share = pool.dominant_share(&self.allocated) / self.weight;
    }

    /// Smaller share first, then fewer allocations, then the name.
    pub fn compare(&self, other: &Standing) -> Ordering {
        self.share
            .total_cmp(&other.share)
            .then_with(|| self.count.cmp(&other.count))
            .then_with(|| self.name.cmp(&other.name))
    }
}

/// Standings by dense number; numbers of those gone are used again.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    slots: Vec<Option<Standing>>,
}

impl Standings {
    /// Puts a standing at a free place.
    pub fn put(&mut self, at: u32, standing: Standing) {
        let at = at as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        assert!(self.slots[at].is_none(), "the place of a new contender is free");
        self.slots[at] = Some(standing);
    }

    /// Frees a place.
    pub fn take(&mut self, at: u32) -> Standing {
        self.slots[at as usize].take().expect("a contender that leaves was there")
    }

    /// The standing of a contender that is there.
    pub fn get(&self, at: u32) -> &Standing {
        self.slots[at as usize].as_ref().expect("a contender in an order has a standing")
    }

    /// The standing to change. The caller keeps the order it stands in right: see [`super::Order::settle`].
    pub fn get_mut(&mut self, at: u32) -> &mut Standing {
        self.slots[at as usize].as_mut().expect("a contender in an order has a standing")
    }
}
