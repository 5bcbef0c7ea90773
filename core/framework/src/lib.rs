//! The framework's side of the V1 HTTP protocols, without a socket: what the SDK runs over the network and the
//! simulator over a simulated one.
//!
//! * [`scheduler`]: one framework, kept subscribed to the leading master.
//! * [`executor`]: one executor, kept subscribed to its agent.
//! * [`exchange`]: the HTTP requests both put out, as data.
//!
//! Invariants: an update is handed over once per uuid while it is remembered; calls leave in the order they were made;
//! after an `Error` event nothing more happens. Not done here: deciding about offers and tasks, which is the framework's
//! business; the V0 driver protocol.

pub mod backoff;
pub mod exchange;
pub mod executor;
mod link;
pub mod scheduler;
mod updates;

pub use link::MAX_RECORD_BYTES;
