//! Asking masters and agents about their state, and reading files through them.

mod agent;
mod api;
mod files;
mod master;

pub use agent::Agent;
pub use files::{FileData, SMALLEST_READ_LIMIT};
pub use master::{Operator, Watch};

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer could not be reached, or the connection broke.
    #[error("{address}: {reason}")]
    Connection {
        /// `host:port`.
        address: String,
        /// For people.
        reason: String,
    },
    /// The peer refuses.
    #[error("{address} refuses ({status}): {reason}")]
    Refused {
        /// `host:port`.
        address: String,
        /// HTTP status.
        status: u16,
        /// The peer's words.
        reason: String,
    },
    /// The answer is not what it should be.
    #[error("the answer of {address} cannot be read: {reason}")]
    Unreadable {
        /// `host:port`.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// Whether the peer says that there is no such thing (404).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Refused { status: 404, .. })
    }
}
