//! One-way messages: their bytes, and how an HTTP request is recognised as one.
//!
//! On the wire a message is a `POST` whose header names the sender; see [`Message::encode`] for the exact bytes. The
//! receiver answers each with `202 Accepted` or `404 Not Found`, which the sender reads and throws away. Source:
//! libprocess `encoder.hpp` (MessageEncoder), `process.cpp` (libprocess, parse).

use crate::percent;
use crate::upid::Upid;
use bytes::Bytes;
use std::fmt::Write;
use std::net::SocketAddrV4;

/// A one-way libprocess message. The name is the full V0 protobuf type name (`mesos.internal.RegisterSlaveMessage`),
/// the body that message in binary form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The process that sent it, with its advertised address.
    pub from: Upid,
    /// The process it is for.
    pub to: Upid,
    /// Full V0 type name.
    pub name: String,
    /// Serialized protobuf; may be empty.
    pub body: Bytes,
}

/// What ends the one chunk of a body.
const TAIL: &[u8] = b"\r\n0\r\n\r\n";

/// Up to this size a body is copied behind its head, so that a message is one piece of memory and, mostly, one packet;
/// a longer one is cheaper to pass on by reference.
const COPIED_BODY_MAX: usize = 4096;

impl Message {
    /// The exact bytes of the message, in order, as pieces to be written one after the other: a body is always one
    /// chunk, an empty one has no framing at all, the ids are written as they are.
    pub fn encode(&self) -> Pieces {
        let mut head = String::with_capacity(256 + self.body.len().min(COPIED_BODY_MAX));
        self.write_head(&mut head);
        if self.body.is_empty() {
            return [head.into(), Bytes::new(), Bytes::new()];
        }
        if self.body.len() > COPIED_BODY_MAX {
            return [head.into(), self.body.clone(), Bytes::from_static(TAIL)];
        }
        let mut whole = head.into_bytes();
        whole.extend_from_slice(&self.body);
        whole.extend_from_slice(TAIL);
        [whole.into(), Bytes::new(), Bytes::new()]
    }

    fn write_head(&self, head: &mut String) {
        // Writing to a string cannot fail.
        let slash = if self.to.id.is_empty() { "" } else { "/" };
        let _ = write!(head, "POST {slash}{}/{} HTTP/1.1\r\n", self.to.id, self.name);
        let from = head.len() + "User-Agent: libprocess/".len();
        let _ = write!(head, "User-Agent: libprocess/{}", self.from);
        let until = head.len();
        head.push_str("\r\nLibprocess-From: ");
        head.extend_from_within(from..until);
        head.push_str("\r\nConnection: Keep-Alive\r\nHost: \r\n");
        if !self.body.is_empty() {
            let _ = write!(head, "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", self.body.len());
        } else {
            head.push_str("\r\n");
        }
    }
}

/// The bytes of a message in up to three pieces; unused ones are empty.
pub type Pieces = [Bytes; 3];

/// Who sent a message, and what for whom: all of it but the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The sender; [`Upid::invalid`] if the header holds no address.
    pub from: Upid,
    /// Percent-decoded id of the receiver.
    pub to: String,
    /// Message name.
    pub name: String,
}

impl Envelope {
    /// The message, received at `address`.
    pub fn with_body(self, address: SocketAddrV4, body: Bytes) -> Message {
        Message { from: self.from, to: Upid::at(&self.to, address), name: self.name, body }
    }
}

/// Whether a request is a message: a `POST` with `User-Agent: libprocess/...` or any `Libprocess-From`.
pub fn is_message(method: &str, user_agent: Option<&str>, libprocess_from: Option<&str>) -> bool {
    method == "POST" && (libprocess_from.is_some() || user_agent.is_some_and(|agent| agent.starts_with(AGENT)))
}

const AGENT: &str = "libprocess/";

/// Reads the envelope of a message out of its path and headers; the error is the body of the `500` that libprocess
/// answers.
///
/// A sender's host that is a name is not looked up: libprocess itself always writes a literal, and a receiver must not
/// wait for a name service before it delivers. Such a message arrives from [`Upid::invalid`], as an unreadable one does.
pub fn envelope(path: &str, user_agent: Option<&str>, libprocess_from: Option<&str>) -> Result<Envelope, String> {
    let from = libprocess_from
        .or_else(|| user_agent?.strip_prefix(AGENT))
        .ok_or("Failed to determine sender from request headers")?;
    let path = path.strip_prefix('/').ok_or("Request URL path must start with '/'")?;
    let (to, name) = path.split_once('/').unwrap_or((path, ""));
    let to = percent::decode(to).map_err(|error| format!("Failed to decode URL path: {error}"))?;
    let from = Upid::parse(from).unwrap_or_else(Upid::invalid);
    Ok(Envelope { from, to, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn message(to: &str, body: &'static [u8]) -> Message {
        let ip = Ipv4Addr::LOCALHOST;
        let (from, to) = (Upid::new("master", ip, 5050), Upid::new(to, ip, 1));
        Message { from, to, name: "n.M".to_owned(), body: Bytes::from_static(body) }
    }

    fn bytes(message: &Message) -> String {
        String::from_utf8(message.encode().concat()).unwrap()
    }

    const REST: &str = "User-Agent: libprocess/master@127.0.0.1:5050\r\nLibprocess-From: master@127.0.0.1:5050\r\n\
                        Connection: Keep-Alive\r\nHost: \r\n";

    #[test]
    fn an_empty_body_has_no_framing() {
        assert_eq!(bytes(&message("slave(1)", b"")), format!("POST /slave(1)/n.M HTTP/1.1\r\n{REST}\r\n"));
    }

    #[test]
    fn an_empty_id_has_no_slash() {
        let wanted = format!(
            "POST /n.M HTTP/1.1\r\n{REST}Transfer-Encoding: chunked\r\n\r\n11\r\n{}\r\n0\r\n\r\n",
            "17 bytes of body."
        );
        assert_eq!(bytes(&message("", b"17 bytes of body.")), wanted);
    }

    #[test]
    fn a_long_body_is_shared() {
        static BODY: [u8; COPIED_BODY_MAX + 1] = [b'x'; COPIED_BODY_MAX + 1];
        let message = message("a", &BODY);
        let pieces = message.encode();
        assert_eq!(pieces[1].as_ptr(), message.body.as_ptr());
        assert!(pieces[0].ends_with(b"\r\n1001\r\n") && pieces[2] == TAIL);
    }

    #[test]
    fn recognition() {
        assert!(is_message("POST", Some("libprocess/a@1.2.3.4:1"), None));
        assert!(is_message("POST", Some("curl"), Some("")));
        assert!(!is_message("POST", Some("my libprocess/a"), None));
        assert!(!is_message("GET", Some("libprocess/a@1.2.3.4:1"), Some("a@1.2.3.4:1")));
    }

    #[test]
    fn the_envelope_of_a_request() {
        let read = envelope("/slave%281%29/a.b/c", None, Some(" m@1.2.3.4:5 ")).unwrap();
        assert_eq!(
            (read.from.to_string().as_str(), read.to.as_str(), read.name.as_str()),
            ("m@1.2.3.4:5", "slave(1)", "a.b/c")
        );
        let read = envelope("/only", Some("libprocess/m@1.2.3.4:5"), None).unwrap();
        assert_eq!((read.from.id.as_ref(), read.to.as_str(), read.name.as_str()), ("m", "only", ""));
        assert_eq!(envelope("/a/b", None, Some("nonsense")).unwrap().from, Upid::invalid());
    }

    #[test]
    fn what_is_wrong_with_an_envelope() {
        assert_eq!(envelope("/a/b", None, None).unwrap_err(), "Failed to determine sender from request headers");
        assert_eq!(envelope("a/b", None, Some("x")).unwrap_err(), "Request URL path must start with '/'");
        assert_eq!(
            envelope("/%a/b", None, Some("x")).unwrap_err(),
            "Failed to decode URL path: Malformed % escape in '%a': '%a'"
        );
    }
}
