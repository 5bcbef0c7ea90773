//! The end of a node.

use crate::peer::*;
use bytes::Bytes;
use tepui_wire::{NetEffect, Response, Upid};
use tokio::net::TcpStream;

#[tokio::test]
async fn what_is_queued_goes_out_and_connections_close() {
    let (listener, address) = listener().await;
    let (node, mut inbox, outlet) = process("m").await;
    let mut reader = Peer::connect(node.address()).await;
    reader.say("POST /m HTTP/1.1\r\n\r\n").await;
    let (stream, _) = next_request(&mut inbox).await;
    outlet.apply(NetEffect::Respond(stream, Response::stream("x/y")));
    let mut idle = Peer::connect(node.address()).await;
    idle.say(&raw_message("m", "n.A", "x")).await;
    idle.until("\r\n\r\n").await;

    outlet.apply(NetEffect::StreamWrite(stream, Bytes::from_static(b"last words")));
    outlet.apply(message(&outlet, &Upid::at("b", address), "n.Last", "x"));
    let serve_peer = async { accept(&listener).await.rest().await };
    let (said, ()) = soon(async { tokio::join!(serve_peer, node.shutdown()) }).await;
    assert!(said.starts_with(b"POST /b/n.Last "), "a message on its way is delivered");
    assert!(reader.rest().await.ends_with(b"\r\n\r\na\r\nlast words\r\n0\r\n\r\n"));
    assert_eq!(idle.rest().await, b"");
    assert!(TcpStream::connect(node.address()).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_node_can_be_bound_again_at_once() {
    let (node, _inbox, _) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say(&raw_message("m", "n.A", "x")).await;
    peer.until("\r\n\r\n").await;
    let port = node.address().port();
    soon(node.shutdown()).await;
    soon(node.shutdown()).await;
    let config = tepui_net::NetConfig { port, ..tepui_net::NetConfig::loopback() };
    let again = tepui_net::Node::bind(config.clone()).await.unwrap();
    assert_eq!(again.address().port(), port);
    assert!(tepui_net::Node::bind(config).await.is_err());
}
