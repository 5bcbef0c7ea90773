//! What the views of a daemon show that is not in its machine: files, the verbosity of its log, figures of the process.
//!
//! Source: Mesos `src/files/files.hpp`, `3rdparty/libprocess/include/process/logging.hpp`.

use crate::metrics::Values;
use std::time::Duration;
use tepui_proto::mesos::{FileInfo, ResourceStatistics};
use tepui_wire::Response;

/// What a view asks of the process it is shown by. Asked by readers, beside the machine, where waiting harms nobody.
pub trait Host: Sync {
    /// What is in a directory that is served, by path; a file has nothing in it.
    fn list_files(&self, path: &str) -> Result<Vec<FileInfo>, FilesError>;

    /// The size of a file and a piece of it, as long as `length` and as the daemon's bound allow.
    fn read_file(&self, path: &str, offset: u64, length: Option<u64>) -> Result<(u64, Vec<u8>), FilesError>;

    /// How verbose the log is; 0 is usual.
    fn logging_level(&self) -> u32;

    /// Makes the log this verbose for a while.
    fn set_logging_level(&self, level: u32, time: Duration);

    /// Metrics beside those of the machine.
    fn metrics(&self) -> Values;

    /// What the processes of a container use now, without the time; nothing if that cannot be measured.
    fn usage(&self, container: &str) -> Option<ResourceStatistics> {
        let _ = container;
        None
    }
}

/// No process at all: nothing is served, nothing is measured. For simulations and tests of machines.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn list_files(&self, _: &str) -> Result<Vec<FileInfo>, FilesError> {
        Err(FilesError::NotFound)
    }

    fn read_file(&self, _: &str, _: u64, _: Option<u64>) -> Result<(u64, Vec<u8>), FilesError> {
        Err(FilesError::NotFound)
    }

    fn logging_level(&self) -> u32 {
        0
    }

    fn set_logging_level(&self, _: u32, _: Duration) {}

    fn metrics(&self) -> Values {
        Values::new()
    }
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// There is nothing.
    #[error("")]
    NotFound,
    /// It is not for clients, or makes no sense; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// The system failed; the text says how.
    #[error("{0}")]
    Failed(String),
}

impl FilesError {
    /// The answer: 404 without text, 400 and 500 with.
    pub fn response(&self) -> Response {
        let status = match self {
            FilesError::NotFound => 404,
            FilesError::Invalid(_) => 400,
            FilesError::Failed(_) => 500,
        };
        Response::text(status, self.to_string())
    }
}
