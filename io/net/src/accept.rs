//! Accepting connections: the place where TLS will come in.

use crate::hang_up::{self, Speaker};
use crate::inbound;
use crate::shared::{Phase, Shared};
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;

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
    // Inherited by accepted connections.
    notice_vanished(&socket)?;
    socket.bind(address.into())?;
    socket.listen(BACKLOG)
}

/// After so many seconds of silence the kernel asks whether the peer is still there ...
const PROBE_AFTER_SECS: u32 = 60;
/// ... every so many seconds ...
const PROBE_EVERY_SECS: u32 = 10;
/// ... and after so many questions without an answer the connection is broken: two minutes after the peer vanished, about
/// as long as a master waits for the pings of an agent. A peer whose process is stopped still answers: its kernel does.
const PROBES: u32 = 6;

/// Connections have no idle timeout, because links are silent; so it is the kernel that notices a peer which vanished
/// without a word. Its own patience is two hours.
pub(crate) fn notice_vanished(socket: &TcpSocket) -> io::Result<()> {
    socket.set_keepalive(true)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &PROBE_AFTER_SECS)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &PROBE_EVERY_SECS)?;
    Ok(setsockopt(socket, sockopt::TcpKeepCount, &PROBES)?)
}

/// Accepts until the node drains.
pub(crate) async fn run(shared: Arc<Shared>, listener: TcpListener) {
    // Dropped after the listener, so that the address is free when the node has shut down.
    let Some(_alive) = shared.alive() else { return };
    let listener = listener;
    let places = Arc::new(Semaphore::new(shared.config.connections_max));
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            listener.accept().await.map(|(stream, peer)| (stream, peer, place))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = shared.reached(Phase::Draining) => return,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let connection = connection(shared.clone(), Acceptor::Plain, stream, peer);
                tokio::spawn(async {
                    connection.await;
                    drop(place);
                });
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
    let speaker = Speaker::new();
    tokio::select! {
        biased;
        () = hang_up::hung_up(&shared, &speaker) => {}
        () = inbound::serve(&shared, stream, peer, &speaker) => {}
        () = shared.reached(Phase::Ended) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::getsockopt;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn the_kernel_asks_after_silent_peers_of_every_accepted_connection() {
        let listener = listen(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = Acceptor::Plain.accept(listener.accept().await.unwrap().0).await.unwrap();
        assert!(getsockopt(&stream, sockopt::KeepAlive).unwrap());
        assert_eq!(getsockopt(&stream, sockopt::TcpKeepIdle).unwrap(), PROBE_AFTER_SECS);
        assert_eq!(getsockopt(&stream, sockopt::TcpKeepInterval).unwrap(), PROBE_EVERY_SECS);
        assert_eq!(getsockopt(&stream, sockopt::TcpKeepCount).unwrap(), PROBES);
        assert!(stream.nodelay().unwrap());
    }
}
