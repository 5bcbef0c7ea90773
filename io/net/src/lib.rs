//! The network of a node: one listener for libprocess messages and HTTP, a sender with links, and an HTTP client.
//!
//! [`Node`] turns sockets into `NetInput` for the processes spawned on it, and their `NetEffect` into bytes. What the
//! bytes are is decided in `core/wire`; here is only what needs a socket, a clock or a task:
//!
//! - [`node`]: binding, processes, effects;  [`mailbox`]: the way to a process;  `exchange`: requests being answered
//! - `inbound`: reading a connection;  `arrivals`: room for what is still arriving
//! - `replies`: writing its answers in order;  `stream`: open responses
//! - `outbound`: connections to peers, their queues and the links over them
//! - `hang_up`: breaking with peers while the node goes on
//! - [`client`]: HTTP requests of our own
//!
//! Invariants: what comes from outside is bounded by not reading the socket; what a process does never waits; every
//! request is answered or its connection closed; every open stream ends with `StreamClosed` or by its own process.
//!
//! The listener is our own reading loop over the decoder of `core/wire` rather than hyper's server: hyper answers
//! undecodable input with a 400, gives up reading when an answer cannot be written, and cannot both serve half-closed
//! peers and notice at once that the reader of an idle stream is gone. Peers depend on all three (libprocess
//! `process.cpp`). Not done here: TLS (the seam is `accept`), request bodies that are handled while they arrive.

mod accept;
mod answer;
mod arrivals;
pub mod client;
mod config;
mod date;
mod exchange;
mod gzip;
mod hang_up;
mod inbound;
pub mod mailbox;
pub mod node;
mod outbound;
mod processes;
mod replies;
mod shared;
mod stream;

pub use answer::{Answer, File};
pub use config::{ConfigError, NetConfig};
pub use mailbox::Inbox;
pub use node::{Error, Measures, Node, Outlet};
pub use stream::Promise;
