//! Sets of text items.

use std::fmt;
use std::ops::{AddAssign, SubAssign};
use std::sync::Arc;

/// Distinct items in the order in which they came; equality does not look at the order.
///
/// Sets are small and rare (block devices, for instance), so membership is a linear search.
#[derive(Clone, Debug, Default)]
pub struct Set(Vec<Arc<str>>);

impl Set {
    /// The distinct items among some texts.
    pub fn new<'a>(items: impl IntoIterator<Item = &'a str>) -> Set {
        let mut set = Set::default();
        items.into_iter().for_each(|item| set.insert(Arc::from(item)));
        set
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
        other.0.iter().all(|item| self.0.contains(item))
    }

    fn insert(&mut self, item: Arc<str>) {
        if !self.0.contains(&item) {
            self.0.push(item);
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
        other.0.iter().for_each(|item| self.insert(item.clone()));
    }
}

/// Set difference.
impl SubAssign<&Set> for Set {
    fn sub_assign(&mut self, other: &Set) {
        self.0.retain(|item| !other.0.contains(item));
    }
}

/// `{a, b}`.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0.join(", "))
    }
}
