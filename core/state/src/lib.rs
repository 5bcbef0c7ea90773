//! State: versioned variables over a storage.
//!
//! A variable is read with its version and stored only if nobody has stored another meanwhile. What is here is pure: what
//! is stored ([`Entry`], [`Operation`]), which version may replace which ([`Variable`]), the differences between versions
//! ([`svndiff`]), and the storage over a replicated log ([`LogStorage`]), which is handed the log's answers and says what the
//! log is to be asked; both as one machine are [`Logged`].
//! Source: Mesos `include/mesos/state`, `src/state`.

mod entry;
#[doc(hidden)]
pub mod fuzz;
mod log_storage;
pub mod logged;
pub mod svndiff;
mod variable;

pub use entry::{Entry, Error, Operation, Uuid};
pub use log_storage::{Act, Ask, LogStorage, StorageId, Told};
pub use logged::Logged;
pub use variable::{Variable, check_expunge, check_set};
