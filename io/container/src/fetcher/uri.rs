//! What a URI of a command means.

use std::path::{Component, Path, PathBuf};

/// Why a URI cannot be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A character that has a meaning in a shell or ends a string.
    #[error("Illegal characters in URI")]
    Illegal,
    /// Nothing after the host.
    #[error("Malformed URI (missing path): {0}")]
    NoPath(String),
    /// `output_file` is empty.
    #[error("URI output file path is empty")]
    EmptyOutput,
    /// `output_file` is absolute or climbs up.
    #[error("URI output file must be within the sandbox directory")]
    OutsideSandbox,
    /// `file:relative`.
    #[error("File URI only supports absolute paths")]
    RelativeFile,
    /// A relative path without anything it could be relative to.
    #[error(
        "A relative path was passed for the resource but the Mesos framework home was not specified. Please either \
         provide this config option or avoid using a relative path"
    )]
    NoHome,
}

/// The file name a URI is stored under: what follows its last slash, query included.
pub fn basename(uri: &str) -> Result<&str, Error> {
    if uri.contains(['\\', '\'', '\0']) {
        return Err(Error::Illegal);
    }
    // Only a scheme of at least two letters is one: `C://` never was.
    if let Some(at) = uri.find("://").filter(|at| *at > 1) {
        let path = &uri[at + 3..];
        let malformed = path.find('/').is_none_or(|slash| slash + 1 >= path.len());
        return if malformed { Err(Error::NoPath(uri.to_owned())) } else { Ok(after_last_slash(path)) };
    }
    Ok(after_last_slash(uri.trim_end_matches('/')))
}

fn after_last_slash(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a file may be stored there. Mesos only refuses absolute paths; one that climbs out of the sandbox with
/// `..` is refused here as well.
pub fn validate_output_file(path: &str) -> Result<(), Error> {
    if path.is_empty() {
        return Err(Error::EmptyOutput);
    }
    let climbs = |c: Component| matches!(c, Component::ParentDir | Component::RootDir);
    if Path::new(path).components().any(climbs) { Err(Error::OutsideSandbox) } else { Ok(()) }
}

/// The file of this machine that a URI names; `None` if it names something elsewhere.
pub fn local_path(uri: &str, frameworks_home: Option<&str>) -> Result<Option<PathBuf>, Error> {
    let path = match uri.strip_prefix("file://") {
        Some(path) => path,
        None if uri.contains("://") => return Ok(None),
        None => uri,
    };
    let is_file_uri = path.len() != uri.len();
    let path = path.strip_prefix("localhost").unwrap_or(path);
    if path.starts_with('/') {
        return Ok(Some(PathBuf::from(path)));
    }
    match frameworks_home {
        _ if is_file_uri => Err(Error::RelativeFile),
        Some(home) if !home.is_empty() => Ok(Some(Path::new(home).join(path))),
        _ => Err(Error::NoHome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        for (uri, name) in [
            ("http://host/a/b.tgz", Ok("b.tgz")),
            ("http://host:8080/a?x=1", Ok("a?x=1")),
            ("file:///tmp/x", Ok("x")),
            ("/tmp/x", Ok("x")),
            ("x", Ok("x")),
            ("http://host", Err(Error::NoPath("http://host".into()))),
            ("http://host/", Err(Error::NoPath("http://host/".into()))),
            ("/tmp/it's", Err(Error::Illegal)),
        ] {
            assert_eq!(basename(uri), name, "{uri}");
        }
    }

    #[test]
    fn places_of_files() {
        for (uri, home, path) in [
            ("file:///tmp/x", None, Ok(Some("/tmp/x"))),
            ("file://localhost/tmp/x", None, Ok(Some("/tmp/x"))),
            ("/tmp/x", None, Ok(Some("/tmp/x"))),
            ("x", Some("/home"), Ok(Some("/home/x"))),
            ("x", None, Err(Error::NoHome)),
            ("file://x", Some("/home"), Err(Error::RelativeFile)),
            ("http://host/x", None, Ok(None)),
            ("hdfs://host/x", None, Ok(None)),
        ] {
            assert_eq!(local_path(uri, home), path.map(|p| p.map(PathBuf::from)), "{uri}");
        }
    }

    #[test]
    fn output_stays_in_the_sandbox() {
        assert_eq!(validate_output_file("a/b"), Ok(()));
        assert_eq!(validate_output_file(""), Err(Error::EmptyOutput));
        assert_eq!(validate_output_file("/etc/passwd"), Err(Error::OutsideSandbox));
        assert_eq!(validate_output_file("a/../../b"), Err(Error::OutsideSandbox));
    }
}
