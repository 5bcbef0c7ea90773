//! Addresses of libprocess processes: `slave(1)@10.0.0.5:5051`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
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

    /// A process of the operating system process that listens at `address`.
    pub fn at(id: &str, address: SocketAddrV4) -> Upid {
        Upid::new(id, *address.ip(), address.port())
    }

    /// Where its operating system process listens.
    pub fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip, self.port)
    }

    /// Reads `id@a.b.c.d:port`; nothing if it is no such text or its host is a name (see [`UpidText`]).
    pub fn parse(text: &str) -> Option<Upid> {
        let text = UpidText::parse(text)?;
        Some(Upid::new(text.id, text.literal_ip()?, text.port))
    }

    /// The address that libprocess takes an unreadable text for: empty id, `0.0.0.0:0`.
    pub fn invalid() -> Upid {
        Upid::new("", Ipv4Addr::UNSPECIFIED, 0)
    }

    /// Whether this can be an address of a process at all (the test of libprocess for a valid PID).
    pub fn is_valid(&self) -> bool {
        !self.id.is_empty() && !self.ip.is_unspecified() && self.port != 0
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One stands in every record that is shown; the formatter would take several times as long.
        f.write_str(&self.id)?;
        let mut mark = "@";
        for byte in self.ip.octets() {
            f.write_str(mark)?;
            f.write_str(itoa::Buffer::new().format(byte))?;
            mark = ".";
        }
        f.write_str(":")?;
        f.write_str(itoa::Buffer::new().format(self.port))
    }
}

impl fmt::Debug for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The parts of an address as text, whose host may be a name that the shell has still to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpidText<'a> {
    /// What stands before the first `@`; may be empty.
    pub id: &'a str,
    /// An IPv4 literal or a DNS name.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
}

impl<'a> UpidText<'a> {
    /// Cuts at the first `@` and the first `:` after it. Only the first word of `text` counts, and of the port only the
    /// leading digits, cut to 16 bits (libprocess `pid.cpp`, which reads with a stream and `sscanf`).
    pub fn parse(text: &'a str) -> Option<UpidText<'a>> {
        let word = text.split_ascii_whitespace().next()?;
        let (id, rest) = word.split_once('@')?;
        let (host, port) = rest.split_once(':')?;
        Some(UpidText { id, host, port: leading_u16(port)? })
    }

    /// The host, if it is an IPv4 literal.
    pub fn literal_ip(&self) -> Option<Ipv4Addr> {
        self.host.parse().ok()
    }
}

fn leading_u16(text: &str) -> Option<u16> {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    let number = digits.fold(None, |number: Option<u64>, digit| {
        Some(number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })?;
    // Truncation is what the reading of a C short does.
    Some((number & 0xFFFF) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["slave(1)@10.0.0.5:5051", "@1.2.3.4:80", "scheduler-490a4ad9@127.0.0.1:40283"] {
            assert_eq!(Upid::parse(text).map(|upid| upid.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn cuts_at_the_first_separators() {
        let upid = UpidText::parse("a@b.example@c:1:2").unwrap();
        assert_eq!((upid.id, upid.host, upid.port), ("a", "b.example@c", 1));
    }

    #[test]
    fn reads_what_sscanf_reads() {
        assert_eq!(Upid::parse("  m@1.2.3.4:5050/path rest"), Some(Upid::new("m", Ipv4Addr::new(1, 2, 3, 4), 5050)));
        assert_eq!(Upid::parse("m@1.2.3.4:65537").map(|upid| upid.port), Some(1));
    }

    #[test]
    fn refuses_other_text() {
        for text in ["", "m", "m@1.2.3.4", "m@1.2.3.4:", "m@1.2.3.4:x", "m@1.2.3:5", "m@host:5050", "m@[::1]:5050"] {
            assert_eq!(Upid::parse(text), None, "{text}");
        }
        assert!(!Upid::invalid().is_valid());
    }
}
