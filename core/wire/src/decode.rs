//! Bytes of a connection to messages and requests (HTTP/1.1, RFC 9112; libprocess `decoder.hpp`).
//!
//! The decoder holds what has arrived and not been used. It is exact where peers depend on it: pipelined requests come
//! out one by one in order, and after an [`Error`] the connection is to be closed without an answer, as libprocess does.
//! A body that is one chunk (those of libprocess always are) is passed on by reference.

mod body;
mod head;

use crate::message::Envelope;
use body::Framing;
use bytes::{Bytes, BytesMut};

/// Request line and headers together; libprocess' parser allows 80 KiB.
pub const HEAD_BYTES_MAX: usize = 80 * 1024;

/// Header lines of one request; browsers and proxies send a few dozen.
pub const HEADERS_MAX: usize = 128;

/// How large bodies may be. Messages have no limit in libprocess but that of protobuf (2 GiB), and an agent with a
/// long history re-registers with hundreds of megabytes; HTTP requests come from people and tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest body of a message, in bytes.
    pub message_body: usize,
    /// Largest body of any other request, in bytes, compressed or not.
    pub request_body: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { message_body: i32::MAX as usize, request_body: 64 << 20 }
    }
}

/// Why a connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No HTTP/1 request.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// More than [`HEAD_BYTES_MAX`] or [`HEADERS_MAX`].
    #[error("request head is too large")]
    HeadTooLarge,
    /// More than [`Limits`] allow.
    #[error("request body is larger than {0} bytes")]
    BodyTooLarge(usize),
}

/// What comes out of the bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// The client waits for `100 Continue` before it sends its body.
    Continue,
    /// A one-way message, or the text to answer with `500` because its envelope cannot be read.
    Message(Result<Envelope, String>, Payload),
    /// Another request.
    Request(Head, Payload),
}

/// A request without its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Upper-case method.
    pub method: String,
    /// Path as sent; empty if the target has none.
    pub path: String,
    /// Query as sent, without `?`; known to be decodable.
    pub query: String,
    /// Names in lower case, in arrival order.
    pub headers: Vec<(String, String)>,
}

/// The body of a request and what concerns its connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// The body as sent.
    pub body: Bytes,
    /// Whether it is compressed with gzip.
    pub gzip: bool,
    /// Whether the connection stays open after the answer.
    pub keep_alive: bool,
    /// Whether the client knows chunked transfer (HTTP/1.1).
    pub chunked_answer: bool,
}

/// A request whose body is still arriving.
#[derive(Debug)]
struct Pending {
    subject: Subject,
    payload: Payload,
    framing: Framing,
    collected: BytesMut,
    limit: usize,
    expects_continue: bool,
}

#[derive(Debug)]
enum Subject {
    Message(Result<Envelope, String>),
    Request(Head),
}

/// Turns what arrives on one connection into requests.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    buffer: BytesMut,
    pending: Option<Pending>,
}

impl Decoder {
    /// A decoder at the beginning of a connection.
    pub fn new(limits: Limits) -> Decoder {
        Decoder { limits, buffer: BytesMut::new(), pending: None }
    }

    /// Where bytes that arrive are to be appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole request among the bytes so far.
    pub fn decode(&mut self) -> Result<Option<Decoded>, Error> {
        if self.pending.is_none() {
            self.pending = head::take(&mut self.buffer, &self.limits)?;
        }
        let Some(pending) = &mut self.pending else { return Ok(None) };
        if !body::take(&mut self.buffer, pending)? {
            let ask = std::mem::take(&mut pending.expects_continue);
            return Ok(ask.then_some(Decoded::Continue));
        }
        Ok(self.pending.take().map(Pending::finish))
    }

    /// How many bytes have arrived and are not given out yet.
    pub fn held(&self) -> usize {
        let of_body = |pending: &Pending| pending.collected.len() + pending.payload.body.len();
        self.buffer.len() + self.pending.as_ref().map_or(0, of_body)
    }

    /// Whether the connection may end here: no request has begun.
    pub fn is_between_requests(&self) -> bool {
        self.pending.is_none() && self.buffer.is_empty()
    }
}

impl Pending {
    fn finish(self) -> Decoded {
        match self.subject {
            Subject::Message(envelope) => Decoded::Message(envelope, self.payload),
            Subject::Request(head) => Decoded::Request(head, self.payload),
        }
    }
}

#[cfg(test)]
mod tests;
