//! Network inputs as bytes, for recordings.

use crate::http::Request;
use crate::{Message, NetInput, RequestId, Upid};
use bytes::Bytes;
use tepui_base::record::{self, Record, read_list, write_list};

impl Record for Upid {
    fn write(&self, out: &mut Vec<u8>) {
        self.to_string().write(out);
    }

    fn read(from: &mut record::Bytes<'_>) -> Option<Upid> {
        Upid::parse(&String::read(from)?)
    }
}

impl Record for Message {
    fn write(&self, out: &mut Vec<u8>) {
        self.from.write(out);
        self.to.write(out);
        self.name.write(out);
        self.body.to_vec().write(out);
    }

    fn read(from: &mut record::Bytes<'_>) -> Option<Message> {
        Some(Message {
            from: Upid::read(from)?,
            to: Upid::read(from)?,
            name: String::read(from)?,
            body: Bytes::from(Vec::read(from)?),
        })
    }
}

impl Record for Request {
    /// Headers that carry secrets are left out: a recording is made to be handed on.
    fn write(&self, out: &mut Vec<u8>) {
        self.method.write(out);
        self.path.write(out);
        self.query.write(out);
        let shown: Vec<_> = self.headers.iter().filter(|(name, _)| name != "authorization").cloned().collect();
        write_list(&shown, out);
        self.body.to_vec().write(out);
        self.peer.to_string().write(out);
        self.principal.write(out);
        self.nonce.write(out);
    }

    fn read(from: &mut record::Bytes<'_>) -> Option<Request> {
        Some(Request {
            method: String::read(from)?,
            path: String::read(from)?,
            query: String::read(from)?,
            headers: read_list(from)?,
            body: Bytes::from(Vec::read(from)?),
            peer: String::read(from)?.parse().ok()?,
            principal: Option::read(from)?,
            nonce: u128::read(from)?,
        })
    }
}

impl Record for NetInput {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            NetInput::Message(message) => {
                out.push(0);
                message.write(out);
            }
            NetInput::Exited(pid) => {
                out.push(1);
                pid.write(out);
            }
            NetInput::Http(id, request) => {
                out.push(2);
                id.0.write(out);
                request.write(out);
            }
            NetInput::StreamClosed(id) => {
                out.push(3);
                id.0.write(out);
            }
        }
    }

    fn read(from: &mut record::Bytes<'_>) -> Option<NetInput> {
        Some(match from.take(1)?[0] {
            0 => NetInput::Message(Message::read(from)?),
            1 => NetInput::Exited(Upid::read(from)?),
            2 => NetInput::Http(RequestId(u64::read(from)?), Request::read(from)?),
            3 => NetInput::StreamClosed(RequestId(u64::read(from)?)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_read_back_the_same_but_for_secrets() {
        let upid = |id: &str| Upid::new(id, std::net::Ipv4Addr::LOCALHOST, 5051);
        let request = |headers: &[(&str, &str)]| Request {
            method: "POST".into(),
            path: "/master/api/v1".into(),
            query: "a=b".into(),
            headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            body: Bytes::from_static(b"\x00\xff"),
            peer: "127.0.0.1:9".parse().unwrap(),
            principal: Some("p".into()),
            nonce: 7,
        };
        let message = Message { from: upid("a"), to: upid("slave(1)"), name: "n".into(), body: Bytes::new() };
        for (input, expected) in [
            (NetInput::Message(message.clone()), NetInput::Message(message)),
            (NetInput::Exited(upid("x")), NetInput::Exited(upid("x"))),
            (NetInput::StreamClosed(RequestId(3)), NetInput::StreamClosed(RequestId(3))),
            (
                NetInput::Http(RequestId(2), request(&[("authorization", "Basic s3cret"), ("accept", "*/*")])),
                NetInput::Http(RequestId(2), request(&[("accept", "*/*")])),
            ),
        ] {
            let mut bytes = Vec::new();
            input.write(&mut bytes);
            assert!(!bytes.windows(6).any(|w| w == b"s3cret"));
            assert_eq!(NetInput::read(&mut record::Bytes(&bytes)), Some(expected));
        }
    }
}
