//! Addresses of libprocess processes: `slave(1)@10.0.0.5:5051`.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The address of a process: its id within an operating system process, and where that one listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upid {
    /// `master`, `slave(1)`, `scheduler-<uuid>`; may be empty.
    pub id: Arc<str>,
    /// IPv4 only: the wire knows no other.
    pub ip: Ipv4Addr,
    /// TCP port.
    pub port: u16,
}

impl Upid {
    /// Puts an address together.
    pub fn new(id: &str, ip: Ipv4Addr, port: u16) -> Upid {
        Upid { id: Arc::from(id), ip, port }
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.id, self.ip, self.port)
    }
}

impl fmt::Debug for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
