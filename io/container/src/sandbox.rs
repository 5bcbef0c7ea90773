//! The directory a container works in.
//!
//! `.../executors/<E>/runs/<C>`, mode 0750, owned by the container's user, with `stdout` and `stderr`; beside it
//! `runs/latest` links to the newest. Source: `slave/paths.cpp` (`createExecutorDirectory`), `sandbox.cpp` (logger).

use crate::user::{self, Identity};
use nix::unistd::chown;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A step on the way to it failed.
    #[error("Failed to create executor directory '{path}': Failed to {step} directory: {source}")]
    Io {
        /// The sandbox.
        path: PathBuf,
        /// `create`, `chmod`, ...
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Its owner is no user of this machine.
    #[error("Failed to create executor directory '{path}': Failed to chown directory to '{user}': {source}")]
    User {
        /// The sandbox.
        path: PathBuf,
        /// The wanted owner.
        user: String,
        /// What the user database said.
        source: user::Error,
    },
    /// `runs/latest` cannot be set.
    #[error("Failed to symlink '{path}' to '{latest}': {source}")]
    Latest {
        /// The sandbox.
        path: PathBuf,
        /// The link.
        latest: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes a sandbox, and `latest` beside it if it stands in a `runs` directory. A sandbox that exists is taken over.
pub fn create(path: &Path, user: Option<&str>) -> Result<(), Error> {
    let failed = |step| move |source| Error::Io { path: path.to_owned(), step, source };
    fs::create_dir_all(path).map_err(failed("create"))?;
    fs::set_permissions(path, Permissions::from_mode(0o750)).map_err(failed("chmod"))?;
    if let Some(user) = user {
        let owner = user::find(user).map_err(|source| {
            // Not to leave a directory that its user cannot enter; what is in it already stays.
            let _ = fs::remove_dir(path);
            Error::User { path: path.to_owned(), user: user.to_owned(), source }
        })?;
        chown(path, Some(owner.uid), Some(owner.gid)).map_err(|e| failed("chown")(e.into()))?;
    }
    link_latest(path)
}

/// Made aside and moved over the old one, so that there is a `latest` at every moment.
fn link_latest(path: &Path) -> Result<(), Error> {
    let (Some(runs), Some(name)) = (path.parent().filter(|parent| parent.ends_with("runs")), path.file_name()) else {
        return Ok(());
    };
    let latest = runs.join("latest");
    let aside = runs.join(format!(".latest-{}", name.to_string_lossy()));
    let made = match fs::remove_file(&aside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => symlink(path, &aside).and_then(|()| fs::rename(&aside, &latest)),
    };
    made.map_err(|source| Error::Latest { path: path.to_owned(), latest, source })
}

/// Opens `stdout` and `stderr` of a sandbox for appending, owned by `owner`.
pub fn open_output(sandbox: &Path, owner: Option<&Identity>) -> io::Result<(File, File)> {
    Ok((open_log(&sandbox.join("stdout"), owner)?, open_log(&sandbox.join("stderr"), owner)?))
}

/// Refuses to follow a symbolic link: the sandbox belongs to the container's user, this process may be root.
fn open_log(path: &Path, owner: Option<&Identity>) -> io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW.bits();
    let file = OpenOptions::new().create(true).append(true).mode(0o644).custom_flags(flags).open(path)?;
    if let Some(owner) = owner {
        nix::unistd::fchown(&file, Some(owner.uid), Some(owner.gid))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_private_and_the_latest() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("e1/runs/c1");
        create(&run, None).unwrap();
        assert_eq!(run.metadata().unwrap().permissions().mode() & 0o7777, 0o750);
        let next = root.path().join("e1/runs/c2");
        create(&next, None).unwrap();
        assert_eq!(fs::read_link(root.path().join("e1/runs/latest")).unwrap(), next);
    }

    #[test]
    fn an_unknown_owner_leaves_no_directory() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("box");
        let error = create(&path, Some("no-such-user-here")).unwrap_err().to_string();
        assert!(error.contains("Failed to chown directory to 'no-such-user-here'"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn output_never_goes_through_a_planted_link() {
        let root = tempfile::tempdir().unwrap();
        symlink("/dev/null", root.path().join("stdout")).unwrap();
        assert!(open_output(root.path(), None).is_err());
    }
}
