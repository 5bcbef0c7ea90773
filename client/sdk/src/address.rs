//! Addresses of masters as people write them.

/// The port of a master that names none.
pub const MASTER_PORT: u16 = 5050;

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A way of finding masters that comes later.
    #[error("'{0}' needs {1}, which this version does not have yet; name the master as host:port")]
    Later(String, &'static str),
    /// Not an address at all.
    #[error("'{0}' is not the address of a master; expecting host:port, e.g. 10.0.0.1:5050")]
    Malformed(String),
}

/// The `host:port` of each master in a text: `10.0.0.1:5050`, `m1:5050,m2:5050`, `http://m1:5050/`,
/// `master@10.0.0.1:5050`; without a port, 5050 is meant.
pub fn masters(text: &str) -> Result<Vec<String>, AddressError> {
    if text.starts_with("zk://") {
        return Err(AddressError::Later(text.to_owned(), "ZooKeeper"));
    }
    text.split(',').map(|part| endpoint(part.trim(), MASTER_PORT)).collect()
}

/// The `host:port` of one peer in a text, in the same forms.
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
            assert_eq!(masters(text), Ok(vec![address.to_owned()]), "{text}");
        }
        assert_eq!(masters("a:1, b:2").unwrap(), ["a:1", "b:2"]);
    }

    #[test]
    fn what_is_no_address_says_what_is_expected() {
        for text in ["", ":5050", "host:port", "host:99999", "a b:1", "::1", "a:1,,b:2"] {
            assert!(matches!(masters(text), Err(AddressError::Malformed(_))), "{text}");
        }
        assert!(masters("zk://h:2181/mesos").unwrap_err().to_string().contains("ZooKeeper"));
        assert!(masters("https://h").unwrap_err().to_string().contains("TLS"));
    }
}
