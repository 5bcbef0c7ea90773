//! Who is in the group.

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// A member of the group of masters, as far as an election cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The lowest one leads.
    pub sequence: i32,
    /// Says what form the member's data has.
    pub label: Option<String>,
    /// The member's name, which the group knows it by.
    pub name: String,
}

/// Members in the order of their sequence numbers.
pub type Members = BTreeSet<Member>;

impl Ord for Member {
    fn cmp(&self, other: &Member) -> Ordering {
        self.sequence.cmp(&other.sequence).then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for Member {
    fn partial_cmp(&self, other: &Member) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
