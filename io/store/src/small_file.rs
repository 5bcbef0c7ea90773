//! Small files that are replaced as a whole: after a crash one has its old content or its new one.

use crate::Error;
use crate::disk::Disk;
use crate::place::Place;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Behind the name of a file that is being written.
const TEMPORARY: &str = ".tmp";

/// Replaces a file, or makes it and the directories above it. Durable when this returns.
pub fn write(disk: &Arc<dyn Disk>, path: &Path, content: &[u8]) -> Result<(), Error> {
    let (place, name) = parts(disk, path);
    place.make()?;
    place.replace(&name, &format!("{name}{TEMPORARY}"), content)
}

/// What a file holds, if there is one.
pub fn read(disk: &Arc<dyn Disk>, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let (place, name) = parts(disk, path);
    place.read_if_there(&name)
}

fn parts(disk: &Arc<dyn Disk>, path: &Path) -> (Place, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    (Place { disk: disk.clone(), dir }, name)
}
