//! Sets of text items.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{AddAssign, SubAssign};
use std::sync::Arc;

/// Distinct items in the order in which they came; equality does not look at the order.
///
/// Sets are small and rare (block devices, for instance), so an item is looked for one by one; only where two large ones
/// meet, in an index made for the purpose.
#[derive(Clone, Debug, Default)]
pub struct Set(Vec<Arc<str>>);

/// Up to so many items are looked for one by one.
const FEW: usize = 16;

/// Tells whether an item is in a set.
enum Index<'a> {
    Listed(&'a [Arc<str>]),
    Sorted(BTreeSet<&'a str>),
}

impl Index<'_> {
    fn has(&self, item: &str) -> bool {
        match self {
            Index::Listed(items) => items.iter().any(|known| **known == *item),
            Index::Sorted(items) => items.contains(item),
        }
    }
}

impl Set {
    /// The distinct items among some texts.
    pub fn new<'a>(items: impl IntoIterator<Item = &'a str>) -> Set {
        let mut seen = BTreeSet::new();
        Set(items.into_iter().filter(|item| seen.insert(*item)).map(Arc::from).collect())
    }

    /// The items in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|item| &**item)
    }

    /// True if there is no item in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many items there are in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if every item of `other` is in it.
    pub fn contains(&self, other: &Set) -> bool {
        let index = self.index(other.len());
        other.len() <= self.len() && other.iter().all(|item| index.has(item))
    }

    /// True if some item is in both.
    pub fn intersects(&self, other: &Set) -> bool {
        let index = self.index(other.len());
        other.iter().any(|item| index.has(item))
    }

    /// For so many questions.
    fn index(&self, questions: usize) -> Index<'_> {
        match questions.min(self.len()) <= FEW {
            true => Index::Listed(&self.0),
            false => Index::Sorted(self.iter().collect()),
        }
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Set) -> bool {
        self.len() == other.len() && self.contains(other)
    }
}

impl Eq for Set {}

/// Union.
impl AddAssign<&Set> for Set {
    fn add_assign(&mut self, other: &Set) {
        let index = self.index(other.len());
        let new: Vec<Arc<str>> = other.0.iter().filter(|item| !index.has(item)).cloned().collect();
        self.0.extend(new);
    }
}

/// Set difference.
impl SubAssign<&Set> for Set {
    fn sub_assign(&mut self, other: &Set) {
        let index = other.index(self.len());
        self.0.retain(|item| !index.has(item));
    }
}

/// `{a, b}`.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0.join(", "))
    }
}
