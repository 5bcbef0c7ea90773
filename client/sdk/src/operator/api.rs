//! One peer's HTTP endpoints, over one connection that is kept.

use super::Error;
use crate::authorization;
use crate::connection::{Answer, Connection};
use bytes::Bytes;
use std::time::Duration;
use tepui_detector::{Detector, Masters, SESSION_TIMEOUT};
use tepui_framework::exchange::{Reply, location_address};
use tepui_proto::{ContentType, Message, MessageName};
use tokio::sync::Mutex;

/// How long a leader is waited for. An election takes a session's timeout, mostly.
const LEADER_WAIT: Duration = Duration::from_secs(15);

/// Redirects followed before giving up.
const MAX_REDIRECTS: usize = 4;

/// See the module's text.
pub(super) struct Api {
    peer: Mutex<Peer>,
    pub form: ContentType,
    pub authorization: Option<String>,
}

impl Api {
    /// The endpoints of the peer at `host:port`.
    pub fn new(address: String) -> Api {
        Api { peer: Mutex::new(Peer::at(address)), form: ContentType::Protobuf, authorization: None }
    }

    /// The endpoints of whichever master leads.
    pub fn of_leader(masters: Masters) -> Api {
        match masters {
            Masters::Fixed(address) => Api::new(address),
            masters => {
                let api = Api::new(masters.to_string());
                let peer = Peer { search: Some(Search::Planned(masters)), ..api.peer.into_inner() };
                Api { peer: Mutex::new(peer), ..api }
            }
        }
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
        peer.locate().await?;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(&mut peer, method, target, body.clone()).await;
            let reply = match answer {
                Ok(answer) => answer.whole().await,
                Err(error) => Err(error),
            };
            let reply = reply.map_err(|reason| {
                peer.connection = None;
                Error::Connection { address: peer.address.clone(), reason }
            })?;
            match redirect(&reply) {
                Some(leader) => peer.turn_to(leader),
                None if matches!(reply.status, 200 | 202) => return Ok(reply),
                None => return Err(refused(&peer.address, &reply)),
            }
        }
        let reason = "the masters do not agree on a leader".to_owned();
        Err(Error::Connection { address: peer.address.clone(), reason })
    }

    /// POSTs a call whose answer is an open stream, over a connection of its own.
    pub async fn stream(&self, call: Bytes) -> Result<Answer, Error> {
        self.peer.lock().await.locate().await?;
        let mut peer = Peer::at(self.address().await);
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(&mut peer, "POST", "/api/v1", call.clone()).await;
            let failed = |reason| Error::Connection { address: peer.address.clone(), reason };
            let answer = match answer {
                Ok(answer) if answer.head.status == 200 => return Ok(answer),
                Ok(answer) => answer.whole().await.map_err(failed)?,
                Err(reason) => return Err(failed(reason)),
            };
            match redirect(&answer) {
                Some(leader) => peer.turn_to(leader),
                None => return Err(refused(&peer.address, &answer)),
            }
        }
        Err(Error::Connection { address: peer.address, reason: "the masters do not agree on a leader".to_owned() })
    }

    async fn send(&self, peer: &mut Peer, method: &str, target: &str, body: Bytes) -> Result<Answer, String> {
        let usable = peer.connection.as_ref().is_some_and(Connection::is_open);
        if !usable {
            peer.connection = Some(Connection::open(&peer.address).await?);
        }
        let form = self.form.as_str().to_owned();
        let mut headers = vec![("Accept", form.clone())];
        if method == "POST" {
            headers.push(("Content-Type", form));
        }
        headers.extend(self.authorization.clone().map(|value| ("Authorization", value)));
        let connection = peer.connection.as_mut().ok_or("no connection")?;
        connection.send(method, target, &headers, body).await
    }

    pub async fn address(&self) -> String {
        self.peer.lock().await.address.clone()
    }
}

/// Who is asked: the peer last answering, which for masters is the leader, and the connection to it.
struct Peer {
    address: String,
    connection: Option<Connection>,
    /// How the leading master is found, where its address is not given.
    search: Option<Search>,
}

enum Search {
    /// Begins with the first question, which comes from within a runtime.
    Planned(Masters),
    /// Goes on, and found the leader at that address last.
    Begun(Detector, String),
}

impl Peer {
    fn at(address: String) -> Peer {
        Peer { address, connection: None, search: None }
    }

    fn turn_to(&mut self, address: String) {
        (self.address, self.connection) = (address, None);
    }

    /// Turns to the leading master if another leads than before.
    async fn locate(&mut self) -> Result<(), Error> {
        let Some(search) = &mut self.search else { return Ok(()) };
        if let Search::Planned(masters) = search {
            *search = Search::Begun(Detector::open(masters, SESSION_TIMEOUT), String::new());
        }
        let Search::Begun(detector, last) = search else { return Ok(()) };
        let found = match tokio::time::timeout(LEADER_WAIT, detector.leader()).await {
            Ok(Ok(found)) => found.names().into_iter().next().ok_or_else(|| "the leader names no address".to_owned()),
            Ok(Err(trouble)) => Err(trouble.to_string()),
            Err(_) => Err("no master leads".to_owned()),
        };
        let found = found.map_err(|reason| Error::Connection { address: self.address.clone(), reason })?;
        if *last != found {
            last.clone_from(&found);
            self.turn_to(found);
        }
        Ok(())
    }
}

fn redirect(reply: &Reply) -> Option<String> {
    if reply.status == 307 { reply.header("location").and_then(location_address) } else { None }
}

fn refused(address: &str, reply: &Reply) -> Error {
    Error::Refused { address: address.to_owned(), status: reply.status, reason: reply.reason() }
}
