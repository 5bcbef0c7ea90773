//! Links and their ends.

use crate::peer::*;
use tepui_net::Outlet;
use tepui_wire::{NetEffect, NetInput, Upid};

fn link(outlet: &Outlet, to: &Upid, reconnect: bool) {
    outlet.apply(NetEffect::Link { to: to.clone(), reconnect });
}

#[tokio::test]
async fn every_linkee_of_an_ended_connection_exits() {
    let (listener, address) = listener().await;
    let (_node, mut inbox, outlet) = process("m").await;
    let (one, two) = (Upid::at("slave(1)", address), Upid::at("executor(1)", address));
    link(&outlet, &one, false);
    link(&outlet, &two, false);
    link(&outlet, &one, false);
    let peer = accept(&listener).await;
    drop(peer);
    assert_eq!(soon(inbox.recv()).await, NetInput::Exited(two));
    assert_eq!(soon(inbox.recv()).await, NetInput::Exited(one.clone()));
    // All is forgotten; a new link is a new connection.
    link(&outlet, &one, false);
    drop(accept(&listener).await);
    assert_eq!(soon(inbox.recv()).await, NetInput::Exited(one));
    assert!(inbox.is_empty());
}

#[tokio::test]
async fn a_link_that_cannot_be_made_exits() {
    let (listener, address) = listener().await;
    drop(listener);
    let (_node, mut inbox, outlet) = process("m").await;
    link(&outlet, &Upid::at("x", address), false);
    assert_eq!(soon(inbox.recv()).await, NetInput::Exited(Upid::at("x", address)));
}

#[tokio::test]
async fn a_node_that_ends_exits_for_its_linkers() {
    let (_a, mut inbox, outlet) = process("m").await;
    let (b, _b_inbox, _) = process("slave(1)").await;
    link(&outlet, &b.upid("slave(1)"), false);
    link(&outlet, &b.upid("not there"), false);
    outlet.apply(message(&outlet, &b.upid("slave(1)"), "n.A", "x"));
    soon(b.shutdown()).await;
    let exited = [soon(inbox.recv()).await, soon(inbox.recv()).await];
    assert_eq!(exited, [b.upid("not there"), b.upid("slave(1)")].map(NetInput::Exited));
}

#[tokio::test]
async fn reconnecting_replaces_the_connection_without_an_exit() {
    let (listener, address) = listener().await;
    let (_node, mut inbox, outlet) = process("m").await;
    let to = Upid::at("log-replica(1)", address);
    link(&outlet, &to, false);
    let mut old = accept(&listener).await;
    link(&outlet, &to, true);
    let mut new = accept(&listener).await;
    assert_eq!(old.rest().await, b"");
    outlet.apply(message(&outlet, &to, "n.A", "x"));
    assert!(new.until("\r\n0\r\n\r\n").await.starts_with("POST /log-replica(1)/n.A HTTP/1.1\r\n"));
    assert_eq!(inbox.try_recv(), None);
    drop(new);
    assert_eq!(soon(inbox.recv()).await, NetInput::Exited(to));
}

#[tokio::test]
async fn a_link_opens_a_connection_of_its_own() {
    let (listener, address) = listener().await;
    let (_node, mut inbox, outlet) = process("m").await;
    let to = Upid::at("b", address);
    outlet.apply(message(&outlet, &to, "n.A", "x"));
    let mut sent = accept(&listener).await;
    assert!(sent.until("\r\n0\r\n\r\n").await.contains("/b/n.A"));
    link(&outlet, &to, false);
    let linked = accept(&listener).await;
    assert_eq!(sent.rest().await, b"", "the first connection is closed in good order");
    drop(sent);
    drop(linked);
    assert_eq!(soon(inbox.recv()).await, NetInput::Exited(to));
    assert!(inbox.is_empty());
}

#[tokio::test]
async fn a_process_of_the_same_node() {
    let (node, mut inbox, outlet) = process("m").await;
    link(&outlet, &node.upid("ghost"), false);
    assert_eq!(inbox.try_recv(), Some(NetInput::Exited(node.upid("ghost"))));
    let (other, _) = node.spawn("other").unwrap();
    link(&outlet, &node.upid("other"), false);
    assert_eq!(inbox.try_recv(), None);
    drop(other);
    assert_eq!(inbox.try_recv(), Some(NetInput::Exited(node.upid("other"))));
}
