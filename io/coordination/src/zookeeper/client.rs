//! The requests that callers make.

use super::jute::{Malformed, Reader};
use super::protocol::{self, Acl, Code, Mode, Request, Stat};
use super::servers::{self, Servers};
use super::session::{self, Ask, Config, Event};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The answer had a form that no server gives.
const MARSHALLING_ERROR: Code = Code(-5);

/// Requests that wait for the session's task; callers wait when they are more.
const QUEUE: usize = 64;

/// One session with ZooKeeper. Requests made while it is not connected wait; they end with the session at the latest.
/// Dropping the client ends the session, and its ephemeral znodes go.
#[derive(Debug)]
pub struct Client {
    asks: mpsc::Sender<Ask>,
    until: watch::Receiver<Option<Instant>>,
    closing: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Client {
    /// Starts a session, and answers at once; what becomes of it arrives as events.
    pub fn open(config: Config) -> (Client, mpsc::UnboundedReceiver<Event>) {
        // Without randomness the servers are tried in their own order.
        let servers = Servers::new(&config.servers, getrandom::u64().unwrap_or_default(), servers::system());
        Client::open_among(config, servers)
    }

    /// The same, with servers that are looked up in a way of one's own.
    pub(super) fn open_among(config: Config, servers: Servers) -> (Client, mpsc::UnboundedReceiver<Event>) {
        let (asks, queue) = mpsc::channel(QUEUE);
        let (closing, closed) = oneshot::channel();
        let (confirmed, until) = watch::channel(None);
        let (events, receiver) = mpsc::unbounded_channel();
        let task = tokio::spawn(session::run(config, servers, queue, closed, confirmed, events));
        (Client { asks, until, closing: Some(closing), task: Some(task) }, receiver)
    }

    /// Until when the session is sure to live: one timeout after the last answered request was sent. None before the
    /// first connection and after the end.
    pub fn until(&self) -> watch::Receiver<Option<Instant>> {
        self.until.clone()
    }

    /// Ends the session and waits until the server knows, or cannot be told.
    pub async fn close(mut self) {
        drop(self.closing.take());
        if let Some(task) = self.task.take() {
            // It fails only if the session's task panicked, and then there is nothing left to end.
            let _ = task.await;
        }
    }

    /// Creates a znode and answers its path, which for a sequential one ends in its number.
    pub async fn create(&self, path: &str, data: Bytes, acl: Vec<Acl>, mode: Mode) -> Result<String, Code> {
        let path = path.to_owned();
        self.ask(Request::Create { path, data, acl, mode }, Reader::text).await
    }

    /// Creates the missing part of a path, each znode empty and with this access list.
    pub async fn create_path(&self, path: &str, acl: &[Acl]) -> Result<(), Code> {
        if path.is_empty() || self.exists(path).await?.is_some() {
            return Ok(());
        }
        let ends = path.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            match self.create(&path[..end], Bytes::new(), acl.to_vec(), Mode::Persistent).await {
                Ok(_) | Err(Code::NODE_EXISTS) => {}
                // Who may not create above may still find what is below.
                Err(Code::NO_AUTH) if end < path.len() && self.exists(&path[..end]).await?.is_some() => {}
                Err(code) => return Err(code),
            }
        }
        Ok(())
    }

    /// Deletes a znode of this version; -1 stands for any.
    pub async fn delete(&self, path: &str, version: i32) -> Result<(), Code> {
        self.ask(Request::Delete { path: path.to_owned(), version }, |_| Ok(())).await
    }

    /// What is known of a znode, if there is one.
    pub async fn exists(&self, path: &str) -> Result<Option<Stat>, Code> {
        match self.ask(Request::Exists { path: path.to_owned() }, protocol::read_stat).await {
            Ok(stat) => Ok(Some(stat)),
            Err(Code::NO_NODE) => Ok(None),
            Err(code) => Err(code),
        }
    }

    /// The data of a znode.
    pub async fn get(&self, path: &str) -> Result<(Bytes, Stat), Code> {
        self.ask(Request::Get { path: path.to_owned() }, |body| Ok((body.buffer()?, protocol::read_stat(body)?))).await
    }

    /// Replaces the data of a znode of this version; -1 stands for any.
    pub async fn set(&self, path: &str, data: Bytes, version: i32) -> Result<Stat, Code> {
        self.ask(Request::Set { path: path.to_owned(), data, version }, protocol::read_stat).await
    }

    /// The names of a znode's children, in no order. With `watch`, the next change of them is told by one
    /// [`Event::Changed`]; a watch ends with the connection, not with the session.
    pub async fn children(&self, path: &str, watch: bool) -> Result<Vec<String>, Code> {
        self.ask(Request::Children { path: path.to_owned(), watch }, |body| body.list(Reader::text)).await
    }

    /// What is read next knows of everything that was done before this was asked, whichever server is asked.
    pub async fn sync(&self, path: &str) -> Result<(), Code> {
        self.ask(Request::Sync { path: path.to_owned() }, |_| Ok(())).await
    }

    /// Who may do what with a znode.
    pub async fn acl(&self, path: &str) -> Result<Vec<Acl>, Code> {
        self.ask(Request::Acl { path: path.to_owned() }, |body| body.list(protocol::read_acl)).await
    }

    async fn ask<T>(&self, request: Request, read: impl Fn(&mut Reader) -> Result<T, Malformed>) -> Result<T, Code> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask { request, answer }).await.map_err(|_| Code::SESSION_EXPIRED)?;
        let mut body = answered.await.map_err(|_| Code::SESSION_EXPIRED)??;
        read(&mut body).map_err(|Malformed| MARSHALLING_ERROR)
    }
}
