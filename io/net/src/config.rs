//! Where a node listens, what it calls itself, and its limits.

use std::net::Ipv4Addr;
use tepui_wire::decode::Limits;

/// How a [`crate::Node`] is set up. The default listens on every interface at a free port.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// The address to bind.
    pub ip: Ipv4Addr,
    /// The port to bind; 0 takes a free one.
    pub port: u16,
    /// Replaces the ip in our own addresses, where peers reach us by another one.
    pub advertise_ip: Option<Ipv4Addr>,
    /// Replaces the port in our own addresses.
    pub advertise_port: Option<u16>,
    /// Refuse messages whose sender names another ip than its socket has.
    pub require_peer_address_ip_match: bool,
    /// Sizes of what peers may send.
    pub limits: Limits,
    /// How much all connections together may hold of requests that are not whole yet, in bytes. Requests within 64 KiB do
    /// not count; one request at a time may go beyond it.
    pub arriving_bytes: usize,
    /// How much may wait for one process, in bytes of message and request bodies, before its senders are not read any
    /// more. One input may be larger than this; it then waits for an empty mailbox.
    pub mailbox_bytes: usize,
    /// How much may wait in a streaming response for a client that does not read, in bytes, before it is dropped. A
    /// chunk may be larger (a snapshot of the cluster can be, and the offers of all agents), if the client goes on reading.
    pub stream_queued_bytes_max: usize,
    /// How many connections may be open at one time; further ones wait to be accepted.
    pub connections_max: usize,
    /// How much may wait for a peer that does not read, in bytes, before the connection counts as broken.
    pub peer_queued_bytes_max: usize,
}

impl Default for NetConfig {
    fn default() -> NetConfig {
        NetConfig {
            ip: Ipv4Addr::UNSPECIFIED,
            port: 0,
            advertise_ip: None,
            advertise_port: None,
            require_peer_address_ip_match: false,
            limits: Limits::default(),
            // Eight requests of the largest size, or the history of two large agents.
            arriving_bytes: 512 << 20,
            mailbox_bytes: 64 << 20,
            stream_queued_bytes_max: 4 << 20,
            // Two for each agent of the largest clusters known (50,000), which other limits will stop first.
            connections_max: 100_000,
            peer_queued_bytes_max: 1 << 30,
        }
    }
}

/// A variable that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Failed to load {name} '{value}': expected {expected}")]
pub struct ConfigError {
    name: &'static str,
    value: String,
    expected: &'static str,
}

impl NetConfig {
    /// Listens on the loopback interface at a free port: for tests and for a cluster on one machine.
    pub fn loopback() -> NetConfig {
        NetConfig { ip: Ipv4Addr::LOCALHOST, ..NetConfig::default() }
    }

    /// Reads the `LIBPROCESS_*` variables through `get`; flags of the master and agent are put over them afterwards.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<NetConfig, ConfigError> {
        const IP: &str = "an IPv4 address";
        const PORT: &str = "a port";
        let default = NetConfig::default();
        Ok(NetConfig {
            ip: read(&get, "LIBPROCESS_IP", IP)?.unwrap_or(default.ip),
            port: read(&get, "LIBPROCESS_PORT", PORT)?.unwrap_or(default.port),
            advertise_ip: read(&get, "LIBPROCESS_ADVERTISE_IP", IP)?,
            advertise_port: read(&get, "LIBPROCESS_ADVERTISE_PORT", PORT)?,
            require_peer_address_ip_match: read_bool(&get, "LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH")?,
            ..default
        })
    }
}

fn read<T: std::str::FromStr>(
    get: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &'static str,
) -> Result<Option<T>, ConfigError> {
    let Some(value) = get(name) else { return Ok(None) };
    value.parse().map(Some).map_err(|_| ConfigError { name, value, expected })
}

/// The texts stout takes for a boolean flag.
fn read_bool(get: &impl Fn(&str) -> Option<String>, name: &'static str) -> Result<bool, ConfigError> {
    match get(name).as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(value) => Err(ConfigError { name, value: value.to_owned(), expected: "true or false" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<NetConfig, ConfigError> {
        NetConfig::from_env(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn variables() {
        let config = from(&[
            ("LIBPROCESS_IP", "127.0.0.1"),
            ("LIBPROCESS_PORT", "5050"),
            ("LIBPROCESS_ADVERTISE_PORT", "31000"),
        ]);
        let config = config.unwrap();
        assert_eq!((config.ip, config.port), (Ipv4Addr::LOCALHOST, 5050));
        assert_eq!((config.advertise_ip, config.advertise_port), (None, Some(31000)));
    }

    #[test]
    fn what_cannot_be_read() {
        let text = |variables| from(variables).unwrap_err().to_string();
        assert_eq!(text(&[("LIBPROCESS_PORT", "66000")]), "Failed to load LIBPROCESS_PORT '66000': expected a port");
        assert!(from(&[("LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH", "maybe")]).is_err());
    }
}
