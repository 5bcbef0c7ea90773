//! What can go wrong with files that must not be lost.

use std::io;
use std::path::{Path, PathBuf};

/// Why the disk refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No room (ENOSPC, EDQUOT): goes away when somebody makes some.
    Full,
    /// The device failed (EIO): what it holds is in doubt.
    Device,
    /// Anything else; the number of the operating system, if it has one.
    Other(Option<i32>),
}

impl Trouble {
    fn of(error: &io::Error) -> Trouble {
        use nix::errno::Errno;
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOSPC | Errno::EDQUOT) => Trouble::Full,
            Some(Errno::EIO) => Trouble::Device,
            _ => Trouble::Other(error.raw_os_error()),
        }
    }
}

/// Anything that keeps a store from working. After an error of [`crate::Store::apply`] the store must be opened anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("cannot {operation} {}: {reason}", path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The kind of failure.
        trouble: Trouble,
        /// The text of the operating system, with its error number.
        reason: String,
    },
    /// Another process (of this program or of Mesos) has the directory open.
    #[error("{} is held by another process: the directory is in use", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file does not hold what was once synced into it.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where the damage begins, in bytes from the start of the file.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// There is no database, and none was to be made.
    #[error("{} holds no LevelDB database (it has no file CURRENT)", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// An earlier write failed, so what the disk holds is not known; why it failed.
    #[error("the store stopped at an earlier failure: {0}")]
    Stopped(String),
}

impl Error {
    /// A failure of the operating system, with what was tried on what.
    pub(crate) fn io<'a>(operation: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
        move |error| Error::Io {
            operation,
            path: path.to_owned(),
            trouble: Trouble::of(&error),
            reason: error.to_string(),
        }
    }

    /// Damage in a file.
    pub(crate) fn corrupt(path: &Path, offset: u64, what: impl Into<String>) -> Error {
        Error::Corrupt { path: path.to_owned(), offset, what: what.into() }
    }

    /// Whether opening again later may help without anybody looking at the files: the disk was full, or failed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Error::Io { .. } | Error::Locked { .. } | Error::Stopped(_))
    }
}
