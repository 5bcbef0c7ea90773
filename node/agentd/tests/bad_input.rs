//! Whatever arrives, the agent answers as Mesos does, and goes on. A real agent on real sockets whose master is not there.

use tepui_agentd::{Handle, Settings};
use tepui_driver::Clock;
use tepui_net::client::{Client, Request};
use tepui_proto::mesos::VersionInfo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const EXECUTOR: &str = "/slave(1)/api/v1/executor";
const JSON: &str = "application/json";
/// More than any answer here has.
const ANSWER_MAX: usize = 1 << 20;

async fn agent(dir: &std::path::Path) -> Handle {
    let args = [
        "--ip=127.0.0.1".to_owned(),
        "--port=0".to_owned(),
        // Nobody listens there.
        "--master=127.0.0.1:1".to_owned(),
        format!("--work_dir={}", dir.join("work").display()),
        format!("--runtime_dir={}", dir.join("run").display()),
        "--resources=cpus:4;mem:1024;disk:1024".to_owned(),
        "--no-switch_user".to_owned(),
    ];
    let read_file = |_: &str| unreachable!("no flag names a file");
    let values = tepui_flags::parse(&[tepui_flags::agent::FLAGS], &args, &[], "MESOS_", &read_file).unwrap();
    let settings = Settings::from_values(&values, |_| None).unwrap();
    let mesos = VersionInfo { version: "1.11.0".into(), ..VersionInfo::default() };
    tepui_agentd::start(&settings, mesos, "0.1.0", Clock::default()).await.unwrap()
}

async fn ask(agent: &Handle, request: Request) -> (u16, String) {
    let mut client = Client::connect(&agent.node().address().to_string()).await.unwrap();
    let answer = client.send(request).await.unwrap();
    (answer.status, String::from_utf8_lossy(&answer.bytes(ANSWER_MAX).await.unwrap()).into_owned())
}

#[tokio::test]
async fn foreign_executors_and_bodies_that_are_no_calls_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path()).await;
    let foreign = r#"{"executor_id":{"value":"e"},"framework_id":{"value":"f"},"type":"SUBSCRIBE","subscribe":{}}"#;
    let cases: [(&str, &[u8], u16, &str); 6] = [
        (EXECUTOR, foreign.as_bytes(), 400, "Framework cannot be found"),
        (EXECUTOR, b"{", 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        (EXECUTOR, b"{}", 400, "Failed to convert JSON into Call protobuf: Missing required fields: "),
        (EXECUTOR, &[b'['; 100_000], 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        ("/slave(1)/api/v1", b"\xff", 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        (
            "/api/v1",
            br#"{"type":"GET_NOTHING"}"#,
            400,
            "Failed to validate agent::Call: Expecting 'type' to be present",
        ),
    ];
    for (path, body, status, text) in cases {
        let answer = ask(&agent, Request::post(path, JSON, body.to_vec())).await;
        assert_eq!(answer.0, status, "{path}: {}", answer.1);
        assert!(answer.1.starts_with(text), "{path}: {}", answer.1);
    }
    assert_eq!(ask(&agent, Request::get("/health")).await.0, 200);
}

#[tokio::test]
async fn files_outside_the_attached_ones_are_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path()).await;
    for path in ["/etc/passwd", "../../../../etc/passwd", "/..%2f..%2fetc/passwd", "", "/", "%00"] {
        let answer = ask(&agent, Request::get(&format!("/files/read?path={path}&offset=0"))).await;
        assert!(matches!(answer.0, 400 | 404), "{path}: {} {}", answer.0, answer.1);
    }
    let answer = ask(&agent, Request::get("/files/read?path=x&offset=-9")).await;
    assert_eq!(answer.0, 400, "{}", answer.1);
}

#[tokio::test]
async fn messages_of_strangers_and_garbage_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(dir.path()).await;
    let mut stream = TcpStream::connect(agent.node().address()).await.unwrap();
    // Field 1 of these messages is a message; the second body gives it whole and empty.
    let bodies: [&[u8]; 5] = [b"", b"\x0a\x00", b"\xff\xff\xff\xff", b"\x0a\x7f", &[0x0b; 10_000]];
    let names = [
        "RunTaskMessage",
        "RunTaskGroupMessage",
        "KillTaskMessage",
        "ShutdownFrameworkMessage",
        "UpdateFrameworkMessage",
        "StatusUpdateMessage",
        "StatusUpdateAcknowledgementMessage",
        "RegisterExecutorMessage",
        "ReregisterExecutorMessage",
        "ExecutorToFrameworkMessage",
        "FrameworkToExecutorMessage",
        "SlaveRegisteredMessage",
        "SlaveReregisteredMessage",
        "ReconcileTasksMessage",
        "ShutdownMessage",
        "NoSuchMessage",
    ];
    let mut count = 0;
    for name in names {
        // A stranger may not end the agent, whatever a whole message of it would say.
        for body in bodies {
            let head = format!("POST /slave(1)/mesos.internal.{name} HTTP/1.1\r\nLibprocess-From: x@127.0.0.1:9\r\n");
            let head = format!("{head}Connection: Keep-Alive\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
            count += 1;
        }
    }
    let accepted = async {
        let mut said = Vec::new();
        while String::from_utf8_lossy(&said).matches("202 Accepted").count() < count {
            assert_ne!(tokio::io::AsyncReadExt::read_buf(&mut stream, &mut said).await.unwrap(), 0);
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), accepted).await.expect("every message is answered");
    let snapshot = agent.snapshot().await.expect("the agent is there");
    assert_eq!(snapshot.state.executors().count(), 0);
    assert_eq!(ask(&agent, Request::get("/state")).await.0, 200);
}
