//! HTTP as these machines see it: requests they want made, and what became of each.
//!
//! The driver (client/sdk, sim) makes the requests. It keeps two lanes, as Mesos' own client does: the subscription
//! on a connection of its own, and all other calls one after another on a second, so that they arrive in order.

use bytes::Bytes;

/// Names one request of a machine and the answer to it. Never used twice by the same machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

/// A POST to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// `host:port` of the peer.
    pub to: String,
    /// Path, such as `/api/v1/scheduler`.
    pub path: &'static str,
    /// Headers beside `Host` and `Content-Length`, which the driver adds.
    pub headers: Vec<(&'static str, String)>,
    /// The call, encoded.
    pub body: Bytes,
}

/// What a machine does to the network.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpEffect {
    /// Makes a request whose answer, if it is 200, is an open stream.
    Subscribe(ExchangeId, Post),
    /// Makes a request after those put out before it; its answer is taken whole.
    Call(ExchangeId, Post),
    /// Forgets a request: one that waits for its turn is never made, the connection of one that was made is closed, and
    /// nothing more is reported of it.
    Abort(ExchangeId),
}

/// A status and what came with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty for a stream that has just opened.
    pub body: Bytes,
}

impl Reply {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text for people: at most [`MAX_REASON_BYTES`], or the bare status when there is none.
    pub fn reason(&self) -> String {
        let shown = &self.body[..self.body.len().min(MAX_REASON_BYTES)];
        let text = String::from_utf8_lossy(shown);
        if text.trim().is_empty() { format!("HTTP status {}", self.status) } else { text.trim().to_owned() }
    }
}

/// How much of an error body is kept: the texts of Mesos are one or two lines.
pub const MAX_REASON_BYTES: usize = 4096;

/// What the network did.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpInput {
    /// A subscription was answered with 200: records follow as chunks.
    Opened(ExchangeId, Reply),
    /// A piece of the open stream; pieces need not be records.
    Chunk(ExchangeId, Bytes),
    /// The request was answered, its body read whole (for a subscription: with another status than 200).
    Answered(ExchangeId, Reply),
    /// The connection failed before or within the answer, or the stream ended. The text is for people.
    Closed(ExchangeId, String),
}

/// The `host:port` of a `Location` header such as `//10.0.0.1:5050/master/api/v1/scheduler`, which Mesos sends without
/// a scheme. `None` if it names no host.
pub fn location_address(location: &str) -> Option<String> {
    let rest = location.split_once("//").map(|(_, rest)| rest)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| authority.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_of_mesos_has_no_scheme() {
        assert_eq!(location_address("//m2:5050/master/api/v1/scheduler").as_deref(), Some("m2:5050"));
        assert_eq!(location_address("http://10.0.0.1:5050/x?y").as_deref(), Some("10.0.0.1:5050"));
        for bad in ["/relative", "//:5050/", "//host/", "//host:99999/", ""] {
            assert_eq!(location_address(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_reason_is_short_and_never_empty() {
        let long = Reply { status: 400, body: Bytes::from(vec![b'x'; 10_000]), ..Reply::default() };
        assert_eq!(long.reason().len(), MAX_REASON_BYTES);
        assert_eq!(Reply { status: 503, ..Reply::default() }.reason(), "HTTP status 503");
    }
}
