//! HTTP requests and responses as plain data, so that a machine can decide about them and a test can write them down.

use crate::{query, status};
use bytes::Bytes;
use std::collections::BTreeMap;
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
    /// The value of a header, the last if it is repeated (as libprocess, which keeps one); `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The decoded query. A request whose query cannot be decoded never gets here: its connection is closed.
    pub fn query_pairs(&self) -> BTreeMap<String, String> {
        query::decode(&self.query).unwrap_or_default()
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

    /// The default answer of a code: its status line and a full stop as text (`404 Not Found.`).
    pub fn status(status: u16) -> Response {
        Response::text(status, format!("{}.", status::line(status)))
    }

    /// 405, naming the methods that would have been right.
    pub fn method_not_allowed(expected: &[&str], received: &str) -> Response {
        let list = format!("'{}'", expected.join("', '"));
        let text = format!("{}. Expecting one of {{ {list} }}, but received '{received}'.", status::line(405));
        Response::text(405, text).header("Allow", expected.join(", "))
    }

    /// JSON, or the call of a function with it when the query asks with `jsonp=<function>`.
    pub fn json(json: impl Into<Bytes>, jsonp: Option<&str>) -> Response {
        let json = json.into();
        match jsonp {
            None => Response::with_type(200, "application/json", json),
            Some(function) => {
                Response::with_type(200, "text/javascript", [function.as_bytes(), b"(", &json, b")"].concat())
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn body(response: &Response) -> &[u8] {
        match &response.body {
            Body::Full(bytes) => bytes,
            Body::Stream => panic!("a stream has no body to look at"),
        }
    }

    #[test]
    fn default_bodies() {
        assert_eq!(body(&Response::status(404)), b"404 Not Found.");
        let response = Response::method_not_allowed(&["GET", "POST"], "PUT");
        let text = "405 Method Not Allowed. Expecting one of { 'GET', 'POST' }, but received 'PUT'.";
        assert_eq!(body(&response), text.as_bytes());
        assert!(response.headers.contains(&("Allow", "GET, POST".to_owned())));
    }

    #[test]
    fn jsonp_calls_the_function() {
        let response = Response::json("{}", Some("cb"));
        assert_eq!(body(&response), b"cb({})");
        assert_eq!(response.headers, [("Content-Type", "text/javascript".to_owned())]);
        assert_eq!(body(&Response::json("{}", None)), b"{}");
    }
}
