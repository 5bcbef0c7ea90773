//! A store does what it says, on real files.

use crate::content::{Content, content, delete, put, small};
use tepui_store::{Change, Durability, Error, Options, Store, verify};

#[test]
fn reads_see_every_write_through_tables_merges_and_openings() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("a/b");
    let mut want = Content::new();
    let mut seed = 1u32;
    for _ in 0..6 {
        let mut store = Store::open(&dir, small()).unwrap();
        assert_eq!(content(&store), want);
        for _ in 0..60 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = format!("{:010}", seed >> 8 & 63);
            let durability = if seed >> 20 & 1 == 0 { Durability::Sync } else { Durability::Lazy };
            if seed >> 16 & 3 == 0 {
                store.apply(&[delete(&key)], durability).unwrap();
                want.remove(key.as_bytes());
            } else {
                let value = vec![seed as u8; (seed >> 22) as usize];
                store.apply(&[put(&key, value.clone())], durability).unwrap();
                want.insert(key.into_bytes(), value);
            }
        }
        assert_eq!(content(&store), want);
        for key in 0..64 {
            let key = format!("{key:010}").into_bytes();
            assert_eq!(store.get(&key).unwrap().map(|value| value.to_vec()), want.get(&key).cloned());
        }
        let (from, to) = (&b"0000000010"[..], &b"0000000020"[..]);
        let range: Content = store.range(from, to).unwrap().into_iter().map(|(k, v)| (k, v.to_vec())).collect();
        assert_eq!(range, want.range(from.to_vec()..=to.to_vec()).map(|(k, v)| (k.clone(), v.clone())).collect());
        store.close().unwrap();
    }
    let report = verify(&dir).unwrap();
    assert!(report.tables.iter().any(|(_, level, ..)| *level == 1), "nothing was merged: {report:?}");
}

#[test]
fn a_batch_is_one_record_and_lazy_writes_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), Options::default()).unwrap();
    store.apply(&[put("a", "1")], Durability::Lazy).unwrap();
    store.apply(&[put("b", "2"), delete("a")], Durability::Sync).unwrap();
    store.apply(&[put("c", "3")], Durability::Lazy).unwrap();
    std::mem::forget(store);
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let report = verify(copy.path()).unwrap();
    assert_eq!(report.wals.iter().map(|(_, records, _)| records).sum::<u64>(), 1);
    let store = Store::open(copy.path(), Options::default()).unwrap();
    assert_eq!(content(&store), [(b"b".to_vec(), b"2".to_vec())].into());
}

#[test]
fn a_directory_has_one_owner_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let error = Store::open(dir.path(), Options::default()).err().unwrap();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert!(matches!(verify(dir.path()), Err(Error::Locked { .. })));
    drop(store);
    Store::open(dir.path(), Options::default()).unwrap();
}

#[test]
fn nothing_is_made_where_nothing_is_to_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none");
    let options = Options { create: false, ..Options::default() };
    assert!(matches!(Store::open(&missing, options), Err(Error::Missing { .. })));
    assert!(matches!(Store::open(dir.path(), options), Err(Error::Missing { .. })));
    assert!(matches!(verify(&missing), Err(Error::Missing { .. })));
    assert!(!missing.exists());
}

#[test]
fn a_directory_that_is_only_read_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), small()).unwrap();
    for n in 0..9 {
        store.apply(&[put(&n.to_string(), vec![n; 300])], Durability::Sync).unwrap();
    }
    let want = content(&store);
    store.close().unwrap();
    let names = || -> std::collections::BTreeSet<_> {
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let before = names();
    let mut store = Store::open(dir.path(), Options { read_only: true, memory_bytes: 1, ..small() }).unwrap();
    assert_eq!(content(&store), want);
    assert!(store.apply(&[put("x", "")], Durability::Sync).unwrap_err().to_string().contains("read only"));
    drop(store);
    assert_eq!(names(), before);
}

#[test]
fn empty_keys_and_values_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), small()).unwrap();
    let changes = [put("", ""), Change::Put(vec![0xff; 300], bytes::Bytes::from(vec![7; 200_000]))];
    store.apply(&changes, Durability::Sync).unwrap();
    let want = content(&store);
    store.close().unwrap();
    assert_eq!((want.len(), content(&Store::open(dir.path(), small()).unwrap())), (2, want));
}
