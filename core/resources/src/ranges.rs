//! Sets of whole numbers as sorted, disjoint, coalesced ranges (ports, mostly).

use std::fmt;
use std::iter::Peekable;
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
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Ranges(SmallVec<[Range; 2]>);

impl Clone for Ranges {
    fn clone(&self) -> Ranges {
        // That of `SmallVec` goes number by number.
        Ranges(SmallVec::from_slice(&self.0))
    }
}

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

    /// True if some number is in both.
    pub fn intersects(&self, other: &Ranges) -> bool {
        let (many, few) = if self.0.len() < other.0.len() { (other, self) } else { (self, other) };
        few.iter().any(|range| {
            let at = many.0.partition_point(|candidate| candidate.end < range.begin);
            many.0.get(at).is_some_and(|candidate| candidate.begin <= range.end)
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

/// Up to so many ranges are joined or cut one by one, in place; more are done in one pass over both. A task holds a
/// port or two of an agent's hundreds of ranges, and that must not allocate.
const FEW: usize = 8;

/// Union.
impl AddAssign<&Ranges> for Ranges {
    fn add_assign(&mut self, other: &Ranges) {
        if other.0.len() <= FEW {
            return other.iter().for_each(|range| self.join(range));
        }
        self.0.extend_from_slice(&other.0);
        self.0.sort_unstable();
        coalesce(&mut self.0);
    }
}

/// Set difference; what `other` has and `self` has not does not matter.
impl SubAssign<&Ranges> for Ranges {
    fn sub_assign(&mut self, other: &Ranges) {
        if other.0.len() <= FEW {
            return other.iter().for_each(|hole| self.cut(hole));
        }
        let mut left = SmallVec::new();
        let mut holes = other.iter().peekable();
        for range in self.iter() {
            while holes.next_if(|hole| hole.end < range.begin).is_some() {}
            push_without(range, &mut holes, &mut left);
        }
        self.0 = left;
    }
}

impl Ranges {
    /// Adds one range, and makes one of it and all it touches.
    fn join(&mut self, range: Range) {
        let from = self.0.partition_point(|mine| mine.end.saturating_add(1) < range.begin);
        let to = self.0.partition_point(|mine| mine.begin <= range.end.saturating_add(1));
        let begin = self.0[from..to].first().map_or(range.begin, |first| first.begin.min(range.begin));
        let end = self.0[from..to].last().map_or(range.end, |last| last.end.max(range.end));
        self.replace(from, to, &[Range { begin, end }]);
    }

    /// Takes one range away; of those it touches, at most the two ends are left.
    fn cut(&mut self, hole: Range) {
        let from = self.0.partition_point(|mine| mine.end < hole.begin);
        let to = self.0.partition_point(|mine| mine.begin <= hole.end);
        let (Some(first), Some(last)) = (self.0[from..to].first(), self.0[from..to].last()) else { return };
        let low = (first.begin < hole.begin).then(|| Range { begin: first.begin, end: hole.begin - 1 });
        let high = (hole.end < last.end).then(|| Range { begin: hole.end + 1, end: last.end });
        match (low, high) {
            (Some(low), Some(high)) => self.replace(from, to, &[low, high]),
            (Some(one), None) | (None, Some(one)) => self.replace(from, to, &[one]),
            (None, None) => self.replace(from, to, &[]),
        }
    }

    /// Puts other ranges in the place of some.
    fn replace(&mut self, from: usize, to: usize, with: &[Range]) {
        let kept = with.len().min(to - from);
        self.0[from..from + kept].copy_from_slice(&with[..kept]);
        if kept < with.len() {
            self.0.insert_from_slice(from + kept, &with[kept..]);
        } else {
            self.0.drain(from + kept..to);
        }
    }
}

/// Pushes what is left of one range without the holes. The hole that reaches past the range stays for the next one.
fn push_without(range: Range, holes: &mut Peekable<impl Iterator<Item = Range>>, left: &mut SmallVec<[Range; 2]>) {
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
            f.write_str(comma)?;
            f.write_str(itoa::Buffer::new().format(range.begin))?;
            f.write_str("-")?;
            f.write_str(itoa::Buffer::new().format(range.end))?;
        }
        f.write_str("]")
    }
}
