//! Single questions to masters that may be dead: short, and every failure is only "no".

use std::net::SocketAddrV4;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A dead master refuses at once on loopback; one that has just been elected may take a while for a write.
const PATIENCE: Duration = Duration::from_secs(5);

/// Status and body of an answer; none if there was none.
async fn ask(address: SocketAddrV4, request: &str, body: &str) -> Option<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let length = body.len();
        let head =
            format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    };
    tokio::time::timeout(PATIENCE, exchange).await.ok().flatten()
}

/// The body of a successful answer.
pub(crate) async fn get(address: SocketAddrV4, path: &str) -> Option<String> {
    let (status, body) = ask(address, &format!("GET {path}"), "").await?;
    (status == 200).then_some(body)
}

/// Whether the master's replica of the log takes part, as far as the master tells.
pub(super) async fn votes(address: SocketAddrV4) -> bool {
    let answer = get(address, "/metrics/snapshot").await;
    answer.is_some_and(|body| !body.contains("\"registrar/log/recovered\":0.0"))
}

/// Writes a maintenance schedule that names `mark` into the registry; whether it is there, acknowledged.
pub(super) async fn write(address: SocketAddrV4, mark: u64) -> bool {
    let machine =
        format!(r#"{{"machine_ids":[{{"hostname":"m{mark}"}}],"unavailability":{{"start":{{"nanoseconds":1}}}}}}"#);
    let answer = ask(address, "POST /master/maintenance/schedule", &format!(r#"{{"windows":[{machine}]}}"#)).await;
    answer.is_some_and(|(status, _)| status == 200)
}

/// Whether the schedule names `mark`.
pub(super) async fn reads(address: SocketAddrV4, mark: u64) -> bool {
    let answer = get(address, "/master/maintenance/schedule").await;
    answer.is_some_and(|body| body.contains(&format!("\"m{mark}\"")))
}
