//! A peer that says exactly the bytes it is told to, and what the tests share.

use bytes::Bytes;
use std::future::Future;
use std::net::SocketAddrV4;
use std::time::Duration;
use tepui_net::{Inbox, NetConfig, Node, Outlet};
use tepui_wire::{Message, NetEffect, NetInput, Request, RequestId, Upid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Fails a test that hangs; far beyond what any step takes.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it happens soon")
}

pub async fn node() -> Node {
    Node::bind(NetConfig::loopback()).await.unwrap()
}

/// A node with one process.
pub async fn process(id: &str) -> (Node, Inbox, Outlet) {
    let node = node().await;
    let (inbox, outlet) = node.spawn(id).unwrap();
    (node, inbox, outlet)
}

pub fn message(from: &Outlet, to: &Upid, name: &str, body: impl Into<Bytes>) -> NetEffect {
    NetEffect::Send(Message { from: from.upid(), to: to.clone(), name: name.to_owned(), body: body.into() })
}

pub async fn next_message(inbox: &mut Inbox) -> Message {
    match soon(inbox.recv()).await {
        NetInput::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

pub async fn next_request(inbox: &mut Inbox) -> (RequestId, Request) {
    match soon(inbox.recv()).await {
        NetInput::Http(id, request) => (id, request),
        other => panic!("{other:?}"),
    }
}

/// The bytes of a message to `/id/name`, as libprocess writes them.
pub fn raw_message(id: &str, name: &str, body: &str) -> String {
    let head = format!("POST /{id}/{name} HTTP/1.1\r\nLibprocess-From: peer@127.0.0.1:1\r\nConnection: Keep-Alive\r\n");
    format!("{head}Host: \r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// A raw connection.
pub struct Peer(pub TcpStream);

impl Peer {
    pub async fn connect(to: SocketAddrV4) -> Peer {
        Peer(soon(TcpStream::connect(to)).await.unwrap())
    }

    pub async fn say(&mut self, text: &str) {
        soon(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    /// What comes until the other side closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        soon(self.0.read_to_end(&mut all)).await.unwrap();
        all
    }

    /// What comes up to and including `end`.
    pub async fn until(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        while !all.ends_with(end.as_bytes()) {
            all.push(soon(self.0.read_u8()).await.unwrap());
        }
        String::from_utf8(all).unwrap()
    }
}

/// A listener that plays a peer.
pub async fn listener() -> (TcpListener, SocketAddrV4) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let std::net::SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("bound to IPv4") };
    (listener, address)
}

pub async fn accept(listener: &TcpListener) -> Peer {
    Peer(soon(listener.accept()).await.unwrap().0)
}

/// A response without its `Date` line, which must be there.
pub fn without_date(response: &str) -> String {
    let is_date = |line: &&str| line.starts_with("Date: ") && line.ends_with(" GMT\r\n") && line.len() == 37;
    assert!(response.split_inclusive('\n').any(|line| is_date(&line)), "{response}");
    response.split_inclusive('\n').filter(|line| !is_date(line)).collect()
}
