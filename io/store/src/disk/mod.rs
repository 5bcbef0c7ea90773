//! The few things a store does to a file system, as a trait: real files, or a simulated disk for crash tests.
//!
//! What the operations promise is what POSIX promises, and no more: data is durable after [`Output::sync`] of its file, a
//! name after [`Disk::sync_dir`] of its directory. Before that a crash may lose any of it, in any order.

mod crash;
mod real;
mod recorder;

pub use crash::{Bounds, Crash, crashes};
pub use real::RealDisk;
pub use recorder::{Fault, Image, Node, Op, Recorder};

use std::fmt::Debug;
use std::io;
use std::path::Path;

/// A file system.
pub trait Disk: Debug + Send + Sync {
    /// A new file; one of that name is removed first.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// An existing file, to read.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>>;
    /// Gives a file another name, in the place of a file that may have it already.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory; whether it was not there.
    fn create_dir(&self, path: &Path) -> io::Result<bool>;
    /// The names in a directory.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes a lock file for as long as the answer lives; [`io::ErrorKind::WouldBlock`] if another has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send>>;
}

/// A file that grows at its end.
pub trait Output: Send {
    /// Writes all of it at the end.
    fn append(&mut self, data: &[u8]) -> io::Result<()>;
    /// Makes what was written durable, and the length with it (fdatasync).
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that is read.
pub trait Source: Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|length| length == 0)
    }
    /// Fills the buffer from `offset` on; an error if the file ends before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A whole file.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let source = disk.open(path)?;
    let length = usize::try_from(source.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    source.read_at(0, &mut bytes)?;
    Ok(bytes)
}
