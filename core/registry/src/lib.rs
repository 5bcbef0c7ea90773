//! The registry: what a new leading master must know before any agent has spoken to it, and the registrar that
//! keeps it.
//!
//! A mutation is a pure object ([`Operation`]) applied to the one [`State`]; a master that wants to admit, remove or
//! mark an agent hands it over and *waits for the answer*, even where the answer comes from memory, so that putting
//! the replicated log under it changes nothing in the master.
//!
//! Invariants: an agent id is in at most one of admitted, unreachable and gone; an answer is given for every
//! operation of a term, in order; what a later version of Mesos has written into the registry stays in it. Not done
//! here: files and sockets. Source: Mesos `src/master/{registrar,registry_operations,maintenance}.cpp`.

mod durable;
pub mod maintenance;
mod operation;
mod record;
mod registrar;
mod roster;
mod state;
mod times;

pub use maintenance::Maintenance;
pub use operation::{Error, Operation};
pub use record::{Admitted, Gone, Standing, Unreachable};
pub use registrar::{Abort, Input, OperationId, Output, Registrar, Timeouts};
pub use roster::Roster;
pub use state::State;
pub use times::Figures;
