//! Whether a history of one variable could have happened one step after the other, each between its call and its return.
//!
//! The search of Wing and Gong ("Testing and verifying concurrent objects", 1993): any operation that was called before
//! every pending one returned may be next; what does not fit the model is taken back. What was tried in vain with the same
//! operations done and the same value left is not tried again (Lowe, 2017).

use std::collections::HashSet;

/// What was asked and answered. Values are never empty and never stored twice, so that a value names a version.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The value that was found; none if there was no variable.
    Fetch(Option<u32>),
    /// This value in place of the one that was fetched, if any was; whether it was stored.
    Store { known: Option<u32>, value: u32, outcome: Outcome },
    /// The variable away that had this value; whether it was.
    Expunge { known: Option<u32>, outcome: Outcome },
}

/// How a change went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Done,
    Refused,
    /// It was done, or will be at any time, or never.
    Unknown,
}

/// An operation, from its call to its return on a clock that all share.
#[derive(Clone, Debug)]
pub struct Operation {
    pub called: u64,
    pub returned: u64,
    pub step: Step,
}

impl Operation {
    fn outcome(&self) -> Outcome {
        match self.step {
            Step::Fetch(_) => Outcome::Done,
            Step::Store { outcome, .. } | Step::Expunge { outcome, .. } => outcome,
        }
    }
}

/// What the variable holds after the step, if the step can be made when it holds `value`.
fn apply(value: Option<u32>, step: &Step) -> Option<Option<u32>> {
    let (may, after, outcome) = match step {
        Step::Fetch(found) => return (*found == value).then_some(value),
        Step::Store { known, value: new, outcome } => (value.is_none() || value == *known, Some(*new), outcome),
        Step::Expunge { known, outcome } => (value.is_some() && value == *known, None, outcome),
    };
    match (outcome, may) {
        (Outcome::Done, true) => Some(after),
        (Outcome::Refused, false) => Some(value),
        (Outcome::Unknown, _) => Some(if may { after } else { value }),
        _ => None,
    }
}

/// Whether there is an order. At most 128 operations; the variable is not there at first.
pub fn is_linearizable(history: &[Operation]) -> bool {
    assert!(history.len() <= 128, "one bit for each");
    search(history, 0, None, &mut HashSet::new())
}

fn search(history: &[Operation], done: u128, value: Option<u32>, tried: &mut HashSet<(u128, Option<u32>)>) -> bool {
    let left = || history.iter().enumerate().filter(move |(at, _)| done >> at & 1 == 0);
    if left().all(|(_, operation)| operation.outcome() == Outcome::Unknown) {
        return true;
    }
    if !tried.insert((done, value)) {
        return false;
    }
    let returns = |operation: &Operation| match operation.outcome() {
        Outcome::Unknown => u64::MAX,
        _ => operation.returned,
    };
    let first = left().map(|(_, operation)| returns(operation)).min().unwrap_or(u64::MAX);
    left().filter(|(_, operation)| operation.called <= first).any(|(at, operation)| {
        apply(value, &operation.step).is_some_and(|after| search(history, done | 1 << at, after, tried))
    })
}

mod tests {
    use super::*;

    fn at(called: u64, returned: u64, step: Step) -> Operation {
        Operation { called, returned, step }
    }

    fn store(known: Option<u32>, value: u32, outcome: Outcome) -> Step {
        Step::Store { known, value, outcome }
    }

    #[test]
    fn what_could_have_happened_is_let_through() {
        use Outcome::{Done, Refused, Unknown};
        for history in [
            vec![],
            vec![at(0, 1, store(None, 1, Done)), at(2, 3, Step::Fetch(Some(1)))],
            // They overlap, so that either may be first.
            vec![at(0, 9, store(None, 1, Done)), at(1, 2, Step::Fetch(None)), at(3, 4, Step::Fetch(Some(1)))],
            vec![
                at(0, 1, store(None, 1, Done)),
                at(2, 5, store(Some(1), 2, Done)),
                at(3, 4, store(Some(1), 3, Refused)),
            ],
            // What nobody knows of may be seen later, or never.
            vec![at(0, 1, store(None, 1, Unknown)), at(2, 3, Step::Fetch(None)), at(4, 5, Step::Fetch(Some(1)))],
            vec![at(0, 1, store(None, 1, Unknown)), at(2, 3, Step::Fetch(None))],
            vec![
                at(0, 1, store(None, 1, Done)),
                at(2, 3, Step::Expunge { known: Some(1), outcome: Done }),
                at(4, 5, store(Some(1), 2, Done)),
                at(6, 7, Step::Expunge { known: Some(1), outcome: Refused }),
            ],
        ] {
            assert!(is_linearizable(&history), "{history:?}");
        }
    }

    #[test]
    fn what_cannot_have_happened_is_found() {
        use Outcome::{Done, Refused};
        for (what, history) in [
            ("an old value", vec![at(0, 1, store(None, 1, Done)), at(2, 3, Step::Fetch(None))]),
            (
                "a lost update",
                vec![
                    at(0, 1, store(None, 1, Done)),
                    at(2, 5, store(Some(1), 2, Done)),
                    at(3, 6, store(Some(1), 3, Done)),
                ],
            ),
            (
                "a refused store that is seen",
                vec![
                    at(0, 1, store(None, 1, Done)),
                    at(2, 3, store(Some(1), 2, Refused)),
                    at(4, 5, Step::Fetch(Some(2))),
                ],
            ),
            ("a refusal without a reason", vec![at(0, 1, store(None, 1, Refused))]),
            (
                "back in time",
                vec![at(0, 9, store(None, 1, Done)), at(1, 2, Step::Fetch(Some(1))), at(3, 4, Step::Fetch(None))],
            ),
            ("away without being there", vec![at(0, 1, Step::Expunge { known: Some(1), outcome: Done })]),
        ] {
            assert!(!is_linearizable(&history), "{what}");
        }
    }
}
