//! A libprocess process of the script's own: a scheduler or an agent that speaks V0 over the wire, message by message.
//!
//! It says what the script tells it to, and keeps what the master says as JSON: `{"type":"StatusUpdateMessage",
//! "message":{...}}`. It answers pings until it is muted.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tepui_proto::json::{Names, from_slice, to_string};
use tepui_proto::mesos::{internal, scheduler};
use tepui_proto::{Message, MessageName, codec, names};

use super::exchange::{self, Request, Response};

/// What is common to all internal messages.
const PACKAGE: &str = "mesos.internal.";

/// A process that listens.
pub struct Driver {
    /// As libprocess writes it: `scheduler-1@127.0.0.1:4040`.
    pub pid: String,
    master: String,
    heard: Receiver<String>,
    shared: Arc<Shared>,
}

struct Shared {
    pid: String,
    master: String,
    muted: AtomicBool,
    over: AtomicBool,
    /// The connections peers have made, to be cut at the end.
    connections: Mutex<Vec<TcpStream>>,
}

impl Driver {
    /// Listens under this id, and talks to the master at `master` (`host:port`).
    pub fn new(id: &str, master: &str) -> Result<Driver> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let pid = format!("{id}@{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            pid: pid.clone(),
            master: master.to_owned(),
            muted: AtomicBool::new(false),
            over: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let (sender, heard) = channel();
        let accepting = shared.clone();
        std::thread::spawn(move || accept(&listener, &accepting, &sender));
        Ok(Driver { pid, master: master.to_owned(), heard, shared })
    }

    /// Sends a message, whose name has no package unless it is a call.
    pub fn tell(&self, name: &str, json: &str) -> Result<()> {
        let (full, body) = encode(name, json)?;
        let answer = post(&self.master, &self.pid, "master", &full, body)?;
        match answer.status.as_str() {
            "202 Accepted" => Ok(()),
            status => bail!("{name} was answered with {status}"),
        }
    }

    /// From now on pings are not answered.
    pub fn mute(&self) {
        self.shared.muted.store(true, Ordering::Relaxed);
    }

    /// From now on they are.
    pub fn unmute(&self) {
        self.shared.muted.store(false, Ordering::Relaxed);
    }

    /// What has been said, or none within `limit`.
    pub fn next(&self, limit: Duration) -> Result<Option<Vec<u8>>> {
        Ok(self.heard.recv_timeout(limit).ok().map(String::into_bytes))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let connections = self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for connection in &*connections {
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
        // Wakes the thread that accepts, which then ends and closes the port.
        if let Some((_, address)) = self.pid.split_once('@') {
            let _ = TcpStream::connect(address);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, heard: &Sender<String>) {
    for connection in listener.incoming().flatten() {
        if shared.over.load(Ordering::Relaxed) {
            return;
        }
        let Ok(copy) = connection.try_clone() else { return };
        shared.connections.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
        let (shared, heard) = (shared.clone(), heard.clone());
        std::thread::spawn(move || {
            // A connection that breaks is the end of it; what is missed then shows where it is waited for.
            let _ = listen(connection, &shared, &heard);
        });
    }
}

/// Reads the messages of one connection, in their order.
fn listen(connection: TcpStream, shared: &Shared, heard: &Sender<String>) -> Result<()> {
    let mut answers = connection.try_clone()?;
    let mut reader = BufReader::new(connection);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).context("a request line")?.to_owned();
        let head = exchange::headers(&mut reader)?;
        let body = exchange::body(&mut reader, &head)?;
        answers.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
        let from = head.header("Libprocess-From").or(head.header("User-Agent")).unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default().trim_start_matches(PACKAGE);
        match name {
            "PingSlaveMessage" => shared.pong(from.trim_start_matches("libprocess/"))?,
            // Links of libprocess begin with a message to nobody in particular; such are not the script's.
            _ => {
                if let Some(message) = decode(name, &body)? {
                    let _ = heard.send(format!(r#"{{"type":"{name}","message":{message}}}"#));
                }
            }
        }
    }
}

impl Shared {
    fn pong(&self, observer: &str) -> Result<()> {
        if self.muted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let id = observer.split('@').next().unwrap_or_default();
        post(&self.master, &self.pid, id, "mesos.internal.PongSlaveMessage", Vec::new()).map(|_| ())
    }
}

fn post(address: &str, from: &str, to: &str, name: &str, body: Vec<u8>) -> Result<Response> {
    let header = |name: &str, value: String| (name.to_owned(), value);
    let headers = vec![
        header("User-Agent", format!("libprocess/{from}")),
        header("Libprocess-From", from.to_owned()),
        header("Connection", "Keep-Alive".to_owned()),
    ];
    Request { method: "POST".to_owned(), path: format!("/{to}/{name}"), headers, body: Some(body) }.send(address)
}

/// What a scheduler or an agent says: the whole name and the bytes.
fn encode(name: &str, json: &str) -> Result<(String, Vec<u8>)> {
    fn of<M: Message + MessageName>(json: &str) -> Result<(String, Vec<u8>)> {
        let message: M = from_slice(json.as_bytes(), Names::V0).with_context(|| json.to_owned())?;
        Ok((names::v0::<M>().into_owned(), codec::encode(&message).to_vec()))
    }
    match name {
        "Call" => of::<scheduler::Call>(json),
        "RegisterFrameworkMessage" => of::<internal::RegisterFrameworkMessage>(json),
        "ReregisterFrameworkMessage" => of::<internal::ReregisterFrameworkMessage>(json),
        "UnregisterFrameworkMessage" => of::<internal::UnregisterFrameworkMessage>(json),
        "DeactivateFrameworkMessage" => of::<internal::DeactivateFrameworkMessage>(json),
        "ResourceRequestMessage" => of::<internal::ResourceRequestMessage>(json),
        "LaunchTasksMessage" => of::<internal::LaunchTasksMessage>(json),
        "ReviveOffersMessage" => of::<internal::ReviveOffersMessage>(json),
        "KillTaskMessage" => of::<internal::KillTaskMessage>(json),
        "ReconcileTasksMessage" => of::<internal::ReconcileTasksMessage>(json),
        "FrameworkToExecutorMessage" => of::<internal::FrameworkToExecutorMessage>(json),
        "StatusUpdateAcknowledgementMessage" => of::<internal::StatusUpdateAcknowledgementMessage>(json),
        "RegisterSlaveMessage" => of::<internal::RegisterAgentMessage>(json),
        "ReregisterSlaveMessage" => of::<internal::ReregisterAgentMessage>(json),
        "UnregisterSlaveMessage" => of::<internal::UnregisterAgentMessage>(json),
        "UpdateSlaveMessage" => of::<internal::UpdateAgentMessage>(json),
        "StatusUpdateMessage" => of::<internal::StatusUpdateMessage>(json),
        "ExitedExecutorMessage" => of::<internal::ExitedExecutorMessage>(json),
        _ => bail!("{name} is no message that is sent to a master"),
    }
}

/// What a master says, as JSON; none for what is no message of Mesos.
fn decode(name: &str, body: &[u8]) -> Result<Option<String>> {
    fn of<M: Message + MessageName>(body: &[u8]) -> Result<Option<String>> {
        Ok(Some(to_string(&codec::decode::<M>(body)?, Names::V0)))
    }
    match name {
        "FrameworkRegisteredMessage" => of::<internal::FrameworkRegisteredMessage>(body),
        "FrameworkReregisteredMessage" => of::<internal::FrameworkReregisteredMessage>(body),
        "FrameworkErrorMessage" => of::<internal::FrameworkErrorMessage>(body),
        "ResourceOffersMessage" => of::<internal::ResourceOffersMessage>(body),
        "RescindResourceOfferMessage" => of::<internal::RescindResourceOfferMessage>(body),
        "StatusUpdateMessage" => of::<internal::StatusUpdateMessage>(body),
        "LostSlaveMessage" => of::<internal::LostAgentMessage>(body),
        "ExitedExecutorMessage" => of::<internal::ExitedExecutorMessage>(body),
        "ExecutorToFrameworkMessage" => of::<internal::ExecutorToFrameworkMessage>(body),
        "SlaveRegisteredMessage" => of::<internal::AgentRegisteredMessage>(body),
        "SlaveReregisteredMessage" => of::<internal::AgentReregisteredMessage>(body),
        "RunTaskMessage" => of::<internal::RunTaskMessage>(body),
        "RunTaskGroupMessage" => of::<internal::RunTaskGroupMessage>(body),
        "KillTaskMessage" => of::<internal::KillTaskMessage>(body),
        "StatusUpdateAcknowledgementMessage" => of::<internal::StatusUpdateAcknowledgementMessage>(body),
        "FrameworkToExecutorMessage" => of::<internal::FrameworkToExecutorMessage>(body),
        "UpdateFrameworkMessage" => of::<internal::UpdateFrameworkMessage>(body),
        "ShutdownFrameworkMessage" => of::<internal::ShutdownFrameworkMessage>(body),
        "ShutdownMessage" => of::<internal::ShutdownMessage>(body),
        "CheckpointResourcesMessage" => of::<internal::CheckpointResourcesMessage>(body),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_message_is_heard_as_json_and_a_ping_is_answered() {
        let master = TcpListener::bind("127.0.0.1:0").unwrap();
        let driver = Driver::new("slave(1)", &master.local_addr().unwrap().to_string()).unwrap();
        let address = driver.pid.split_once('@').unwrap().1.to_owned();
        let (full, body) = encode("UnregisterSlaveMessage", r#"{"slave_id":{"value":"S"}}"#).unwrap();
        assert_eq!((full.as_str(), body.len()), ("mesos.internal.UnregisterSlaveMessage", 5));
        let lost = codec::encode(&codec::decode::<internal::LostAgentMessage>(&body).unwrap()).to_vec();
        let sent = post(&address, "master@127.0.0.1:1", "slave(1)", "mesos.internal.LostSlaveMessage", lost).unwrap();
        assert_eq!(sent.status, "202 Accepted");
        let heard = driver.next(SOON).unwrap().unwrap();
        let expected = r#"{"type":"LostSlaveMessage","message":{"slave_id":{"value":"S"}}}"#;
        assert_eq!(String::from_utf8_lossy(&heard), expected);
        let ping = std::thread::spawn(move || {
            let ping = codec::encode(&internal::PingAgentMessage { connected: true, ..Default::default() }).to_vec();
            post(&address, "slave-observer(3)@127.0.0.1:1", "slave(1)", "mesos.internal.PingSlaveMessage", ping)
        });
        let (mut pong, _) = master.accept().unwrap();
        let mut line = [0; 52];
        pong.read_exact(&mut line).unwrap();
        let line = String::from_utf8_lossy(&line);
        assert!(line.starts_with("POST /slave-observer(3)/mesos.internal.PongSlaveMess"), "{line}");
        pong.write_all(b"HTTP/1.1 202 Accepted\r\n\r\n").unwrap();
        assert_eq!(ping.join().unwrap().unwrap().status, "202 Accepted");
    }
}
