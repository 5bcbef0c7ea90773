//! Whatever arrives, the master answers as Mesos does or closes the connection, grows by no more than its limits, and serves
//! others meanwhile. A real master on real sockets.

use std::time::Duration;
use tepui_masterd::{Running, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Fails a test that hangs; far beyond what any step takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens soon")
}

async fn master() -> Running {
    let args = ["--registry=in_memory", "--ip=127.0.0.1", "--port=0"].map(str::to_owned);
    let tables = [tepui_flags::master::FLAGS, tepui_flags::logging::FLAGS];
    let read_file = |_: &str| unreachable!("no flag names a file");
    let values = tepui_flags::parse(&tables, &args, &[], "MESOS_", &read_file).unwrap();
    let master = tepui_masterd::start(Settings::new(values, |_| None).unwrap()).await.unwrap();
    // The registry is asked for before anything else, so that it has answered when the first read has.
    while ask(&master, &post("/api/v1", JSON, r#"{"type":"GET_HEALTH"}"#)).await.0 == 503 {
        tokio::task::yield_now().await;
    }
    master
}

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

fn post(path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n");
    [head.as_bytes(), b"Connection: close\r\n\r\n", body].concat()
}

fn message(name: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST /master/{name} HTTP/1.1\r\nLibprocess-From: peer@127.0.0.1:1\r\nConnection: Keep-Alive\r\n");
    [format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// Says something and reads to the end: the status (0 if the connection was closed without an answer) and the body.
async fn ask(master: &Running, said: &[u8]) -> (u16, String) {
    let exchange = async {
        let mut stream = TcpStream::connect(master.address()).await.unwrap();
        // The other side may close before it has read all.
        let _ = stream.write_all(said).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = soon(exchange).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap()), body.to_owned())
}

async fn is_well(master: &Running) {
    let get = b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(master, get).await, (200, String::new()));
}

/// The memory of this process that is in use, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

const SCHEDULER: &str = "/master/api/v1/scheduler";

#[tokio::test]
async fn bodies_that_are_no_calls_get_the_answers_of_mesos() {
    let master = master().await;
    let cases: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        (SCHEDULER, JSON, b"{".to_vec(), 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        (SCHEDULER, JSON, b"\xff\xfe".to_vec(), 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        (SCHEDULER, JSON, b"".to_vec(), 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        (SCHEDULER, JSON, b"7".to_vec(), 400, "Failed to convert JSON into Call protobuf: Expecting a JSON object"),
        (SCHEDULER, JSON, b"{}".to_vec(), 400, "Failed to validate scheduler::Call: Expecting 'type' to be present"),
        (
            SCHEDULER,
            JSON,
            br#"{"type":"KILL","kill":"t"}"#.to_vec(),
            400,
            "Failed to convert JSON into Call protobuf: Not expecting a JSON string for field 'kill'",
        ),
        (
            SCHEDULER,
            JSON,
            br#"{"type":"KILL","framework_id":{"value":"f"},"kill":{}}"#.to_vec(),
            400,
            "Failed to convert JSON into Call protobuf: Missing required fields: kill.task_id",
        ),
        (
            SCHEDULER,
            JSON,
            br#"{"type":"KILL","framework_id":{"value":"f"},"kill":{"task_id":{"value":"t"}}}"#.to_vec(),
            400,
            "Framework cannot be found",
        ),
        (SCHEDULER, PROTOBUF, b"\xff\xff\xff".to_vec(), 400, "Failed to parse body into Call protobuf"),
        // A field that says it is longer than what is there.
        (SCHEDULER, PROTOBUF, b"\x0a\x7f".to_vec(), 400, "Failed to parse body into Call protobuf"),
        (SCHEDULER, "text/html", b"{}".to_vec(), 415, "Expecting 'Content-Type' of application/json"),
        (
            "/api/v1",
            JSON,
            br#"{"type":"GET_METRICS"}"#.to_vec(),
            400,
            "Failed to validate master::Call: Expecting 'get_metrics'",
        ),
        ("/api/v1", JSON, br#"{"type":7}"#.to_vec(), 400, "Failed to convert JSON into Call protobuf: "),
        ("/api/v1", PROTOBUF, b"\x08".to_vec(), 400, "Failed to parse body into Call protobuf"),
        (
            "/api/v1",
            JSON,
            br#"{"type":"TEARDOWN","teardown":{"framework_id":{"value":"nobody"}}}"#.to_vec(),
            400,
            "No framework found with specified ID",
        ),
        (
            "/teardown",
            "application/x-www-form-urlencoded",
            b"frameworkId=%zz".to_vec(),
            400,
            "Unable to decode query string: ",
        ),
    ];
    for (path, content_type, body, status, text) in cases {
        let (got, said) = ask(&master, &post(path, content_type, &body)).await;
        assert_eq!(got, status, "{path} {}: {said}", String::from_utf8_lossy(&body));
        assert!(said.starts_with(text), "{path} {}: {said}", String::from_utf8_lossy(&body));
    }
    is_well(&master).await;
}

#[tokio::test]
async fn what_is_no_http_is_closed_without_an_answer_and_others_are_served() {
    let master = master().await;
    for said in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /state HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /state HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /state HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nGARBAGE\r\n",
        b"GET / HTTP/1.1\r\nNo colon here\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n",
    ] {
        assert_eq!(ask(&master, said).await.0, 0, "{}", String::from_utf8_lossy(said));
        is_well(&master).await;
    }
    let endless = [b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    assert_eq!(ask(&master, &endless).await.0, 0);
    let large = b"POST /api/v1 HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n";
    assert_eq!(ask(&master, large).await.0, 413);
    is_well(&master).await;
}

/// A path that cannot be decoded ended the master.
#[tokio::test]
async fn cve_2017_7687_a_path_that_cannot_be_decoded() {
    let master = master().await;
    for path in ["/%", "/%z", "/%zz/state", "/master/%", "/files/%2", "/%00", "/%ff%fe", "/slave%281%29%"] {
        let get = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_eq!(ask(&master, get.as_bytes()).await.0, 404, "{path}");
    }
    is_well(&master).await;
}

/// A path that is empty, or does not begin with a slash, ended the master.
#[tokio::test]
async fn cve_2017_9790_a_path_without_a_slash() {
    let master = master().await;
    for (target, status) in [("http://h:1", 400), ("http://h:1?a=b", 400), ("*", 400), ("state", 0), ("?", 0)] {
        let get = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_eq!(ask(&master, get.as_bytes()).await.0, status, "{target}");
        let posted = format!("POST {target} HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\nConnection: close\r\n\r\n");
        assert_ne!(ask(&master, posted.as_bytes()).await.0, 202, "{target}");
    }
    is_well(&master).await;
}

/// Malformed JSON, and lines after the last chunk, ended the master.
#[tokio::test]
async fn cve_2018_1330_malformed_json_and_trailers_of_chunks() {
    let master = master().await;
    for body in [
        r#"{"type":"\ud800"}"#,
        r#"{"type":1e999999}"#,
        r#"{"type":"#,
        "{\"a\":\"\u{0}\"}",
        "nul",
        "\"\\u12",
        "-",
        "[,]",
    ] {
        let (status, text) = ask(&master, &post("/api/v1", JSON, body)).await;
        assert_eq!(status, 400, "{body}: {text}");
    }
    let chunked = "POST /api/v1 HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = r#"{"type":"GET_HEALTH"}"#;
    for trailer in ["", "A: b\r\n", "A: b\r\nB: c\r\n", "no colon\r\n", "Content-Length: 3\r\n"] {
        let said = format!("{chunked}{:x}\r\n{body}\r\n0\r\n{trailer}\r\n", body.len());
        let (status, text) = ask(&master, said.as_bytes()).await;
        assert_eq!(
            (status, text.as_str()),
            (200, r#"{"type":"GET_HEALTH","get_health":{"healthy":true}}"#),
            "{trailer}"
        );
    }
    is_well(&master).await;
}

/// Deep nesting ran the parser out of its stack.
#[tokio::test]
async fn cve_2018_11793_nesting_without_end() {
    let master = master().await;
    const DEEP: usize = 100_000;
    for (open, inner, close) in [("[", "", "]"), (r#"{"a":"#, "1", "}"), (r#"{"labels":[{"a":"#, "", "")] {
        let body = format!("{}{inner}{}", open.repeat(DEEP), close.repeat(DEEP));
        let (status, text) = ask(&master, &post(SCHEDULER, JSON, body)).await;
        assert_eq!(status, 400);
        assert!(text.starts_with("Failed to parse body into JSON: syntax error at line 1 near: "));
    }
    // The same in protobuf: a ContainerID within a ContainerID, each the only field of the one before.
    let mut nested: Vec<u8> = Vec::new();
    for _ in 0..2000 {
        let mut outer = vec![0x12];
        let mut length = nested.len();
        while length >= 0x80 {
            outer.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend_from_slice(&nested);
        nested = outer;
    }
    assert_eq!(ask(&master, &post(SCHEDULER, PROTOBUF, &nested)).await.0, 400);
    let groups = vec![0x0b; DEEP];
    assert_eq!(ask(&master, &post(SCHEDULER, PROTOBUF, &groups)).await.0, 400);
    is_well(&master).await;
}

#[tokio::test]
async fn calls_with_a_foreign_stream_id_or_a_spent_offer_change_nothing() {
    let master = master().await;
    let mut stream = TcpStream::connect(master.address()).await.unwrap();
    let subscribe = r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"f"}}}"#;
    stream.write_all(&post(SCHEDULER, JSON, subscribe)).await.unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("HEARTBEAT") {
        assert_ne!(soon(stream.read_buf(&mut said)).await.unwrap(), 0);
    }
    let said = String::from_utf8(said).unwrap();
    let between = |begin: &str, end: &str| said.split_once(begin).unwrap().1.split_once(end).unwrap().0.to_owned();
    let (id, own) = (between(r#""framework_id":{"value":""#, "\""), between("Mesos-Stream-Id: ", "\r\n"));
    let accept = format!(
        r#"{{"type":"ACCEPT","framework_id":{{"value":"{id}"}},"accept":{{"offer_ids":[{{"value":"spent-O9"}}]}}}}"#
    );
    let call = |stream_id: &str| {
        let head = format!("Content-Type: {JSON}\r\n{stream_id}Connection: close\r\n");
        format!("POST {SCHEDULER} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{accept}", accept.len())
    };
    let foreign = "12345678-0000-4000-8000-000000000000";
    let expected = format!(
        "The stream ID '{foreign}' included in this request didn't match the stream ID currently associated with framework ID {id}"
    );
    assert_eq!(ask(&master, call(&format!("Mesos-Stream-Id: {foreign}\r\n")).as_bytes()).await, (400, expected));
    let missing = "All non-subscribe calls should include the 'Mesos-Stream-Id' header";
    assert_eq!(ask(&master, call("").as_bytes()).await, (400, missing.to_owned()));
    assert_eq!(ask(&master, call(&format!("Mesos-Stream-Id: {own}\r\n")).as_bytes()).await, (202, String::new()));
    is_well(&master).await;
}

/// More than all mailboxes together hold: the flood is slowed by its own socket, and others are served meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_messages_is_bounded() {
    const MESSAGES: usize = 20_000;
    const BODY: usize = 16 << 10;
    // What both mailboxes may hold, and as much again for sockets, buffers and the allocator's habits.
    const GROWTH_MAX: usize = 256 << 20;
    let master = master().await;
    let before = resident();
    let garbage = vec![0xff; BODY];
    let names =
        ["mesos.scheduler.Call", "mesos.internal.RegisterSlaveMessage", "mesos.internal.PongSlaveMessage", "no.Such"];
    let (read, mut write) = TcpStream::connect(master.address()).await.unwrap().into_split();
    let flood = async move {
        for number in 0..MESSAGES {
            write.write_all(&message(names[number % names.len()], &garbage)).await.unwrap();
        }
        write.shutdown().await.unwrap();
    };
    let answers = tokio::spawn(async move {
        let (mut read, mut said) = (read, Vec::new());
        read.read_to_end(&mut said).await.unwrap();
        String::from_utf8_lossy(&said).matches("202 Accepted").count()
    });
    let flood = tokio::spawn(flood);
    let mut most = 0;
    while !flood.is_finished() {
        is_well(&master).await;
        most = most.max(resident().saturating_sub(before));
    }
    flood.await.unwrap();
    assert_eq!(soon(answers).await.unwrap(), MESSAGES);
    assert!(most < GROWTH_MAX, "{most} bytes more for {} bytes of messages", MESSAGES * BODY);
    println!("{most} bytes more for {} bytes of messages", MESSAGES * BODY);
    is_well(&master).await;
}

/// Readers and writers wait for one another through queues, never by blocking a thread: one thread is enough for all.
/// (Also MESOS-9400, a benchmark of /state that stood still with few workers.)
#[tokio::test(flavor = "current_thread")]
async fn mesos_8256_one_worker_thread_serves_any_number_of_requests() {
    let master = std::sync::Arc::new(master().await);
    let mut tasks = JoinSet::new();
    for number in 0..400 {
        let master = master.clone();
        tasks.spawn(async move {
            let said = match number % 4 {
                0 => b"GET /state HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
                1 => post("/api/v1", JSON, r#"{"type":"GET_STATE"}"#),
                2 => post("/api/v1", PROTOBUF, b"\x08\x01"),
                _ => post("/teardown", "application/x-www-form-urlencoded", "frameworkId=nobody"),
            };
            let (status, text) = ask(&master, &said).await;
            assert_eq!(status, if number % 4 == 3 { 400 } else { 200 }, "{text}");
        });
    }
    while let Some(task) = soon(tasks.join_next()).await {
        task.unwrap();
    }
}

/// An operator's stream over real sockets: the state, then the events, in one order, whoever wrote the state down.
#[tokio::test]
async fn an_operator_sees_a_framework_come() {
    let master = master().await;
    let mut stream = TcpStream::connect(master.address()).await.unwrap();
    stream.write_all(&post("/api/v1", JSON, r#"{"type":"SUBSCRIBE"}"#)).await.unwrap();
    let mut said = Vec::new();
    let until = async |stream: &mut TcpStream, said: &mut Vec<u8>, word: &str| {
        while !String::from_utf8_lossy(said).contains(word) {
            assert_ne!(soon(stream.read_buf(said)).await.unwrap(), 0);
        }
    };
    until(&mut stream, &mut said, "HEARTBEAT").await;
    let mut scheduler = TcpStream::connect(master.address()).await.unwrap();
    let subscribe = r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"f"}}}"#;
    scheduler.write_all(&post(SCHEDULER, JSON, subscribe)).await.unwrap();
    until(&mut stream, &mut said, "FRAMEWORK_ADDED").await;
    drop(scheduler);
    until(&mut stream, &mut said, "FRAMEWORK_REMOVED").await;
    let said = String::from_utf8(said).unwrap();
    let at = |word: &str| said.find(word).unwrap();
    assert!(at("SUBSCRIBED") < at("HEARTBEAT") && at("HEARTBEAT") < at("FRAMEWORK_ADDED"));
    let (head, _) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Type: application/json") && !head.contains("Mesos-Stream-Id"), "{head}");
}
