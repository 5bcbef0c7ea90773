//! One directory on a disk, and files in it, whose failures say what was tried on which file.

use crate::Error;
use crate::disk::{Disk, Output, Source, read};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
}

/// A file that is being written.
pub(crate) struct Written {
    output: Box<dyn Output>,
    path: PathBuf,
}

impl Written {
    pub fn append(&mut self, data: &[u8]) -> Result<(), Error> {
        self.output.append(data).map_err(Error::io("write", &self.path))
    }

    pub fn sync(&mut self) -> Result<(), Error> {
        self.output.sync().map_err(Error::io("sync", &self.path))
    }
}

impl Place {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn create(&self, name: &str) -> Result<Written, Error> {
        let path = self.path(name);
        let output = self.disk.create(&path).map_err(Error::io("create", &path))?;
        Ok(Written { output, path })
    }

    pub fn open(&self, name: &str) -> Result<Box<dyn Source>, Error> {
        let path = self.path(name);
        self.disk.open(&path).map_err(Error::io("open", &path))
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.path(name);
        read(&*self.disk, &path).map_err(Error::io("read", &path))
    }

    /// What a file holds, if there is one.
    pub fn read_if_there(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(name);
        match read(&*self.disk, &path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(Error::io("read", &path)),
        }
    }

    pub fn list(&self) -> Result<Vec<String>, Error> {
        self.disk.list(&self.dir).map_err(Error::io("list", &self.dir))
    }

    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        self.disk.remove(&path).map_err(Error::io("remove", &path))
    }

    /// Makes the names in the directory durable.
    pub fn sync(&self) -> Result<(), Error> {
        self.disk.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))
    }

    /// A new content under `name`, or the old one.
    pub fn replace(&self, name: &str, temporary: &str, content: &[u8]) -> Result<(), Error> {
        if let Err(error) = self.prepare(temporary, content) {
            // What is half written only takes room.
            let _ = self.remove(temporary);
            return Err(error);
        }
        self.commit(name, temporary)
    }

    /// Writes a file under a name it will not keep. Its content, and all names that were given before, are durable then.
    pub fn prepare(&self, temporary: &str, content: &[u8]) -> Result<(), Error> {
        let mut file = self.create(temporary)?;
        file.append(content)?;
        file.sync()?;
        self.sync()
    }

    /// Gives what was prepared its name, durably. After an error it may have either.
    pub fn commit(&self, name: &str, temporary: &str) -> Result<(), Error> {
        let (from, to) = (self.path(temporary), self.path(name));
        self.disk.rename(&from, &to).map_err(Error::io("rename a file to", &to))?;
        self.sync()
    }

    /// Makes the directory and those above it, durably. Each is durable before the next one is made, so of a directory that
    /// is there only its own name can be in doubt.
    pub fn make(&self) -> Result<(), Error> {
        let missing = |dir: &&Path| self.disk.list(dir).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let above: Vec<&Path> =
            self.dir.ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty()).take_while(missing).collect();
        for dir in above.into_iter().rev().chain([self.dir.as_path()]) {
            let made = self.disk.create_dir(dir).map_err(Error::io("create", dir))?;
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match self.disk.sync_dir(parent) {
                // Whoever made it had more rights than this process; without them nothing can be done.
                Err(error) if error.kind() == ErrorKind::PermissionDenied && !made => {}
                result => result.map_err(Error::io("sync", parent))?,
            }
        }
        Ok(())
    }
}
