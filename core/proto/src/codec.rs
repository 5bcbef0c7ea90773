//! The binary form of a message.

use crate::{required, schema};
use buffa::{DecodeOptions, Message, MessageName};
use bytes::Bytes;

/// Deepest nesting of messages accepted from a peer. Nothing in the protocol but `ContainerID.parent` recurses, and
/// protobuf's own default is the same.
pub const MAX_DEPTH: u32 = 100;

/// Why bytes are not the message they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the wire format, nested too deeply, or text that is not UTF-8.
    #[error("{0}")]
    Malformed(String),
    /// Well-formed, but proto2 `required` fields are missing.
    #[error("Missing required fields: {}", .0.join(", "))]
    Missing(Vec<String>),
}

/// Serializes a message.
pub fn encode<M: Message>(message: &M) -> Bytes {
    message.encode_to_bytes()
}

/// Reads a message and checks that its required fields are there. Unknown fields are kept.
pub fn decode<M: Message + MessageName>(bytes: &[u8]) -> Result<M, Error> {
    let message: M = DecodeOptions::new()
        .with_recursion_limit(MAX_DEPTH)
        .decode_from_slice(bytes)
        .map_err(|error| Error::Malformed(error.to_string()))?;
    let missing = required::missing(schema::of::<M>(), bytes);
    if missing.is_empty() { Ok(message) } else { Err(Error::Missing(missing)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesos::{FrameworkID, TaskStatus, internal};

    #[test]
    fn a_missing_required_field_is_named() {
        assert_eq!(decode::<FrameworkID>(b"").unwrap_err().to_string(), "Missing required fields: value");
        let error = decode::<internal::RegisterAgentMessage>(b"").unwrap_err();
        assert_eq!(error, Error::Missing(vec!["agent".into()]));
    }

    #[test]
    fn unknown_fields_and_enum_values_are_relayed() {
        // TaskStatus{task_id{value:"t"}, state:TASK_RUNNING}, a reason from the future and an unknown field 1000.
        let bytes = [0x0A, 3, 0x0A, 1, b't', 0x10, 1, 0x50, 0xC8, 1, 0xC0, 0x3E, 5];
        let status: TaskStatus = decode(&bytes).unwrap();
        assert_eq!(status.reason, None);
        let mut again = encode(&status).to_vec();
        again.sort_unstable();
        let mut sorted = bytes.to_vec();
        sorted.sort_unstable();
        assert_eq!(again, sorted, "the same fields, whatever their order");
    }

    #[test]
    fn garbage_is_malformed() {
        assert!(matches!(decode::<TaskStatus>(b"\xff\xff\xff"), Err(Error::Malformed(_))));
    }
}
