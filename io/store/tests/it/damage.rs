//! A damaged directory is refused by name and offset; a torn end is left out.

use crate::content::{Content, content, put, small};
use std::path::Path;
use std::sync::Arc;
use tepui_store::disk::{Image, Node, Recorder};
use tepui_store::{Durability, Error, Options, Store};

const DIR: &str = "/log";

/// A directory with a table and a log of three records, and what it holds.
fn sample() -> (Image, Content) {
    let recorder = Recorder::default();
    let options = Options { wal_bytes: 4000, ..Options::default() };
    let mut store = Store::open_on(Arc::new(recorder.clone()), DIR, options).unwrap();
    for n in 0..40u8 {
        let value: Vec<u8> = (0..130u32).map(|i| ((i * i) >> 2) as u8 ^ n).collect();
        store.apply(&[put(&format!("{n:010}"), value)], Durability::Sync).unwrap();
    }
    let content = content(&store);
    std::mem::forget(store);
    (recorder.image(), content)
}

fn files(image: &Image) -> Vec<(String, usize)> {
    let file = |(path, node): (&std::path::PathBuf, &Node)| match node {
        Node::File(data) => Some((path.file_name()?.to_string_lossy().into_owned(), data.len())),
        Node::Dir => None,
    };
    image.iter().filter_map(file).collect()
}

fn change(image: &Image, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Image {
    let mut image = image.clone();
    match image.get_mut(&Path::new(DIR).join(name)) {
        Some(Node::File(data)) => change(data),
        other => panic!("{name}: {other:?}"),
    }
    image
}

fn open(image: &Image) -> Result<Content, Error> {
    let store = Store::open_on(Arc::new(Recorder::holding(image)), DIR, small())?;
    Ok(content(&store))
}

#[test]
fn a_flipped_bit_is_never_overlooked() {
    let (image, want) = sample();
    let files = files(&image);
    let kinds = |part: &str| files.iter().filter(|(name, _)| name.contains(part)).count();
    assert_eq!((kinds(".log"), kinds(".ldb"), kinds("MANIFEST"), kinds("CURRENT")), (1, 1, 1, 1), "{files:?}");
    for (name, length) in files.iter().filter(|(name, _)| name != "LOCK") {
        for at in 0..*length {
            let flipped = change(&image, name, |data| data[at] ^= 1 << (at % 8));
            match open(&flipped) {
                Err(Error::Corrupt { path, .. }) => {
                    assert!(path.ends_with(name) || name == "CURRENT", "{name} at {at}: {}", path.display());
                }
                Ok(content) => assert_eq!(content, want, "{name} at {at}: a bit that means nothing"),
                Err(other) => panic!("{name} at {at}: {other}"),
            }
        }
    }
}

#[test]
fn a_table_that_is_missing_or_cut_is_refused() {
    let (image, _) = sample();
    let name = files(&image).into_iter().find(|(name, _)| name.contains(".ldb")).unwrap().0;
    let mut without = image.clone();
    without.remove(&Path::new(DIR).join(&name));
    assert!(open(&without).unwrap_err().to_string().contains("is not there"));
    let error = open(&change(&image, &name, |data| data.truncate(100))).unwrap_err().to_string();
    assert!(error.contains(&name) && error.contains("100 bytes"), "{error}");
}

/// It may have held promises; an empty one in its place would hold none.
#[test]
fn a_log_that_is_missing_is_refused() {
    let (mut image, _) = sample();
    let name = files(&image).into_iter().find(|(name, _)| name.contains(".log")).unwrap().0;
    image.remove(&Path::new(DIR).join(&name));
    let error = open(&image).unwrap_err().to_string();
    assert!(error.starts_with(&format!("/log/{name} is damaged at byte 0: MANIFEST-")), "{error}");
    assert!(error.ends_with("names this log and it is not there"), "{error}");
}

#[test]
fn a_directory_without_current_is_refused_and_not_made_anew() {
    let (mut image, _) = sample();
    image.remove(&Path::new(DIR).join("CURRENT"));
    let error = open(&image).unwrap_err().to_string();
    assert!(error.contains("CURRENT is damaged at byte 0: it is missing, but "), "{error}");
}

#[test]
fn a_log_cut_anywhere_loses_its_last_record_at_most_once_it_is_opened() {
    let (image, want) = sample();
    let (name, length) = files(&image).into_iter().find(|(name, _)| name.contains(".log")).unwrap();
    let recorder = Recorder::holding(&change(&image, &name, |data| data.truncate(length - 1)));
    let store = Store::open_on(Arc::new(recorder), DIR, small()).unwrap();
    assert_eq!(store.report().repairs.len(), 1);
    let mut less = want;
    less.pop_last();
    assert_eq!(content(&store), less);
}
