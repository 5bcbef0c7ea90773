//! One HTTP connection: a request, its answer, the next request.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tepui_framework::exchange::Reply;

/// How long a peer may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest body taken whole: the state of a big cluster is some hundred megabytes.
const MAX_BODY_BYTES: usize = 1024 * 1024 * 1024;

/// A connection to one peer.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// What came back, its body still to be read.
pub(crate) struct Answer {
    /// Status and headers; the body is empty.
    pub head: Reply,
    body: Incoming,
}

impl Connection {
    /// Connects to `host:port`. The error is for people.
    pub async fn open(address: &str) -> Result<Connection, String> {
        let connecting = tokio::net::TcpStream::connect(address);
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let stream = stream.map_err(|_| "no answer to the connection attempt".to_owned())?.map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
        tokio::spawn(driver);
        Ok(Connection { sender, host: address.to_owned() })
    }

    /// Whether the peer has kept the connection open since the last answer.
    pub async fn is_usable(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Makes one request and waits for the head of its answer.
    pub async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Answer, String> {
        let mut request = hyper::Request::builder().method(method).uri(target).header("Host", &self.host);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body)).map_err(text)?;
        let (head, body) = self.sender.send_request(request).await.map_err(text)?.into_parts();
        let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let headers = head.headers.iter().map(header).collect();
        Ok(Answer { head: Reply { status: head.status.as_u16(), headers, body: Bytes::new() }, body })
    }
}

impl Answer {
    /// Reads the body to its end.
    pub async fn whole(self) -> Result<Reply, String> {
        let body = Limited::new(self.body, MAX_BODY_BYTES).collect().await.map_err(|error| error.to_string())?;
        Ok(Reply { body: body.to_bytes(), ..self.head })
    }

    /// The next piece of an open stream; `None` at its end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, String>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    Err(_trailers) => {}
                },
                Err(error) => return Some(Err(text(error))),
            }
        }
    }
}

fn text(error: impl std::error::Error) -> String {
    // The causes say more than the outermost error, which is often "error sending request".
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
