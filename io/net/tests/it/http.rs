//! Requests and answers.

use crate::peer::*;
use bytes::Bytes;
use tepui_net::client::{Client, Request};
use tepui_net::{Answer, File, NetConfig, Node};
use tepui_wire::decode::Limits;
use tepui_wire::{NetEffect, Response};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn pipelined_requests_reach_the_process_at_once_and_are_answered_in_order() {
    let (node, mut inbox, outlet) = process("master").await;
    node.delegate("master");
    let mut peer = Peer::connect(node.address()).await;
    peer.say("GET /first?a=1 HTTP/1.1\r\n\r\nGET /master/second HTTP/1.1\r\nX-Y: z\r\n\r\n").await;
    peer.say(&raw_message("master", "n.A", "x")).await;
    let (first, request) = next_request(&mut inbox).await;
    assert_eq!((request.path.as_str(), request.query.as_str()), ("/master/first", "a=1"));
    let (second, request) = next_request(&mut inbox).await;
    assert_eq!((request.path.as_str(), request.header("x-y")), ("/master/second", Some("z")));
    assert_eq!(request.peer, peer.0.local_addr().unwrap());
    next_message(&mut inbox).await;
    outlet.apply(NetEffect::Respond(second, Response::json("[2]", None)));
    outlet.apply(NetEffect::Respond(first, Response::empty(307).header("Location", "//h:1/first")));
    let said = without_date(&peer.until("202 Accepted\r\n").await);
    assert_eq!(
        said,
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: //h:1/first\r\nContent-Length: 0\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[2]HTTP/1.1 202 Accepted\r\n"
    );
}

#[tokio::test]
async fn nonces_differ() {
    let (node, mut inbox, _outlet) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say("GET /m HTTP/1.1\r\n\r\nGET /m HTTP/1.1\r\n\r\n").await;
    let (one, two) = (next_request(&mut inbox).await, next_request(&mut inbox).await);
    assert_ne!((one.0, one.1.nonce), (two.0, two.1.nonce));
    assert_ne!(one.1.nonce, two.1.nonce);
}

/// A node whose handler answers with `body`.
async fn serving(body: &'static [u8]) -> Node {
    let node = node().await;
    node.route("/data", move |_| async move { Response::with_type(200, "text/plain", Bytes::from_static(body)) });
    node
}

static LARGE: [u8; 100_000] = [b'a'; 100_000];

#[tokio::test]
async fn gzip_when_it_serves() {
    let mut answers = Vec::new();
    for (body, accept) in
        [(&LARGE[..], "gzip"), (&LARGE[..2000], "*"), (&LARGE[..1000], "gzip"), (&LARGE[..], "gzip;q=0")]
    {
        let node = serving(body).await;
        let mut client = Client::connect(&node.address().to_string()).await.unwrap();
        let response = soon(client.send(Request::get("/data/x").header("Accept-Encoding", accept))).await.unwrap();
        let is_gzip = response.header("content-encoding") == Some("gzip");
        let sent = soon(response.bytes(1 << 20)).await.unwrap();
        let mut plain = Vec::new();
        match is_gzip {
            true => {
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&sent[..]), &mut plain).map(drop).unwrap()
            }
            false => plain.extend_from_slice(&sent),
        }
        assert_eq!(plain, body);
        answers.push(is_gzip);
    }
    assert_eq!(answers, [true, true, false, false]);
}

#[tokio::test]
async fn head_has_the_length_but_no_body() {
    let node = serving(b"hello").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say("HEAD /data HTTP/1.1\r\n\r\nGET /data HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let said = String::from_utf8(peer.rest().await).unwrap();
    assert_eq!(said.matches("Content-Length: 5\r\n").count(), 2, "{said}");
    assert_eq!(said.matches("hello").count(), 1, "{said}");
}

#[tokio::test]
async fn connections_end_when_a_side_wants_it() {
    let (node, mut inbox, outlet) = process("m").await;
    for request in ["GET /m HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /m HTTP/1.0\r\n\r\n"] {
        let mut peer = Peer::connect(node.address()).await;
        peer.say(request).await;
        outlet.apply(NetEffect::Respond(next_request(&mut inbox).await.0, Response::text(200, "x")));
        assert!(peer.rest().await.ends_with(b"\r\n\r\nx"));
    }
    let mut peer = Peer::connect(node.address()).await;
    peer.say("GET /m HTTP/1.1\r\n\r\n").await;
    let response = Response::text(200, "x").header("Connection", "close");
    outlet.apply(NetEffect::Respond(next_request(&mut inbox).await.0, response));
    assert!(peer.rest().await.ends_with(b"\r\n\r\nx"));
}

#[tokio::test]
async fn compressed_requests_are_inflated_within_limits() {
    let limits = Limits { request_body: 50_000, ..Limits::default() };
    let node = Node::bind(NetConfig { limits, ..NetConfig::loopback() }).await.unwrap();
    let (mut inbox, outlet) = node.spawn("m").unwrap();
    let gzip = |body: &[u8]| {
        let mut compressed = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(body, flate2::Compression::fast());
        std::io::Read::read_to_end(&mut encoder, &mut compressed).unwrap();
        compressed
    };
    let request = |body| Request::post("/m", "x/y", body).header("Content-Encoding", "gzip");
    let address = node.address().to_string();
    let mut client = Client::connect(&address).await.unwrap();
    let answer = tokio::spawn({
        let request = request(gzip(&LARGE[..50_000]));
        async move { client.send(request).await.map(|response| response.status) }
    });
    let (id, got) = next_request(&mut inbox).await;
    assert_eq!(got.body, &LARGE[..50_000]);
    outlet.apply(NetEffect::Respond(id, Response::empty(202)));
    assert_eq!(soon(answer).await.unwrap().unwrap(), 202);
    let mut client = Client::connect(&address).await.unwrap();
    assert!(soon(client.send(request(gzip(&LARGE[..50_001])))).await.is_err(), "closed without an answer");
    let mut peer = Peer::connect(node.address()).await;
    peer.say("POST /m HTTP/1.1\r\nContent-Length: 50001\r\n\r\n").await;
    assert!(peer.rest().await.starts_with(b"HTTP/1.1 413 Request Entity Too Large\r\n"));
}

#[tokio::test]
async fn a_client_that_waits_to_send_its_body_is_told_to() {
    let (node, mut inbox, outlet) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say("POST /m HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    assert_eq!(peer.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    peer.say("ab").await;
    let (id, request) = next_request(&mut inbox).await;
    assert_eq!(request.body, "ab");
    outlet.apply(NetEffect::Respond(id, Response::empty(200)));
    peer.until("Content-Length: 0\r\n\r\n").await;
}

#[tokio::test]
async fn refused_paths() {
    let (node, ..) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say(
        "GET /m/../etc HTTP/1.1\r\n\r\nGET /other HTTP/1.1\r\n\r\nOPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n",
    )
    .await;
    let said = String::from_utf8(peer.rest().await).unwrap();
    let codes: Vec<&str> = said.split("HTTP/1.1 ").skip(1).map(|response| &response[..3]).collect();
    assert_eq!(codes, ["404", "404", "400"]);
    assert!(said.ends_with("Request URL path must start with '/'"), "{said}");
}

#[tokio::test]
async fn the_longest_route_wins_and_handlers_can_fail() {
    let (node, _inbox, _outlet) = process("master").await;
    node.delegate("master");
    node.route("/files", |request| async move { Response::text(200, format!("files {}", request.path)) });
    node.route("/files/debug", |_| async { Response::text(200, "debug") });
    node.route_exact("/master", |_| async { Response::text(200, "index") });
    node.route("/master/broken", |_| async { panic!("a handler fails") as Response });
    node.route("/master/stream", |_| async { Response::stream("x/y") });
    let mut client = Client::connect(&node.address().to_string()).await.unwrap();
    let mut said = Vec::new();
    for path in ["/files/browse", "/files/debug", "/filesystem/..", "/", "/master/", "/broken", "/stream"] {
        let response = soon(client.send(Request::get(path))).await.unwrap();
        let status = response.status;
        said.push(format!("{status} {}", String::from_utf8_lossy(&response.bytes(1000).await.unwrap())));
    }
    let failed = "500 500 Internal Server Error.";
    let wanted =
        ["200 files /files/browse", "200 debug", "404 404 Not Found.", "200 index", "200 index", failed, failed];
    assert_eq!(said, wanted);
}

#[tokio::test]
async fn files_are_sent_whole_and_uncompressed() {
    let folder = tempfile::tempdir().unwrap();
    let (full, empty) = (folder.path().join("full"), folder.path().join("empty"));
    let content: Vec<u8> = (0..1_000_000u32).map(|number| number as u8).collect();
    std::fs::write(&full, &content).unwrap();
    std::fs::write(&empty, "").unwrap();
    let node = node().await;
    let root = folder.path().to_owned();
    node.route("/files", move |request| {
        let path = root.join(request.path.trim_start_matches("/files/"));
        async move { Answer::from(File { path, headers: vec![("Content-Type", "application/octet-stream".to_owned())] }) }
    });
    let mut client = Client::connect(&node.address().to_string()).await.unwrap();
    let mut lengths = Vec::new();
    for path in ["/files/full", "/files/empty", "/files/none", "/files/"] {
        let response = soon(client.send(Request::get(path).header("Accept-Encoding", "gzip"))).await.unwrap();
        let status = response.status;
        assert_eq!(response.header("content-encoding"), None);
        let body = soon(response.bytes(1 << 20)).await.unwrap();
        assert!(path != "/files/full" || body == content);
        lengths.push((status, body.len()));
    }
    assert_eq!(lengths, [(200, 1_000_000), (200, 0), (404, 14), (404, 14)]);
}

#[tokio::test]
async fn a_process_that_ends_leaves_no_request_open() {
    let (node, mut inbox, _) = process("m").await;
    let mut peer = Peer::connect(node.address()).await;
    peer.say("GET /m HTTP/1.1\r\n\r\nGET /m HTTP/1.1\r\n\r\n").await;
    next_request(&mut inbox).await;
    drop(inbox);
    assert!(peer.until("500 Internal Server Error.").await.starts_with("HTTP/1.1 500 "));
    peer.say("GET /m HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(peer.rest().await.ends_with(b"404 Not Found."));
}

#[tokio::test]
async fn the_client_reads_bodies_within_its_limit() {
    let node = serving(&LARGE).await;
    let mut client = Client::connect(&node.address().to_string()).await.unwrap();
    assert!(client.send(Request::get("/data")).await.unwrap().bytes(99_999).await.is_err());
    let mut client = Client::connect(&node.address().to_string()).await.unwrap();
    let mut response = client.send(Request::get("/data")).await.unwrap();
    let mut length = 0;
    while let Some(piece) = response.next().await.unwrap() {
        length += piece.len();
    }
    assert_eq!(length, LARGE.len());
    drop(response);
    assert!(client.is_open());
    let (_, free) = listener().await;
    assert!(Client::connect(&free.to_string()).await.is_err());
}

#[tokio::test]
async fn a_large_answer_to_a_slow_reader_is_whole() {
    let node = node().await;
    node.route("/data", |_| async { Response::with_type(200, "x/y", vec![b'x'; 20 << 20]) });
    let mut peer = Peer::connect(node.address()).await;
    peer.say("GET /data HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let (mut total, mut piece) = (0, vec![0; 10_000]);
    loop {
        match soon(peer.0.read(&mut piece)).await.unwrap() {
            0 => break,
            read => total += read,
        }
    }
    assert!(total > 20 << 20);
}
