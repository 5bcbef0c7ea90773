//! Sets of whole numbers as sorted, disjoint, coalesced ranges (ports, mostly).

use std::fmt;
use std::ops::{AddAssign, SubAssign};

use smallvec::SmallVec;

/// Whole numbers from `begin` to `end`, both included; `begin <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The smallest number.
    pub begin: u64,
    /// The largest number.
    pub end: u64,
}

/// A set of whole numbers. Between two ranges there is always at least one number that is in neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ranges(SmallVec<[Range; 2]>);

impl Ranges {
    /// The union of some ranges, in any order, overlapping or not. An inverted pair is left out.
    pub fn new(pairs: impl IntoIterator<Item = (u64, u64)>) -> Ranges {
        let mut all: SmallVec<[Range; 2]> =
            pairs.into_iter().filter(|(begin, end)| begin <= end).map(|(begin, end)| Range { begin, end }).collect();
        if !is_coalesced(&all) {
            all.sort_unstable();
            coalesce(&mut all);
        }
        Ranges(all)
    }

    /// The ranges in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range> + '_ {
        self.0.iter().copied()
    }

    /// True if there is no number in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many numbers there are in it (saturating at `u64::MAX`).
    pub fn count(&self) -> u64 {
        self.iter().fold(0u64, |sum, range| sum.saturating_add((range.end - range.begin).saturating_add(1)))
    }

    /// True if the number is in it.
    pub fn contains_number(&self, number: u64) -> bool {
        self.iter().any(|range| range.begin <= number && number <= range.end)
    }

    /// True if every number of `other` is in it.
    pub fn contains(&self, other: &Ranges) -> bool {
        let mut mine = self.iter().peekable();
        other.iter().all(|range| {
            while mine.next_if(|candidate| candidate.end < range.begin).is_some() {}
            mine.peek().is_some_and(|candidate| candidate.begin <= range.begin && range.end <= candidate.end)
        })
    }
}

/// True if the ranges are sorted and no two of them touch.
fn is_coalesced(ranges: &[Range]) -> bool {
    ranges.windows(2).all(|pair| pair[0].end.saturating_add(1) < pair[1].begin)
}

/// Joins neighbours of a sorted list that overlap or touch.
fn coalesce(sorted: &mut SmallVec<[Range; 2]>) {
    sorted.dedup_by(|next, last| {
        let joins = next.begin <= last.end.saturating_add(1);
        if joins {
            last.end = last.end.max(next.end);
        }
        joins
    });
}

/// Union.
impl AddAssign<&Ranges> for Ranges {
    fn add_assign(&mut self, other: &Ranges) {
        if other.is_empty() {
            return;
        }
        self.0.extend_from_slice(&other.0);
        if !is_coalesced(&self.0) {
            self.0.sort_unstable();
            coalesce(&mut self.0);
        }
    }
}

/// Set difference; what `other` has and `self` has not does not matter.
impl SubAssign<&Ranges> for Ranges {
    fn sub_assign(&mut self, other: &Ranges) {
        if other.is_empty() {
            return;
        }
        let mut left: SmallVec<[Range; 2]> = SmallVec::new();
        let mut holes = other.iter().peekable();
        for range in self.iter() {
            while holes.next_if(|hole| hole.end < range.begin).is_some() {}
            cut(range, &mut holes, &mut left);
        }
        self.0 = left;
    }
}

/// Pushes what is left of one range without the holes. The hole that reaches past the range stays for the next one.
fn cut(range: Range, holes: &mut std::iter::Peekable<impl Iterator<Item = Range>>, left: &mut SmallVec<[Range; 2]>) {
    let mut begin = range.begin;
    while let Some(hole) = holes.peek().copied().filter(|hole| hole.begin <= range.end) {
        if begin < hole.begin {
            left.push(Range { begin, end: hole.begin - 1 });
        }
        if hole.end >= range.end {
            return;
        }
        begin = hole.end + 1;
        holes.next();
    }
    left.push(Range { begin, end: range.end });
}

/// `[1-4, 7-7]`.
impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, range) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}-{}", range.begin, range.end)?;
        }
        f.write_str("]")
    }
}
