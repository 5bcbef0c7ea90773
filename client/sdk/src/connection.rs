//! One HTTP connection: a request, its answer, the next request.

use bytes::Bytes;
use std::time::Duration;
use tepui_framework::exchange::Reply;
use tepui_net::client::{Client, Error, Request, Response};

/// How long a peer may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest body taken whole: the state of a big cluster is some hundred megabytes.
const MAX_BODY_BYTES: usize = 1024 * 1024 * 1024;

/// A connection to one peer. Its errors are for people.
pub(crate) struct Connection(Client);

/// What came back, its body still to be read.
pub(crate) struct Answer {
    /// Status and headers; the body is empty.
    pub head: Reply,
    response: Response,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(address: &str) -> Result<Connection, String> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, Client::connect(address)).await;
        connected.map_err(|_| "no answer to the connection attempt".to_owned())?.map(Connection).map_err(text)
    }

    /// Whether the peer has kept the connection open since the last answer.
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// Makes one request and waits for the head of its answer.
    pub async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Answer, String> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let request = Request { method: method.to_owned(), target: target.to_owned(), headers, body };
        let response = self.0.send(request).await.map_err(text)?;
        let head = Reply { status: response.status, headers: response.headers.clone(), body: Bytes::new() };
        Ok(Answer { head, response })
    }
}

impl Answer {
    /// Reads the body to its end.
    pub async fn whole(self) -> Result<Reply, String> {
        let body = self.response.bytes(MAX_BODY_BYTES).await.map_err(text)?;
        Ok(Reply { body, ..self.head })
    }

    /// The next piece of an open stream; `None` at its end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, String>> {
        self.response.next().await.map_err(text).transpose()
    }
}

/// The reason alone: whoever reports it names the peer.
fn text(error: Error) -> String {
    match error {
        Error::Connect { source, .. } => source.to_string(),
        Error::Exchange { source, .. } => with_causes(&source),
        other => other.to_string(),
    }
}

/// The causes say more than the outermost error.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
