//! A node: one address, the processes that live there, and what they do to the network.

use crate::accept;
use crate::answer::Answer;
use crate::arrivals::Arrivals;
use crate::config::NetConfig;
use crate::mailbox::{Inbox, Mailbox};
use crate::outbound;
use crate::shared::{Phase, Shared};
use crate::stream::Promise;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tepui_wire::{NetEffect, Request, RequestId, Upid};
use tokio::sync::{mpsc, watch};

/// How long a shutdown waits for answers, streams and queued messages to go out.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not ours.
    #[error("Failed to listen on {address}: {source}")]
    Listen {
        /// What was to be bound.
        address: SocketAddrV4,
        /// The system's word.
        source: io::Error,
    },
    /// Listening on every interface needs an address to give to peers.
    #[error("Failed to obtain the IP address of '{hostname}'; set LIBPROCESS_IP or LIBPROCESS_ADVERTISE_IP: {reason}")]
    OwnAddress {
        /// Name of this machine.
        hostname: String,
        /// What went wrong.
        reason: String,
    },
}

/// A bound listener and its tasks. Clones are the same node. It runs until [`Node::shutdown`] or the end of the
/// runtime.
#[derive(Clone)]
pub struct Node {
    pub(crate) shared: Arc<Shared>,
    bound: SocketAddrV4,
}

/// What waits inside a node: measures of back-pressure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Peers we have a connection to, or are connecting to.
    pub peers: usize,
    /// Messages that wait for those connections.
    pub queued_messages: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Requests that wait for their process.
    pub waiting_requests: usize,
    /// Streaming responses.
    pub open_streams: usize,
}

impl Node {
    /// Binds and begins to accept. Must be called within a tokio runtime with IO and time, of either flavour.
    pub async fn bind(config: NetConfig) -> Result<Node, Error> {
        let wanted = SocketAddrV4::new(config.ip, config.port);
        let failed = |source| Error::Listen { address: wanted, source };
        let listener = accept::listen(wanted).map_err(failed)?;
        let bound = match listener.local_addr().map_err(failed)? {
            std::net::SocketAddr::V4(bound) => bound,
            std::net::SocketAddr::V6(_) => wanted,
        };
        let ip = match config.advertise_ip {
            Some(ip) => ip,
            None if bound.ip().is_unspecified() => own_ip().await?,
            None => *bound.ip(),
        };
        let address = SocketAddrV4::new(ip, config.advertise_port.unwrap_or(bound.port()));
        let (alive, ended) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            arrivals: Arrivals::new(config.arriving_bytes),
            config,
            address,
            processes: RwLock::default(),
            exchanges: Default::default(),
            transport: Mutex::default(),
            date: Default::default(),
            phase: watch::Sender::new(Phase::Running),
            hung_up: watch::Sender::new(0),
            spared: RwLock::default(),
            alive: Mutex::new(Some(alive)),
            runtime: tokio::runtime::Handle::current(),
        });
        tokio::spawn(accept::run(shared.clone(), listener));
        tokio::spawn(end_when_drained(shared.clone(), ended));
        Ok(Node { shared, bound })
    }

    /// Where peers reach this node: the advertised address.
    pub fn address(&self) -> SocketAddrV4 {
        self.shared.address
    }

    /// What is really bound.
    pub fn bound(&self) -> SocketAddrV4 {
        self.bound
    }

    /// The address of a process of this node, whether it lives or not.
    pub fn upid(&self, id: &str) -> Upid {
        Upid::at(id, self.shared.address)
    }

    /// Starts a process: from now on messages and requests for `id` reach the inbox, until that is dropped. `None` if
    /// a process with that id lives already.
    pub fn spawn(&self, id: &str) -> Option<(Inbox, Outlet)> {
        let (mailbox, inbox) = Inbox::new(Arc::from(id), self.shared.clone());
        let is_new = self.shared.processes_mut().insert(&mailbox);
        is_new.then(|| (inbox, Outlet { shared: self.shared.clone(), mailbox }))
    }

    /// The process that gets `/` and all paths whose first token is no process (`master` of a master, `slave(1)` of an
    /// agent).
    pub fn delegate(&self, id: &str) {
        self.shared.processes_mut().delegate = Some(id.to_owned());
    }

    /// Serves `path` and everything below it with a handler, in place of processes and shorter routes. Paths are seen
    /// after delegation, so the assets of the master's page are `/master/app`. Requests of one connection run at the
    /// same time; their answers keep their order.
    pub fn route<F, A>(&self, path: &str, handler: impl Fn(Request) -> F + Send + Sync + 'static)
    where
        F: Future<Output = A> + Send + 'static,
        A: Into<Answer>,
    {
        self.insert_route(path, true, handler);
    }

    /// Serves exactly `path`, with or without a slash at its end.
    pub fn route_exact<F, A>(&self, path: &str, handler: impl Fn(Request) -> F + Send + Sync + 'static)
    where
        F: Future<Output = A> + Send + 'static,
        A: Into<Answer>,
    {
        self.insert_route(path, false, handler);
    }

    fn insert_route<F, A>(&self, path: &str, below: bool, handler: impl Fn(Request) -> F + Send + Sync + 'static)
    where
        F: Future<Output = A> + Send + 'static,
        A: Into<Answer>,
    {
        let handler = Arc::new(move |request| -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send>> {
            let answer = handler(request);
            Box::pin(async { answer.await.into() })
        });
        self.shared.processes_mut().insert_route(path, below, handler);
    }

    /// What waits inside.
    pub fn measures(&self) -> Measures {
        let (waiting_requests, open_streams) = self.shared.exchanges.counts();
        let transport = self.shared.transport();
        let (peers, queued_messages, queued_bytes) = transport.counts();
        Measures { peers, queued_messages, queued_bytes, waiting_requests, open_streams }
    }

    /// Stops accepting, lets queued messages, answers and stream chunks go out (a few seconds at most), ends the
    /// streams, and closes every connection. Processes should have put out their last effects before.
    pub async fn shutdown(&self) {
        self.shared.phase.send_if_modified(|phase| {
            let first = *phase == Phase::Running;
            *phase = (*phase).max(Phase::Draining);
            first
        });
        self.shared.reached(Phase::Ended).await;
    }
}

/// Watches over the end of a node: first all tasks may finish, then they must.
async fn end_when_drained(shared: Arc<Shared>, mut ended: mpsc::Receiver<()>) {
    shared.reached(Phase::Draining).await;
    shared.alive.lock().unwrap_or_else(PoisonError::into_inner).take();
    // Nothing is ever sent: the channel closes when the last task has dropped its end.
    if tokio::time::timeout(SHUTDOWN_GRACE, ended.recv()).await.is_err() {
        tracing::info!("Some connections did not end in time; dropping them");
    }
    shared.phase.send_replace(Phase::Ended);
}

/// The first IPv4 address of this machine's name, as libprocess takes it when it listens on every interface.
async fn own_ip() -> Result<Ipv4Addr, Error> {
    let hostname =
        nix::unistd::gethostname().map_or_else(|_| "localhost".into(), |name| name.to_string_lossy().into_owned());
    let failed = |reason: String| Error::OwnAddress { hostname: hostname.clone(), reason };
    let addresses = tokio::net::lookup_host((hostname.as_str(), 0)).await.map_err(|error| failed(error.to_string()))?;
    let mut ips = addresses.filter_map(|address| match address.ip() {
        std::net::IpAddr::V4(ip) => Some(ip),
        std::net::IpAddr::V6(_) => None,
    });
    ips.next().ok_or_else(|| failed("it has no IPv4 address".to_owned()))
}

/// The way out of one process.
#[derive(Clone)]
pub struct Outlet {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Outlet {
    /// The address of the process.
    pub fn upid(&self) -> Upid {
        Upid::at(&self.mailbox.id, self.shared.address)
    }

    /// Does what the process wants. Never waits, and may be called from any thread; effects of one thread keep their
    /// order.
    pub fn apply(&self, effect: NetEffect) {
        let shared = &self.shared;
        match effect {
            NetEffect::Send(message) => outbound::send(shared, message),
            NetEffect::Link { to, reconnect } => outbound::link(shared, &self.mailbox, &to, reconnect),
            NetEffect::Respond(id, response) => shared.exchanges.respond(shared, id, response),
            NetEffect::StreamWrite(id, chunk) => {
                shared.exchanges.write(id, chunk, shared.config.stream_queued_bytes_max);
            }
            NetEffect::StreamClose(id) => shared.exchanges.close(id),
        }
    }

    /// Keeps a place in an open stream for a chunk that takes time to make, so that it can be made elsewhere while what
    /// is written from now on waits behind it. None if the stream is over.
    pub fn promise(&self, stream: RequestId) -> Option<Promise> {
        self.shared.exchanges.promise(stream)
    }

    /// Gives the process a family of further ids: messages and requests for every id that begins with `prefix` and is
    /// no other process reach its inbox (`slave-observer(` of a master, whose pings name it as their sender).
    pub fn receive_family(&self, prefix: &str) {
        self.shared.processes_mut().insert_family(prefix, &self.mailbox);
    }
}
