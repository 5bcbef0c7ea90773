//! The check that proto2 `required` fields are there, which the generated decoder does not make.
//!
//! Paths and their order are those of protobuf's `InitializationErrorString`: own fields first, then submessages by
//! number, repeated ones with their index (`accept.operations[0].launch.task_infos[1].task_id`).

use crate::schema::{self, Kind, Label, Message};
use crate::wire_format::{Reader, Value};

/// Deepest nesting looked at. The decoder, which runs first, allows 100 levels.
const MAX_DEPTH: usize = 100;

/// So many missing fields are named; a message of megabytes may lack millions.
const NAMED_MAX: usize = 1000;

/// The way to a submessage. It becomes text only when something is missing there.
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    field: &'static str,
    index: Option<usize>,
}

impl Path<'_> {
    /// `accept.operations[0].`
    fn write(&self, text: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(text);
        }
        text.push_str(self.field);
        if let Some(index) = self.index {
            text.push_str(&format!("[{index}]"));
        }
        text.push('.');
    }
}

/// The paths of the required fields that `bytes`, a well-formed `message`, lacks.
pub(crate) fn missing(message: &'static Message, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    if message.checked {
        walk(message, bytes, None, 0, &mut found);
    }
    found
}

fn walk(message: &'static Message, bytes: &[u8], at: Option<&Path>, depth: usize, found: &mut Vec<String>) {
    if depth > MAX_DEPTH || found.len() >= NAMED_MAX {
        return;
    }
    let mut seen = 0u128;
    let mut below: Vec<(u32, usize, &[u8])> = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Ok(Some((number, value))) = reader.next() {
        let Some(at) = message.position(number) else { continue };
        seen |= 1 << at;
        if let (Kind::Message(index) | Kind::Map(index), Value::Bytes(inner)) = (message.fields[at].kind, value)
            && schema::message(index).checked
        {
            below.push((number, at, inner));
        }
    }
    for (position, field) in message.fields.iter().enumerate() {
        if field.label == Label::Required && seen & (1 << position) == 0 {
            let mut text = String::new();
            at.inspect(|path| path.write(&mut text));
            found.push(text + field.name);
        }
    }
    below.sort_by_key(|(number, ..)| *number);
    descend(message, &below, at, depth, found);
}

fn descend(
    message: &'static Message,
    below: &[(u32, usize, &[u8])],
    parent: Option<&Path>,
    depth: usize,
    found: &mut Vec<String>,
) {
    let mut index = 0;
    for (position, (number, at, inner)) in below.iter().enumerate() {
        let field = &message.fields[*at];
        index = if position > 0 && below[position - 1].0 == *number { index + 1 } else { 0 };
        let (Kind::Message(kind) | Kind::Map(kind)) = field.kind else { continue };
        let index = (field.label == Label::Repeated).then_some(index);
        let path = Path { parent, field: field.name, index };
        walk(schema::message(kind), inner, Some(&path), depth + 1, found);
    }
}

#[cfg(test)]
mod tests {
    use crate::mesos::{TaskID, TaskInfo, scheduler};
    use crate::schema::of;
    use buffa::{Message as _, MessageField};

    #[test]
    fn every_message_has_at_most_as_many_fields_as_the_bit_set_holds() {
        let set = crate::descriptor_set();
        assert!(!set.is_empty());
        for name in ["mesos.ResourceStatistics", "mesos.PerfStatistics", "mesos.TaskInfo"] {
            let table = crate::schema::find(name).unwrap();
            assert!(table.fields.len() <= 128, "{name}");
        }
    }

    #[test]
    fn paths_name_index_and_field() {
        // Only a task name: `buffa` writes required scalars always, so the bytes are made by hand.
        let mut task = Vec::new();
        crate::wire_format::put(1, crate::wire_format::Value::Bytes(b"t"), &mut task);
        let mut launch = Vec::new();
        crate::wire_format::put(1, crate::wire_format::Value::Bytes(&task), &mut launch);
        let missing = super::missing(of::<crate::mesos::offer::operation::Launch>(), &launch);
        assert_eq!(missing, ["task_infos[0].task_id", "task_infos[0].agent_id"]);
    }

    #[test]
    fn a_complete_message_lacks_nothing() {
        let task = TaskInfo {
            name: "t".into(),
            task_id: MessageField::some(TaskID { value: "1".into(), ..Default::default() }),
            agent_id: MessageField::some(crate::mesos::AgentID { value: "S0".into(), ..Default::default() }),
            ..Default::default()
        };
        assert!(super::missing(of::<TaskInfo>(), &task.encode_to_vec()).is_empty());
        assert!(super::missing(of::<scheduler::Call>(), b"").is_empty());
    }
}
