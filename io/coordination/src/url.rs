//! `zk://` addresses.
//!
//! Source: Mesos `include/mesos/zookeeper/url.hpp`, `src/master/detector/detector.cpp`.

use std::fmt;
use std::str::FromStr;

/// What every such address starts with.
pub const SCHEME: &str = "zk://";

/// What a client proves its identity with: the `user:password` of ZooKeeper's scheme `digest`. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(String);

impl Credentials {
    /// `user:password`.
    pub fn new(text: &str) -> Credentials {
        Credentials(text.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Servers, a path on them, and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Who we are, if the address says so.
    pub credentials: Option<Credentials>,
    /// `host:port,host:port`.
    pub servers: String,
    /// Starts with a slash; a path that was left out is `/`.
    pub path: String,
}

/// Why a text is no usable address. The texts are those of Mesos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is for another scheme.
    #[error("Expecting 'zk://' at the beginning of the URL")]
    Scheme,
    /// Groups need a znode of their own.
    #[error("Expecting a (chroot) path for ZooKeeper ('/' is not supported)")]
    Root,
}

impl FromStr for Url {
    type Err = UrlError;

    /// The path starts at the first slash; what stands before the last `@` of the rest are the credentials, so that a
    /// password may hold an `@` but no slash.
    fn from_str(text: &str) -> Result<Url, UrlError> {
        let rest = text.trim().strip_prefix(SCHEME).ok_or(UrlError::Scheme)?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let (credentials, servers) = match authority.rsplit_once('@') {
            Some((credentials, servers)) => (Some(Credentials::new(credentials)), servers),
            None => (None, authority),
        };
        Ok(Url { credentials, servers: servers.to_owned(), path: path.to_owned() })
    }
}

impl Url {
    /// Reads the address of a group, which must not be the root.
    pub fn of_group(text: &str) -> Result<Url, UrlError> {
        let url: Url = text.parse()?;
        if url.path == "/" { Err(UrlError::Root) } else { Ok(url) }
    }

    /// The same servers and identity, and a path below this one.
    pub fn below(&self, name: &str) -> Url {
        let path = format!("{}/{name}", self.path.trim_end_matches('/'));
        Url { path, ..self.clone() }
    }
}

/// Without the credentials: this is for people and logs.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.servers, self.path)
    }
}

/// A text that names masters, fit to be shown: the credentials of a `zk://` address are replaced.
pub fn redacted(text: &str) -> String {
    match text.trim().parse::<Url>() {
        Ok(url) if url.credentials.is_some() => format!("{SCHEME}...@{}{}", url.servers, url.path),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, String, String) {
        let url: Url = text.parse().unwrap();
        (url.credentials.map(|credentials| credentials.0), url.servers, url.path)
    }

    #[test]
    fn an_address_is_read_as_mesos_reads_it() {
        let all = |c: Option<&str>, s: &str, p: &str| (c.map(str::to_owned), s.to_owned(), p.to_owned());
        assert_eq!(parts("zk://h1:2181,h2:2181/mesos"), all(None, "h1:2181,h2:2181", "/mesos"));
        assert_eq!(parts(" zk://u:p@h1/a/b/ \n"), all(Some("u:p"), "h1", "/a/b/"));
        assert_eq!(parts("zk://u:p@q@h1/mesos"), all(Some("u:p@q"), "h1", "/mesos"));
        assert_eq!(parts("zk://h1"), all(None, "h1", "/"));
    }

    #[test]
    fn mistakes_have_the_texts_of_mesos() {
        assert_eq!("h1/mesos".parse::<Url>().unwrap_err().to_string(), "Expecting 'zk://' at the beginning of the URL");
        let text = "Expecting a (chroot) path for ZooKeeper ('/' is not supported)";
        assert_eq!(Url::of_group("zk://h1/").unwrap_err().to_string(), text);
        assert_eq!(Url::of_group("zk://h1").unwrap_err().to_string(), text);
    }

    #[test]
    fn a_password_is_never_shown() {
        let url: Url = "zk://user:secret@h1/mesos".parse().unwrap();
        assert_eq!(url.to_string(), "zk://h1/mesos");
        assert!(!format!("{url:?}").contains("secret"));
        assert_eq!(redacted("zk://user:secret@h1/mesos"), "zk://...@h1/mesos");
        assert_eq!(redacted("master@10.0.0.1:5050"), "master@10.0.0.1:5050");
        assert_eq!(url.below("log_replicas").path, "/mesos/log_replicas");
    }
}
