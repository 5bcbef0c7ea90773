//! The connections to the agent: one for the subscription and its events, one for all other calls.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use tepui_container::http::{self, Head, Parser, Part};
use tepui_executor::Input;
use tepui_proto::mesos::executor::{Call, Event, call};
use tepui_proto::{ContentType, codec, recordio};

/// The agent is on this machine: it answers at once or is gone.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest event: a launch with all the data a framework may put into a task.
const MAX_EVENT: usize = 64 * 1024 * 1024;
/// The longest text kept of a refusal.
const MAX_BODY: usize = 4096;
/// Bytes read at once; events are small.
const READ_SIZE: usize = 8 * 1024;

/// Where the agent is and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    socket: SocketAddr,
    path: String,
    token: Option<String>,
}

impl Address {
    /// From the agent's libprocess address, `slave(1)@127.0.0.1:5051`.
    pub fn parse(pid: &str, token: Option<String>) -> Option<Address> {
        let (id, socket) = pid.split_once('@')?;
        Some(Address { socket: socket.parse().ok()?, path: format!("/{id}/api/v1/executor"), token })
    }

    fn request(&self, call: &Call) -> Vec<u8> {
        let form = ContentType::Protobuf;
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Accept", form.as_str()), ("Content-Type", form.as_str())];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        http::request("POST", &self.path, &self.socket.to_string(), &headers, &form.encode(call))
    }
}

/// Both connections.
#[derive(Debug)]
pub struct Agent {
    address: Address,
    subscription: Connection,
    calls: Connection,
}

impl Agent {
    /// Connects twice.
    pub fn connect(address: &Address) -> io::Result<Agent> {
        let (subscription, calls) = (Connection::open(address.socket)?, Connection::open(address.socket)?);
        Ok(Agent { address: address.clone(), subscription, calls })
    }

    /// What `poll` is to wait for.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.subscription.stream.as_fd(), self.calls.stream.as_fd()]
    }

    /// Sends a call; its answer comes later, in order.
    pub fn send(&mut self, call: &Call) -> io::Result<()> {
        let kind = call.r#type.unwrap_or(call::Type::UNKNOWN);
        let connection = if kind == call::Type::SUBSCRIBE { &mut self.subscription } else { &mut self.calls };
        connection.stream.write_all(&self.address.request(call))?;
        connection.expected.push_back(kind);
        Ok(())
    }

    /// Reads once from each connection that has something. The error is why both are of no more use.
    pub fn read(&mut self, ready: [bool; 2], inputs: &mut VecDeque<Input>) -> Result<(), String> {
        for (connection, name, is_ready) in
            [(&mut self.subscription, "Subscribe", ready[0]), (&mut self.calls, "Non-subscribe", ready[1])]
        {
            if is_ready {
                connection.read(inputs).map_err(|why| format!("{name} connection interrupted: {why}"))?;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    parser: Parser,
    /// Calls not answered yet.
    expected: VecDeque<call::Type>,
    answer: Answer,
}

/// The answer being read.
#[derive(Debug)]
enum Answer {
    None,
    /// A refusal, or an acceptance without content.
    Text {
        head: Head,
        body: Vec<u8>,
    },
    Events(recordio::Decoder),
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Connection { stream, parser: Parser::default(), expected: VecDeque::new(), answer: Answer::None })
    }

    fn read(&mut self, inputs: &mut VecDeque<Input>) -> Result<(), String> {
        let mut buffer = [0; READ_SIZE];
        let length = match self.stream.read(&mut buffer) {
            Ok(0) => return Err("End-Of-File received from agent".to_owned()),
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(e) => return Err(e.to_string()),
        };
        for part in self.parser.feed(&buffer[..length]).map_err(|e| e.to_string())? {
            self.take(part, inputs)?;
        }
        Ok(())
    }

    fn take(&mut self, part: Part, inputs: &mut VecDeque<Input>) -> Result<(), String> {
        match part {
            Part::Head(head) => {
                let is_stream = head.status == 200 && self.expected.front() == Some(&call::Type::SUBSCRIBE);
                self.answer = match is_stream {
                    true => Answer::Events(recordio::Decoder::new(MAX_EVENT)),
                    false => Answer::Text { head, body: Vec::new() },
                };
            }
            Part::Data(data) => match &mut self.answer {
                Answer::Events(decoder) => {
                    decoder.push(&data);
                    while let Some(record) = decoder.next_record().map_err(|e| e.to_string())? {
                        inputs.extend(event(&record));
                    }
                }
                Answer::Text { body, .. } => {
                    let room = MAX_BODY.saturating_sub(body.len());
                    body.extend_from_slice(&data[..data.len().min(room)]);
                }
                Answer::None => {}
            },
            Part::End => match std::mem::replace(&mut self.answer, Answer::None) {
                Answer::Events(_) => return Err("The agent closed the event stream".to_owned()),
                Answer::Text { head, body } => inputs.extend(refusal(self.expected.pop_front(), head, &body)),
                Answer::None => {}
            },
        }
        Ok(())
    }
}

/// An event; one that cannot be read is skipped with a word on stderr.
fn event(record: &[u8]) -> Option<Input> {
    match codec::decode::<Event>(record) {
        Ok(event) => Some(Input::Event(Box::new(event))),
        Err(e) => {
            eprintln!("Failed to de-serialize event: {e}");
            None
        }
    }
}

/// What an answer means; `None` if the call was accepted.
fn refusal(call: Option<call::Type>, head: Head, body: &[u8]) -> Option<Input> {
    let body = String::from_utf8_lossy(body).into_owned();
    let call = call.unwrap_or(call::Type::UNKNOWN);
    (head.status != 202).then_some(Input::Refused { call, status: head.status, reason: head.reason, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_address_names_the_endpoint() {
        let address = Address::parse("slave(1)@10.0.0.5:5051", Some("t".into())).unwrap();
        let request = String::from_utf8(address.request(&Call::default())).unwrap();
        assert!(request.starts_with("POST /slave(1)/api/v1/executor HTTP/1.1\r\nHost: 10.0.0.5:5051\r\n"), "{request}");
        assert!(
            request.contains("Accept: application/x-protobuf\r\n") && request.contains("Authorization: Bearer t\r\n")
        );
        assert_eq!(Address::parse("10.0.0.5:5051", None), None);
        assert_eq!(Address::parse("slave(1)@somewhere", None), None);
    }
}
