//! Bytes recorded from Mesos 1.11.0, read and written again byte for byte.
//!
//! `driver_to_master.0.raw` and `agent_to_master.0.raw` are whole conversations as they went over the socket; the
//! others hold a head and, after it, the body without its chunk framing.

use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddrV4};
use tepui_wire::Message;
use tepui_wire::decode::{Decoded, Decoder, Limits};

const RECEIVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5050);

fn messages(bytes: &[u8]) -> Vec<Message> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.buffer().extend_from_slice(bytes);
    let mut messages = Vec::new();
    while let Some(decoded) = decoder.decode().unwrap() {
        let Decoded::Message(Ok(envelope), payload) = decoded else { panic!("{decoded:?}") };
        assert!(payload.keep_alive && !payload.gzip);
        messages.push(envelope.with_body(RECEIVER, payload.body));
    }
    assert!(decoder.is_between_requests());
    messages
}

fn encode(messages: &[Message]) -> Vec<u8> {
    messages.iter().flat_map(|message| message.encode().concat()).collect()
}

/// Names and receivers of a conversation, which must come out of our encoder as it went in.
fn conversation(recorded: &[u8]) -> Vec<(String, String)> {
    let messages = messages(recorded);
    assert_eq!(encode(&messages), recorded);
    messages.into_iter().map(|message| (message.to.id.to_string(), message.name)).collect()
}

#[test]
fn a_driver_speaks_to_a_master() {
    let said = conversation(include_bytes!("golden/driver_to_master.0.raw"));
    let call = ("master".to_owned(), "mesos.scheduler.Call".to_owned());
    assert_eq!(said, [call.clone(), call.clone(), call]);
}

#[test]
fn an_agent_speaks_to_a_master() {
    let said = conversation(include_bytes!("golden/agent_to_master.0.raw"));
    let register = ("master".to_owned(), "mesos.internal.RegisterSlaveMessage".to_owned());
    assert_eq!(said, [register.clone(), register.clone(), register]);
}

#[test]
fn single_messages() {
    for (name, recorded) in [
        ("PingSlaveMessage", &include_bytes!("golden/mesos.internal.PingSlaveMessage.raw")[..]),
        ("RunTaskMessage", include_bytes!("golden/mesos.internal.RunTaskMessage.raw")),
        ("SlaveRegisteredMessage", include_bytes!("golden/mesos.internal.SlaveRegisteredMessage.raw")),
        (
            "StatusUpdateAcknowledgementMessage",
            include_bytes!("golden/mesos.internal.StatusUpdateAcknowledgementMessage.raw"),
        ),
    ] {
        let end = recorded.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let (head, body) = recorded.split_at(end);
        let framed = [head, format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
        let [message] = &messages(&framed)[..] else { panic!("{name}") };
        assert_eq!(message.name, format!("mesos.internal.{name}"));
        assert_eq!(message.body, Bytes::copy_from_slice(body));
        assert_eq!(encode(std::slice::from_ref(message)), framed, "{name}");
    }
}
