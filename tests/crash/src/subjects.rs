//! All that is judged, by name.

use crate::judge::{self, Effort, Subject, Tried};
use crate::skip::Skip;

/// Something that keeps what it was told, without its types.
#[derive(Clone, Copy)]
pub struct Case {
    /// As it is printed and chosen.
    pub name: &'static str,
    /// What is judged.
    pub about: &'static str,
    /// The syncs it relies on.
    pub syncs: &'static [Skip],
    /// Tries disks.
    pub judge: fn(Effort) -> Result<Tried, String>,
    /// Whether a kind of sync that is left out is missed.
    pub misses: fn(Skip) -> bool,
}

const fn case<S: Subject>(name: &'static str, about: &'static str) -> Case {
    Case { name, about, syncs: S::SYNCS, judge: judge::judge::<S>, misses: judge::misses::<S> }
}

/// Every subject.
pub const CASES: [Case; 9] = [
    case::<crate::store::LevelDb>("store", "a LevelDB directory: every write, synced and lazy"),
    case::<crate::small_file::SmallFile>("small-file", "a small file that is replaced as a whole"),
    case::<crate::sidecar::Sidecar>("sidecar", "quorum and group of a log, in the file beside its directory"),
    case::<crate::log::Log>("log", "a replica and the writer of its log: appends, several under way, and truncations"),
    case::<crate::follower::Follower>("follower", "a replica of three: promises, and what others write at it"),
    case::<crate::follower::CatchingUp>("catching-up", "a replica that comes later, catches up and votes"),
    case::<crate::registry::Registry>("registry", "the registrar of a master, over a replicated log"),
    case::<crate::state::InLog>("state-log", "versioned variables in a replicated log"),
    case::<crate::state::InLevelDb>("state-leveldb", "versioned variables in a LevelDB directory"),
];

/// The subject of a name.
pub fn case_of(name: &str) -> Option<Case> {
    CASES.into_iter().find(|case| case.name == name)
}
