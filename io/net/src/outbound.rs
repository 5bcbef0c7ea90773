//! Connections to peers: queued messages out, answers thrown away, links watched.
//!
//! There is one connection per address. Without a link it is closed soon after its queue has drained; with one it stays,
//! and its end is told to every linker. A link never takes over a connection that was opened only to send: that one may
//! have died unnoticed, and its end must not be mistaken for that of the linked peer. Source: libprocess
//! `SocketManager`.

use crate::accept;
use crate::mailbox::Mailbox;
use crate::replies::write_all;
use crate::shared::{Phase, Shared};
use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSlice};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;
use tepui_wire::links::{Connection, Links};
use tepui_wire::message::Pieces;
use tepui_wire::{Message, NetInput, Upid};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

/// How long an unlinked connection is kept after its last message: a conversation without a link needs no new
/// connection for each message.
const LINGER: Duration = Duration::from_secs(1);

/// How long a connection we have closed for writing may take to end: the peer reads what is left, then closes too.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// Messages in one write at most (the kernel takes 1024 pieces, a message has up to 3).
const BATCH_MESSAGES_MAX: usize = 256;

/// Bytes in one write at most, unless a single message is larger.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// All peers of a node, and who is linked to them.
#[derive(Default)]
pub(crate) struct Transport {
    peers: HashMap<SocketAddrV4, Peer>,
    pub(crate) links: Links,
    last_socket: u64,
}

/// The connection to one address.
struct Peer {
    /// Tells a connection from one that replaced it.
    socket: u64,
    queue: VecDeque<Pieces>,
    queued_bytes: usize,
    wake: Arc<Notify>,
    task: AbortHandle,
}

impl Transport {
    /// Peers, queued messages and their bytes.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let peers = self.peers.values();
        let add = |(messages, bytes), peer: &Peer| (messages + peer.queue.len(), bytes + peer.queued_bytes);
        let (messages, bytes) = peers.fold((0, 0), add);
        (self.peers.len(), messages, bytes)
    }

    /// A new connection to an address, with what waited for the one before.
    fn open(&mut self, shared: &Arc<Shared>, address: SocketAddrV4, queue: VecDeque<Pieces>) -> &mut Peer {
        self.last_socket += 1;
        let (socket, wake) = (self.last_socket, Arc::new(Notify::new()));
        let line = Line { shared: shared.clone(), address, socket, wake: wake.clone(), _alive: shared.alive() };
        let task = shared.runtime.spawn(line.run()).abort_handle();
        let queued_bytes = queue.iter().map(bytes_of).sum();
        self.peers.insert(address, Peer { socket, queue, queued_bytes, wake, task });
        self.peers.get_mut(&address).expect("it was just inserted")
    }

    /// Replaces the connection to an address. Its queue moves on; what it is writing goes out only if it `finishes`.
    fn replace(&mut self, shared: &Arc<Shared>, address: SocketAddrV4, finishes: bool) {
        let Some(old) = self.peers.remove(&address) else { return };
        if finishes {
            // It sees that it is no longer the one, and closes as an idle connection does.
            old.wake.notify_one();
        } else {
            old.task.abort();
        }
        self.open(shared, address, old.queue);
    }
}

fn bytes_of(pieces: &Pieces) -> usize {
    pieces.iter().map(|piece| piece.len()).sum()
}

/// Sends a message: to a process of this node directly, to others through the connection to their address.
pub(crate) fn send(shared: &Arc<Shared>, message: Message) {
    let address = message.to.address();
    if address == shared.address {
        return shared.send_local(message);
    }
    let pieces = message.encode();
    let mut transport = shared.transport();
    let peer = match transport.peers.contains_key(&address) {
        true => transport.peers.get_mut(&address).expect("it is there"),
        false => transport.open(shared, address, VecDeque::new()),
    };
    peer.queued_bytes += bytes_of(&pieces);
    peer.queue.push_back(pieces);
    peer.wake.notify_one();
    if peer.queued_bytes <= shared.config.peer_queued_bytes_max {
        return;
    }
    let (socket, bytes) = (peer.socket, peer.queued_bytes);
    peer.task.abort();
    drop(transport);
    tracing::warn!(%address, bytes, "Dropping the connection to a peer that does not read");
    ended(shared, address, socket, false);
}

/// Links a process to another.
pub(crate) fn link(shared: &Arc<Shared>, linker: &Arc<Mailbox>, to: &Upid, reconnect: bool) {
    let address = to.address();
    if address == shared.address {
        let processes = shared.processes();
        if processes.get(&to.id).is_some() {
            // Under the lock of the processes, so that the linkee cannot end in between unseen.
            shared.transport().links.link(&linker.id, to, reconnect);
        } else {
            linker.push(NetInput::Exited(to.clone()));
        }
        return;
    }
    let mut transport = shared.transport();
    let (was_linked, is_open) = (transport.links.is_linked(address), transport.peers.contains_key(&address));
    let connection = transport.links.link(&linker.id, to, reconnect);
    match connection {
        _ if !is_open => {
            transport.open(shared, address, VecDeque::new());
        }
        Connection::Replace => transport.replace(shared, address, false),
        Connection::Reuse if !was_linked => transport.replace(shared, address, true),
        Connection::Reuse => {}
    }
}

/// A connection ended. What was queued is lost, and the linkers are told. An unlinked connection that had only
/// lingered is opened again for what came meanwhile, as libprocess would have opened one for it.
fn ended(shared: &Arc<Shared>, address: SocketAddrV4, socket: u64, lingered: bool) {
    let mut transport = shared.transport();
    if transport.peers.get(&address).is_none_or(|peer| peer.socket != socket) {
        return;
    }
    let old = transport.peers.remove(&address);
    let exits = transport.links.broken(address);
    match old {
        Some(old) if lingered && exits.is_empty() && !old.queue.is_empty() => {
            transport.open(shared, address, old.queue);
        }
        Some(old) if !old.queue.is_empty() => {
            tracing::debug!(%address, messages = old.queue.len(), "Dropping messages to a peer that is gone");
        }
        _ => {}
    }
    drop(transport);
    shared.deliver_exits(exits);
}

/// The task of one connection.
struct Line {
    shared: Arc<Shared>,
    address: SocketAddrV4,
    socket: u64,
    wake: Arc<Notify>,
    /// Keeps a shutdown waiting until what is queued has gone out.
    _alive: Option<mpsc::Sender<()>>,
}

/// What a connection is to do next.
enum Work {
    /// Write these messages.
    Batch(Vec<Pieces>),
    /// Nothing to write; close if that is still so after a while.
    Linger,
    /// Nothing to write, but linked.
    Wait,
    /// Replaced, or idle for long enough, or the node is ending.
    Close,
}

impl Line {
    async fn run(self) {
        tokio::select! {
            () = self.live() => {}
            () = self.shared.reached(Phase::Ended) => {}
        }
    }

    async fn live(&self) {
        let (read, mut write) = match connect(self.address).await {
            Ok(stream) => stream.into_split(),
            Err(error) => {
                tracing::debug!(address = %self.address, %error, "Failed to connect");
                return ended(&self.shared, self.address, self.socket, false);
            }
        };
        let mut drain = std::pin::pin!(drain(read));
        let has_written = tokio::select! {
            () = &mut drain => None,
            written = self.pump(&mut write) => written.ok(),
        };
        match has_written {
            // The connection is ours to close, and nobody is to be told.
            Some(()) => {
                let _ = write.shutdown().await;
                let _ = tokio::time::timeout(CLOSE_GRACE, drain).await;
            }
            None => ended(&self.shared, self.address, self.socket, true),
        }
    }

    /// Writes what is queued until the connection is to be closed, or fails.
    async fn pump(&self, write: &mut OwnedWriteHalf) -> io::Result<()> {
        let mut is_late = false;
        loop {
            match self.work(is_late) {
                Work::Batch(batch) => {
                    is_late = false;
                    let pieces = batch.iter().flatten().filter(|piece| !piece.is_empty());
                    let mut slices: Vec<IoSlice<'_>> = pieces.map(|piece| IoSlice::new(piece)).collect();
                    write_all(write, &mut slices).await?;
                }
                Work::Wait => tokio::select! {
                    () = self.wake.notified() => {}
                    () = self.shared.reached(Phase::Draining) => {}
                },
                Work::Linger => tokio::select! {
                    woken = tokio::time::timeout(LINGER, self.wake.notified()) => is_late = woken.is_err(),
                    () = self.shared.reached(Phase::Draining) => {}
                },
                Work::Close => return Ok(()),
            }
        }
    }

    /// Takes what is to be done next. A connection that is to be closed is forgotten under the same lock, so that no
    /// message can be queued to it any more.
    fn work(&self, is_late: bool) -> Work {
        let mut transport = self.shared.transport();
        let Transport { peers, links, .. } = &mut *transport;
        let Some(peer) = peers.get_mut(&self.address).filter(|peer| peer.socket == self.socket) else {
            return Work::Close;
        };
        if !peer.queue.is_empty() {
            return Work::Batch(peer.take_batch());
        }
        let is_linked = links.is_linked(self.address);
        if self.shared.is_draining() || (is_late && !is_linked) {
            peers.remove(&self.address);
            return Work::Close;
        }
        if is_linked { Work::Wait } else { Work::Linger }
    }
}

impl Peer {
    fn take_batch(&mut self) -> Vec<Pieces> {
        let mut bytes = 0;
        let within = |pieces: &&Pieces| {
            bytes += bytes_of(pieces);
            bytes <= BATCH_BYTES_MAX
        };
        let count = self.queue.iter().take(BATCH_MESSAGES_MAX).take_while(within).count().max(1);
        let batch: Vec<Pieces> = self.queue.drain(..count).collect();
        self.queued_bytes -= batch.iter().map(bytes_of).sum::<usize>();
        batch
    }
}

async fn connect(address: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    accept::notice_vanished(&socket)?;
    socket.set_nodelay(true)?;
    socket.connect(address.into()).await
}

/// Reads answers and throws them away until the peer closes. What they are read into is there only while there are
/// some: there may be tens of thousands of such connections.
async fn drain(read: OwnedReadHalf) {
    while read.readable().await.is_ok() {
        let mut thrown_away = [0; 4096];
        match read.try_read(&mut thrown_away) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => {}
        }
    }
}
