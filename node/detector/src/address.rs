//! Addresses of masters as people write them.

use std::fmt;
use tepui_coordination::{SCHEME, Url, UrlError};

/// The port of a master that names none.
pub const MASTER_PORT: u16 = 5050;
/// What a file is named with that holds the address.
const FILE: &str = "file://";
/// Files that name files are followed so far.
const MAX_FILES: usize = 4;

/// Why a text does not say where the masters are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A way of finding masters that comes later.
    #[error("'{0}' needs {1}, which this version does not have yet; name the master as host:port")]
    Later(String, &'static str),
    /// Not an address at all.
    #[error("'{0}' is not the address of a master; expecting host:port, e.g. 10.0.0.1:5050")]
    Malformed(String),
    /// A group in ZooKeeper that cannot be one.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A file that cannot be read, or names a file that names a file and so on.
    #[error("Failed to read from file at '{0}'")]
    File(String),
}

/// Where the masters are, and so how the leading one is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Masters {
    /// There is one, at `host:port`, and it leads.
    Fixed(String),
    /// Each of these, `host:port`, is asked who leads.
    List(Vec<String>),
    /// The lowest member of a group leads.
    ZooKeeper(Url),
}

impl Masters {
    /// Reads `10.0.0.1:5050`, `m1:5050,m2:5050`, `http://m1:5050/`, `master@10.0.0.1:5050` (without a port, 5050 is
    /// meant), `zk://...`, or `file:///path` of a file that holds one of these.
    pub fn parse(text: &str) -> Result<Masters, AddressError> {
        Masters::read(text, MAX_FILES)
    }

    fn read(text: &str, files: usize) -> Result<Masters, AddressError> {
        let text = text.trim();
        if text.starts_with(SCHEME) {
            return Ok(Masters::ZooKeeper(Url::of_group(text)?));
        }
        if let Some(path) = text.strip_prefix(FILE) {
            let unreadable = || AddressError::File(path.to_owned());
            let content = std::fs::read_to_string(path).ok().filter(|_| files > 0).ok_or_else(unreadable)?;
            return Masters::read(&content, files - 1);
        }
        let mut list = text.split(',').map(|part| endpoint(part.trim(), MASTER_PORT)).collect::<Result<Vec<_>, _>>()?;
        if list.len() > 1 { Ok(Masters::List(list)) } else { Ok(Masters::Fixed(list.swap_remove(0))) }
    }
}

/// For people and logs: without credentials.
impl fmt::Display for Masters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Masters::Fixed(address) => f.write_str(address),
            Masters::List(list) => f.write_str(&list.join(",")),
            Masters::ZooKeeper(url) => write!(f, "{url}"),
        }
    }
}

/// The `host:port` of one peer in a text: `10.0.0.1:5050`, `http://m1:5050/`, `master@10.0.0.1:5050`.
pub fn endpoint(text: &str, default_port: u16) -> Result<String, AddressError> {
    if text.starts_with("https://") {
        return Err(AddressError::Later(text.to_owned(), "TLS"));
    }
    let malformed = || AddressError::Malformed(text.to_owned());
    let rest = text.strip_prefix("http://").unwrap_or(text);
    let rest = rest.split('/').next().unwrap_or_default();
    let rest = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
    // An IPv6 address stands in brackets, so its own colons are not taken for the port's.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().map_err(|_| malformed())?),
        _ => (rest, default_port),
    };
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    if host.is_empty() || !host.chars().all(plain) || (host.contains(':') && !host.starts_with('[')) {
        return Err(malformed());
    }
    Ok(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_read() {
        for (text, address) in [
            ("10.0.0.1:5050", "10.0.0.1:5050"),
            ("master.example", "master.example:5050"),
            ("http://m1:8080/", "m1:8080"),
            ("http://m1/api/v1", "m1:5050"),
            ("master@10.0.0.1:5051", "10.0.0.1:5051"),
            ("[::1]:5050", "[::1]:5050"),
            ("[::1]", "[::1]:5050"),
        ] {
            assert_eq!(Masters::parse(text), Ok(Masters::Fixed(address.to_owned())), "{text}");
        }
        assert_eq!(Masters::parse("a:1, b:2").unwrap(), Masters::List(vec!["a:1".to_owned(), "b:2".to_owned()]));
        let Ok(Masters::ZooKeeper(url)) = Masters::parse("zk://u:p@h1,h2/mesos") else { panic!("a group") };
        assert_eq!((url.servers.as_str(), url.path.as_str()), ("h1,h2", "/mesos"));
    }

    #[test]
    fn what_is_no_address_says_what_is_expected() {
        for text in ["", ":5050", "host:port", "host:99999", "a b:1", "::1", "a:1,,b:2"] {
            assert!(matches!(Masters::parse(text), Err(AddressError::Malformed(_))), "{text}");
        }
        assert!(Masters::parse("https://h").unwrap_err().to_string().contains("TLS"));
        let root = "Expecting a (chroot) path for ZooKeeper ('/' is not supported)";
        assert_eq!(Masters::parse("zk://h:2181").unwrap_err().to_string(), root);
    }

    #[test]
    fn a_file_holds_the_address() {
        let path = |name: &str| std::env::temp_dir().join(format!("masters-{}-{name}", std::process::id()));
        std::fs::write(path("a"), " zk://u:secret@h/mesos \n").unwrap();
        let text = format!("file://{}", path("a").display());
        assert_eq!(Masters::parse(&text).unwrap().to_string(), "zk://h/mesos");
        // One that names itself is no way without end.
        std::fs::write(path("a"), &text).unwrap();
        let failed = format!("Failed to read from file at '{}'", path("a").display());
        assert_eq!(Masters::parse(&text).unwrap_err().to_string(), failed);
        std::fs::remove_file(path("a")).unwrap();
        assert_eq!(Masters::parse(&text).unwrap_err().to_string(), failed);
    }
}
