//! From every disk that a crash may leave, what was acknowledged comes back, and nothing that was not written.
//!
//! The disks are those of `tepui_store::disk::crashes`, whose text says what is tried; in addition each recovery (of a
//! share of them) crashes in each of its steps, and its disk is recovered from in turn.

use crate::judge::{History, Skip, Skipping, delete, judge, put};
use std::sync::{Arc, Mutex};
use tepui_store::disk::Recorder;
use tepui_store::{Change, Durability};

/// Like a log: metadata is overwritten, positions are appended, some of them twice, and truncated lazily. Values of many
/// sectors among them; tables are written and merged several times.
fn writes() -> Vec<(Vec<Change>, Durability)> {
    let mut writes = Vec::new();
    for position in 1..=14u8 {
        let key = format!("{position:010}");
        let length = if position % 5 == 0 { 1500 } else { 90 };
        if position % 4 == 1 {
            writes.push((vec![put("0000000000", vec![b'p', position])], Durability::Sync));
        }
        // Bytes that do not compress, so that a table has several blocks.
        let value: Vec<u8> = (0..length).map(|n: u32| ((n * n * u32::from(position)) >> 3) as u8).collect();
        writes.push((vec![put(&key, value.clone())], Durability::Sync));
        writes.push((vec![put(&key, [&value[..], b"learned"].concat())], Durability::Lazy));
        if position % 3 == 0 {
            let forgotten = (position - 2..position).map(|position| delete(&format!("{position:010}")));
            writes.push((forgotten.collect(), Durability::Lazy));
        }
    }
    writes
}

#[test]
fn what_was_acknowledged_survives_every_crash() {
    let recorder = Recorder::default();
    let history = History::of(recorder.clone(), Arc::new(recorder), &writes());
    let tried = judge(&history, 40).unwrap();
    println!("{tried:?} over {} operations", history.recorder.len());
    assert!(tried.crashes > 1000 && tried.crashes_in_recovery > 1000, "{tried:?}");
}

#[test]
#[ignore = "takes minutes: every recovery crashes in each of its steps, not one in forty"]
fn what_was_acknowledged_survives_every_crash_of_every_recovery() {
    let recorder = Recorder::default();
    let history = History::of(recorder.clone(), Arc::new(recorder), &writes());
    println!("{:?}", judge(&history, 1).unwrap());
}

#[test]
fn each_kind_of_sync_is_needed() {
    use crate::judge::DIR;
    for skip in [
        Skip::File(".log"),
        Skip::File(".ldb"),
        Skip::File("MANIFEST"),
        Skip::File(".dbtmp"),
        Skip::DirAfterRename(DIR),
        Skip::DirOtherwise(DIR),
        Skip::DirOtherwise("/work"),
        Skip::DirOtherwise("/"),
    ] {
        let recorder = Recorder::default();
        let disk = Skipping { disk: recorder.clone(), skip, renamed: Mutex::default() };
        let history = History::of(recorder, Arc::new(disk), &writes());
        assert!(judge(&history, usize::MAX).is_err(), "nobody noticed that {skip:?} is left out");
    }
}
