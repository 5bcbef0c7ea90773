//! Full and failing disks: said so, nothing lost, and it goes on when there is room.

use crate::content::{content, put, small};
use std::sync::Arc;
use tepui_store::disk::{Disk, Fault, Recorder};
use tepui_store::{Durability, Error, Store, Trouble};

const DIR: &str = "/log";

fn open(disk: &Recorder) -> Result<Store, Error> {
    Store::open_on(Arc::new(disk.clone()) as Arc<dyn Disk>, DIR, small())
}

fn trouble(error: &Error) -> Option<Trouble> {
    match error {
        Error::Io { trouble, .. } => Some(*trouble),
        _ => None,
    }
}

#[test]
fn a_disk_that_fills_up_at_any_byte_loses_nothing_and_leaves_no_litter() {
    for room in 0..400 {
        let disk = Recorder::default();
        let mut store = open(&disk).unwrap();
        store.apply(&[put("a", vec![1; 700])], Durability::Sync).unwrap();
        let held = |disk: &Recorder| -> usize { disk.image().values().map(|node| format!("{node:?}").len()).sum() };
        disk.set_fault(Some(Fault::Full(900 + room * 5)));
        let mut written = 0;
        let error = loop {
            match store.apply(&[put("b", vec![written; 90])], Durability::Sync) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(trouble(&error), Some(Trouble::Full), "{error}");
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert!(matches!(store.apply(&[], Durability::Sync), Err(Error::Stopped(_))), "it goes on after a failure");
        drop(store);
        // While the disk stays full, opening it in vain takes no more room.
        let sizes: Vec<usize> = (0..3).filter_map(|_| open(&disk).err().map(|_| held(&disk))).collect();
        assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]), "{room}: {sizes:?}");
        disk.set_fault(None);
        let store = open(&disk).unwrap();
        let found = content(&store).get(&b"b"[..]).map(|value| value[0]);
        assert!(found == written.checked_sub(1) || found == Some(written), "{room}: {found:?} after {written}");
    }
}

#[test]
fn a_failed_sync_is_not_tried_again() {
    let disk = Recorder::default();
    let mut store = open(&disk).unwrap();
    disk.set_fault(Some(Fault::Sync));
    let error = store.apply(&[put("a", "1")], Durability::Sync).unwrap_err();
    assert_eq!(trouble(&error), Some(Trouble::Device), "{error}");
    disk.set_fault(None);
    assert!(matches!(store.sync(), Err(Error::Stopped(_))));
    drop(store);
    // The record may be there: it was written, and nobody was told that it is not.
    open(&disk).unwrap();
}

#[test]
fn what_a_failed_write_left_in_memory_is_not_read() {
    for fault in [Fault::Full(0), Fault::Sync] {
        let disk = Recorder::default();
        let mut store = open(&disk).unwrap();
        store.apply(&[put("a", "old")], Durability::Sync).unwrap();
        disk.set_fault(Some(fault));
        store.apply(&[put("a", "new")], Durability::Sync).unwrap_err();
        disk.set_fault(None);
        assert!(matches!(store.get(b"a"), Err(Error::Stopped(_))), "{fault:?}");
        assert!(matches!(store.range(b"a", b"z"), Err(Error::Stopped(_))), "{fault:?}");
        let all: Vec<_> = store.iterate().collect();
        assert!(matches!(all[..], [Err(Error::Stopped(_))]), "{fault:?}: {all:?}");
    }
}

#[test]
fn a_device_that_fails_anywhere_loses_nothing_that_was_acknowledged() {
    for fault in [Fault::Sync, Fault::SyncDir, Fault::Read, Fault::Rename { done: false }, Fault::Rename { done: true }]
    {
        // The fault begins at each moment between two tables.
        for before in 0..20 {
            let disk = Recorder::default();
            let mut store = open(&disk).unwrap();
            let write = |store: &mut Store, n: u8| store.apply(&[put("b", vec![n; 90])], Durability::Sync);
            (0..before).for_each(|n| write(&mut store, n).unwrap());
            disk.set_fault(Some(fault));
            let (written, error) = (before..).find_map(|n| Some((n, write(&mut store, n).err()?))).unwrap();
            assert_eq!(trouble(&error), Some(Trouble::Device), "{fault:?}: {error}");
            assert!(matches!(store.get(b"b"), Err(Error::Stopped(_))), "{fault:?}");
            drop(store);
            let error = open(&disk).err().unwrap_or_else(|| panic!("{fault:?} at {before}: it opens"));
            assert!(error.is_passing(), "{fault:?}: {error}");
            disk.set_fault(None);
            let found = content(&open(&disk).unwrap()).get(&b"b"[..]).map(|value| value[0]);
            assert!(found == written.checked_sub(1) || found == Some(written), "{fault:?}: {found:?} after {written}");
        }
    }
}
