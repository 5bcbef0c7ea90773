//! `mesos-log export` and `import`: a directory as lines of JSON that people can read and change, and back.
//!
//! A line is `{"key":K,"record":R}`, R as Mesos prints its messages. Where the appended bytes are an operation of State,
//! that stands beside it as `"operation"`, and where its value is a registry, that as `"registry"`; the bytes they were in are
//! empty then. Both are only taken apart if putting them together gives the same bytes again.

use super::{Directory, Result, open};
use crate::output::unless_left;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use tepui_log::Restored;
use tepui_proto::codec;
use tepui_proto::json::{self, Names, Writer};
use tepui_proto::mesos::internal::Registry;
use tepui_proto::mesos::internal::log::{Action, Record};
use tepui_proto::mesos::internal::state::{Entry, Operation};
use tepui_store::{Change, Durability, Options};

/// The flags of `export`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    #[command(flatten)]
    directory: Directory,
}

/// The flags of `import`.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportArgs {
    #[command(flatten)]
    directory: Directory,
    /// File with what export printed [default: stdin]
    #[arg(long)]
    input: Option<PathBuf>,
}

pub fn export(args: &ExportArgs) -> Result<()> {
    let (store, _) = args.directory.look()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for pair in store.iterate() {
        let (key, value) = pair.map_err(|error| error.to_string())?;
        let printed = writeln!(out, "{}", line(&key, &value)?);
        if printed.is_err() {
            return unless_left(printed).map_err(|error| error.to_string());
        }
    }
    unless_left(out.flush()).map_err(|error| error.to_string())
}

/// One key and its value.
fn line(key: &[u8], value: &[u8]) -> Result<String> {
    let mut record: Record = codec::decode(value).map_err(|error| error.to_string())?;
    let key = std::str::from_utf8(key).map_err(|error| error.to_string())?;
    let parts = appended(&mut record).and_then(|bytes| {
        let parts = take_apart(bytes)?;
        bytes.clear();
        Some(parts)
    });
    let mut writer = Writer::new();
    writer.object(|writer| {
        writer.field_string("key", key);
        writer.field_message("record", &record, Names::V0AsSet);
        if let Some((operation, registry)) = &parts {
            writer.field_message("operation", operation, Names::V0AsSet);
            if let Some(registry) = registry {
                writer.field_message("registry", registry, Names::V0AsSet);
            }
        }
    });
    let line = writer.finish();
    // What JSON cannot say (fields of a later version) stays in bytes.
    if pair(&line).is_ok_and(|(_, back)| back == value) {
        return Ok(line);
    }
    let record: Record = codec::decode(value).map_err(|error| error.to_string())?;
    let mut writer = Writer::new();
    writer.object(|writer| {
        writer.field_string("key", key);
        writer.field_message("record", &record, Names::V0AsSet);
    });
    Ok(writer.finish())
}

fn appended(record: &mut Record) -> Option<&mut Vec<u8>> {
    let action: &mut Action = record.action.as_option_mut()?;
    action.append.as_option_mut().map(|append| &mut append.bytes)
}

/// The operation without its value if that is a registry, and the registry.
fn take_apart(bytes: &[u8]) -> Option<(Operation, Option<Registry>)> {
    let mut operation: Operation = codec::decode(bytes).ok()?;
    let registry = entry(&mut operation).filter(|entry| entry.name == "registry").and_then(|entry| {
        let registry: Registry = codec::decode(&entry.value).ok()?;
        entry.value.clear();
        Some(registry)
    });
    Some((operation, registry))
}

fn entry(operation: &mut Operation) -> Option<&mut Entry> {
    operation.snapshot.as_option_mut().map(|snapshot| &mut snapshot.entry)?.as_option_mut()
}

pub fn import(args: &ImportArgs) -> Result<()> {
    let path = &args.directory.path;
    let input: Box<dyn Read> = match &args.input {
        Some(file) => {
            Box::new(std::fs::File::open(file).map_err(|error| format!("cannot open {}: {error}", file.display()))?)
        }
        None => Box::new(std::io::stdin().lock()),
    };
    let pairs = BufReader::new(input).lines().enumerate().map(|(number, line)| {
        let line = line.map_err(|error| error.to_string())?;
        pair(&line).map_err(|why| format!("line {}: {why}", number + 1))
    });
    let pairs = pairs.collect::<Result<Vec<_>>>()?;
    // What would not be read again is not written.
    Restored::from_pairs(pairs.iter().map(|(key, value)| (key, value))).map_err(|error| error.to_string())?;
    let (mut store, _) = open(path, Options::default())?;
    if store.iterate().next().is_some() {
        return Err(format!("{} is not empty; import makes a new directory", path.display()));
    }
    let count = pairs.len();
    let changes: Vec<Change> = pairs.into_iter().map(|(key, value)| Change::Put(key, value)).collect();
    store.apply(&changes, Durability::Sync).map_err(|error| error.to_string())?;
    eprintln!("{count} records imported into {}", path.display());
    Ok(())
}

/// The key and value of a line.
fn pair(line: &str) -> Result<(Vec<u8>, bytes::Bytes)> {
    let line = json::parse(line.as_bytes()).map_err(|error| error.to_string())?;
    let key = line.get("key").and_then(|key| key.as_str()).ok_or("Expecting a \"key\"")?;
    let record = line.get("record").ok_or("Expecting a \"record\"")?;
    let mut record: Record = json::from_value(record, Names::V0AsSet).map_err(|error| error.to_string())?;
    if let Some(operation) = line.get("operation") {
        let mut operation: Operation =
            json::from_value(operation, Names::V0AsSet).map_err(|error| error.to_string())?;
        if let Some(registry) = line.get("registry") {
            let registry: Registry = json::from_value(registry, Names::V0AsSet).map_err(|error| error.to_string())?;
            let entry = entry(&mut operation).ok_or("A \"registry\" needs a snapshot in its \"operation\"")?;
            entry.value = codec::encode(&registry).to_vec();
        }
        let bytes = appended(&mut record).ok_or("An \"operation\" needs an append in its \"record\"")?;
        *bytes = codec::encode(&operation).to_vec();
    }
    Ok((key.as_bytes().to_vec(), codec::encode(&record)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_log::records::{action_value, key};
    use tepui_log::{Action, Value};
    use tepui_proto::MessageField;

    fn appended(bytes: Vec<u8>) -> (Vec<u8>, bytes::Bytes) {
        let action = Action::of(3, 1, Value::Append(bytes.into()), true);
        (key(3).unwrap(), action_value(&action))
    }

    fn operation(name: &str, value: &[u8]) -> Vec<u8> {
        let entry = Entry { name: name.to_owned(), uuid: vec![7; 16], value: value.to_vec(), ..Default::default() };
        let snapshot = tepui_proto::mesos::internal::state::operation::Snapshot {
            entry: MessageField::some(entry),
            ..Default::default()
        };
        let snapshot = MessageField::some(snapshot);
        codec::encode(&Operation { snapshot, ..Default::default() }).to_vec()
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
