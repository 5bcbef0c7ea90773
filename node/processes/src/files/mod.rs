//! `/files/*`: directories of the host that clients may look into, under virtual paths.
//!
//! A path leads to the longest attached prefix; what it resolves to on disk must lie within the attached directory, so
//! that no link in a sandbox leads out of it. Source: `src/files/files.cpp`.

mod browse;
mod download;
mod read;

pub use browse::{browse, list};
pub use download::download;
pub use read::{piece, read};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tepui_api::FilesError as Error;
use tepui_proto::json::Writer;
use tepui_wire::{Request, query};

/// What is attached where. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Files {
    attached: Arc<RwLock<BTreeMap<String, PathBuf>>>,
}

impl Files {
    /// Serves what is at `real_path` under `virtual_path`, in place of what was served there.
    pub fn attach(&self, virtual_path: &str, real_path: &Path) {
        let mut attached = self.attached.write().unwrap_or_else(PoisonError::into_inner);
        attached.insert(normal(virtual_path), real_path.to_owned());
    }

    /// Serves it no longer.
    pub fn detach(&self, virtual_path: &str) {
        self.attached.write().unwrap_or_else(PoisonError::into_inner).remove(&normal(virtual_path));
    }

    /// The path on disk, without links in it. Touches the disk.
    pub fn resolve(&self, path: &str) -> Result<PathBuf, Error> {
        let path = normal(path);
        let mut prefix = path.as_str();
        let (root, rest) = loop {
            let attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(root) = attached.get(prefix) {
                break (root.clone(), path[prefix.len()..].trim_matches('/').to_owned());
            }
            prefix = &prefix[..prefix.rfind('/').ok_or(Error::NotFound)?];
        };
        // The attached directory itself may be reached over a link, such as `/tmp` on some systems.
        let root = root.canonicalize().map_err(|_| Error::NotFound)?;
        if !root.is_dir() {
            return if rest.is_empty() { Ok(root) } else { Err(Error::NotFound) };
        }
        let wanted = root.join(&rest);
        let real = wanted.canonicalize().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Error::NotFound,
            _ => Error::Invalid(format!("Failed to determine canonical path of '{}': {error}.\n", wanted.display())),
        })?;
        if !real.starts_with(&root) {
            return Err(Error::Invalid(format!("'{}' is inaccessible.\n", wanted.display())));
        }
        Ok(real)
    }

    /// `/files/debug`: what is attached where.
    pub fn debug(&self) -> String {
        let mut out = Writer::new();
        let attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
        out.object(|out| attached.iter().for_each(|(path, real)| out.field_string(path, &real.to_string_lossy())));
        out.finish()
    }
}

/// Without slashes at the end or doubled ones.
fn normal(path: &str) -> String {
    let start = if path.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("{start}{}", parts.join("/"))
}

/// The parameters of a request, and the one they all need.
fn parameters(request: &Request) -> Result<(String, BTreeMap<String, String>), Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Invalid(format!("Unable to decode query string: {error}"));
    let mut query = query::decode(&request.query).map_err(|error| failed(&error))?;
    let path = query.remove("path").filter(|path| !path.is_empty());
    Ok((path.ok_or_else(|| Error::Invalid("Expecting 'path=value' in query.\n".to_owned()))?, query))
}

#[cfg(test)]
pub(crate) mod tests;
