//! A client of ZooKeeper: one session, its requests and its watches.
//!
//! Only what Mesos needs: digest credentials, ephemeral sequential znodes, watches on children. Why this is our own is
//! told in `docs/adr/0010-own-zookeeper-client.md`.

mod client;
mod connection;
mod jute;
#[cfg(test)]
pub(crate) mod played;
mod protocol;
mod servers;
mod session;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use protocol::{Acl, Code, Mode, Stat};
pub use session::{Config, Event};

/// Reads any bytes as each kind of message. For the fuzzer: no bytes may panic.
pub(crate) fn read_anything(bytes: bytes::Bytes) {
    let _ = protocol::connected(bytes.clone());
    let Ok(answer) = protocol::answer(bytes.clone()) else { return };
    let Ok(body) = answer.outcome else { return };
    let _ = protocol::notification(body);
    for read in [children, acl] {
        let mut body = jute::Reader::new(bytes.clone());
        read(&mut body);
    }
}

fn children(body: &mut jute::Reader) {
    let _ = body.list(jute::Reader::text);
    let _ = protocol::read_stat(body);
}

fn acl(body: &mut jute::Reader) {
    let _ = body.list(protocol::read_acl);
}
