//! What a disk can do: the measure that everything durable is held against.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file that grows by one record for each fdatasync. It goes with this value.
pub struct Growing {
    file: File,
    path: PathBuf,
    record: Vec<u8>,
}

impl Growing {
    /// A file in `folder` whose records have so many bytes.
    pub fn create(folder: &Path, bytes: usize) -> std::io::Result<Growing> {
        let path = folder.join("fdatasync");
        Ok(Growing { file: File::create(&path)?, path, record: vec![7; bytes] })
    }

    /// Writes and syncs one record after the other for this long; how many, and in how many seconds.
    pub fn sync_for(&mut self, span: Duration) -> std::io::Result<(u64, f64)> {
        let (started, mut count) = (Instant::now(), 0);
        while started.elapsed() < span {
            self.file.write_all(&self.record)?;
            self.file.sync_data()?;
            count += 1;
        }
        Ok((count, started.elapsed().as_secs_f64()))
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // What stays lies in a temporary folder.
        let _ = std::fs::remove_file(&self.path);
    }
}
