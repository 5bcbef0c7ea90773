//! What a store may hold after a crash, and a disk that leaves syncs out.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tepui_store::disk::{Bounds, Disk, Image, Output, Recorder, Source, crashes};
use tepui_store::{Change, Durability, Options, Store};

pub const DIR: &str = "/work/log";

pub type Content = BTreeMap<Vec<u8>, Vec<u8>>;

/// Limits so small that a few writes make tables, and a few tables are merged.
pub fn small() -> Options {
    Options { memory_bytes: 1200, wal_bytes: 2500, lazy_bytes: 800, table_bytes: 700, ..Options::default() }
}

pub fn put(key: &str, value: impl Into<bytes::Bytes>) -> Change {
    Change::Put(key.as_bytes().to_vec(), value.into())
}

pub fn delete(key: &str) -> Change {
    Change::Delete(key.as_bytes().to_vec())
}

pub fn content(store: &Store) -> Content {
    store.iterate().map(|pair| pair.unwrap()).map(|(key, value)| (key, value.to_vec())).collect()
}

/// Writes in order, what the store holds after each, and when it was acknowledged.
pub struct History {
    pub recorder: Recorder,
    /// After each write: the content, operations done when it began, and when it was durable for certain.
    steps: Vec<(Content, usize, Option<usize>)>,
}

impl History {
    /// Performs the writes on `disk`, which records into `recorder`.
    pub fn of(recorder: Recorder, disk: Arc<dyn Disk>, writes: &[(Vec<Change>, Durability)]) -> History {
        let mut history = History { recorder, steps: Vec::new() };
        let mut content = Content::new();
        let mut store = Store::open_on(disk, DIR, small()).unwrap();
        for (changes, durability) in writes {
            let begun = history.recorder.len();
            store.apply(changes, *durability).unwrap();
            for change in changes {
                match change {
                    Change::Put(key, value) => content.insert(key.clone(), value.to_vec()),
                    Change::Delete(key) => content.remove(key),
                };
            }
            let acknowledged = (*durability == Durability::Sync).then(|| history.recorder.len());
            history.steps.push((content.clone(), begun, acknowledged));
        }
        assert_eq!(self::content(&store), content);
        // A crash, not an orderly end.
        std::mem::forget(store);
        history
    }

    /// What a crash after so many operations may leave.
    fn allowed(&self, after: usize) -> Vec<&Content> {
        static EMPTY: Content = Content::new();
        let durable = self.steps.iter().rposition(|(_, _, at)| at.is_some_and(|at| at <= after));
        let begun = self.steps.iter().take_while(|(_, begun, _)| *begun <= after).count();
        let from = durable.map_or(0, |durable| durable + 1);
        let contents = std::iter::once(&EMPTY).chain(self.steps.iter().map(|(content, ..)| content));
        contents.take(begun + 1).skip(from).collect()
    }
}

/// How many disks were tried.
#[derive(Debug, Default)]
pub struct Tried {
    pub crashes: usize,
    pub crashes_in_recovery: usize,
}

/// Recovers from every disk a crash may leave, and from every disk that a crash of each `every`th recovery may leave.
pub fn judge(history: &History, every: usize) -> Result<Tried, String> {
    let mut tried = Tried::default();
    let verdict = crashes(&history.recorder, Bounds::default(), |crash| {
        tried.crashes += 1;
        let allowed = history.allowed(crash.after);
        let again = tried.crashes % every == 0;
        stop_at(recover(&crash.image, &allowed, again, &mut tried).map_err(|why| format!("{why}\n{crash:?}")))
    });
    verdict.break_value().map_or(Ok(tried), Err)
}

fn recover(image: &Image, allowed: &[&Content], again: bool, tried: &mut Tried) -> Result<(), String> {
    let recorder = Recorder::holding(image);
    let found = opened(&recorder, allowed)?;
    if !again {
        return Ok(());
    }
    let verdict = crashes(&recorder, Bounds::default(), |crash| {
        tried.crashes_in_recovery += 1;
        // Once it has been opened, what was found is durable.
        let settled = [&found];
        let allowed = if crash.after == recorder.len() { &settled[..] } else { allowed };
        stop_at(opened(&Recorder::holding(&crash.image), allowed))
    });
    verdict.break_value().map_or(Ok(()), |why| Err(format!("in the recovery: {why}")))
}

fn stop_at<T>(result: Result<T, String>) -> ControlFlow<String> {
    result.err().map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

fn opened(recorder: &Recorder, allowed: &[&Content]) -> Result<Content, String> {
    let store = Store::open_on(Arc::new(recorder.clone()), DIR, small()).map_err(|error| error.to_string())?;
    let found = content(&store);
    std::mem::forget(store);
    if allowed.contains(&&found) { Ok(found) } else { Err(format!("found {found:?}, expected one of {allowed:?}")) }
}

/// Which syncs a [`Skipping`] disk leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Of files whose name has this in it.
    File(&'static str),
    /// Of this directory, where it follows a rename.
    DirAfterRename(&'static str),
    /// Of this directory, where it does not.
    DirOtherwise(&'static str),
}

/// A disk that leaves one kind of sync out.
#[derive(Debug)]
pub struct Skipping {
    pub disk: Recorder,
    pub skip: Skip,
    pub renamed: Mutex<bool>,
}

impl Disk for Skipping {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let output = self.disk.create(path)?;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let skipped = matches!(self.skip, Skip::File(part) if name.contains(part));
        Ok(if skipped { Box::new(Unsynced(output)) } else { output })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>> {
        self.disk.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        *self.renamed.lock().unwrap() = true;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        self.disk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let renamed = std::mem::take(&mut *self.renamed.lock().unwrap());
        let skipped = match self.skip {
            Skip::File(_) => false,
            Skip::DirAfterRename(dir) => renamed && path == Path::new(dir),
            Skip::DirOtherwise(dir) => !renamed && path == Path::new(dir),
        };
        if skipped { Ok(()) } else { self.disk.sync_dir(path) }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send>> {
        self.disk.lock(path)
    }
}

struct Unsynced(Box<dyn Output>);

impl Output for Unsynced {
    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        self.0.append(data)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
