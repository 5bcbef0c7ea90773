//! Messages between nodes, and from peers that behave as libprocess does.

use crate::peer::*;
use std::net::Ipv4Addr;
use tepui_net::{NetConfig, Node};
use tepui_wire::{NetInput, Upid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn messages_of_a_sender_arrive_in_order() {
    let (_a, _, from) = process("a").await;
    let (b, mut inbox, _) = process("slave(1)").await;
    for number in 0..2000 {
        from.apply(message(&from, &b.upid("slave(1)"), "n.Count", format!("{number}")));
    }
    for number in 0..2000 {
        let message = next_message(&mut inbox).await;
        assert_eq!(message.body, format!("{number}"));
        assert_eq!((message.from, message.to, message.name.as_str()), (from.upid(), b.upid("slave(1)"), "n.Count"));
    }
}

#[tokio::test]
async fn a_large_message_and_an_empty_one() {
    let (_a, _, from) = process("a").await;
    let (b, mut inbox, _) = process("b").await;
    // Larger than the mailbox: it waits for an empty one.
    let body = vec![7u8; 100 << 20];
    from.apply(message(&from, &b.upid("b"), "n.Large", body.clone()));
    from.apply(message(&from, &b.upid("b"), "n.Empty", ""));
    assert!(next_message(&mut inbox).await.body == body);
    assert_eq!(next_message(&mut inbox).await.body, "");
}

#[tokio::test]
async fn the_own_address_is_not_on_the_network() {
    let (node, _, from) = process("a").await;
    let (mut inbox, _) = node.spawn("b").unwrap();
    from.apply(message(&from, &node.upid("b"), "n.Local", "x"));
    assert_eq!(inbox.try_recv().map(|input| matches!(input, NetInput::Message(_))), Some(true), "it is there at once");
    assert_eq!(node.measures().peers, 0);
}

#[tokio::test]
async fn every_message_is_answered() {
    let (node, mut inbox, _) = process("slave(1)").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say(&raw_message("slave%281%29", "n.A", "x")).await;
    peer.say(&raw_message("nobody", "n.B", "y")).await;
    peer.say("POST /slave(1)/n.C HTTP/1.1\r\nUser-Agent: libprocess/p@127.0.0.1:9\r\nContent-Length: 1\r\n\r\nz").await;
    let accepted = without_date(&peer.until("\r\n\r\n").await);
    assert_eq!(accepted, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    let missing = without_date(&peer.until("404 Not Found.").await);
    assert!(missing.starts_with("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{missing}");
    assert_eq!(without_date(&peer.until("\r\n\r\n").await), accepted);
    assert_eq!(next_message(&mut inbox).await.name, "n.A");
    let last = next_message(&mut inbox).await;
    assert_eq!((last.name.as_str(), last.from), ("n.C", Upid::new("p", Ipv4Addr::LOCALHOST, 9)));
}

#[tokio::test]
async fn all_arrives_from_a_peer_that_closes_at_once() {
    let (node, mut inbox, _) = process("m").await;
    for round in 0..50 {
        let mut peer = Peer::connect(node.address()).await;
        let text: String = (0..20).map(|number| raw_message("m", "n.Last", &format!("{round}/{number}"))).collect();
        peer.say(&text).await;
        // Half of them only shut down their writing side; the others vanish, so that the 202s meet a reset.
        if round % 2 == 0 {
            peer.0.shutdown().await.unwrap();
        }
        drop(peer);
        for number in 0..20 {
            assert_eq!(next_message(&mut inbox).await.body, format!("{round}/{number}"));
        }
    }
}

#[tokio::test]
async fn a_half_closed_peer_still_gets_its_answers() {
    let (node, mut inbox, _) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say(&raw_message("m", "n.A", "x")).await;
    peer.0.shutdown().await.unwrap();
    assert!(peer.rest().await.starts_with(b"HTTP/1.1 202 Accepted\r\n"));
    next_message(&mut inbox).await;
}

#[tokio::test]
async fn what_cannot_be_decoded_is_closed_without_an_answer() {
    let (node, ..) = process("m").await;
    for text in ["\x16\x03\x01\x02\x00\x01\x00", "nonsense\r\n\r\n", "GET /?a=%zz HTTP/1.1\r\n\r\n"] {
        let mut peer = Peer::connect(node.address()).await;
        peer.say(text).await;
        let mut answer = Vec::new();
        // The end may come as a reset, if unread bytes were left.
        let _ = soon(peer.0.read_to_end(&mut answer)).await;
        assert_eq!(answer, b"", "{text:?}");
    }
}

#[tokio::test]
async fn senders_can_be_held_to_their_ip() {
    let config = NetConfig { require_peer_address_ip_match: true, ..NetConfig::loopback() };
    let node = Node::bind(config).await.unwrap();
    let (mut inbox, _) = node.spawn("m").unwrap();
    let mut peer = Peer::connect(node.address()).await;
    peer.say(&raw_message("m", "n.False", "x").replace("peer@127.0.0.1", "peer@10.0.0.1")).await;
    let own = peer.0.local_addr().unwrap();
    let text = format!("UPID IP address validation failed: Message from peer@10.0.0.1:1 was sent from IP {own}");
    assert!(peer.until(&text).await.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    peer.say(&raw_message("m", "n.True", "x")).await;
    assert_eq!(next_message(&mut inbox).await.name, "n.True");
}

#[tokio::test]
async fn a_full_mailbox_stops_the_reading_and_nothing_is_lost() {
    let config = NetConfig { mailbox_bytes: 16 * 1024, ..NetConfig::loopback() };
    let node = Node::bind(config).await.unwrap();
    let (mut inbox, _) = node.spawn("b").unwrap();
    let (a, _, from) = process("a").await;
    let count = 20_000;
    for number in 0..count {
        from.apply(message(&from, &node.upid("b"), "n.Count", format!("{number:01000}")));
    }
    // Wait for the sender to be stuck: its queue stays where it is once sockets and mailbox are full.
    next_message(&mut inbox).await;
    assert!(inbox.len() <= 16, "{}", inbox.len());
    for number in 1..count {
        assert_eq!(next_message(&mut inbox).await.body, format!("{number:01000}"));
        assert!(inbox.len() <= 16);
    }
    assert_eq!(a.measures().queued_messages, 0);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_dropped() {
    let config = NetConfig { peer_queued_bytes_max: 1 << 20, ..NetConfig::loopback() };
    let node = Node::bind(config).await.unwrap();
    let (mut inbox, outlet) = node.spawn("a").unwrap();
    let (listener, address) = listener().await;
    let deaf = Upid::at("deaf", address);
    outlet.apply(tepui_wire::NetEffect::Link { to: deaf.clone(), reconnect: false });
    let _peer = accept(&listener).await;
    while node.measures().peers > 0 {
        outlet.apply(message(&outlet, &deaf, "n.Much", vec![0; 1 << 16]));
        tokio::task::yield_now().await;
    }
    assert_eq!(soon(inbox.recv()).await, NetInput::Exited(deaf));
}

#[tokio::test]
async fn a_family_of_ids_is_one_process() {
    let (node, mut inbox, outlet) = process("master").await;
    outlet.receive_family("slave-observer(");
    let (_a, _, from) = process("a").await;
    from.apply(message(&from, &node.upid("slave-observer(7)"), "n.Pong", ""));
    assert_eq!(next_message(&mut inbox).await.to, node.upid("slave-observer(7)"));
}

#[tokio::test]
async fn an_id_is_free_again_after_its_process() {
    let (node, inbox, _) = process("m").await;
    assert!(node.spawn("m").is_none());
    drop(inbox);
    let (mut inbox, _) = node.spawn("m").unwrap();
    let mut peer = Peer::connect(node.address()).await;
    peer.say(&raw_message("m", "n.A", "x")).await;
    next_message(&mut inbox).await;
}

#[tokio::test]
async fn sending_to_nobody_is_silent() {
    let (listener, address) = listener().await;
    drop(listener);
    let (node, mut inbox, outlet) = process("a").await;
    outlet.apply(message(&outlet, &Upid::at("b", address), "n.Lost", "x"));
    soon(async {
        while node.measures().peers > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(inbox.try_recv(), None);
}

#[tokio::test]
async fn an_unlinked_connection_is_closed_when_it_idles() {
    let (listener, address) = listener().await;
    let (node, _inbox, outlet) = process("a").await;
    outlet.apply(message(&outlet, &Upid::at("b", address), "n.A", "x"));
    outlet.apply(message(&outlet, &Upid::at("b", address), "n.B", "y"));
    let mut peer = accept(&listener).await;
    let said = String::from_utf8(peer.rest().await).unwrap();
    assert!(said.starts_with("POST /b/n.A HTTP/1.1\r\nUser-Agent: libprocess/a@127.0.0.1:"), "{said}");
    assert_eq!(said.matches("POST /b/").count(), 2, "both went over one connection");
    assert_eq!(node.measures().peers, 0);
}

#[tokio::test]
async fn a_recorded_driver_and_agent_are_understood() {
    let (node, mut inbox, _) = process("master").await;
    for (recorded, name, count) in [
        (&include_bytes!("../../../../core/wire/tests/golden/driver_to_master.0.raw")[..], "mesos.scheduler.Call", 3),
        (
            &include_bytes!("../../../../core/wire/tests/golden/agent_to_master.0.raw")[..],
            "mesos.internal.RegisterSlaveMessage",
            3,
        ),
    ] {
        let mut peer = Peer::connect(node.address()).await;
        soon(peer.0.write_all(recorded)).await.unwrap();
        for _ in 0..count {
            assert_eq!(next_message(&mut inbox).await.name, name);
            assert!(peer.until("\r\n\r\n").await.starts_with("HTTP/1.1 202 Accepted\r\n"));
        }
    }
}
