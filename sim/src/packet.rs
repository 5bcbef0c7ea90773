//! What travels on connections: messages as the very bytes of the wire, HTTP as data.

use crate::host::Input;
use crate::network::{ConnId, Kind, Process};
use crate::world::{CALLS, Event, LINK, TEMPORARY, World};
use bytes::Bytes;
use std::net::{SocketAddr, SocketAddrV4};
use tepui_framework::exchange::{ExchangeId, HttpEffect, HttpInput, Post, Reply};
use tepui_wire::decode::{Decoded, Decoder, Limits};
use tepui_wire::http::Body;
use tepui_wire::links::Connection;
use tepui_wire::{Message, NetEffect, NetInput, Request, RequestId, Response, Upid};

/// One packet.
#[derive(Debug)]
pub enum Packet {
    /// The bytes of a one-way message.
    Message(Bytes),
    /// A request, under the client's name for it.
    Request(ExchangeId, Box<Request>),
    /// Its answer.
    Response(ExchangeId, Response),
    /// A piece of a stream.
    Chunk(ExchangeId, Bytes),
    /// The end of a stream.
    End(ExchangeId),
}

/// How long a connection stalls before it is given up.
const STALL_NANOS: (u64, u64) = (2_000_000_000, 13_000_000_000);

impl World {
    /// Does to the network what a process at a libprocess address asks.
    pub fn net(&mut self, me: Process, effect: NetEffect) {
        match effect {
            NetEffect::Send(message) => self.send_message(me, &message),
            NetEffect::Link { to, reconnect } => self.link(me, &to, reconnect),
            NetEffect::Respond(id, response) => self.respond(me, id, response),
            NetEffect::StreamWrite(id, bytes) => {
                if let Some(&(conn, exchange)) = self.network.requests.get(&(me, id)) {
                    self.put(conn, false, Packet::Chunk(exchange, bytes));
                }
            }
            NetEffect::StreamClose(id) => {
                if let Some((conn, exchange)) = self.network.requests.remove(&(me, id)) {
                    self.put(conn, false, Packet::End(exchange));
                }
            }
        }
    }

    fn send_message(&mut self, me: Process, message: &Message) {
        let address = message.to.address();
        let conns = &self.slots[me.host].conns;
        let linked = conns.get(&(address, LINK)).filter(|conn| self.network.is_open(**conn)).copied();
        let conn = linked.or_else(|| self.connect(me, address, TEMPORARY, Kind::Temporary));
        if let Some(conn) = conn {
            let bytes = Bytes::from(message.encode().concat());
            self.put(conn, true, Packet::Message(bytes));
        }
    }

    fn link(&mut self, me: Process, to: &Upid, reconnect: bool) {
        let address = to.address();
        // Each host has one process that links.
        let own: std::sync::Arc<str> = std::sync::Arc::from("self");
        let wanted = self.slots[me.host].links.link(&own, to, reconnect);
        if wanted == Connection::Replace {
            self.slots[me.host].conns.remove(&(address, LINK));
        }
        if self.connect(me, address, LINK, Kind::Link).is_none() {
            let wait = 1_000_000 + self.rng.below(1_000_000_000);
            self.after(wait, Event::NoLink(me, address));
        }
    }

    /// The connection to an address for a use, a new one if there is none.
    fn connect(&mut self, me: Process, address: SocketAddrV4, usage: u8, kind: Kind) -> Option<ConnId> {
        let known = self.slots[me.host].conns.get(&(address, usage)).copied();
        if let Some(conn) = known.filter(|conn| self.network.is_open(*conn)) {
            return Some(conn);
        }
        let server = self.listener(me, address)?;
        let conn = self.network.open(me, server, kind);
        self.slots[me.host].conns.insert((address, usage), conn);
        Some(conn)
    }

    /// Who can be reached at an address now.
    fn listener(&mut self, me: Process, address: SocketAddrV4) -> Option<Process> {
        let host = *self.addresses.get(&address)?;
        let (there, back) = (self.path(me.host, host), self.path(host, me.host));
        let parted = self.network.is_parted(self.now, there) || self.network.is_parted(self.now, back);
        (self.slots[host].alive && !parted).then(|| self.process(host))
    }

    /// Whether an address can be reached now.
    pub fn can_reach(&mut self, me: Process, address: SocketAddrV4) -> bool {
        self.listener(me, address).is_some()
    }

    /// Does to the network what an HTTP client asks.
    pub fn http(&mut self, me: Process, effect: HttpEffect) {
        match effect {
            HttpEffect::Call(exchange, post) => self.request(me, exchange, post, CALLS, Kind::Calls),
            HttpEffect::Subscribe(exchange, post) => {
                self.request(me, exchange, post, stream_usage(exchange), Kind::Stream(exchange));
            }
            HttpEffect::Abort(exchange) => self.abort(me, exchange),
        }
    }

    fn request(&mut self, me: Process, exchange: ExchangeId, post: Post, usage: u8, kind: Kind) {
        let Ok(address) = post.to.parse::<SocketAddrV4>() else { return };
        if matches!(kind, Kind::Stream(_)) {
            self.slots[me.host].conns.remove(&(address, usage));
        }
        let Some(conn) = self.connect(me, address, usage, kind) else {
            let wait = 1_000_000 + self.rng.below(1_000_000_000);
            let closed = HttpInput::Closed(exchange, "Connection refused".to_owned());
            return self.after(wait, Event::NoAnswer(me, closed));
        };
        if let Some(conn) = self.network.conns.get_mut(&conn) {
            conn.waiting.insert(exchange);
        }
        let headers = post.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        let request = Request {
            method: "POST".to_owned(),
            path: post.path.to_owned(),
            query: String::new(),
            headers,
            body: post.body,
            peer: SocketAddr::V4(self.slots[me.host].address),
            principal: None,
            nonce: (u128::from(self.rng.next_u64()) << 64) | u128::from(self.rng.next_u64()),
        };
        self.put(conn, true, Packet::Request(exchange, Box::new(request)));
    }

    /// The client leaves: nothing more is told to it, and the server notices.
    fn abort(&mut self, me: Process, exchange: ExchangeId) {
        let is_it = |conn: &crate::network::Conn| conn.client == me && conn.kind == Kind::Stream(exchange) && conn.open;
        let found = self.network.conns.iter().find(|(_, conn)| is_it(conn)).map(|(id, _)| *id);
        let Some(id) = found else { return };
        if let Some(conn) = self.network.conns.get_mut(&id) {
            conn.waiting.clear();
        }
        self.break_conn(id);
    }

    fn respond(&mut self, me: Process, id: RequestId, response: Response) {
        let Some(&(conn, exchange)) = self.network.requests.get(&(me, id)) else { return };
        if matches!(response.body, Body::Full(_)) {
            self.network.requests.remove(&(me, id));
        } else if let Some(conn) = self.network.conns.get_mut(&conn) {
            conn.stream = Some(id);
        }
        self.put(conn, false, Packet::Response(exchange, response));
    }

    /// Puts a packet on a connection.
    pub fn put(&mut self, id: ConnId, to_server: bool, packet: Packet) {
        let Some(conn) = self.network.conns.get(&id).filter(|conn| conn.open) else { return };
        let (from, to) = if to_server { (conn.client, conn.server) } else { (conn.server, conn.client) };
        let stalled = conn.stalled;
        let path = self.path(from.host, to.host);
        if stalled || self.network.is_parted(self.now, path) {
            if let Some(conn) = self.network.conns.get_mut(&id).filter(|conn| !conn.stalled) {
                conn.stalled = true;
                let wait = STALL_NANOS.0 + self.rng.below(STALL_NANOS.1);
                self.after(wait, Event::Break(id));
            }
            return;
        }
        let at = self.network.arrival(self.now, id, to_server, path, &mut self.rng);
        self.at(at, Event::Packet { conn: id, to_server, packet });
    }

    /// Breaks a connection: what is in flight is lost, and both ends notice in their own time.
    pub fn break_conn(&mut self, id: ConnId) {
        let Some(conn) = self.network.conns.get_mut(&id).filter(|conn| conn.open) else { return };
        conn.open = false;
        let ends = [conn.client, conn.server];
        let path = self.path(ends[0].host, ends[1].host);
        for end in ends {
            let wait = self.network.latency(self.now, path, &mut self.rng);
            self.after(wait, Event::Noticed(id, end));
        }
    }

    /// A packet arrives.
    pub fn packet(&mut self, id: ConnId, to_server: bool, packet: Packet) {
        let Some(conn) = self.network.conns.get_mut(&id).filter(|conn| conn.open) else { return };
        let (client, server, kind) = (conn.client, conn.server, conn.kind);
        match packet {
            Packet::Message(bytes) => {
                if let Some(message) = read(&bytes, self.slots[server.host].address) {
                    self.input(server, Input::Net(NetInput::Message(message)));
                }
            }
            Packet::Request(exchange, request) => {
                let request_id = RequestId(self.tally.events);
                self.network.requests.insert((server, request_id), (id, exchange));
                self.input(server, Input::Net(NetInput::Http(request_id, *request)));
            }
            Packet::Response(exchange, response) => {
                debug_assert!(!to_server);
                let is_stream = matches!(response.body, Body::Stream);
                let reply = reply(response);
                if is_stream {
                    return self.input(client, Input::Http(HttpInput::Opened(exchange, reply)));
                }
                conn.waiting.remove(&exchange);
                if matches!(kind, Kind::Stream(_)) {
                    conn.open = false;
                }
                self.input(client, Input::Http(HttpInput::Answered(exchange, reply)));
            }
            Packet::Chunk(exchange, bytes) => self.input(client, Input::Http(HttpInput::Chunk(exchange, bytes))),
            Packet::End(exchange) => {
                conn.waiting.remove(&exchange);
                conn.open = false;
                let closed = HttpInput::Closed(exchange, "the stream has ended".to_owned());
                self.input(client, Input::Http(closed));
            }
        }
    }
}

/// Streams of one client to one server must not share a place in its table.
fn stream_usage(exchange: ExchangeId) -> u8 {
    CALLS + 1 + (exchange.0 % 100) as u8
}

/// Reads a message as a receiver does.
fn read(bytes: &Bytes, at: SocketAddrV4) -> Option<Message> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.buffer().extend_from_slice(bytes);
    match decoder.decode() {
        Ok(Some(Decoded::Message(Ok(envelope), payload))) => Some(envelope.with_body(at, payload.body)),
        other => panic!("what a machine sends is a message: {other:?}"),
    }
}

fn reply(response: Response) -> Reply {
    let headers = response.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let body = match response.body {
        Body::Full(body) => body,
        Body::Stream => Bytes::new(),
    };
    Reply { status: response.status, headers, body }
}

/// One line about an event, for the event file.
pub fn describe(world: &World, event: &Event) -> String {
    let name = |process: &Process| format!("{}.{}", process.host, process.life);
    match event {
        Event::Packet { conn, to_server, packet } => {
            let ends = world.network.conns.get(conn).map(|c| (name(&c.client), name(&c.server)));
            let (client, server) = ends.unwrap_or_default();
            let arrow = if *to_server { "->" } else { "<-" };
            format!("{client} {arrow} {server} {conn} {}", content(packet))
        }
        Event::Break(conn) => format!("break {conn}"),
        Event::Noticed(conn, process) => format!("{} notices {conn}", name(process)),
        Event::NoLink(process, address) => format!("{} cannot link {address}", name(process)),
        Event::NoAnswer(process, _) => format!("{} cannot connect", name(process)),
        Event::Tick(process) => format!("{} tick", name(process)),
        Event::Local(process, local) => format!("{} {}", name(process), local.name()),
        Event::Restart(host) => format!("{host} restarts"),
        Event::Fault => "fault".to_owned(),
    }
}

fn content(packet: &Packet) -> String {
    match packet {
        Packet::Message(bytes) => {
            let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
            format!("{} {} {:016x}", String::from_utf8_lossy(line), bytes.len(), digest(bytes))
        }
        Packet::Request(exchange, request) => {
            format!("request {} {} {:016x}", exchange.0, request.path, digest(&request.body))
        }
        Packet::Response(exchange, response) => format!("response {} {}", exchange.0, response.status),
        Packet::Chunk(exchange, bytes) => format!("chunk {} {} {:016x}", exchange.0, bytes.len(), digest(bytes)),
        Packet::End(exchange) => format!("end {}", exchange.0),
    }
}

/// FNV-1a: enough to tell two runs apart.
pub fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
