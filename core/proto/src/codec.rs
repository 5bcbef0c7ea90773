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

/// What the elements of lists in a peer's message may take in memory whatever its size, in bytes.
const ELEMENTS: usize = 32 << 20;

/// And for each byte of the message. An empty element is two bytes on the wire and some hundred in memory; those of
/// honest messages (resources, tasks, states of tasks, labels) are at most ten times as large.
const ELEMENTS_PER_BYTE: usize = 16;

/// Reads a peer's message and checks that its required fields are there. Unknown fields are kept.
pub fn decode<M: Message + MessageName>(bytes: &[u8]) -> Result<M, Error> {
    read(bytes, ELEMENTS.saturating_add(bytes.len().saturating_mul(ELEMENTS_PER_BYTE)))
}

/// Reads what was written by a process of ours, however much memory it takes: what was acknowledged is never refused.
pub fn decode_stored<M: Message + MessageName>(bytes: &[u8]) -> Result<M, Error> {
    read(bytes, usize::MAX)
}

fn read<M: Message + MessageName>(bytes: &[u8], elements: usize) -> Result<M, Error> {
    let message: M = DecodeOptions::new()
        .with_recursion_limit(MAX_DEPTH)
        .with_element_memory_limit(elements)
        .decode_from_slice(bytes)
        .map_err(|error| Error::Malformed(error.to_string()))?;
    let missing = required::missing(schema::of::<M>(), bytes);
    if missing.is_empty() { Ok(message) } else { Err(Error::Missing(missing)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageField;
    use crate::mesos::internal::{self, archive};
    use crate::mesos::{AgentID, FrameworkID, FrameworkInfo, Label, Labels, Task, TaskID, TaskState, TaskStatus};

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
    fn a_long_history_is_read_and_what_swells_in_memory_is_not() {
        let id = || MessageField::some(TaskID { value: "t".to_owned(), ..Default::default() });
        let status = TaskStatus { task_id: id(), state: TaskState::TASK_RUNNING, ..Default::default() };
        let task = Task {
            name: "t".to_owned(),
            task_id: id(),
            framework_id: MessageField::some(FrameworkID::default()),
            agent_id: MessageField::some(AgentID::default()),
            state: TaskState::TASK_RUNNING,
            statuses: vec![status; 8],
            ..Default::default()
        };
        let bytes = encode(&archive::Framework {
            framework_info: MessageField::some(FrameworkInfo::default()),
            tasks: vec![task; 20_000],
            ..Default::default()
        });
        let elements = 20_000 * (size_of::<Task>() + 8 * size_of::<TaskStatus>());
        assert!(elements > ELEMENTS, "{elements}");
        assert!(decode::<archive::Framework>(&bytes).is_ok());
        // Field 1 of Labels, with nothing in it.
        let empty = [0x0A, 0].repeat(3 * ELEMENTS / size_of::<Label>());
        assert!(matches!(decode::<Labels>(&empty), Err(Error::Malformed(_))));
        assert!(matches!(decode_stored::<Labels>(&empty), Err(Error::Missing(_))), "it is read, and found wanting");
    }

    #[test]
    fn garbage_is_malformed() {
        assert!(matches!(decode::<TaskStatus>(b"\xff\xff\xff"), Err(Error::Malformed(_))));
    }
}
