//! The file beside a log's directory: the quorum and the group that it was last started with.

use crate::judge::{Diary, Subject};
use crate::replica::DIR;
use crate::skip::Skip;
use std::path::Path;
use std::sync::Arc;
use tepui_logd::quorum::{Membership, check_and_record, recorded};
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
        for (wanted, accept) in starts {
            let begun = diary.now();
            check_and_record(&disk, Path::new(DIR), &wanted, accept).unwrap();
            diary.acknowledged(begun, &Some(wanted));
        }
    }

    /// A start of today: one with another quorum is refused, one with one more member is not.
    fn recover(disk: Arc<dyn Disk>) -> Result<(Self::Content, ()), String> {
        let dir = Path::new(DIR);
        let Some(mut found) = recorded(&disk, dir).map_err(|error| error.to_string())? else { return Ok((None, ())) };
        let wrong = Membership { quorum: found.quorum + 1, ..found.clone() };
        if check_and_record(&disk, dir, &wrong, false).is_ok() {
            return Err(format!("it starts as {wrong:?}, and was {found:?}"));
        }
        let mut grown = found.clone();
        grown.others.insert(other(NEW));
        check_and_record(&disk, dir, &grown, false).map_err(|error| error.to_string())?;
        found.others.remove(&other(NEW));
        Ok((Some(found), ()))
    }
}
