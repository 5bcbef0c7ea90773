//! One peer's HTTP endpoints, over one connection that is kept.

use super::Error;
use crate::authorization;
use crate::connection::{Answer, Connection};
use bytes::Bytes;
use tepui_framework::exchange::{Reply, location_address};
use tepui_proto::{ContentType, Message, MessageName};
use tokio::sync::Mutex;

/// Redirects followed before giving up.
const MAX_REDIRECTS: usize = 4;

/// See the module's text.
pub(super) struct Api {
    /// The peer last answering, which for masters is the leader, and the connection to it.
    peer: Mutex<(String, Option<Connection>)>,
    pub form: ContentType,
    pub authorization: Option<String>,
}

impl Api {
    pub fn new(address: String) -> Api {
        Api { peer: Mutex::new((address, None)), form: ContentType::Protobuf, authorization: None }
    }

    /// Sends a principal and its secret with every request (HTTP Basic).
    pub fn identify(&mut self, principal: &str, secret: &str) {
        self.authorization = Some(authorization::basic(principal, secret));
    }

    /// Makes a call that is answered at once. One without a response body gives an empty response.
    pub async fn call<C, R>(&self, call: &C) -> Result<R, Error>
    where
        C: Message + MessageName,
        R: Message + MessageName + Default,
    {
        let form = self.form;
        let read = |body: &[u8]| if body.is_empty() { Ok(R::default()) } else { form.decode(body) };
        self.post(form.encode(call), read).await
    }

    /// POSTs a call to `/api/v1` and takes the answer whole; `read` makes the response of its bytes.
    pub async fn post<R, E: ToString>(
        &self,
        call: Bytes,
        read: impl FnOnce(&[u8]) -> Result<R, E>,
    ) -> Result<R, Error> {
        let reply = self.request("POST", "/api/v1", call).await?;
        let body = reply.body.clone();
        match read(&body) {
            Ok(response) => Ok(response),
            Err(error) => Err(Error::Unreadable { address: self.address().await, reason: error.to_string() }),
        }
    }

    /// Makes a request and takes the answer whole; anything but 200 and 202 is an error.
    pub async fn request(&self, method: &str, target: &str, body: Bytes) -> Result<Reply, Error> {
        let mut peer = self.peer.lock().await;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(&mut peer, method, target, body.clone()).await;
            let reply = match answer {
                Ok(answer) => answer.whole().await,
                Err(error) => Err(error),
            };
            let reply = reply.map_err(|reason| {
                peer.1 = None;
                Error::Connection { address: peer.0.clone(), reason }
            })?;
            match redirect(&reply) {
                Some(leader) => *peer = (leader, None),
                None if matches!(reply.status, 200 | 202) => return Ok(reply),
                None => return Err(refused(&peer.0, &reply)),
            }
        }
        Err(Error::Connection { address: peer.0.clone(), reason: "the masters do not agree on a leader".to_owned() })
    }

    /// POSTs a call whose answer is an open stream, over a connection of its own.
    pub async fn stream(&self, call: Bytes) -> Result<Answer, Error> {
        let mut peer = (self.address().await, None);
        for _ in 0..=MAX_REDIRECTS {
            let failed = |reason| Error::Connection { address: peer.0.clone(), reason };
            let answer = match self.send(&mut (peer.0.clone(), None), "POST", "/api/v1", call.clone()).await {
                Ok(answer) if answer.head.status == 200 => return Ok(answer),
                Ok(answer) => answer.whole().await.map_err(failed)?,
                Err(reason) => return Err(failed(reason)),
            };
            match redirect(&answer) {
                Some(leader) => peer = (leader, None::<()>),
                None => return Err(refused(&peer.0, &answer)),
            }
        }
        Err(Error::Connection { address: peer.0, reason: "the masters do not agree on a leader".to_owned() })
    }

    async fn send(
        &self,
        peer: &mut (String, Option<Connection>),
        method: &str,
        target: &str,
        body: Bytes,
    ) -> Result<Answer, String> {
        let usable = match &mut peer.1 {
            Some(connection) => connection.is_open(),
            None => false,
        };
        if !usable {
            peer.1 = Some(Connection::open(&peer.0).await?);
        }
        let form = self.form.as_str().to_owned();
        let mut headers = vec![("Accept", form.clone())];
        if method == "POST" {
            headers.push(("Content-Type", form));
        }
        headers.extend(self.authorization.clone().map(|value| ("Authorization", value)));
        let connection = peer.1.as_mut().ok_or("no connection")?;
        connection.send(method, target, &headers, body).await
    }

    pub async fn address(&self) -> String {
        self.peer.lock().await.0.clone()
    }
}

fn redirect(reply: &Reply) -> Option<String> {
    if reply.status == 307 { reply.header("location").and_then(location_address) } else { None }
}

fn refused(address: &str, reply: &Reply) -> Error {
    Error::Refused { address: address.to_owned(), status: reply.status, reason: reply.reason() }
}
