//! The replicas beside this one: found in ZooKeeper by and by, or named by `--masters` once and for all.

use crate::settings::{Error, Settings};
use crate::start::{Contest, Keeping};
use std::collections::BTreeSet;
use std::net::{SocketAddr, SocketAddrV4};
use tepui_logd::members::{self, Others};
use tepui_logd::replica;
use tepui_net::Node;
use tepui_wire::Upid;
use tokio::sync::watch;

/// The group of the log.
pub(crate) struct Group {
    /// The other replicas.
    pub others: Others,
    /// All of them, this one too, if they elect by the log.
    pub masters: Option<BTreeSet<Upid>>,
}

impl Group {
    /// The group that the settings ask for.
    pub async fn of(node: &Node, settings: &Settings) -> Result<Group, Error> {
        let own = node.upid(replica::PROCESS);
        let these = |others: BTreeSet<Upid>| Others::Known(watch::channel(others).1);
        Ok(match (&settings.keeping, &settings.contest) {
            (Keeping::Log(_), Contest::ZooKeeper { url, session_timeout }) => {
                let others = Others::ZooKeeper(url.below(members::ZNODE), *session_timeout);
                Group { others, masters: None }
            }
            (Keeping::Log(_), Contest::Masters(list)) => {
                let masters = resolve(list, node.address(), own.address()).await?;
                let mut others = masters.clone();
                others.remove(&own);
                Group { others: these(others), masters: Some(masters) }
            }
            _ => Group { others: these(BTreeSet::new()), masters: None },
        })
    }
}

/// The replicas of a list. Each is known by the address its process has for others, so that this master has to be in it
/// under the address that it advertises.
async fn resolve(list: &[String], bound: SocketAddrV4, own: SocketAddrV4) -> Result<BTreeSet<Upid>, Error> {
    let mut masters = BTreeSet::new();
    for master in list {
        let address = address(master).await.map_err(|cause| {
            Error::Start(format!("--masters: '{master}' cannot be used, it has no IPv4 address here: {cause}"))
        })?;
        if !masters.insert(Upid::at(replica::PROCESS, address)) {
            return Err(Error::Start(format!("--masters: '{master}' is {address}, which stands in it twice")));
        }
    }
    if !masters.contains(&Upid::at(replica::PROCESS, own)) {
        let list = list.join(",");
        return Err(Error::Start(format!(
            "--masters={list} does not name this master: it listens at {bound} and others reach it at {own}. Put that into \
             the list of every master, or give --ip and --port, or --advertise_ip and --advertise_port, as they are there"
        )));
    }
    Ok(masters)
}

async fn address(master: &str) -> Result<SocketAddrV4, String> {
    let addresses = tokio::net::lookup_host(master).await.map_err(|error| error.to_string())?;
    let mut v4 = addresses.filter_map(|address| match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    });
    v4.next().ok_or_else(|| "only IPv6 ones".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    async fn of(list: &[&str], own: &str) -> Result<usize, String> {
        let list: Vec<String> = list.iter().map(|master| (*master).to_owned()).collect();
        let masters = resolve(&list, at("0.0.0.0:5050"), at(own)).await;
        masters.map(|masters| masters.len()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_list_must_name_this_master_as_others_reach_it() {
        let list = ["10.0.0.1:5050", "10.0.0.2:5050", "10.0.0.3:5050"];
        assert_eq!(of(&list, "10.0.0.2:5050").await, Ok(3));
        for own in ["10.0.0.4:5050", "10.0.0.1:5051"] {
            let text = of(&list, own).await.unwrap_err();
            let wanted = format!("listens at 0.0.0.0:5050 and others reach it at {own}.");
            assert!(text.contains(&wanted) && text.contains("does not name this master"), "{text}");
        }
    }

    #[tokio::test]
    async fn one_address_under_two_names_is_refused() {
        let text = of(&["127.0.0.1:5050", "localhost:5050"], "127.0.0.1:5050").await.unwrap_err();
        assert_eq!(text, "--masters: 'localhost:5050' is 127.0.0.1:5050, which stands in it twice");
        assert!(of(&["[::1]:5050"], "127.0.0.1:5050").await.unwrap_err().contains("only IPv6 ones"));
    }
}
