//! A disk in memory of which a part is away, or may not be written.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tepui_store::disk::{Disk, Output, Recorder, Source};
use tokio::sync::watch;

/// What is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The volume of this directory is not mounted: neither it nor what is in it is there.
    Unmounted(&'static str),
    /// No file whose name has this in it can be made.
    Create(&'static str, ErrorKind),
}

/// See the module's text. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct Faulty {
    disk: Recorder,
    refusal: Arc<Mutex<Option<Refusal>>>,
    /// How often something was refused.
    refused: watch::Sender<usize>,
}

impl Faulty {
    pub fn new(disk: Recorder) -> Faulty {
        Faulty { disk, refusal: Arc::default(), refused: watch::Sender::new(0) }
    }

    /// Refuses this from now on.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        *self.refusal() = refusal;
    }

    /// Waits until so much more was refused.
    pub async fn refused(&self, more: usize) {
        let mut refused = self.refused.subscribe();
        let until = *refused.borrow() + more;
        refused.wait_for(|refused| *refused >= until).await.unwrap();
    }

    fn refusal(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        match *self.refusal() {
            Some(Refusal::Unmounted(dir)) if path.starts_with(dir) => self.say(ErrorKind::NotFound),
            _ => Ok(()),
        }
    }

    fn say<T>(&self, kind: ErrorKind) -> io::Result<T> {
        self.refused.send_modify(|refused| *refused += 1);
        Err(kind.into())
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.check(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match *self.refusal() {
            Some(Refusal::Create(part, kind)) if name.contains(part) => self.say(kind),
            _ => self.disk.create(path),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>> {
        self.check(path)?;
        self.disk.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(from)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check(path)?;
        self.disk.remove(path)
    }

    /// A directory that is made where a volume is not mounted is on another one.
    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        let is_away = matches!(*self.refusal(), Some(Refusal::Unmounted(dir)) if path.starts_with(dir));
        assert!(!is_away, "{} is made anew", path.display());
        self.disk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.check(path)?;
        self.disk.list(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check(path)?;
        self.disk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send>> {
        self.check(path)?;
        self.disk.lock(path)
    }
}
