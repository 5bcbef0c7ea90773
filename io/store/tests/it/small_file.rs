//! A small file has its old or its new content after any crash, and the new one once it was acknowledged.

use crate::judge::{Skip, Skipping};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tepui_store::disk::{Bounds, Disk, Image, Recorder, crashes};
use tepui_store::small_file;

const FILE: &str = "/work/dir/file";

fn read(image: &Image) -> Option<Vec<u8>> {
    let disk: Arc<dyn Disk> = Arc::new(Recorder::holding(image));
    small_file::read(&disk, Path::new(FILE)).unwrap()
}

/// Writes three times; the first disk that holds something else than it may.
fn judge(disk: Arc<dyn Disk>, recorder: &Recorder) -> ControlFlow<String> {
    let contents = [None, Some("one"), Some("two, which is longer"), Some("3")];
    let mut acknowledged = vec![0];
    for content in contents.iter().flatten() {
        small_file::write(&disk, Path::new(FILE), content.as_bytes()).unwrap();
        acknowledged.push(recorder.len());
    }
    crashes(recorder, Bounds::default(), |crash| {
        let durable = acknowledged.iter().rposition(|at| *at <= crash.after).unwrap();
        let found = read(&crash.image);
        let allowed = &contents[durable..contents.len().min(durable + 2)];
        match allowed.iter().any(|content| content.map(|text| text.as_bytes().to_vec()) == found) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(format!("{found:?} instead of {allowed:?}")),
        }
    })
}

#[test]
fn a_small_file_survives_every_crash() {
    let recorder = Recorder::default();
    assert_eq!(judge(Arc::new(recorder.clone()), &recorder), ControlFlow::Continue(()));
}

#[test]
fn each_kind_of_sync_of_a_small_file_is_needed() {
    // The names in the file's own directory are synced after the rename.
    for skip in
        [Skip::File("file"), Skip::DirAfterRename("/work/dir"), Skip::DirOtherwise("/work"), Skip::DirOtherwise("/")]
    {
        let recorder = Recorder::default();
        let disk = Skipping { disk: recorder.clone(), skip, renamed: Mutex::default() };
        assert!(judge(Arc::new(disk), &recorder).is_break(), "nobody noticed that {skip:?} is left out");
    }
}
