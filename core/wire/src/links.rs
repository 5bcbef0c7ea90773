//! Who watches whom: which local processes are to learn that the connection to an address ended.
//!
//! A link is one-directional and nothing but a TCP connection: the linker's side opens it, and when it ends every
//! linkee at that address counts as exited for each of its linkers, and all these links are forgotten. Connections are
//! opened and closed by the owner of this table (io/net, the simulator). Source: libprocess `SocketManager`.

use crate::upid::Upid;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;
use std::sync::Arc;

/// One `exited` event: the linker's id and the linkee.
pub type Exit = (Arc<str>, Upid);

/// All links of one operating system process.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Linkees by address, each with the ids of its linkers; no empty sets.
    linkers: BTreeMap<SocketAddrV4, BTreeMap<Upid, BTreeSet<Arc<str>>>>,
}

/// What a link asks of the connection to its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Use the one that is there, or open one.
    Reuse,
    /// Open a new one. Queued messages move to it; the old one is shut down without an exit.
    Replace,
}

impl Links {
    /// Notes that the local process `linker` watches `to`.
    pub fn link(&mut self, linker: &Arc<str>, to: &Upid, reconnect: bool) -> Connection {
        let linkees = self.linkers.entry(to.address()).or_default();
        linkees.entry(to.clone()).or_default().insert(linker.clone());
        if reconnect { Connection::Replace } else { Connection::Reuse }
    }

    /// Whether the connection to `address` must be kept.
    pub fn is_linked(&self, address: SocketAddrV4) -> bool {
        self.linkers.contains_key(&address)
    }

    /// The connection to `address` ended or could not be made: the exits to deliver. The links are forgotten.
    pub fn broken(&mut self, address: SocketAddrV4) -> Vec<Exit> {
        let linkees = self.linkers.remove(&address).unwrap_or_default();
        linkees.into_iter().flat_map(|(linkee, linkers)| exits(linkee, linkers)).collect()
    }

    /// A local process ended: it watches nothing any more, and the exits are those for its own linkers.
    pub fn ended(&mut self, process: &Upid) -> Vec<Exit> {
        for linkees in self.linkers.values_mut() {
            for linkers in linkees.values_mut() {
                linkers.remove(&process.id);
            }
            linkees.retain(|_, linkers| !linkers.is_empty());
        }
        let local = self.linkers.get_mut(&process.address());
        let linkers = local.and_then(|linkees| linkees.remove(process)).unwrap_or_default();
        self.linkers.retain(|_, linkees| !linkees.is_empty());
        exits(process.clone(), linkers).collect()
    }
}

fn exits(linkee: Upid, linkers: BTreeSet<Arc<str>>) -> impl Iterator<Item = Exit> {
    linkers.into_iter().map(move |linker| (linker, linkee.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn upid(id: &str, port: u16) -> Upid {
        Upid::new(id, Ipv4Addr::LOCALHOST, port)
    }

    fn text(exits: &[Exit]) -> Vec<String> {
        exits.iter().map(|(linker, linkee)| format!("{linker} <- {}:{}", linkee.id, linkee.port)).collect()
    }

    fn table(links: &[(&str, &str, u16)]) -> Links {
        let mut table = Links::default();
        for (linker, linkee, port) in links {
            table.link(&Arc::from(*linker), &upid(linkee, *port), false);
        }
        table
    }

    #[test]
    fn a_broken_connection_reaches_every_linker_of_every_linkee_once() {
        let mut links =
            table(&[("m", "slave(1)", 1), ("m", "slave(1)", 1), ("o", "slave(1)", 1), ("m", "ex", 1), ("m", "s", 2)]);
        let address = upid("", 1).address();
        assert_eq!(text(&links.broken(address)), ["m <- ex:1", "m <- slave(1):1", "o <- slave(1):1"]);
        assert!(!links.is_linked(address) && links.broken(address).is_empty());
        assert!(links.is_linked(upid("", 2).address()));
    }

    #[test]
    fn an_ended_process_leaves_and_is_reported() {
        let mut links = table(&[("gone", "slave(1)", 1), ("m", "slave(1)", 1), ("gone", "x", 2), ("m", "gone", 9)]);
        assert_eq!(text(&links.ended(&upid("gone", 9))), ["m <- gone:9"]);
        assert_eq!(text(&links.broken(upid("", 1).address())), ["m <- slave(1):1"]);
        assert!(!links.is_linked(upid("", 2).address()), "the last linker of that address left");
    }

    #[test]
    fn reconnect_asks_for_a_new_connection() {
        let mut links = Links::default();
        assert_eq!(links.link(&Arc::from("m"), &upid("a", 1), true), Connection::Replace);
        assert_eq!(links.link(&Arc::from("m"), &upid("a", 1), false), Connection::Reuse);
    }
}
