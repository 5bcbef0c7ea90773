//! libprocess and HTTP as data: what a process can receive and send, without a socket.
//!
//! A machine that lives at a libprocess address (master, agent, driver) takes [`NetInput`] and puts out [`NetEffect`];
//! `io/net` turns sockets into the one and the other into sockets, the simulator does the same over a simulated
//! network. Source: libprocess `process.cpp`, `encoder.hpp`, `decoder.hpp`, `pid.hpp`, `http.cpp`.
//!
//! Where things are: addresses in [`upid`]; the bytes of a message in [`message`]; bytes to requests in [`decode`],
//! responses to bytes in [`encode`]; which process a request is for in [`route`]; who watches whom in [`links`].
//!
//! Invariants: nothing here panics on what a peer sends; nothing here waits, and no name is looked up.
//! Not done here: TLS (only the decision whether a connection begins with it, [`tls`]), gzip itself (only when to use
//! it, [`encode::wants_gzip`]), request bodies that are handled while they still arrive.

pub mod accept;
pub mod date;
pub mod decode;
pub mod encode;
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod ids;
pub mod links;
pub mod message;
pub mod percent;
pub mod query;
mod record;
pub mod route;
pub mod status;
pub mod tls;
pub mod upid;

use bytes::Bytes;
pub use http::{Body, Request, Response};
pub use message::Message;
pub use upid::Upid;

/// Names one HTTP request between arrival and answer, and the stream its answer may have opened. Unique in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What reaches a process from the network.
#[derive(Clone, Debug, PartialEq)]
pub enum NetInput {
    /// A libprocess message. Messages of one sender arrive in the order they were sent while one socket lasts.
    Message(Message),
    /// The link to this process broke, or could not be made.
    Exited(Upid),
    /// An HTTP request, to be answered by one [`NetEffect::Respond`].
    Http(RequestId, Request),
    /// The peer left a streaming response (or never took it); nothing more can be written to it.
    StreamClosed(RequestId),
}

impl NetInput {
    /// The size of its body: what of it a peer can make as large as it likes.
    pub fn body_bytes(&self) -> usize {
        match self {
            NetInput::Message(message) => message.body.len(),
            NetInput::Http(_, request) => request.body.len(),
            NetInput::Exited(_) | NetInput::StreamClosed(_) => 0,
        }
    }
}

/// What a process does to the network.
#[derive(Clone, Debug, PartialEq)]
pub enum NetEffect {
    /// Sends a one-way message; lost silently when the peer cannot be reached.
    Send(Message),
    /// Watches a process: [`NetInput::Exited`] comes when the connection to its address ends. `reconnect` replaces an
    /// existing connection, whose end then is not reported.
    Link {
        /// The process to watch.
        to: Upid,
        /// Whether an existing connection is to be replaced.
        reconnect: bool,
    },
    /// Answers a request. A [`http::Body::Stream`] stays open for [`NetEffect::StreamWrite`].
    Respond(RequestId, Response),
    /// One chunk of a streaming response, written as one HTTP chunk in one write.
    StreamWrite(RequestId, Bytes),
    /// Ends a streaming response after everything written to it.
    StreamClose(RequestId),
}
