//! The messages of Mesos 1.11 as one set of types in V1 names, and the forms they travel in.
//!
//! `proto/` holds one universe for V0 and V1: field numbers and types are those of the V0 wire format, names are the
//! V1 ones (agent, never slave). Where the two truly differ ([`v1`], [`names`]) the difference is handled where bytes
//! come in and go out. Unknown fields are kept and relayed.
//!
//! * [`codec`]: binary form, with the proto2 `required` check that decoding alone does not make.
//! * [`json`]: the JSON dialect of Mesos (not canonical protobuf JSON), both ways, V0 and V1 names.
//! * [`recordio`]: framing of event streams.
//! * [`content_type`]: which of the two forms an HTTP peer speaks.
//!
//! Required check and JSON are driven by small static tables ([`schema`]) over the binary form, so there is one piece
//! of code for all messages instead of one per message.

// The generated code is not ours to document or lint.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod universe {
    include!(concat!(env!("OUT_DIR"), "/universe.rs"));
}

pub mod codec;
pub mod content_type;
#[doc(hidden)]
pub mod fuzz;
pub mod ids;
pub mod json;
pub mod names;
pub mod recordio;
mod required;
pub mod schema;
mod task_state;
pub mod v1;
mod wire_format;

pub use buffa::{Enumeration, Message, MessageField, MessageName};
pub use content_type::ContentType;
pub use ids::{ProtoId, ToProto};
pub use task_state::is_terminal;
pub use universe::{appc, docker, mesos, oci, tepui};

/// The serialized `FileDescriptorSet` of the whole universe, for tests that compare it with other descriptors.
pub fn descriptor_set() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/universe.desc"))
}
