//! What kinds of worlds have in common, so that one command runs any of them.

use crate::report::Tally;
use std::io::Write;
use tepui_base::Rng;

/// A bug that can be planted.
pub trait Bug: Copy + Send + Sync + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// Its name on the command line.
    fn name(self) -> &'static str;

    /// What it does.
    fn what(self) -> &'static str;
}

/// Makes an enum of bugs, each with its name and what it does.
macro_rules! bugs {
    ($($bug:ident $name:literal $what:literal),+ $(,)?) => {
        /// One bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { $(#[doc = $what] $bug),+ }

        impl crate::kind::Bug for Bug {
            const ALL: &'static [Bug] = &[$(Bug::$bug),+];

            fn name(self) -> &'static str {
                match self { $(Bug::$bug => $name),+ }
            }

            fn what(self) -> &'static str {
                match self { $(Bug::$bug => $what),+ }
            }
        }
    };
}
pub(crate) use bugs;

/// A kind of world.
pub trait Kind {
    /// Its name on the command line.
    const NAME: &'static str;
    /// What is in it, for people.
    const CAST: &'static str;
    /// How long faults go on in a world with a planted bug, in seconds.
    const PLANTED_SECONDS: u64;
    /// What an hour must have seen to count, beside faults, and how often; a name in [`Tally::done`].
    const ENOUGH: (&'static str, u64);
    /// Bugs that can be planted in it.
    type Bug: Bug;

    /// Runs a world from beginning to end.
    fn run(plan: &Plan<Self::Bug>, log: Option<Box<dyn Write>>) -> Outcome;
}

/// What a world is to be.
pub struct Plan<B> {
    /// Where all chance comes from.
    pub seed: u64,
    /// How long faults go on, in seconds.
    pub seconds: u64,
    /// The bug in it, if any.
    pub bug: Option<B>,
}

/// What came of it.
pub struct Outcome {
    /// Counts.
    pub tally: Tally,
    /// What was wrong; empty: nothing.
    pub violations: Vec<String>,
}

/// The seed of an hour: the first hour's is that of the run, so that `--seed S --hours 1` replays any hour.
pub fn seed_of(run: u64, hour: u64) -> u64 {
    if hour == 0 { run } else { Rng::new(run ^ hour.wrapping_mul(0x9E37_79B9_7F4A_7C15)).next_u64() >> 16 }
}
