//! A set of positions, kept as the runs it consists of.

use std::collections::BTreeMap;

/// A set of positions. A log is learned nearly everywhere, so it is a run or two however long the log is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    /// First position of each run to its last. Runs neither overlap nor touch.
    runs: BTreeMap<u64, u64>,
}

impl Intervals {
    /// Adds one position.
    pub fn insert(&mut self, position: u64) {
        let (mut first, mut last) = (position, position);
        if let Some((&before, &until)) = self.runs.range(..=position).next_back() {
            if until >= position {
                return;
            }
            if until + 1 == position {
                first = before;
            }
        }
        if let Some(&until) = position.checked_add(1).and_then(|next| self.runs.get(&next)) {
            self.runs.remove(&(position + 1));
            last = until;
        }
        self.runs.insert(first, last);
    }

    /// Takes one position out.
    pub fn remove(&mut self, position: u64) {
        let Some((&first, &last)) = self.runs.range(..=position).next_back() else { return };
        if last < position {
            return;
        }
        self.runs.remove(&first);
        if first < position {
            self.runs.insert(first, position - 1);
        }
        if position < last {
            self.runs.insert(position + 1, last);
        }
    }

    /// Takes every position before `to` out.
    pub fn remove_before(&mut self, to: u64) {
        let kept = self.runs.split_off(&to);
        let cut = self.runs.values().next_back().copied().filter(|last| *last >= to);
        self.runs = kept;
        if let Some(last) = cut {
            self.runs.insert(to, last);
        }
    }

    /// Whether a position is in it.
    pub fn contains(&self, position: u64) -> bool {
        self.runs.range(..=position).next_back().is_some_and(|(_, last)| *last >= position)
    }

    /// The first position at or after `from` that is not in it; nothing if all of them are.
    pub fn first_outside(&self, from: u64) -> Option<u64> {
        match self.runs.range(..=from).next_back() {
            Some((_, last)) if *last >= from => last.checked_add(1),
            _ => Some(from),
        }
    }

    /// How many positions from `first` to `last`, both included, are not in it. Saturates.
    pub fn count_outside(&self, first: u64, last: u64) -> u64 {
        let mut missing = 0u64;
        let mut at = first;
        while let Some(next) = self.first_outside(at).filter(|next| *next <= last) {
            let until = self.runs.range(next..).next().map_or(last, |(run, _)| last.min(run - 1));
            missing = missing.saturating_add(until - next).saturating_add(1);
            let Some(after) = until.checked_add(1) else { break };
            at = after;
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tepui_base::Rng;

    #[test]
    fn it_holds_what_a_plain_set_holds() {
        let mut rng = Rng::new(11);
        let (mut intervals, mut plain) = (Intervals::default(), BTreeSet::new());
        for _ in 0..4000 {
            let position = rng.below(40);
            match rng.below(20) {
                0 => {
                    intervals.remove_before(position);
                    plain = plain.split_off(&position);
                }
                1..9 => {
                    intervals.remove(position);
                    plain.remove(&position);
                }
                _ => {
                    intervals.insert(position);
                    plain.insert(position);
                }
            }
            for at in 0..42 {
                assert_eq!(intervals.contains(at), plain.contains(&at), "{intervals:?}");
                assert_eq!(intervals.first_outside(at), (at..).find(|at| !plain.contains(at)));
            }
            let (first, last) = (rng.below(40), rng.below(42));
            let missing = (first..=last).filter(|at| !plain.contains(at)).count();
            assert_eq!(intervals.count_outside(first, last), missing as u64, "{intervals:?} {first} {last}");
            let touching = intervals.runs.iter().zip(intervals.runs.iter().skip(1)).any(|(a, b)| a.1 + 1 >= *b.0);
            assert!(!touching, "{intervals:?}");
        }
    }

    #[test]
    fn the_last_position_there_is() {
        let mut intervals = Intervals::default();
        intervals.insert(u64::MAX);
        intervals.insert(u64::MAX - 1);
        assert_eq!(intervals.first_outside(u64::MAX - 1), None);
        intervals.remove(u64::MAX);
        assert_eq!(intervals.first_outside(u64::MAX - 1), Some(u64::MAX));
    }
}
