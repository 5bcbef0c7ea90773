//! HTTP requests of our own: one connection, one request at a time.
//!
//! Redirects are data: a caller reads `Location` and connects there. Works on a runtime of either flavour.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::io;
use tokio::net::TcpStream;

/// Why a request got no answer, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("Failed to connect to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// The system's word.
        source: io::Error,
    },
    /// A method, path or header that cannot stand in a request.
    #[error("Invalid request: {0}")]
    Invalid(#[from] hyper::http::Error),
    /// The connection broke, or what came over it is no HTTP.
    #[error("Failed to exchange with {address}: {source}")]
    Exchange {
        /// `host:port`.
        address: String,
        /// What hyper says.
        source: hyper::Error,
    },
    /// The body is larger than the caller takes.
    #[error("Response of {address} is larger than {limit} bytes")]
    TooLarge {
        /// `host:port`.
        address: String,
        /// What the caller takes.
        limit: usize,
    },
}

/// A connection to a server.
pub struct Client {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Upper-case method.
    pub method: String,
    /// Path with query.
    pub target: String,
    /// Headers beside `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body; may be empty.
    pub body: Bytes,
}

impl Request {
    /// A request without a body.
    pub fn get(target: &str) -> Request {
        Request { method: "GET".to_owned(), target: target.to_owned(), ..Request::default() }
    }

    /// A request with a body of a given type.
    pub fn post(target: &str, content_type: &str, body: impl Into<Bytes>) -> Request {
        let request = Request { method: "POST".to_owned(), target: target.to_owned(), ..Request::default() };
        Request { body: body.into(), ..request }.header("Content-Type", content_type)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The head of an answer, and its body as it arrives.
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    address: String,
    body: Incoming,
}

impl Client {
    /// Connects to `host:port`; a name is looked up.
    pub async fn connect(address: &str) -> Result<Client, Error> {
        let failed = |source| Error::Connect { address: address.to_owned(), source };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let exchange = |source| Error::Exchange { address: address.to_owned(), source };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(exchange)?;
        // Its error reaches the request it concerns; an idle connection may end as it likes.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Client { address: address.to_owned(), sender })
    }

    /// `host:port` of the server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether another request can be sent, once the body of the last response has been read.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request and waits for the head of its response. Dropping the response before its end closes the
    /// connection.
    pub async fn send(&mut self, request: Request) -> Result<Response, Error> {
        let mut builder = hyper::Request::builder().method(request.method.as_str()).uri(request.target);
        builder = builder.header("Host", &self.address);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let request = builder.body(Full::new(request.body))?;
        let failed = |source| Error::Exchange { address: self.address.clone(), source };
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let (head, body) = response.into_parts();
        let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Ok(Response { status: head.status.as_u16(), headers, address: self.address.clone(), body })
    }
}

impl Response {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The next piece of the body as it arrived (not necessarily a chunk of the server's); `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => frame,
                Some(Err(source)) => return Err(Error::Exchange { address: self.address.clone(), source }),
            };
            // Trailers are of no interest.
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }

    /// The whole body, if it has at most `limit` bytes.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, Error> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            if whole.len() + piece.len() > limit {
                return Err(Error::TooLarge { address: self.address, limit });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}
