//! Chopping resources to a quota (`shrinkResources` of `src/common/resources_utils.cpp`).
//!
//! Which of several entries with one name is chopped is left to chance, so that no role's reservations are always the
//! ones to suffer.

use tepui_base::Rng;

use crate::{Limits, Quantities, Resource, Resources, Scalar};

impl Resources {
    /// A part of this with at most these amounts. Names without an amount are dropped, and so is what can be split
    /// only whole and does not fit.
    pub fn shrink_to(&self, mut target: Quantities, rng: &mut Rng) -> Resources {
        self.shrink(rng, |resource| {
            let shrunk = resource.shrink(target.get(resource.name()))?;
            target -= &amount_of(&shrunk);
            Some(shrunk)
        })
    }

    /// A part of this within these bounds. Names without a bound are kept whole.
    pub fn shrink_within(&self, mut limits: Limits, rng: &mut Rng) -> Resources {
        if limits.is_empty() {
            return self.clone();
        }
        self.shrink(rng, |resource| {
            let Some(bound) = limits.get(resource.name()) else { return Some(resource.clone()) };
            let shrunk = resource.shrink(bound)?;
            limits -= &amount_of(&shrunk);
            Some(shrunk)
        })
    }

    fn shrink(&self, rng: &mut Rng, shrunk: impl FnMut(&Resource) -> Option<Resource>) -> Resources {
        let mut entries: Vec<&Resource> = self.iter().collect();
        for last in (1..entries.len()).rev() {
            entries.swap(last, rng.below(last as u64 + 1) as usize);
        }
        entries.into_iter().filter_map(shrunk).collect()
    }
}

fn amount_of(resource: &Resource) -> Quantities {
    Quantities::from_iter([(resource.name().clone(), resource.amount().unwrap_or(Scalar::ZERO))])
}
