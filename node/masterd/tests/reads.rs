//! What a running master answers over its socket, beside its machine.

use std::net::SocketAddrV4;
use tepui_masterd::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn start() -> (tepui_masterd::Running, tempfile::TempDir) {
    let logs = tempfile::tempdir().unwrap();
    std::fs::write(logs.path().join("mesos-master.INFO"), "a line\n").unwrap();
    let args = [
        "--ip=127.0.0.1".to_owned(),
        "--port=0".to_owned(),
        "--registry=in_memory".to_owned(),
        "--memory_profiling".to_owned(),
        format!("--log_dir={}", logs.path().display()),
    ];
    let tables = [tepui_flags::master::FLAGS, tepui_flags::logging::FLAGS];
    let values = tepui_flags::parse(&tables, &args, &[], "MESOS_", &|path| std::fs::read_to_string(path)).unwrap();
    // Without a limit, so that no test waits for its turn.
    let unlimited = |name: &str| (name == tepui_processes::limiter::VARIABLE).then(String::new);
    let running = tepui_masterd::start(Settings::new(values, unlimited).unwrap()).await.unwrap();
    // It listens before it has its registry, and says so until then.
    while ask(running.address(), "POST /api/v1", r#"{"type":"GET_HEALTH"}"#).await.0.contains(" 503 ") {}
    (running, logs)
}

/// The head and the body of an answer.
async fn ask(master: SocketAddrV4, request: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(master).await.unwrap();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: m\r\nUser-Agent: curl/8\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

async fn get(master: SocketAddrV4, path: &str) -> (String, String) {
    let (head, body) = ask(master, &format!("GET {path}"), "").await;
    (head.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ").to_owned(), body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_processes_of_every_daemon_answer() {
    let (running, _logs) = start().await;
    let master = running.address();
    for (path, status, start) in [
        ("/health", "200 OK", ""),
        ("/master/state/", "200 OK", "{\"version\":\"1.11.0\""),
        ("/state-summary", "200 OK", "{\"hostname\":\"localhost\",\"slaves\":[],\"frameworks\":[]}"),
        ("/files/read?path=/master/log&offset=2", "200 OK", "{\"data\":\"line\\n\",\"offset\":2}"),
        ("/files/browse?path=/master/log", "200 OK", "[]"),
        ("/files/download?path=/master/log", "200 OK", "a line\n"),
        ("/files/debug", "200 OK", "{\"/master/log\":\""),
        ("/registrar(1)/registry", "200 OK", "{\"master\":{\"info\":{\"address\":{"),
        ("/registrar(1)/registry?jsonp=f", "200 OK", "f({\"master\""),
        ("/help/registrar(1)/registry", "200 OK", "### USAGE ###\n>        /registrar(1)/registry\n"),
        ("/files/read?path=/nowhere", "404 Not Found", ""),
        ("/logging/toggle", "200 OK", "0\n"),
        ("/logging/toggle?level=1", "400 Bad Request", "Expecting 'duration=value' in query.\n"),
        ("/system/stats.json?jsonp=f", "200 OK", "f({\"avg_load_15min\":"),
        ("/help", "200 OK", "## HELP\n> [/allocator][allocator]\n> [/files][files]\n"),
        ("/help/master/state", "200 OK", "### USAGE ###\n>        /state\n>        /master/state\n"),
        ("/help/nobody", "404 Not Found", "404 Not Found."),
        ("/__processes__", "200 OK", "[{\"events\":[],\"id\":\"__processes__\"}"),
        ("/profiler/start", "400 Bad Request", "Perftools is disabled."),
        ("/memory-profiler/start?duration=1secs", "400 Bad Request", "\nThe current binary doesn't seem to be linked"),
        ("/memory-profiler/download/raw", "400 Bad Request", "Cannot access raw profile: Not yet generated.\n"),
        ("/memory-profiler/state", "200 OK", "{\"memory_profiler\":{\"current_run\":{\"id\":null}"),
        ("/memory-profiler", "404 Not Found", ""),
        ("/allocator/offer_constraints_debug", "200 OK", "{\"frameworks\":{}}"),
        ("/system/nothing", "404 Not Found", "404 Not Found."),
    ] {
        let (line, body) = get(master, path).await;
        assert_eq!(line, status, "{path}: {body}");
        assert!(body.starts_with(start), "{path}: {body}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_of_the_whole_process_are_shown() {
    let (running, _logs) = start().await;
    let master = running.address();
    let (_, body) = get(master, "/metrics/snapshot?timeout=5secs").await;
    for name in include_str!("../../../core/master/tests/golden/metrics.txt").lines() {
        assert!(body.contains(&format!("\"{name}\":")), "{name}");
    }
    for name in
        ["system/cpus_total", "system/load_1min", "registrar/queued_operations", "registrar/registry_size_bytes"]
    {
        assert!(body.contains(&format!("\"{name}\":")), "{name}");
    }
    assert!(!body.contains("\"registrar/registry_size_bytes\":0.0"), "the master's own name is in the registry");
    assert_eq!(get(master, "/metrics/snapshot?timeout=soon").await.0, "400 Bad Request");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_reach_the_process() {
    let (running, _logs) = start().await;
    let master = running.address();
    let call = async |body: &str| ask(master, "POST /api/v1", body).await.1;
    assert_eq!(
        call(r#"{"type":"READ_FILE","read_file":{"path":"/master/log","offset":0,"length":1}}"#).await,
        r#"{"type":"READ_FILE","read_file":{"size":7,"data":"YQ=="}}"#
    );
    let set = r#"{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":2,"duration":{"nanoseconds":60000000000}}}"#;
    assert_eq!(call(set).await, "");
    let level = r#"{"type":"GET_LOGGING_LEVEL","get_logging_level":{"level":2}}"#;
    assert_eq!(call(r#"{"type":"GET_LOGGING_LEVEL"}"#).await, level);
    assert_eq!(get(master, "/logging/toggle").await.1, "2\n", "both ways lead to one level");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_the_same_all_get_an_answer() {
    let (running, _logs) = start().await;
    let master = running.address();
    let readers = (0..40).map(|number| {
        let path = if number % 2 == 0 { "/state" } else { "/slaves?slave_id=x" };
        tokio::spawn(async move { (path, get(master, path).await.1) })
    });
    let readers: Vec<_> = readers.collect();
    let mut states = std::collections::BTreeSet::new();
    for reader in readers {
        match reader.await.unwrap() {
            ("/state", body) => drop(states.insert(body)),
            (_, body) => assert_eq!(body, r#"{"slaves":[],"recovered_slaves":[]}"#),
        }
    }
    assert_eq!(states.len(), 1, "nothing changed meanwhile");
    running.stop().await;
}
