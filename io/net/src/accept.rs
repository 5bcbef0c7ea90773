//! Accepting connections: the place where TLS will come in.

use crate::inbound;
use crate::shared::{Phase, Shared};
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// As libprocess; the kernel cuts it to its own maximum.
const BACKLOG: u32 = 500_000;

/// How long to wait when the process has no more file descriptors: some may close meanwhile.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How a fresh connection becomes a readable one.
///
/// The only way today is to take it as it is. With TLS enabled there will be one that shakes hands, and with downgrades
/// supported it will first peek `tls::PEEK_BYTES` and ask `tls::is_client_hello` (both in core/wire).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Acceptor {
    /// No TLS.
    Plain,
}

impl Acceptor {
    async fn accept(self, stream: TcpStream) -> io::Result<TcpStream> {
        match self {
            Acceptor::Plain => {
                stream.set_nodelay(true)?;
                Ok(stream)
            }
        }
    }
}

pub(crate) fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Inherited by accepted connections: they have no idle timeout, so that only the kernel notices a peer that
    // vanished without a word.
    socket.set_keepalive(true)?;
    socket.bind(address.into())?;
    socket.listen(BACKLOG)
}

/// Accepts until the node drains.
pub(crate) async fn run(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.reached(Phase::Draining) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(connection(shared.clone(), Acceptor::Plain, stream, peer));
            }
            Err(error) => {
                tracing::warn!(%error, "Failed to accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn connection(shared: Arc<Shared>, acceptor: Acceptor, stream: TcpStream, peer: SocketAddr) {
    let Some(_alive) = shared.alive() else { return };
    let Ok(stream) = acceptor.accept(stream).await else { return };
    tokio::select! {
        () = inbound::serve(&shared, stream, peer) => {}
        () = shared.reached(Phase::Ended) => {}
    }
}
