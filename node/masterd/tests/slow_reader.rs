//! A subscriber of a running master that stops reading (MESOS-7748 made masters grow until they were killed).
//!
//! One test in a process of its own, because it measures memory and listens to the log.

use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex};
use tepui_masterd::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of a description, and so of each event about it.
const DESCRIPTION: usize = 256 << 10;
/// Far more events than a subscriber may be behind.
const MANY: usize = 400;
/// What the bound of 4 MiB may cost in all, with what an allocator keeps and both ends of the sockets.
const LEEWAY: usize = 32 << 20;

/// The lines of the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn line_with(&self, words: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        text.lines().find(|line| line.contains(words)).map(str::to_owned)
    }
}

/// The memory of this process that is in use, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Posts a call on a connection of its own, which stays open.
async fn post(master: SocketAddrV4, path: &str, headers: &str, call: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(master).await.unwrap();
    let body = call.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nAccept: application/json\r\n\
         {headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// What has come up to and with `end`.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut said = Vec::new();
    while !said.ends_with(end.as_bytes()) {
        said.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(said).unwrap()
}

fn description(id: &str, number: usize) -> Value {
    let text = format!("{number}-{}", "x".repeat(DESCRIPTION));
    json!({
        "user": "root", "name": "f", "id": {"value": id}, "roles": ["r"],
        "capabilities": [{"type": "MULTI_ROLE"}], "labels": {"labels": [{"key": "k", "value": text}]}
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mesos_7748_a_subscriber_that_stops_reading_is_dropped_and_named() {
    let log = Log::default();
    let lines = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || lines.clone()).init();
    let args = ["--ip=127.0.0.1", "--port=0", "--registry=in_memory"].map(str::to_owned);
    let values = tepui_flags::parse(&[tepui_flags::master::FLAGS], &args, &[], "MESOS_", &|_| unreachable!("no file"));
    let running = tepui_masterd::start(Settings::new(values.unwrap(), |_| None).unwrap()).await.unwrap();
    let master = running.address();
    // It listens before it leads.
    let subscribe = json!({"type": "SUBSCRIBE"});
    let mut slow = post(master, "/api/v1", "", &subscribe).await;
    while until(&mut slow, "\r\n\r\n").await.contains(" 503 ") {
        slow = post(master, "/api/v1", "", &subscribe).await;
    }
    let peer = slow.local_addr().unwrap().to_string();
    let call = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "f", "roles": ["r"],
        "capabilities": [{"type": "MULTI_ROLE"}]}}});
    let mut framework = post(master, "/api/v1/scheduler", "", &call).await;
    let head = until(&mut framework, "\r\n\r\n").await;
    let stream_id = head.lines().find_map(|line| line.strip_prefix("Mesos-Stream-Id: ")).expect("a stream").to_owned();
    let event = until(&mut framework, "HEARTBEAT").await;
    let id = event.split("\"framework_id\":{\"value\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let before = resident();
    let (mut dropped, mut events) = (None, 0);
    while dropped.is_none() && events < MANY {
        let call = json!({"type": "UPDATE_FRAMEWORK", "framework_id": {"value": id},
            "update_framework": {"framework_info": description(id, events)}});
        let mut answer = post(master, "/api/v1/scheduler", &format!("Mesos-Stream-Id: {stream_id}\r\n"), &call).await;
        assert!(until(&mut answer, "\r\n").await.contains(" 200 "), "the update is taken");
        events += 1;
        let grown = resident().saturating_sub(before);
        assert!(grown < LEEWAY, "{grown} bytes more after {events} events of {DESCRIPTION}");
        dropped = log.line_with("Dropping a streaming client");
    }
    let line = dropped.unwrap_or_else(|| panic!("nobody is dropped after {events} events"));
    assert!(line.contains("WARN") && line.contains(&format!("peer={peer}")), "{line}");
    let mut said = Vec::new();
    // The end may come as a reset, with bytes on their way.
    let _ = slow.read_to_end(&mut said).await;
    assert!(said.len() < events * DESCRIPTION, "the connection is cut: {} bytes of {events} events", said.len());
    running.stop().await;
}
