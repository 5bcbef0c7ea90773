//! The life of an executor, from registration to the end of its container.

pub(crate) mod calls;
pub mod events;
mod register;
mod shutdown;
mod terminated;
mod timeout;
