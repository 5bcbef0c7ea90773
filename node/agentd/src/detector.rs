//! Finding the master: it is where the flag says (`host:port`), whether it answers or not.
//!
//! Source: `StandaloneMasterDetector`. Groups (ZooKeeper) are not followed yet.

use tepui_wire::Upid;
use tokio::net::lookup_host;

/// Knows one master.
#[derive(Clone, Debug)]
pub struct Detector {
    address: String,
}

impl Detector {
    /// `address` is `host:port`, or a whole `master@host:port`.
    pub fn new(address: &str) -> Detector {
        let address = address.split_once('@').map_or(address, |(_, address)| address);
        Detector { address: address.to_owned() }
    }

    /// The host as it was given, if it is a name, or `localhost` on loopback: no name service is asked.
    pub fn hostname(&self) -> Option<String> {
        let (host, _) = self.address.rsplit_once(':')?;
        match host.parse::<std::net::Ipv4Addr>() {
            Err(_) => Some(host.to_owned()),
            Ok(address) => address.is_loopback().then(|| "localhost".to_owned()),
        }
    }

    /// The master's address; none if its name does not resolve.
    pub async fn detect(&self) -> Option<Upid> {
        let addresses = lookup_host(self.address.as_str()).await;
        let addresses = addresses.inspect_err(|error| tracing::error!(master = self.address, %error, "no such master"));
        addresses.ok()?.find_map(|address| match address {
            std::net::SocketAddr::V4(address) => Some(Upid::at("master", address)),
            std::net::SocketAddr::V6(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_master_is_where_the_flag_says() {
        let found = Detector::new("127.0.0.1:5050").detect().await.unwrap();
        assert_eq!(found.to_string(), "master@127.0.0.1:5050");
        assert_eq!(Detector::new("master@127.0.0.1:5050").detect().await, Some(found));
        assert_eq!(Detector::new("somewhere:5050").hostname().as_deref(), Some("somewhere"));
        assert_eq!(Detector::new("127.0.0.1:5050").hostname().as_deref(), Some("localhost"));
        assert_eq!(Detector::new("10.0.0.1:5050").hostname(), None);
    }
}
