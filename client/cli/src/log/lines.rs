//! A record of a log as a line of JSON, and back to the byte.
//!
//! A line is `{"key":K,"record":R}`, R as Mesos prints its messages. Where the appended bytes are an operation of State,
//! that stands beside it as `"operation"`, and where its value is a registry, that as `"registry"`; the bytes they were in are
//! empty then. A difference (DIFF) is shown with the whole registry that it makes of the one before, so lines build upon each
//! other in the order of the log. All of it is only taken apart if putting it together gives the same bytes again.

use super::Result;
use bytes::Bytes;
use std::collections::BTreeMap;
use tepui_proto::codec;
use tepui_proto::json::{self, Names, Writer};
use tepui_proto::mesos::internal::Registry;
use tepui_proto::mesos::internal::log::{Action, Record};
use tepui_proto::mesos::internal::state::operation::Type;
use tepui_proto::mesos::internal::state::{Entry, Operation};
use tepui_state::svndiff;

/// The variable that is a registry.
const REGISTRY: &str = "registry";

/// Lines in the order of the log, and what they have made of its variables so far.
#[derive(Default)]
pub(super) struct Lines {
    /// What each variable holds.
    values: BTreeMap<String, Vec<u8>>,
    /// The position that follows.
    next: u64,
}

impl Lines {
    /// The line of a key and its value.
    pub fn write(&mut self, key: &[u8], value: &[u8]) -> Result<String> {
        let mut record: Record = codec::decode_stored(value).map_err(|error| error.to_string())?;
        let key = std::str::from_utf8(key).map_err(|error| error.to_string())?;
        self.arrive(&record);
        let parts = appended(&mut record).and_then(|bytes| {
            let parts = self.take_apart(bytes)?;
            bytes.clear();
            Some(parts)
        });
        let text = line(key, &record, parts.as_ref());
        let record: Record = codec::decode_stored(value).map_err(|error| error.to_string())?;
        // What JSON cannot say (fields of a later version) stays in bytes.
        let is_same = self.pair(&text).is_ok_and(|(_, back)| codec::encode(&back) == value);
        let text = if is_same { text } else { line(key, &record, None) };
        self.follow(&record);
        Ok(text)
    }

    /// The key and value of a line.
    pub fn read(&mut self, line: &str) -> Result<(Vec<u8>, Bytes)> {
        let (key, record) = self.pair(line)?;
        self.follow(&record);
        Ok((key, codec::encode(&record)))
    }

    /// The operation without its value if that can be told from the registry, and the registry.
    fn take_apart(&self, bytes: &[u8]) -> Option<(Operation, Option<Registry>)> {
        let mut operation: Operation = codec::decode_stored(bytes).ok()?;
        let registry = self.registry(&mut operation);
        Some((operation, registry))
    }

    fn registry(&self, operation: &mut Operation) -> Option<Registry> {
        let value = self.value(operation)?;
        let registry: Registry = codec::decode_stored(&value).ok()?;
        let before = self.values.get(REGISTRY);
        let is_difference = operation.r#type == Type::DIFF;
        let entry = entry(operation).filter(|entry| entry.name == REGISTRY)?;
        // A difference that somebody else has made may be another one than ours.
        if !is_difference || before.is_some_and(|before| svndiff::make(before, &value) == entry.value) {
            entry.value.clear();
        }
        Some(registry)
    }

    /// What the variable of an operation holds after it; none if that is not known.
    fn value(&self, operation: &mut Operation) -> Option<Vec<u8>> {
        let is_difference = operation.r#type == Type::DIFF;
        let entry = entry(operation)?;
        if !is_difference {
            return Some(entry.value.clone());
        }
        svndiff::apply(self.values.get(&entry.name)?, &entry.value).ok()
    }

    fn pair(&mut self, line: &str) -> Result<(Vec<u8>, Record)> {
        let line = json::parse(line.as_bytes()).map_err(|error| error.to_string())?;
        let key = line.get("key").and_then(|key| key.as_str()).ok_or("Expecting a \"key\"")?;
        let record = line.get("record").ok_or("Expecting a \"record\"")?;
        let mut record: Record = json::from_value(record, Names::V0AsSet).map_err(|error| error.to_string())?;
        self.arrive(&record);
        if let Some(operation) = line.get("operation") {
            let mut operation: Operation =
                json::from_value(operation, Names::V0AsSet).map_err(|error| error.to_string())?;
            if let Some(registry) = line.get("registry") {
                let registry: Registry =
                    json::from_value(registry, Names::V0AsSet).map_err(|error| error.to_string())?;
                self.put_in(&mut operation, &codec::encode(&registry))?;
            }
            let bytes = appended(&mut record).ok_or("An \"operation\" needs an append in its \"record\"")?;
            *bytes = codec::encode(&operation).to_vec();
        }
        Ok((key.as_bytes().to_vec(), record))
    }

    /// Makes an operation one that leads to this registry.
    fn put_in(&self, operation: &mut Operation, registry: &[u8]) -> Result<()> {
        let is_difference = operation.r#type == Type::DIFF;
        let made = self.value(operation);
        let entry = entry(operation).ok_or("A \"registry\" needs a snapshot or a diff in its \"operation\"")?;
        if !is_difference {
            entry.value = registry.to_vec();
        } else if entry.value.is_empty() {
            let before = self.values.get(REGISTRY);
            let before = before.ok_or("A diff needs the registry of the line before, and none is known there")?;
            entry.value = svndiff::make(before, registry);
        } else if made.as_deref() != Some(registry) {
            return Err(
                "The \"registry\" is not what the diff makes; with an empty value in it a new one is made".to_owned()
            );
        }
        Ok(())
    }

    /// Behind a position that is not there, or not decided, nothing is known.
    fn arrive(&mut self, record: &Record) {
        if record.action.as_option().is_some_and(|action| action.position != self.next) {
            self.values.clear();
        }
    }

    /// The next line builds upon this one.
    fn follow(&mut self, record: &Record) {
        let Some(action) = record.action.as_option().filter(|action| action.learned == Some(true)) else { return };
        self.next = action.position + 1;
        let Some(append) = action.append.as_option() else { return };
        let Ok(mut operation) = codec::decode_stored::<Operation>(&append.bytes) else { return };
        let value = self.value(&mut operation);
        if let Some(expunge) = operation.expunge.as_option() {
            self.values.remove(&expunge.name);
        } else if let Some(entry) = entry(&mut operation) {
            match value {
                Some(value) => drop(self.values.insert(entry.name.clone(), value)),
                None => drop(self.values.remove(&entry.name)),
            }
        }
    }
}

fn line(key: &str, record: &Record, parts: Option<&(Operation, Option<Registry>)>) -> String {
    let mut writer = Writer::new();
    writer.object(|writer| {
        writer.field_string("key", key);
        writer.field_message("record", record, Names::V0AsSet);
        if let Some((operation, registry)) = parts {
            writer.field_message("operation", operation, Names::V0AsSet);
            if let Some(registry) = registry {
                writer.field_message("registry", registry, Names::V0AsSet);
            }
        }
    });
    writer.finish()
}

fn appended(record: &mut Record) -> Option<&mut Vec<u8>> {
    let action: &mut Action = record.action.as_option_mut()?;
    action.append.as_option_mut().map(|append| &mut append.bytes)
}

/// The entry of a snapshot or a difference.
fn entry(operation: &mut Operation) -> Option<&mut Entry> {
    match operation.r#type {
        Type::DIFF => operation.diff.as_option_mut()?.entry.as_option_mut(),
        _ => operation.snapshot.as_option_mut()?.entry.as_option_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_log::records::{action_value, key};
    use tepui_log::{Action, Value};
    use tepui_proto::MessageField;
    use tepui_proto::mesos::internal::state::operation::{Diff, Snapshot};

    fn appended_at(position: u64, bytes: Vec<u8>) -> (Vec<u8>, Bytes) {
        let action = Action::of(position, 1, Value::Append(bytes.into()), true);
        (key(position).unwrap(), action_value(&action))
    }

    fn appended(bytes: Vec<u8>) -> (Vec<u8>, Bytes) {
        appended_at(3, bytes)
    }

    fn line(key: &[u8], value: &[u8]) -> Result<String> {
        Lines::default().write(key, value)
    }

    fn pair(line: &str) -> Result<(Vec<u8>, Bytes)> {
        Lines::default().read(line)
    }

    fn registry(hosts: usize) -> Vec<u8> {
        let agent = |number| {
            let info = format!("{{\"hostname\":\"host-{number}\",\"id\":{{\"value\":\"S{number}\"}}}}");
            format!("{{\"info\":{info}}}")
        };
        let agents: Vec<String> = (0..hosts).map(agent).collect();
        let text = format!("{{\"slaves\":{{\"slaves\":[{}]}}}}", agents.join(","));
        let registry: Registry = json::from_slice(text.as_bytes(), Names::V0).unwrap();
        codec::encode(&registry).to_vec()
    }

    fn diff(difference: Vec<u8>) -> Vec<u8> {
        let entry = Entry { name: "registry".to_owned(), uuid: vec![8; 16], value: difference, ..Default::default() };
        let diff = MessageField::some(Diff { entry: MessageField::some(entry), ..Default::default() });
        codec::encode(&Operation { r#type: Type::DIFF, diff, ..Default::default() }).to_vec()
    }

    fn operation(name: &str, value: &[u8]) -> Vec<u8> {
        let entry = Entry { name: name.to_owned(), uuid: vec![7; 16], value: value.to_vec(), ..Default::default() };
        let snapshot = MessageField::some(Snapshot { entry: MessageField::some(entry), ..Default::default() });
        codec::encode(&Operation { r#type: Type::SNAPSHOT, snapshot, ..Default::default() }).to_vec()
    }

    #[test]
    fn a_registry_is_readable_and_comes_back_to_the_byte() {
        let registry: Registry = json::from_slice(
            br#"{"slaves":{"slaves":[{"info":{"hostname":"a1","id":{"value":"S0"}}}]},"weights":[{"info":{"weight":2.5,"role":"r"}}]}"#,
            Names::V0,
        )
        .unwrap();
        let (key, value) = appended(operation("registry", &codec::encode(&registry)));
        let text = line(&key, &value).unwrap();
        assert!(text.contains(r#""hostname":"a1""#) && text.contains(r#""bytes":"""#), "{text}");
        assert_eq!(pair(&text), Ok((key, value)));
    }

    /// As the registrar writes them: a whole version, and differences to it one after the other.
    #[test]
    fn differences_are_shown_as_the_registries_that_they_make() {
        let versions: Vec<Vec<u8>> = (1..6).map(registry).collect();
        let mut pairs = vec![appended_at(7, operation("registry", &versions[0]))];
        for (at, pair) in versions.windows(2).enumerate() {
            pairs.push(appended_at(8 + at as u64, diff(svndiff::make(&pair[0], &pair[1]))));
        }
        // One that another program has made: all of it is new bytes.
        pairs.push(appended_at(12, diff(svndiff::make(b"", &versions[1]))));
        pairs.push(appended_at(13, diff(svndiff::make(&versions[1], &versions[2]))));
        let mut lines = Lines::default();
        let texts: Vec<String> = pairs.iter().map(|(key, value)| lines.write(key, value).unwrap()).collect();
        for (text, hosts) in texts.iter().zip([1, 2, 3, 4, 5, 2, 3]) {
            assert_eq!(text.matches("\"hostname\":\"host-").count(), hosts, "{text}");
            assert!(text.contains("\"bytes\":\"\""), "{text}");
        }
        assert!(
            texts[1].contains("\"value\":\"\"") && !texts[5].contains("\"value\":\"\""),
            "{}\n{}",
            texts[1],
            texts[5]
        );
        let mut lines = Lines::default();
        let back: Vec<_> = texts.iter().map(|text| lines.read(text).unwrap()).collect();
        assert_eq!(back, pairs);
        // What is changed by hand is what the difference leads to, and what contradicts it is refused.
        let mut lines = Lines::default();
        lines.read(&texts[0]).unwrap();
        let (key, value) = lines.read(&texts[1].replace("host-1", "by-hand")).unwrap();
        let mut lines = Lines::default();
        lines.read(&texts[0]).unwrap();
        assert!(lines.write(&key, &value).unwrap().contains("by-hand"));
        assert!(lines.read(&texts[5].replace("host-1", "by-hand")).unwrap_err().contains("not what the diff makes"));
    }

    /// A difference to a version that is not there stays in bytes, however well it could be applied to another one.
    #[test]
    fn behind_a_gap_nothing_is_made_up() {
        let (first, second) = (registry(1), registry(2));
        let mut lines = Lines::default();
        let (key, value) = appended_at(7, operation("registry", &first));
        lines.write(&key, &value).unwrap();
        let (key, value) = appended_at(9, diff(svndiff::make(&first, &second)));
        let text = lines.write(&key, &value).unwrap();
        assert!(text.contains("\"operation\"") && !text.contains("\"registry\":{"), "{text}");
        assert_eq!(pair(&text), Ok((key, value)));
        let text = text.replacen("\"operation\"", "\"registry\":{},\"operation\"", 1);
        assert!(pair(&text).is_err(), "{text}");
    }

    #[test]
    fn other_values_stay_in_bytes() {
        for bytes in [b"abc".to_vec(), operation("app:/foo", b"\x00\x01"), Vec::new(), {
            // A field that this version does not know.
            let mut registry = operation("registry", &[0xfa, 0x7f, 1, 9]);
            registry.extend_from_slice(&[0xfa, 0x7f, 1, 9]);
            registry
        }] {
            let (key, value) = appended(bytes);
            let text = line(&key, &value).unwrap();
            assert_eq!(pair(&text), Ok((key, value)), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (line, why) in [
            ("{}", "\"key\""),
            (r#"{"key":"1"}"#, "\"record\""),
            (r#"{"key":"1","record":{"type":"METADATA"},"operation":{"type":"SNAPSHOT"}}"#, "needs an append"),
            ("nonsense", "syntax error"),
        ] {
            assert!(pair(line).unwrap_err().contains(why), "{line}");
        }
    }
}
