//! The network over real sockets on the loopback interface: every test binds free ports of its own.

mod http;
mod limits;
mod links;
mod messages;
mod peer;
mod shutdown;
mod streams;
