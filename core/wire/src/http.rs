//! HTTP requests and responses as plain data, so that a machine can decide about them and a test can write them down.

use bytes::Bytes;
use std::net::SocketAddr;

/// A request whose body has arrived whole and has been inflated if it was compressed.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Upper-case method.
    pub method: String,
    /// Path as sent, still percent-encoded, without the query, after delegate routing (`/state` has become
    /// `/master/state`).
    pub path: String,
    /// Raw query without the `?`; empty if there is none.
    pub query: String,
    /// Header names in lower case, in arrival order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The peer's address.
    pub peer: SocketAddr,
    /// Authenticated principal, if the realm has an authenticator.
    pub principal: Option<String>,
    /// 128 random bits from the operating system, for the ids this request may need (stream ids).
    pub nonce: u128,
}

impl Request {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A response's body.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Complete; `Content-Length` is set, and gzip applied where it serves.
    Full(Bytes),
    /// Chunked and open: chunks follow as `StreamWrite` under the request's id.
    Stream,
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Status code; the reason phrase is the standard one.
    pub status: u16,
    /// Headers beside `Date`, `Content-Length`, `Transfer-Encoding`, which the transport adds.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// A response without body and content type, as 200, 202 and 307 are.
    pub fn empty(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Body::Full(Bytes::new()) }
    }

    /// A text, as all errors are (`Content-Type: text/plain; charset=utf-8`).
    pub fn text(status: u16, text: impl Into<String>) -> Response {
        Response::with_type(status, "text/plain; charset=utf-8", text.into().into_bytes())
    }

    /// A body of a given type.
    pub fn with_type(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response {
        Response { status, headers: vec![("Content-Type", content_type.to_owned())], body: Body::Full(body.into()) }
    }

    /// An open stream of records of a given type.
    pub fn stream(content_type: &str) -> Response {
        Response { status: 200, headers: vec![("Content-Type", content_type.to_owned())], body: Body::Stream }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }
}
