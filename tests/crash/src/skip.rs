//! A disk that leaves one kind of sync out: what a judge must notice.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tepui_store::disk::{Disk, Output, Recorder, Source};

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

/// The syncs that a store in this directory relies on; `above` is the one directory between it and the root.
pub const fn of_a_store(dir: &'static str, above: &'static str) -> [Skip; 8] {
    [
        Skip::File(".log"),
        Skip::File(".ldb"),
        Skip::File("MANIFEST"),
        Skip::File(".dbtmp"),
        Skip::DirAfterRename(dir),
        Skip::DirOtherwise(dir),
        Skip::DirOtherwise(above),
        Skip::DirOtherwise("/"),
    ]
}

/// See the module's text.
#[derive(Debug)]
pub struct Skipping {
    disk: Recorder,
    skip: Skip,
    renamed: Mutex<bool>,
}

impl Skipping {
    /// That disk, but for these syncs.
    pub fn new(disk: Recorder, skip: Skip) -> Skipping {
        Skipping { disk, skip, renamed: Mutex::default() }
    }

    /// Whether the last thing done to names was a rename.
    fn renamed(&self) -> MutexGuard<'_, bool> {
        self.renamed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for Skipping {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let output = self.disk.create(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let skipped = matches!(self.skip, Skip::File(part) if name.contains(part));
        Ok(if skipped { Box::new(Unsynced(output)) } else { output })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>> {
        self.disk.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        *self.renamed() = true;
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
        let renamed = std::mem::take(&mut *self.renamed());
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
