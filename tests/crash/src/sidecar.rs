//! The file beside a log's directory: the quorum and the group that it was last started with, and how far the directory was.

use crate::judge::{Diary, Subject};
use crate::replica::DIR;
use crate::skip::Skip;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tepui_log::Restored;
use tepui_log::records::{METADATA_KEY, Metadata, Status, metadata_value};
use tepui_logd::quorum::{Membership, Reached, check_and_record, check_and_record_reached, recorded};
use tepui_store::disk::Disk;
use tepui_wire::Upid;

/// See the module's text.
pub struct Sidecar;

fn other(port: u16) -> Upid {
    Upid::new("log-replica(1)", [10, 0, 0, 1].into(), port)
}

fn membership(quorum: usize, ports: &[u16]) -> Membership {
    Membership { quorum, others: ports.iter().copied().map(other).collect(), ..Membership::default() }
}

/// A directory in which so much was promised.
fn promised(promised: u64) -> Restored {
    let metadata = metadata_value(Metadata { status: Status::Voting, promised });
    Restored::from_pairs(&BTreeMap::from([(METADATA_KEY.to_vec(), metadata)])).unwrap()
}

/// The member that is there only since the recovery.
const NEW: u16 = 9;

impl Subject for Sidecar {
    /// Without the member that came with the recovery.
    type Content = Option<Membership>;
    type Running = ();

    // The names in the file's own directory are synced after the rename, and those above it when the directory is made.
    const SYNCS: &'static [Skip] = &[Skip::File("quorum"), Skip::DirAfterRename("/m"), Skip::DirOtherwise("/")];

    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<Self::Content>) {
        let starts = [
            (membership(3, &[1, 2, 3]), false),
            (membership(3, &[2, 3, 4]), false),
            (membership(2, &[4]), true),
            (membership(2, &[5]), true),
        ];
        let mut reached = Reached::default();
        for (mut wanted, accept) in starts {
            let (begun, dir) = (diary.now(), Path::new(DIR));
            let membership = check_and_record(&disk, dir, &wanted, accept).unwrap();
            wanted.reached = reached;
            diary.acknowledged(begun, &Some(wanted.clone()));
            let begun = diary.now();
            reached.promised += 1;
            check_and_record_reached(&disk, dir, membership, &promised(reached.promised), accept).unwrap();
            diary.acknowledged(begun, &Some(Membership { reached, ..wanted }));
        }
    }

    /// A start of today: one with another quorum is refused, and an old copy of the directory; one with one more member is not.
    fn recover(disk: Arc<dyn Disk>) -> Result<(Self::Content, ()), String> {
        let dir = Path::new(DIR);
        let Some(mut found) = recorded(&disk, dir).map_err(|error| error.to_string())? else { return Ok((None, ())) };
        let wrong = Membership { quorum: found.quorum + 1, ..found.clone() };
        if check_and_record(&disk, dir, &wrong, false).is_ok() {
            return Err(format!("it starts as {wrong:?}, and was {found:?}"));
        }
        let mut grown = found.clone();
        grown.others.insert(other(NEW));
        let started = check_and_record(&disk, dir, &grown, false).map_err(|error| error.to_string())?;
        let reach = |promises| check_and_record_reached(&disk, dir, started.clone(), &promised(promises), false);
        let promises = found.reached.promised;
        if promises > 0 && reach(promises - 1).is_ok() {
            return Err(format!("it starts with an older directory than {:?}", found.reached));
        }
        reach(promises).map_err(|error| error.to_string())?;
        found.others.remove(&other(NEW));
        Ok((Some(found), ()))
    }
}
