//! A disk in memory that writes down everything that is done to it.

use super::{Disk, Output, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One thing that was done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A new, empty file got this name; files are numbered.
    Create(PathBuf, usize),
    /// A directory was made.
    CreateDir(PathBuf),
    /// Bytes were appended to a file.
    Append(usize, Vec<u8>),
    /// A file was synced.
    Sync(usize),
    /// A file got another name.
    Rename(PathBuf, PathBuf),
    /// A name was removed.
    Remove(PathBuf),
    /// The names in a directory were synced.
    SyncDir(PathBuf),
}

/// A file or directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A directory.
    Dir,
    /// A file and what it holds.
    File(Vec<u8>),
}

/// What a disk holds.
pub type Image = BTreeMap<PathBuf, Node>;

/// What a [`Recorder`] is to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Appends fail with ENOSPC, after half of their bytes, once all files together would hold more bytes than this.
    Full(usize),
    /// Every sync fails with EIO, of files and of directories.
    Sync,
    /// Every sync of a directory fails with EIO; files are synced.
    SyncDir,
    /// Every read of a file fails with EIO.
    Read,
    /// Every rename fails with EIO.
    Rename {
        /// Whether the file has its new name all the same, as long as nothing crashes.
        done: bool,
    },
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    inner: Arc<Mutex<Inner>>,
    /// What it held before anything was done.
    initial: Arc<Image>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Names of files, by the number of the file; directories have none.
    names: BTreeMap<PathBuf, Option<usize>>,
    files: Vec<Vec<u8>>,
    locks: BTreeSet<PathBuf>,
    ops: Vec<Op>,
    fault: Option<Fault>,
}

impl Recorder {
    /// A disk that holds `image` durably. Its files have the first numbers, in the order of their names.
    pub fn holding(image: &Image) -> Recorder {
        let mut inner = Inner::default();
        for (path, node) in image {
            let number = match node {
                Node::Dir => None,
                Node::File(data) => {
                    inner.files.push(data.clone());
                    Some(inner.files.len() - 1)
                }
            };
            inner.names.insert(path.clone(), number);
        }
        Recorder { inner: Arc::new(Mutex::new(inner)), initial: Arc::new(image.clone()) }
    }

    /// What the disk held durably before anything was done.
    pub fn initial(&self) -> &Image {
        &self.initial
    }

    /// How many things were done.
    pub fn len(&self) -> usize {
        self.inner().ops.len()
    }

    /// Whether nothing was done.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was done.
    pub fn ops(&self) -> Vec<Op> {
        self.inner().ops.clone()
    }

    /// What is there as long as nothing crashes.
    pub fn image(&self) -> Image {
        let inner = self.inner();
        let node = |number: &Option<usize>| number.map_or(Node::Dir, |n| Node::File(inner.files[n].clone()));
        inner.names.iter().map(|(path, number)| (path.clone(), node(number))).collect()
    }

    /// Refuses from now on, or no longer.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.inner().fault = fault;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn file(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().flatten().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn parent_exists(&self, path: &Path) -> io::Result<()> {
        self.dir_exists(path.parent().unwrap_or(Path::new("")))
    }

    /// The root is always there.
    fn dir_exists(&self, path: &Path) -> io::Result<()> {
        let there = path.parent().is_none() || self.names.get(path) == Some(&None);
        if there { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    /// Fails where the fault is one of these.
    fn fails_at(&self, faults: &[Fault]) -> io::Result<()> {
        match self.fault {
            Some(fault) if faults.contains(&fault) => Err(nix::errno::Errno::EIO.into()),
            _ => Ok(()),
        }
    }

    fn append(&mut self, number: usize, data: &[u8]) -> io::Result<()> {
        let held: usize = self.names.values().flatten().map(|n| self.files[*n].len()).sum();
        let full = matches!(self.fault, Some(Fault::Full(limit)) if held + data.len() > limit);
        let written = if full { &data[..data.len() / 2] } else { data };
        self.files[number].extend_from_slice(written);
        self.ops.push(Op::Append(number, written.to_vec()));
        if full { Err(nix::errno::Errno::ENOSPC.into()) } else { Ok(()) }
    }
}

impl Disk for Recorder {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let mut inner = self.inner();
        inner.parent_exists(path)?;
        if inner.names.contains_key(path) {
            inner.names.remove(path);
            inner.ops.push(Op::Remove(path.to_owned()));
        }
        inner.files.push(Vec::new());
        let number = inner.files.len() - 1;
        inner.names.insert(path.to_owned(), Some(number));
        inner.ops.push(Op::Create(path.to_owned(), number));
        Ok(Box::new(Handle { disk: self.clone(), number }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>> {
        let number = self.inner().file(path)?;
        Ok(Box::new(Handle { disk: self.clone(), number }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let number = inner.file(from)?;
        inner.fails_at(&[Fault::Rename { done: false }])?;
        inner.names.remove(from);
        inner.names.insert(to.to_owned(), Some(number));
        inner.ops.push(Op::Rename(from.to_owned(), to.to_owned()));
        inner.fails_at(&[Fault::Rename { done: true }])
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.file(path)?;
        inner.names.remove(path);
        inner.ops.push(Op::Remove(path.to_owned()));
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        let mut inner = self.inner();
        if inner.names.contains_key(path) || path.parent().is_none() {
            return Ok(false);
        }
        inner.parent_exists(path)?;
        inner.names.insert(path.to_owned(), None);
        inner.ops.push(Op::CreateDir(path.to_owned()));
        Ok(true)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let inner = self.inner();
        inner.dir_exists(path)?;
        let inside = inner.names.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.fails_at(&[Fault::Sync, Fault::SyncDir])?;
        inner.ops.push(Op::SyncDir(path.to_owned()));
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send>> {
        let mut inner = self.inner();
        if !inner.locks.insert(path.to_owned()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Held { disk: self.clone(), path: path.to_owned() }))
    }
}

struct Held {
    disk: Recorder,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.inner().locks.remove(&self.path);
    }
}

struct Handle {
    disk: Recorder,
    number: usize,
}

impl Output for Handle {
    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        self.disk.inner().append(self.number, data)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        inner.fails_at(&[Fault::Sync])?;
        inner.ops.push(Op::Sync(self.number));
        Ok(())
    }
}

impl Source for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.inner().files[self.number].len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let inner = self.disk.inner();
        inner.fails_at(&[Fault::Read])?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let data = inner.files[self.number].get(from..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(data.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
