//! State: versioned variables over a storage.
//!
//! A variable has a name, a version (16 random bytes, new with each store) and a value. Who stores says which version was
//! fetched before; the store succeeds only if that is still the one. This is what the registrar keeps the registry in, and
//! what frameworks of Mesos keep their own affairs in.
//!
//! * [`Entry`], [`Variable`]: a variable as it is stored, and as a user holds it. [`entry::check_set`] and
//!   [`entry::check_expunge`] decide for every storage.
//! * [`Variables`]: the storage in memory.
//! * [`LogStorage`]: the storage over the replicated log, without the log; [`Replicated`] joins the two.
//! * [`operation`], [`svndiff`]: what stands in the log.
//!
//! Invariants: a version is given once; a variable that was stored is found by every later fetch of this storage, and by
//! every storage that becomes the log's writer after it. Not done here: files and ZooKeeper (`node/stated`), and what the
//! values mean. Source: Mesos `include/mesos/state/state.hpp`, `src/state/{in_memory,log}.cpp`.

pub mod entry;
#[doc(hidden)]
pub mod fuzz;
mod log_storage;
pub mod operation;
mod replicated;
mod request;
mod start;
pub mod svndiff;
mod variables;

pub use entry::{Entry, Uuid, Variable};
pub use log_storage::{LogStorage, Said};
pub use replicated::{Effect, Input, Replicated};
pub use request::{Answer, Request, RequestId};
pub use variables::Variables;
