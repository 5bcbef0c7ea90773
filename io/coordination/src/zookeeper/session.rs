//! One session over as many connections as it takes.
//!
//! A session is taken for over as soon as the last request that was answered was *sent* one timeout ago. The server
//! counts from when it received that request, so the session cannot have ended before; and a process that slept longer
//! finds it ended before it reads anything that waited in its sockets.

use super::connection::Connection;
use super::jute::Reader;
use super::protocol::{self, Code, Request, XID_AUTH, XID_NOTIFICATION, XID_PING};
use super::servers::Servers;
use crate::url::Credentials;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// Requests that may wait for their answers before the next is taken.
const MAX_PENDING: usize = 256;
/// No attempt to connect is given up sooner, however short the session.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(50);

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// `host:port,host:port`.
    pub servers: String,
    /// How long a session outlives its last sign of life. Servers may grant another time.
    pub timeout: Duration,
    /// Who we are, if it matters.
    pub credentials: Option<Credentials>,
}

/// What becomes of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A server answers; watches of earlier connections are void.
    Connected {
        /// The session's number.
        session: i64,
        /// Whether it is the first connection of the session.
        first: bool,
    },
    /// No server answers any more.
    Disconnected,
    /// The children of this path have changed.
    Changed(String),
    /// It is over: the servers said so, or it has been unconfirmed for its timeout. Nothing follows.
    Expired,
    /// The credentials are refused. Nothing follows.
    Refused(Code),
}

/// A request and where its answer goes.
pub(super) struct Ask {
    pub request: Request,
    pub answer: oneshot::Sender<Result<Reader, Code>>,
}

/// Why a connection, or the session, has ended.
enum End {
    Lost(Error),
    Expired,
    Refused(Code),
    Closed,
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Lost(error)
    }
}

struct Session {
    config: Config,
    servers: Servers,
    id: i64,
    password: Bytes,
    timeout: Duration,
    last_zxid: i64,
    /// When the last answered request was sent.
    confirmed: Instant,
    asks: mpsc::Receiver<Ask>,
    closed: oneshot::Receiver<()>,
    until: watch::Sender<Option<Instant>>,
    events: mpsc::UnboundedSender<Event>,
}

/// Keeps the session until it is over or closed.
pub(super) async fn run(
    config: Config,
    servers: Servers,
    asks: mpsc::Receiver<Ask>,
    closed: oneshot::Receiver<()>,
    until: watch::Sender<Option<Instant>>,
    events: mpsc::UnboundedSender<Event>,
) {
    let (timeout, confirmed) = (config.timeout, Instant::now());
    let password = Bytes::from_static(&[0; 16]);
    let mut session =
        Session { config, servers, id: 0, password, timeout, last_zxid: 0, confirmed, asks, closed, until, events };
    let end = session.live().await;
    session.until.send_replace(None);
    // Nobody listens any more if the client has been dropped.
    let _ = match end {
        End::Refused(code) => session.events.send(Event::Refused(code)),
        End::Closed => Ok(()),
        End::Expired | End::Lost(_) => session.events.send(Event::Expired),
    };
}

impl Session {
    async fn live(&mut self) -> End {
        loop {
            let first = self.id == 0;
            let mut connection = match self.connect().await {
                Ok(connection) => connection,
                Err(end) => return end,
            };
            self.tell(Event::Connected { session: self.id, first });
            match self.serve(&mut connection).await {
                End::Lost(error) => {
                    tracing::info!(session = self.id, %error, "lost the connection to ZooKeeper");
                    self.tell(Event::Disconnected);
                }
                end => return end,
            }
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more if the client has been dropped; then the session ends soon.
        let _ = self.events.send(event);
    }

    /// When the session is over unless a server answers. A session that never began is never over.
    fn expiry(&self) -> Option<Instant> {
        (self.id != 0).then(|| self.confirmed + self.timeout)
    }

    fn is_expired(&self) -> bool {
        self.expiry().is_some_and(|expiry| Instant::now() >= expiry)
    }

    fn confirm(&mut self, sent: Instant) {
        self.confirmed = self.confirmed.max(sent);
        self.until.send_replace(self.expiry());
    }

    /// Tries one server after the other until one takes the session.
    async fn connect(&mut self) -> Result<Connection, End> {
        self.servers.look_up();
        loop {
            if self.is_expired() {
                return Err(End::Expired);
            }
            let failure = match self.servers.current() {
                Some(server) => match self.try_server(server).await {
                    Ok(connection) => {
                        self.servers.worked();
                        return Ok(connection);
                    }
                    Err(End::Lost(error)) => error,
                    Err(end) => return Err(end),
                },
                // Only a session that has not begun knows no address.
                None if !self.servers.is_settled() => {
                    tokio::select! {
                        () = self.servers.looked_up() => continue,
                        _ = &mut self.closed => return Err(End::Closed),
                    }
                }
                None => self.servers.trouble(),
            };
            tracing::debug!(error = %failure, "ZooKeeper does not answer");
            let pause = self.servers.failed();
            if !pause.is_zero() {
                self.servers.look_up();
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = &mut self.closed => return Err(End::Closed),
            }
        }
    }

    /// One attempt, which takes a share of the time that all servers have together.
    async fn try_server(&mut self, server: SocketAddr) -> Result<Connection, End> {
        let limit = (self.timeout / (self.servers.len() as u32 + 2)).max(SHORTEST_ATTEMPT);
        let limit = Instant::now() + limit;
        let limit = self.expiry().map_or(limit, |expiry| expiry.min(limit));
        let attempt = timeout_at(limit, self.attempt(server)).await;
        attempt.unwrap_or_else(|_| Err(End::Lost(ErrorKind::TimedOut.into())))
    }

    /// Connects to one server, starts or goes on with the session there, and says who we are.
    async fn attempt(&mut self, server: SocketAddr) -> Result<Connection, End> {
        let mut connection = tokio::select! {
            connection = Connection::open(server) => connection?,
            _ = &mut self.closed => return Err(End::Closed),
        };
        let sent = Instant::now();
        let millis = i32::try_from(self.config.timeout.as_millis()).unwrap_or(i32::MAX);
        connection.send(&protocol::connect(self.last_zxid, millis, self.id, &self.password)).await?;
        let answer = protocol::connected(connection.receive().await?).map_err(malformed)?;
        if answer.session == 0 || answer.timeout_millis <= 0 {
            return Err(End::Expired);
        }
        if let Some(credentials) = &self.config.credentials {
            let auth = Request::Auth { credentials: credentials.as_str().to_owned() };
            connection.send(&auth.encode(XID_AUTH)).await?;
            let answer = protocol::answer(connection.receive().await?).map_err(malformed)?;
            answer.outcome.map(|_| ()).map_err(End::Refused)?;
        }
        (self.id, self.password) = (answer.session, answer.password);
        self.timeout = Duration::from_millis(u64::from(answer.timeout_millis.unsigned_abs()));
        self.confirm(sent);
        Ok(connection)
    }

    /// Passes requests and answers until the connection ends.
    async fn serve(&mut self, connection: &mut Connection) -> End {
        let mut under_way = UnderWay::default();
        let (mut heard, mut said) = (Instant::now(), Instant::now());
        loop {
            if self.is_expired() {
                return End::Expired;
            }
            let silent_until = heard + self.timeout / 3;
            let ping_at = said + self.timeout / 6;
            let message = if Instant::now() >= ping_at && under_way.ping.is_none() {
                Some(under_way.ping())
            } else {
                let wake = if under_way.ping.is_none() { ping_at.min(silent_until) } else { silent_until };
                tokio::select! {
                    biased;
                    message = connection.receive() => {
                        heard = Instant::now();
                        match message.map_err(End::from).and_then(|message| self.take(message, &mut under_way)) {
                            Ok(()) => None,
                            Err(end) => return end,
                        }
                    }
                    _ = &mut self.closed => return self.close(connection, silent_until).await,
                    Some(ask) = self.asks.recv(), if under_way.requests.len() < MAX_PENDING => Some(under_way.ask(ask)),
                    () = sleep_until(wake) => None,
                }
            };
            if Instant::now() >= heard + self.timeout / 3 {
                return End::Lost(ErrorKind::TimedOut.into());
            }
            if let Some(message) = message {
                said = Instant::now();
                match timeout_at(silent_until, connection.send(&message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return End::Lost(error),
                    Err(_) => return End::Lost(ErrorKind::TimedOut.into()),
                }
            }
        }
    }

    /// Takes one message of the server.
    fn take(&mut self, message: Bytes, under_way: &mut UnderWay) -> Result<(), End> {
        let answer = protocol::answer(message).map_err(malformed)?;
        self.last_zxid = self.last_zxid.max(answer.zxid);
        match answer.xid {
            XID_NOTIFICATION => {
                let body = answer.outcome.map_err(|code| End::Lost(Error::other(code)))?;
                self.tell(Event::Changed(protocol::notification(body).map_err(malformed)?));
            }
            XID_PING => {
                let sent = under_way.ping.take().ok_or_else(|| malformed("an answer to no ping"))?;
                self.confirm(sent);
            }
            xid => {
                let asked = under_way.requests.pop_front().filter(|asked| asked.xid == xid);
                let mut asked = asked.ok_or_else(|| malformed("an answer to no request"))?;
                if let Err(Code::SESSION_EXPIRED) = answer.outcome {
                    return Err(End::Expired);
                }
                self.confirm(asked.sent);
                asked.give(answer.outcome);
            }
        }
        Ok(())
    }

    /// Tells the server that the session ends, so that its ephemeral znodes go at once.
    async fn close(&mut self, connection: &mut Connection, limit: Instant) -> End {
        let told = timeout_at(limit, async {
            connection.send(&Request::Close.encode(0)).await?;
            // The server answers what was asked before, then this, and hangs up.
            while connection.receive().await.is_ok() {}
            Ok::<(), Error>(())
        });
        if !matches!(told.await, Ok(Ok(()))) {
            tracing::debug!(session = self.id, "the session could not be closed; it will expire");
        }
        End::Closed
    }
}

/// What this connection still owes answers to.
#[derive(Default)]
struct UnderWay {
    /// Answered in their order.
    requests: VecDeque<Pending>,
    /// When the ping under way was sent.
    ping: Option<Instant>,
    last_xid: i32,
}

impl UnderWay {
    fn ping(&mut self) -> Bytes {
        self.ping = Some(Instant::now());
        Request::Ping.encode(XID_PING)
    }

    fn ask(&mut self, ask: Ask) -> Bytes {
        // A connection never lives for so many requests; if it does, the numbers begin again, clear of the negative ones.
        self.last_xid = self.last_xid.checked_add(1).unwrap_or(1);
        self.requests.push_back(Pending { xid: self.last_xid, sent: Instant::now(), answer: Some(ask.answer) });
        ask.request.encode(self.last_xid)
    }
}

/// A request under way. Dropping it tells its caller that the answer is lost.
struct Pending {
    xid: i32,
    sent: Instant,
    answer: Option<oneshot::Sender<Result<Reader, Code>>>,
}

impl Pending {
    fn give(&mut self, outcome: Result<Reader, Code>) {
        if let Some(caller) = self.answer.take() {
            // The caller may have stopped waiting.
            let _ = caller.send(outcome);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.give(Err(Code::CONNECTION_LOSS));
    }
}

fn malformed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> End {
    End::Lost(Error::new(ErrorKind::InvalidData, error))
}
