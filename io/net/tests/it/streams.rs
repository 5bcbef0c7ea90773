//! Streaming responses.

use crate::peer::*;
use bytes::Bytes;
use tepui_net::{Inbox, NetConfig, Node, Outlet};
use tepui_wire::{NetEffect, NetInput, RequestId, Response};
use tokio::io::AsyncWriteExt;

/// A client that has been given a stream.
async fn subscribed(node: &Node, inbox: &mut Inbox, outlet: &Outlet) -> (Peer, RequestId) {
    let mut peer = Peer::connect(node.address()).await;
    peer.say("POST /m HTTP/1.1\r\n\r\n").await;
    let (id, _) = next_request(inbox).await;
    outlet.apply(NetEffect::Respond(id, Response::stream("application/recordio")));
    let head = without_date(&peer.until("\r\n\r\n").await);
    assert_eq!(head, "HTTP/1.1 200 OK\r\nContent-Type: application/recordio\r\nTransfer-Encoding: chunked\r\n\r\n");
    (peer, id)
}

fn write(outlet: &Outlet, id: RequestId, chunk: &'static str) {
    outlet.apply(NetEffect::StreamWrite(id, Bytes::from_static(chunk.as_bytes())));
}

#[tokio::test]
async fn each_write_is_a_chunk_and_the_end_ends_the_body() {
    let (node, mut inbox, outlet) = process("m").await;
    let (mut peer, id) = subscribed(&node, &mut inbox, &outlet).await;
    write(&outlet, id, "7\nSUBSCRI");
    write(&outlet, id, "");
    write(&outlet, id, "0123456789abcdef");
    assert_eq!(peer.until("f\r\n").await, "9\r\n7\nSUBSCRI\r\n10\r\n0123456789abcdef\r\n");
    // The next request of the connection waits for the end of the stream.
    peer.say(&raw_message("m", "n.A", "x")).await;
    next_message(&mut inbox).await;
    write(&outlet, id, "z");
    outlet.apply(NetEffect::StreamClose(id));
    write(&outlet, id, "too late");
    assert!(peer.until("202 Accepted").await.starts_with("1\r\nz\r\n0\r\n\r\nHTTP/1.1 202"));
    assert_eq!(inbox.try_recv(), None, "a process is not told of an end it made");
    assert_eq!(node.measures().open_streams, 0);
}

#[tokio::test]
async fn the_process_learns_at_once_that_an_idle_client_left() {
    let (node, mut inbox, outlet) = process("m").await;
    let (peer, id) = subscribed(&node, &mut inbox, &outlet).await;
    drop(peer);
    assert_eq!(soon(inbox.recv()).await, NetInput::StreamClosed(id));
    let (mut peer, id) = subscribed(&node, &mut inbox, &outlet).await;
    peer.0.shutdown().await.unwrap();
    assert_eq!(soon(inbox.recv()).await, NetInput::StreamClosed(id), "to close one side is to leave");
    write(&outlet, id, "nobody reads this");
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn a_client_that_left_before_its_answer() {
    let (node, mut inbox, outlet) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say("POST /m HTTP/1.1\r\n\r\n").await;
    let (id, _) = next_request(&mut inbox).await;
    drop(peer);
    outlet.apply(NetEffect::Respond(id, Response::stream("x/y")));
    assert_eq!(soon(inbox.recv()).await, NetInput::StreamClosed(id));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let config = NetConfig { stream_queued_bytes_max: 1 << 20, ..NetConfig::loopback() };
    let node = Node::bind(config).await.unwrap();
    let (mut inbox, outlet) = node.spawn("m").unwrap();
    let (slow, slow_id) = subscribed(&node, &mut inbox, &outlet).await;
    let (mut good, good_id) = subscribed(&node, &mut inbox, &outlet).await;
    let chunk = Bytes::from(vec![b'x'; 1 << 16]);
    let closed = loop {
        outlet.apply(NetEffect::StreamWrite(slow_id, chunk.clone()));
        tokio::task::yield_now().await;
        if let Some(input) = inbox.try_recv() {
            break input;
        }
    };
    assert_eq!(closed, NetInput::StreamClosed(slow_id));
    write(&outlet, good_id, "good");
    assert_eq!(good.until("good\r\n").await, "4\r\ngood\r\n", "others are not concerned");
    // The dropped connection ends without the last chunk, so that the client sees that something is missing.
    let Peer(slow) = slow;
    let mut peer = Peer(slow);
    let mut said = Vec::new();
    let _ = soon(tokio::io::AsyncReadExt::read_to_end(&mut peer.0, &mut said)).await;
    assert!(!said.ends_with(b"0\r\n\r\n"));
    assert_eq!(inbox.try_recv(), None, "it is told once");
}

#[tokio::test]
async fn a_first_record_of_any_size_is_sent() {
    let (node, mut inbox, outlet) = process("m").await;
    let (mut peer, id) = subscribed(&node, &mut inbox, &outlet).await;
    outlet.apply(NetEffect::StreamWrite(id, Bytes::from(vec![b'x'; 16 << 20])));
    outlet.apply(NetEffect::StreamClose(id));
    let mut said = vec![0; "1000000\r\n".len() + (16 << 20) + "\r\n0\r\n\r\n".len()];
    soon(tokio::io::AsyncReadExt::read_exact(&mut peer.0, &mut said)).await.unwrap();
    assert!(said.starts_with(b"1000000\r\nxx") && said.ends_with(b"xx\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn an_old_client_reads_until_the_end() {
    let (node, mut inbox, outlet) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say("POST /m HTTP/1.0\r\n\r\n").await;
    let (id, _) = next_request(&mut inbox).await;
    outlet.apply(NetEffect::Respond(id, Response::stream("x/y")));
    write(&outlet, id, "ab");
    outlet.apply(NetEffect::StreamClose(id));
    let said = String::from_utf8(peer.rest().await).unwrap();
    assert!(!said.contains("chunked") && said.ends_with("\r\n\r\nab"), "{said}");
}

#[tokio::test]
async fn a_process_that_ends_ends_its_streams() {
    let (node, mut inbox, outlet) = process("m").await;
    let (mut peer, id) = subscribed(&node, &mut inbox, &outlet).await;
    write(&outlet, id, "last");
    drop(inbox);
    assert_eq!(peer.until("0\r\n\r\n").await, "4\r\nlast\r\n0\r\n\r\n");
}
