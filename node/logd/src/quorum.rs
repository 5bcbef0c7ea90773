//! What a log was last started with, in a file beside its directory, and whether a new start contradicts it.
//!
//! Two majorities of one group always share a member, and that is all that keeps a log in one piece. A quorum that changes
//! between two starts, or one that is no majority of its group, breaks it without a sound (MESOS-1546). So both are written
//! down, the largest group that was ever listed at once, and a start that says something else is refused. The file stands beside the directory and not in it, because
//! 1.11 reads every key of its database as a record, and an operator who empties the directory keeps the group.
//!
//! It also says how far the directory was, so that an old copy of it is not taken for it: a replica that votes with what it
//! held a week ago breaks promises and forgets what was decided with its help. Its peers cannot tell, as they do not know what
//! each other promised, and one that is merely behind must go on voting.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tepui_log::{Restored, records::Status};
use tepui_store::disk::Disk;
use tepui_store::small_file;
use tepui_wire::Upid;

/// What a log is started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// How many replicas decide.
    pub quorum: usize,
    /// The other replicas; none known if they are found by and by.
    pub others: BTreeSet<Upid>,
    /// How far the directory was at the last start.
    pub reached: Reached,
}

/// How far a replica's directory is. Neither ever becomes less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The highest proposal that was promised for all positions.
    pub promised: u64,
    /// The last position that was written.
    pub end: u64,
}

/// What to do if a contradiction is meant.
const OVERRIDE: &str = "If it is meant, give --accept_other_quorum for this one start; how a group is changed safely is in \
                        docs/protocols/replicated-log.md";

/// Why a start is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Another quorum than last time.
    #[error(
        "the quorum is {wanted}, but this log was last started with a quorum of {recorded} ({}). Logs whose replicas \
         disagree about the quorum lose what was written. {OVERRIDE}", file.display()
    )]
    Quorum {
        /// That of this start.
        wanted: usize,
        /// That of the last one.
        recorded: usize,
        /// Where it is written down.
        file: PathBuf,
    },
    /// A quorum that is no majority.
    #[error(
        "a quorum of {quorum} is no majority of {members} replicas: two halves of the group could decide different things. \
         Stop those that are too many, or give --quorum={} to all, and, once, --accept_other_quorum", members / 2 + 1
    )]
    NoMajority {
        /// The quorum.
        quorum: usize,
        /// Replicas, this one included.
        members: usize,
    },
    /// A group that has nothing to do with the one of last time.
    #[error(
        "none of the replicas this log was last started with is in the group now ({}): this is the directory of \
         another log. {OVERRIDE}", file.display()
    )]
    OtherGroup {
        /// Where they are written down.
        file: PathBuf,
    },
    /// A directory that was further once.
    #[error(
        "the log ends at position {} with {} promised, and it was at {} with {} when this replica was last started ({}): an \
         old copy was put back, which has forgotten what it promised and accepted since. If there are other replicas, move the \
         directory away and start again: this one catches up from them. If there are none, what was written since is lost. \
         {OVERRIDE}", now.end, now.promised, then.end, then.promised, file.display()
    )]
    Older {
        /// How far it is.
        now: Reached,
        /// How far it was.
        then: Reached,
        /// Where that is written down.
        file: PathBuf,
    },
    /// A file that is not of this form.
    #[error("{} cannot be understood: {what}. {OVERRIDE}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// The file of a log's directory.
pub fn file(directory: &Path) -> PathBuf {
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(".quorum");
    directory.with_file_name(name)
}

const HEAD: &str =
    "# What this replica of the log was last started with; a start that says something else is refused.\n";

impl Membership {
    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEAD}quorum = {}\n", self.quorum);
        // Writing to a string cannot fail.
        for other in &self.others {
            let _ = writeln!(text, "member = {other}");
        }
        if self.reached != Reached::default() {
            let _ = writeln!(text, "# promised = {}\n# end = {}", self.reached.promised, self.reached.end);
        }
        text
    }

    /// Reads the text of the file; what is wrong with it otherwise.
    pub fn from_text(text: &str) -> Result<Membership, String> {
        let mut membership = Membership::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // How far a directory was stands in comments, so that versions that do not know of it read the rest.
            let far =
                line.strip_prefix("# ").filter(|rest| rest.starts_with("promised =") || rest.starts_with("end ="));
            let Some(line) = far.or((!line.starts_with('#')).then_some(line)) else { continue };
            let wrong = || format!("the line '{line}'");
            let (key, value) = line.split_once('=').ok_or_else(wrong)?;
            match key.trim() {
                "quorum" => membership.quorum = value.trim().parse().map_err(|_| wrong())?,
                "member" => drop(membership.others.insert(Upid::parse(value).ok_or_else(wrong)?)),
                "promised" => membership.reached.promised = value.trim().parse().map_err(|_| wrong())?,
                "end" => membership.reached.end = value.trim().parse().map_err(|_| wrong())?,
                _ => return Err(wrong()),
            }
        }
        if membership.quorum == 0 { Err("it names no quorum".to_owned()) } else { Ok(membership) }
    }

    /// How many replicas there are, this one included.
    pub fn members(&self) -> usize {
        self.others.len() + 1
    }

    /// Whether the quorum is a majority of the group.
    pub fn check_majority(&self) -> Result<(), Contradiction> {
        let (quorum, members) = (self.quorum, self.members());
        if 2 * quorum > members { Ok(()) } else { Err(Contradiction::NoMajority { quorum, members }) }
    }

    /// Whether it goes on where `recorded`, read from `file`, left off.
    pub fn check_against(&self, recorded: &Membership, file: &Path) -> Result<(), Contradiction> {
        if self.quorum != recorded.quorum {
            let (wanted, recorded) = (self.quorum, recorded.quorum);
            return Err(Contradiction::Quorum { wanted, recorded, file: file.to_owned() });
        }
        // A member that was replaced begins empty and catches up before it votes, so the group may change by parts.
        let strangers = !self.others.is_empty() && !recorded.others.is_empty();
        if strangers && self.others.is_disjoint(&recorded.others) {
            return Err(Contradiction::OtherGroup { file: file.to_owned() });
        }
        Ok(())
    }
}

/// Why a membership cannot be checked or written down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It contradicts what was recorded.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// The file cannot be read or written.
    #[error(transparent)]
    Store(#[from] tepui_store::Error),
}

/// Checks a start against the file, and writes it down; what is written there now. With `accept` what the file says is
/// replaced; that a quorum must be a majority of a group that is known holds all the same. A group of before of which it is none
/// is no reason not to start: the replica does not vote until those that were too many have left. Nor is a file that cannot be
/// written, unless something is accepted.
pub fn check_and_record(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    wanted: &Membership,
    accept: bool,
) -> Result<Membership, Error> {
    wanted.check_majority()?;
    let recorded = match recorded(disk, directory) {
        Err(Error::Contradiction(_)) if accept => None,
        other => other?,
    };
    let mut membership = wanted.clone();
    if let Some(recorded) = &recorded {
        membership.reached = recorded.reached;
    }
    if let Some(recorded) = recorded.as_ref().filter(|_| !accept) {
        wanted.check_against(recorded, &file(directory))?;
        // Members that are down, or found by and by, are not forgotten.
        if wanted.others.len() < recorded.others.len() {
            membership.others.clone_from(&recorded.others);
        }
    }
    if recorded.as_ref() != Some(&membership) {
        record_start(disk, directory, &membership, accept)?;
    }
    Ok(membership)
}

/// Writes down a start. One that contradicts nothing goes on where that fails: Mesos, which has no such file, starts where the
/// directory's parent may not be written. What was accepted must be written down, or the next start is refused.
fn record_start(disk: &Arc<dyn Disk>, directory: &Path, membership: &Membership, accept: bool) -> Result<(), Error> {
    let recorded = record(disk, directory, membership);
    if accept {
        return recorded;
    }
    if let Err(error) = recorded {
        tracing::warn!(%error, "what this replica of the log is started with cannot be written down: the next start is not \
            held against it");
    }
    Ok(())
}

/// Checks a directory that was opened against how far it was at the last start, and writes down how far it is; with `accept` only the latter.
/// A replica that is empty may have forgotten anything: it catches up before it votes.
pub fn check_and_record_reached(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    membership: Membership,
    restored: &Restored,
    accept: bool,
) -> Result<Membership, Error> {
    let metadata = restored.metadata();
    let (now, then) = (Reached { promised: metadata.promised, end: restored.range().1 }, membership.reached);
    let is_voting = metadata.status == Status::Voting && !accept;
    if is_voting && (now.promised < then.promised || now.end < then.end) {
        return Err(Contradiction::Older { now, then, file: file(directory) }.into());
    }
    let membership = Membership { reached: now, ..membership };
    if now != then {
        record_start(disk, directory, &membership, accept)?;
    }
    Ok(membership)
}

/// A directory was made anew on purpose: how far the one before was counts no more.
pub fn forget_reached(disk: &Arc<dyn Disk>, directory: &Path) -> Result<(), Error> {
    match recorded(disk, directory)? {
        Some(known) if known.reached != Reached::default() => {
            record(disk, directory, &Membership { reached: Reached::default(), ..known })
        }
        _ => Ok(()),
    }
}

/// Writes down what the next start must not contradict.
pub fn record(disk: &Arc<dyn Disk>, directory: &Path, membership: &Membership) -> Result<(), Error> {
    Ok(small_file::write(disk, &file(directory), membership.to_text().as_bytes())?)
}

/// What the log of a directory was last started with, if it ever was.
pub fn recorded(disk: &Arc<dyn Disk>, directory: &Path) -> Result<Option<Membership>, Error> {
    let file = file(directory);
    let Some(bytes) = small_file::read(disk, &file)? else { return Ok(None) };
    let unreadable = |what| Contradiction::Unreadable { file: file.clone(), what };
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not text".to_owned()))?;
    Ok(Some(Membership::from_text(&text).map_err(unreadable)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_store::disk::Recorder;

    fn membership(quorum: usize, ports: &[u16]) -> Membership {
        let other = |port: &u16| Upid::new("log-replica(1)", [10, 0, 0, 1].into(), *port);
        Membership { quorum, others: ports.iter().map(other).collect(), ..Membership::default() }
    }

    #[test]
    fn the_text_comes_back() {
        let mut membership = membership(2, &[1, 2]);
        assert_eq!(Membership::from_text(&membership.to_text()), Ok(membership.clone()));
        membership.reached = Reached { promised: 3, end: 70 };
        assert_eq!(Membership::from_text(&membership.to_text()), Ok(membership.clone()));
        membership.reached = Reached::default();
        let text = membership.to_text();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["quorum = 2", "member = log-replica(1)@10.0.0.1:1", "member = log-replica(1)@10.0.0.1:2"]);
        for wrong in ["", "quorum = x", "quorum 2", "quorum = 2\nmember = nobody", "quorum = 2\nother = 1"] {
            assert!(Membership::from_text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_contradicting_start_is_refused_until_it_is_accepted() {
        let disk: Arc<dyn Disk> = Arc::new(Recorder::default());
        let directory = Path::new("/m/replicated_log");
        let start = |wanted, accept| check_and_record(&disk, directory, &wanted, accept).map_err(|e| e.to_string());
        start(membership(2, &[1, 2]), false).unwrap();
        start(membership(2, &[2, 3]), false).unwrap();
        start(membership(2, &[]), false).unwrap();
        let error = start(membership(3, &[2, 3]), false).unwrap_err();
        assert!(error.starts_with("the quorum is 3, but") && error.contains("/m/replicated_log.quorum"), "{error}");
        assert!(start(membership(2, &[8, 9]), false).unwrap_err().starts_with("none of the replicas"));
        start(membership(3, &[2, 3]), true).unwrap();
        start(membership(3, &[2, 3]), false).unwrap();
        let error = start(membership(2, &[2, 3, 4]), true).unwrap_err();
        assert!(error.starts_with("a quorum of 2 is no majority of 4 replicas"), "{error}");
        start(membership(3, &[2]), false).unwrap();
        assert_eq!(recorded(&disk, directory).unwrap(), Some(membership(3, &[2, 3])), "one is down");
        record(&disk, directory, &membership(3, &[2, 3, 4, 5, 6])).unwrap();
        start(membership(3, &[]), false).unwrap();
        let known = recorded(&disk, directory).unwrap().unwrap();
        let error = known.check_majority().unwrap_err().to_string();
        assert!(error.starts_with("a quorum of 3 is no majority of 6 replicas"), "not forgotten: {error}");
        assert!(error.contains("--quorum=4 to all, and, once, --accept_other_quorum"), "{error}");
        start(membership(3, &[]), true).unwrap();
        assert_eq!(recorded(&disk, directory).unwrap(), Some(membership(3, &[])));
        small_file::write(&disk, &file(directory), b"what").unwrap();
        assert!(start(membership(3, &[]), false).unwrap_err().contains("cannot be understood"));
        start(membership(3, &[]), true).unwrap();
    }
}
