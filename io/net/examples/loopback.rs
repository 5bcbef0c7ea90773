//! Figures of the network on this machine: messages between two nodes, and requests to a trivial endpoint.
//!
//! Run with `cargo run --release -p tepui-net --example loopback`. Each node lives on a thread of its own, as it does in
//! a master and an agent; the clients of the HTTP part share a third one.

use bytes::Bytes;
use std::time::{Duration, Instant};
use tepui_net::client::{Client, Request};
use tepui_net::{Inbox, NetConfig, Node, Outlet};
use tepui_wire::{Message, NetEffect, NetInput, Response, Upid};

const MESSAGES: u32 = 500_000;
const REQUESTS: u32 = 100_000;
const CLIENTS: u32 = 16;

fn main() {
    for body in [0, 200, 2000, 100_000] {
        one_way(body, if body > 10_000 { MESSAGES / 50 } else { MESSAGES });
    }
    round_trips();
    requests();
}

/// Runs on a runtime with one thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

async fn process(id: &str) -> (Node, Inbox, Outlet) {
    let node = Node::bind(NetConfig::loopback()).await.expect("a free port");
    let (inbox, outlet) = node.spawn(id).expect("a free id");
    (node, inbox, outlet)
}

fn message(from: &Outlet, to: &Upid, body: Bytes) -> NetEffect {
    let name = "mesos.internal.StatusUpdateMessage".to_owned();
    NetEffect::Send(Message { from: from.upid(), to: to.clone(), name, body })
}

/// The inbox of a process that throws messages away and counts; ends after `count`.
async fn take(mut inbox: Inbox, count: u32) {
    for _ in 0..count {
        inbox.recv().await;
    }
}

fn report(what: &str, count: u32, took: Duration) {
    println!("{what}: {:.0} a second", f64::from(count) / took.as_secs_f64());
}

fn one_way(body: usize, count: u32) {
    let (send_address, address) = std::sync::mpsc::channel();
    let receiver = std::thread::spawn(move || {
        block_on(async {
            let (_node, inbox, outlet) = process("slave(1)").await;
            send_address.send(outlet.upid()).expect("main waits for it");
            take(inbox, count).await;
        });
    });
    let to = address.recv().expect("the receiver starts");
    let started = Instant::now();
    block_on(async {
        let (node, _inbox, outlet) = process("master").await;
        let body = Bytes::from(vec![7; body]);
        for _ in 0..count {
            outlet.apply(message(&outlet, &to, body.clone()));
            // As a machine does, which puts out some effects for each input.
            if node.measures().queued_messages > 1000 {
                tokio::task::yield_now().await;
            }
        }
        while !receiver.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    report(&format!("messages of {body} bytes, one way"), count, started.elapsed());
}

fn round_trips() {
    let count = 50_000;
    let (send_address, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        block_on(async {
            let (_node, mut inbox, outlet) = process("slave(1)").await;
            send_address.send(outlet.upid()).expect("main waits for it");
            loop {
                if let NetInput::Message(ping) = inbox.recv().await {
                    outlet.apply(message(&outlet, &ping.from, ping.body));
                }
            }
        });
    });
    let to = address.recv().expect("the receiver starts");
    block_on(async {
        let (_node, mut inbox, outlet) = process("master").await;
        let started = Instant::now();
        for _ in 0..count {
            outlet.apply(message(&outlet, &to, Bytes::from_static(b"ping")));
            inbox.recv().await;
        }
        report("round trips of one message", count, started.elapsed());
    });
}

fn requests() {
    let (send_address, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        block_on(async {
            let (node, mut inbox, outlet) = process("master").await;
            send_address.send(node.address()).expect("main waits for it");
            loop {
                if let NetInput::Http(id, _) = inbox.recv().await {
                    outlet.apply(NetEffect::Respond(id, Response::json("{\"health\":true}", None)));
                }
            }
        });
    });
    let address = address.recv().expect("the server starts").to_string();
    block_on(async {
        let started = Instant::now();
        let clients = (0..CLIENTS).map(|_| tokio::spawn(ask(address.clone())));
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("a client ends");
        }
        report(&format!("requests over {CLIENTS} connections"), REQUESTS, started.elapsed());
    });
}

async fn ask(address: String) {
    let mut client = Client::connect(&address).await.expect("a connection");
    for _ in 0..REQUESTS / CLIENTS {
        let response = client.send(Request::get("/master/health")).await.expect("an answer");
        assert_eq!(response.bytes(100).await.expect("a body").len(), 15);
    }
}
