//! What a peer may cost: slow readers, silent peers, connections without number. The bounds are those of docs/limits.md.
//!
//! Time is paused in most of these tests: it leaps to the next timer whenever nothing else is left to do.

use crate::peer::*;
use bytes::Bytes;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::io::IoSlice;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use tepui_net::{Inbox, NetConfig, Node, Outlet};
use tepui_wire::{NetEffect, NetInput, RequestId, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More than the sockets of a connection hold by themselves.
const MUCH: usize = 32 << 20;

/// Held by tests that measure the memory of this process, and by those that need much of it: they run one after another.
static MEMORY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Until nothing is left to do but to wait.
async fn settled() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The memory of this process that is in use, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// A client to whom a stream is open at this node, as a subscriber of a master is. It has read nothing yet.
async fn subscriber(config: NetConfig) -> (Node, Inbox, Outlet, Peer, RequestId) {
    let node = Node::bind(config).await.unwrap();
    let (mut inbox, outlet) = node.spawn("m").unwrap();
    let mut peer = Peer::connect(node.address()).await;
    peer.say("POST /m HTTP/1.1\r\n\r\n").await;
    let (id, _) = next_request(&mut inbox).await;
    outlet.apply(NetEffect::Respond(id, Response::stream("x/y")));
    (node, inbox, outlet, peer, id)
}

/// The issue: one who subscribes and does not read made the master grow until it was killed.
#[tokio::test]
async fn mesos_7748_a_subscriber_that_does_not_read_costs_four_megabytes() {
    let _alone = MEMORY.lock().await;
    let (node, mut inbox, outlet, mut peer, id) = subscriber(NetConfig::loopback()).await;
    peer.until("\r\n\r\n").await;
    let before = resident();
    let mut written = 0;
    while inbox.is_empty() {
        // Each chunk is memory of its own, as events are.
        outlet.apply(NetEffect::StreamWrite(id, Bytes::from(vec![b'x'; 16 << 10])));
        written += 16 << 10;
        tokio::task::yield_now().await;
        let grown = resident().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes more after {written}; 4 MiB were to be kept, the rest is leeway");
    }
    assert_eq!(soon(inbox.recv()).await, NetInput::StreamClosed(id));
    assert_eq!(node.measures().open_streams, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_a_large_record_is_dropped() {
    let _alone = MEMORY.lock().await;
    let (_node, mut inbox, outlet, mut peer, id) = subscriber(NetConfig::loopback()).await;
    outlet.apply(NetEffect::StreamWrite(id, Bytes::from(vec![b'x'; MUCH])));
    outlet.apply(NetEffect::StreamWrite(id, Bytes::from_static(b"an event after the snapshot is no reason")));
    assert_eq!(inbox.try_recv(), None);
    assert_eq!(inbox.recv().await, NetInput::StreamClosed(id));
    let mut said = Vec::new();
    let _ = soon(peer.0.read_to_end(&mut said)).await;
    assert!(said.len() < MUCH);
}

/// Offers of ten thousand agents are one event of more than 4 MiB; two of them may come right after one another.
#[tokio::test]
async fn a_client_that_reads_gets_two_large_records_right_after_one_another() {
    let _alone = MEMORY.lock().await;
    let (_node, mut inbox, outlet, mut peer, id) = subscriber(NetConfig::loopback()).await;
    peer.until("\r\n\r\n").await;
    let record = |byte| Bytes::from(vec![byte; MUCH]);
    outlet.apply(NetEffect::StreamWrite(id, record(b'1')));
    let mut first = [0; 1024];
    soon(peer.0.read_exact(&mut first)).await.unwrap();
    outlet.apply(NetEffect::StreamWrite(id, record(b'2')));
    outlet.apply(NetEffect::StreamWrite(id, Bytes::from_static(b"later")));
    let framed = MUCH + format!("{MUCH:x}\r\n\r\n").len();
    let mut rest = vec![0; 2 * framed - first.len()];
    soon(peer.0.read_exact(&mut rest)).await.unwrap();
    assert!(rest.ends_with(b"2\r\n"));
    assert_eq!(peer.until("later\r\n").await, "5\r\nlater\r\n");
    assert_eq!(inbox.try_recv(), None, "nobody was dropped");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_a_large_answer_is_dropped() {
    let _alone = MEMORY.lock().await;
    let (node, mut inbox, outlet) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say("GET /m HTTP/1.1\r\n\r\n").await;
    let (id, _) = next_request(&mut inbox).await;
    outlet.apply(NetEffect::Respond(id, Response::with_type(200, "x/y", vec![b'x'; MUCH])));
    tokio::time::sleep(Duration::from_secs(120)).await;
    let mut said = Vec::new();
    let _ = soon(peer.0.read_to_end(&mut said)).await;
    assert!(said.len() < MUCH, "the connection was cut");
}

/// A stream with [`MUCH`] unread, in chunks that are small for its node.
async fn behind() -> (Node, Inbox, Outlet, Peer, RequestId) {
    let config = NetConfig { stream_queued_bytes_max: MUCH, ..NetConfig::loopback() };
    let (node, inbox, outlet, peer, id) = subscriber(config).await;
    for _ in 0..MUCH >> 20 {
        outlet.apply(NetEffect::StreamWrite(id, Bytes::from(vec![b'x'; 1 << 20])));
    }
    (node, inbox, outlet, peer, id)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_a_stream_that_is_over_is_dropped() {
    let _alone = MEMORY.lock().await;
    let (_node, _inbox, outlet, mut peer, id) = behind().await;
    outlet.apply(NetEffect::StreamClose(id));
    tokio::time::sleep(Duration::from_secs(120)).await;
    let mut said = Vec::new();
    let _ = soon(peer.0.read_to_end(&mut said)).await;
    assert!(said.len() < MUCH, "the connection was cut");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_client_of_a_small_stream_is_waited_for() {
    let _alone = MEMORY.lock().await;
    let (_node, mut inbox, _outlet, mut peer, _) = behind().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // From here on sockets are waited for, and paused time would run ahead of them.
    tokio::time::resume();
    peer.until("\r\n\r\n").await;
    let mut said = vec![0; (MUCH >> 20) * ("100000\r\n\r\n".len() + (1 << 20))];
    soon(peer.0.read_exact(&mut said)).await.unwrap();
    assert!(said.ends_with(b"x\r\n"));
    assert_eq!(inbox.try_recv(), None);
}

#[tokio::test]
async fn what_is_promised_comes_before_what_is_written_later() {
    let (_node, _inbox, outlet, mut peer, id) = subscriber(NetConfig::loopback()).await;
    let promise = outlet.promise(id).expect("the stream is open");
    outlet.apply(NetEffect::StreamWrite(id, Bytes::from_static(b"second")));
    outlet.apply(NetEffect::StreamClose(id));
    assert!(outlet.promise(id).is_none(), "nothing more can be said");
    peer.until("\r\n\r\n").await;
    std::thread::spawn(move || promise.keep(Bytes::from_static(b"first"))).join().unwrap();
    assert_eq!(peer.until("0\r\n\r\n").await, "5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_within_a_request_is_cut_and_one_between_requests_is_not() {
    let (node, mut inbox, _) = process("m").await;
    let mut silent = Peer::connect(node.address()).await;
    silent.say(&raw_message("m", "n.First", "x")).await;
    let mut halves = Vec::new();
    for half in [
        "POST /m/n.Half HTTP/1.1\r\nLibprocess-From: a@1",
        "POST /m HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf",
        "POST /m HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let mut peer = Peer::connect(node.address()).await;
        peer.say(half).await;
        halves.push(peer);
    }
    assert_eq!(inbox.recv().await.body_bytes(), 1);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    for mut peer in halves {
        assert_eq!(peer.rest().await, b"", "closed without an answer");
    }
    silent.say(&raw_message("m", "n.Again", "x")).await;
    assert_eq!(next_message(&mut inbox).await.name, "n.Again", "a link may be silent for an hour");
}

/// Half a request whose body is so large, on a connection of its own.
async fn half_of(node: &Node, body: usize) -> Peer {
    let mut peer = Peer::connect(node.address()).await;
    peer.say(&format!("POST /m HTTP/1.1\r\nContent-Length: {body}\r\n\r\n{}", "x".repeat(body / 2))).await;
    peer
}

/// A node with room for 1 MiB of what is still arriving.
async fn narrow() -> (Node, Inbox, Outlet) {
    let node = Node::bind(NetConfig { arriving_bytes: 1 << 20, ..NetConfig::loopback() }).await.unwrap();
    let (inbox, outlet) = node.spawn("m").unwrap();
    (node, inbox, outlet)
}

#[tokio::test]
async fn large_bodies_wait_for_room_and_small_ones_do_not() {
    let _alone = MEMORY.lock().await;
    const LARGE: usize = 2 << 20;
    let (node, mut inbox, _outlet) = narrow().await;
    let mut peers = Vec::new();
    for _ in 0..3 {
        peers.push(half_of(&node, LARGE).await);
    }
    // Together they hold more than there is room for, whichever of them got it.
    let mut small = Peer::connect(node.address()).await;
    small.say(&raw_message("m", "n.Small", &"x".repeat(20_000))).await;
    assert_eq!(next_message(&mut inbox).await.name, "n.Small");
    for peer in &mut peers {
        // One that waits for room is not read, so the rest of its body is written beside the others.
        let mut stream = std::mem::replace(&mut peer.0, TcpStream::connect(node.address()).await.unwrap());
        tokio::spawn(async move {
            stream.write_all(&vec![b'x'; LARGE / 2]).await.unwrap();
            stream.read_u8().await
        });
    }
    for _ in 0..3 {
        assert_eq!(next_request(&mut inbox).await.1.body.len(), LARGE, "each has its turn");
    }
}

#[tokio::test(start_paused = true)]
async fn who_stops_sending_while_others_wait_for_room_is_cut() {
    let (node, mut inbox, _outlet) = narrow().await;
    // The first takes the room, the second may go beyond it, the third waits.
    let mut stopped = Vec::new();
    for _ in 0..2 {
        stopped.push(half_of(&node, 1400 << 10).await);
        settled().await;
    }
    let mut third = TcpStream::connect(node.address()).await.unwrap();
    let body = "x".repeat(800 << 10);
    let whole = format!("POST /m HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let sending = tokio::spawn(async move {
        third.write_all(whole.as_bytes()).await.unwrap();
        third
    });
    let NetInput::Http(_, request) = inbox.recv().await else { panic!("not a request") };
    assert_eq!(request.body.len(), body.len());
    sending.await.unwrap();
    let [first, second] = &mut stopped[..] else { panic!("two") };
    let (mut one, mut other) = ([0], [0]);
    let closed = tokio::select! {
        read = first.0.read(&mut one) => read,
        read = second.0.read(&mut other) => read,
    };
    assert_eq!(closed.unwrap(), 0, "closed without an answer");
}

#[tokio::test(start_paused = true)]
async fn so_many_requests_of_one_connection_are_unanswered_at_most() {
    let (node, mut inbox, outlet) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say(&"GET /m HTTP/1.1\r\n\r\n".repeat(40)).await;
    settled().await;
    assert_eq!(inbox.len(), 32);
    let (first, _) = next_request(&mut inbox).await;
    outlet.apply(NetEffect::Respond(first, Response::empty(200)));
    settled().await;
    assert_eq!(inbox.len(), 32, "one answer makes room for one request");
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let node = Node::bind(NetConfig { connections_max: 2, ..NetConfig::loopback() }).await.unwrap();
    let (mut inbox, _outlet) = node.spawn("m").unwrap();
    let first = Peer::connect(node.address()).await;
    let _second = Peer::connect(node.address()).await;
    let mut third = Peer::connect(node.address()).await;
    third.say(&raw_message("m", "n.Third", "x")).await;
    settled().await;
    assert!(inbox.is_empty());
    drop(first);
    assert_eq!(next_message(&mut inbox).await.name, "n.Third");
}

/// Keeps the other ends of connections open without counting them to the open files of this process: as messages that
/// nobody takes out of sockets.
struct Shelf {
    full: Vec<(UnixDatagram, UnixDatagram)>,
    packed: usize,
    last: Vec<std::net::TcpStream>,
}

impl Shelf {
    /// How many a message holds (the kernel allows 253), and messages in a socket (its queue has ten places).
    const IN_MESSAGE: usize = 250;
    const MESSAGES: usize = 8;

    fn new() -> Shelf {
        Shelf { full: Vec::new(), packed: 0, last: Vec::new() }
    }

    fn put(&mut self, stream: std::net::TcpStream) {
        self.last.push(stream);
        if self.last.len() == Shelf::IN_MESSAGE {
            self.pack();
        }
    }

    fn pack(&mut self) {
        if self.packed == self.full.len() * Shelf::MESSAGES {
            self.full.push(UnixDatagram::pair().unwrap());
        }
        let files: Vec<_> = self.last.iter().map(AsRawFd::as_raw_fd).collect();
        let (sender, _) = self.full.last().unwrap();
        let with = [ControlMessage::ScmRights(&files)];
        sendmsg::<()>(sender.as_raw_fd(), &[IoSlice::new(b"x")], &with, MsgFlags::empty(), None).unwrap();
        self.packed += 1;
        self.last.clear();
    }
}

#[tokio::test]
async fn ten_thousand_silent_connections_cost_little_and_disturb_nobody() {
    let _alone = MEMORY.lock().await;
    const COUNT: usize = 10_000;
    // The node's ends, and what the runtime and other tests have open.
    const FILES: u64 = COUNT as u64 + 250;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.max(FILES), hard.max(FILES))
        .expect("a limit of 10,250 open files (ulimit -Hn)");
    let (node, mut inbox, _outlet) = process("m").await;
    let before = resident();
    let mut silent = Shelf::new();
    for number in 0..COUNT {
        let mut stream = TcpStream::connect(node.address()).await.unwrap();
        // Some say nothing, some have spoken and been answered, some stop within a request.
        match number % 3 {
            0 => stream.write_all(raw_message("m", "n.A", "x").as_bytes()).await.unwrap(),
            1 => stream.write_all(b"POST /m HTTP/1.1\r\n").await.unwrap(),
            _ => {}
        }
        silent.put(stream.into_std().unwrap());
    }
    for _ in (0..COUNT).step_by(3) {
        next_message(&mut inbox).await;
    }
    let each = resident().saturating_sub(before) / COUNT;
    assert!(each < 48 << 10, "{each} bytes of memory for each connection, both ends counted");
    let mut peer = Peer::connect(node.address()).await;
    peer.say(&raw_message("m", "n.Last", "x")).await;
    assert_eq!(next_message(&mut inbox).await.name, "n.Last");
    println!("{each} bytes for each of {COUNT} silent connections, both ends counted");
}

#[tokio::test]
async fn a_reset_within_a_message_concerns_only_its_connection() {
    let (node, mut inbox, outlet) = process("m").await;
    let mut good = Peer::connect(node.address()).await;
    for round in 0..50 {
        let mut bad = Peer::connect(node.address()).await;
        let whole = raw_message("m", "n.Whole", "x");
        bad.say(&whole).await;
        bad.say(&whole[..whole.len() / 2]).await;
        assert_eq!(next_message(&mut inbox).await.name, "n.Whole");
        bad.0.readable().await.unwrap();
        // The answer is there and not read, so the kernel resets the connection.
        drop(bad);
        good.say(&raw_message("m", "n.Good", &round.to_string())).await;
        assert_eq!(next_message(&mut inbox).await.body, round.to_string());
    }
    drop(outlet);
    assert_eq!(inbox.try_recv(), None, "half a message is none");
}
