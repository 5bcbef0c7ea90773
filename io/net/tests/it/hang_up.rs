//! A process that starts over.

use crate::peer::*;
use bytes::Bytes;
use std::collections::BTreeSet;
use tepui_wire::{NetEffect, NetInput, Response, Upid};

/// A peer that has sent a message, which says where it listens.
async fn speaker(node: &tepui_net::Node, inbox: &mut tepui_net::Inbox, port: u16) -> Peer {
    let mut peer = Peer::connect(node.address()).await;
    peer.say(&raw_message("m", "n.A", "x").replace("peer@127.0.0.1:1\r", &format!("peer@127.0.0.1:{port}\r"))).await;
    peer.until("\r\n\r\n").await;
    assert_eq!(next_message(inbox).await.from.port, port);
    peer
}

#[tokio::test]
async fn everybody_sees_it_die_and_nothing_it_said_leaves_any_more() {
    let (listener, address) = listener().await;
    let (node, mut inbox, outlet) = process("m").await;
    let mut asking = Peer::connect(node.address()).await;
    asking.say("GET /m HTTP/1.1\r\n\r\n").await;
    let (unanswered, _) = next_request(&mut inbox).await;
    let mut reading = Peer::connect(node.address()).await;
    reading.say("POST /m HTTP/1.1\r\n\r\n").await;
    let (stream, _) = next_request(&mut inbox).await;
    outlet.apply(NetEffect::Respond(stream, Response::stream("x/y")));
    reading.until("\r\n\r\n").await;
    let mut linker = speaker(&node, &mut inbox, 1).await;
    outlet.apply(NetEffect::Link { to: Upid::at("b", address), reconnect: false });
    let mut linkee = accept(&listener).await;

    outlet.start_over();
    assert_eq!(asking.rest().await, b"", "no answer");
    assert_eq!(linker.rest().await, b"");
    assert_eq!(linkee.rest().await, b"");
    let rest = reading.rest().await;
    assert!(rest.is_empty() || rest == b"0\r\n\r\n", "the stream is over");
    outlet.apply(NetEffect::Respond(unanswered, Response::empty(200)));
    outlet.apply(NetEffect::StreamWrite(stream, Bytes::from_static(b"late")));
    assert_eq!(inbox.try_recv(), None, "it hears nothing of what it has forgotten");

    let mut next = Peer::connect(node.address()).await;
    next.say("GET /m HTTP/1.1\r\n\r\n").await;
    let (id, _) = next_request(&mut inbox).await;
    outlet.apply(NetEffect::Respond(id, Response::empty(200)));
    assert!(next.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 OK\r\n"), "and goes on");
}

#[tokio::test]
async fn peers_of_other_processes_are_spared() {
    let (node, mut inbox, outlet) = process("m").await;
    let (listener, replica) = listener().await;
    node.spare(BTreeSet::from([replica]));
    let mut from_replica = speaker(&node, &mut inbox, replica.port()).await;
    let (mut log, replicas) = node.spawn("log").unwrap();
    replicas.apply(NetEffect::Link { to: Upid::at("log", replica), reconnect: false });
    replicas.apply(NetEffect::Link { to: outlet.upid(), reconnect: false });
    let mut to_replica = accept(&listener).await;

    outlet.start_over();
    assert_eq!(soon(log.recv()).await, NetInput::Exited(outlet.upid()), "to its own node it dies, too");
    replicas.apply(message(&replicas, &Upid::at("log", replica), "n.A", "x"));
    assert!(to_replica.until("\r\n0\r\n\r\n").await.starts_with("POST /log/n.A "));
    from_replica.say(&raw_message("log", "n.B", "x")).await;
    assert_eq!(next_message(&mut log).await.name, "n.B");
    assert!(log.is_empty());
}
