//! One HTTP connection: a request, its answer, the next request.

use bytes::Bytes;
use std::time::Duration;
use tepui_framework::exchange::Reply;
use tepui_net::client::{Client, Error, Request, Response};

/// How long a peer may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take to begin its answer, and to go on with it. A master that has just been elected holds requests
/// while it recovers its registry, for a minute at most by default; one that says nothing for longer is gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// The largest body taken whole: the state of a big cluster is some hundred megabytes.
const MAX_BODY_BYTES: usize = 1024 * 1024 * 1024;

/// A connection to one peer. Its errors are for people.
pub(crate) struct Connection {
    client: Client,
    /// [`ANSWER_TIMEOUT`].
    patience: Duration,
}

/// What came back, its body still to be read.
pub(crate) struct Answer {
    /// Status and headers; the body is empty.
    pub head: Reply,
    response: Response,
    patience: Duration,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(address: &str) -> Result<Connection, String> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, Client::connect(address)).await;
        let client = connected.map_err(|_| "no answer to the connection attempt".to_owned())?.map_err(text)?;
        Ok(Connection { client, patience: ANSWER_TIMEOUT })
    }

    /// Whether the peer has kept the connection open since the last answer.
    pub fn is_open(&self) -> bool {
        self.client.is_open()
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
        let response = in_time(self.patience, self.client.send(request)).await?;
        let head = Reply { status: response.status, headers: response.headers.clone(), body: Bytes::new() };
        Ok(Answer { head, response, patience: self.patience })
    }
}

impl Answer {
    /// Reads the body to its end.
    pub async fn whole(mut self) -> Result<Reply, String> {
        let mut body = Vec::new();
        while let Some(piece) = in_time(self.patience, self.response.next()).await? {
            if body.len() + piece.len() > MAX_BODY_BYTES {
                return Err(format!("the answer is larger than {MAX_BODY_BYTES} bytes"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply { body: body.into(), ..self.head })
    }

    /// The next piece of an open stream; `None` at its end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, String>> {
        self.response.next().await.map_err(text).transpose()
    }
}

async fn in_time<T>(patience: Duration, step: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match tokio::time::timeout(patience, step).await {
        Ok(done) => done.map_err(text),
        Err(_) => Err(format!("no answer for {} seconds", patience.as_secs_f64())),
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// What a connection with little patience says of a peer that answers with these bytes and then no more.
    async fn asked_of(said: &'static [u8]) -> Result<Reply, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = Connection::open(&listener.local_addr().unwrap().to_string()).await.unwrap();
        connection.patience = Duration::from_millis(200);
        let (mut peer, _) = listener.accept().await.unwrap();
        let ask = async { connection.send("GET", "/", &[], Bytes::new()).await?.whole().await };
        let answer = async {
            peer.read_u8().await.unwrap();
            peer.write_all(said).await.unwrap();
            std::future::pending::<Result<Reply, String>>().await
        };
        tokio::select! { asked = ask => asked, never = answer => never }
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_or_stops_halfway_is_given_up() {
        for said in ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"] {
            assert_eq!(asked_of(said.as_bytes()).await, Err("no answer for 0.2 seconds".to_owned()), "{said}");
        }
    }
}
