//! Compiles `proto/` to types (buffa) and to the small static tables of `schema.rs`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a build script runs before there is anything deterministic")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let files = proto_files(&root)?;
    let set = protox::compile(&files, [&root])?;
    let descriptor = out.join("universe.desc");
    std::fs::write(&descriptor, protox::prost::Message::encode_to_vec(&set))?;
    // buffa-build tells cargo to watch this file. Written by the build script itself it is newer than the script's start,
    // which is what cargo compares with, so that every later build would begin here again. An old date stops that.
    std::fs::File::options().write(true).open(&descriptor)?.set_modified(std::time::SystemTime::UNIX_EPOCH)?;
    buffa_build::Config::new()
        .descriptor_set(&descriptor)
        .files(&files)
        .generate_views(false)
        .generate_json(false)
        .generate_text(false)
        // A pointer for an unset submessage instead of the whole message: `Call` would be kilobytes wide.
        .box_type(buffa_build::PointerRepr::Box)
        // Sorted, so that the same message always has the same bytes.
        .map_type(buffa_build::MapRepr::BTreeMap)
        .file_per_package(true)
        .include_file("universe.rs")
        .compile()?;
    let mut schema = Schema::default();
    for file in &set.file {
        for message in &file.message_type {
            schema.add_message(file.package(), message);
        }
        for item in &file.enum_type {
            schema.add_enum(file.package(), item);
        }
    }
    std::fs::write(out.join("schema_tables.rs"), schema.render()?)?;
    println!("cargo:rerun-if-changed={}", root.display());
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}

fn proto_files(root: &Path) -> std::io::Result<Vec<String>> {
    let mut files = Vec::new();
    for folder in ["mesos", "internal", "image"] {
        for entry in std::fs::read_dir(root.join(folder))? {
            files.push(format!("{folder}/{}", entry?.file_name().to_string_lossy()));
        }
    }
    files.sort();
    Ok(files)
}

/// What the tables need of the descriptors, by full name (sorted, so that an index is stable).
#[derive(Default)]
struct Schema {
    messages: BTreeMap<String, Vec<FieldRow>>,
    enums: BTreeMap<String, Vec<(String, i32)>>,
}

struct FieldRow {
    name: String,
    number: i32,
    label: &'static str,
    kind: i32,
    type_name: String,
    default: Option<String>,
    map: bool,
}

type MessageDescriptor = protox::prost_reflect::prost_types::DescriptorProto;
type EnumDescriptor = protox::prost_reflect::prost_types::EnumDescriptorProto;
type FieldDescriptor = protox::prost_reflect::prost_types::FieldDescriptorProto;

impl Schema {
    fn add_message(&mut self, scope: &str, message: &MessageDescriptor) {
        let name = format!("{scope}.{}", message.name());
        let maps: Vec<String> = message
            .nested_type
            .iter()
            .filter(|nested| nested.options.as_ref().is_some_and(|o| o.map_entry()))
            .map(|nested| format!("{name}.{}", nested.name()))
            .collect();
        let fields = message.field.iter().map(|field| field_row(field, &maps)).collect();
        for nested in &message.nested_type {
            self.add_message(&name, nested);
        }
        for item in &message.enum_type {
            self.add_enum(&name, item);
        }
        self.messages.insert(name, fields);
    }

    fn add_enum(&mut self, scope: &str, item: &EnumDescriptor) {
        let values = item.value.iter().map(|v| (v.name().to_owned(), v.number())).collect();
        self.enums.insert(format!("{scope}.{}", item.name()), values);
    }

    /// Whether a message of this type can be incomplete: itself or anything below has a required field.
    fn checked(&self) -> BTreeMap<&str, bool> {
        let mut checked: BTreeMap<&str, bool> =
            self.messages.iter().map(|(name, f)| (name.as_str(), f.iter().any(|f| f.label == "Required"))).collect();
        loop {
            let more: Vec<&str> = self
                .messages
                .iter()
                .filter(|(name, fields)| {
                    !checked[name.as_str()] && fields.iter().any(|f| checked.get(f.type_name.as_str()) == Some(&true))
                })
                .map(|(name, _)| name.as_str())
                .collect();
            if more.is_empty() {
                return checked;
            }
            for name in more {
                checked.insert(name, true);
            }
        }
    }

    fn render(&self) -> Result<String, std::fmt::Error> {
        let index_of = |name: &str| self.messages.keys().position(|k| k == name).unwrap_or(0);
        let enum_of = |name: &str| self.enums.keys().position(|k| k == name).unwrap_or(0);
        let checked = self.checked();
        let mut text = String::new();
        writeln!(text, "pub(super) static MESSAGES: [Message; {}] = [", self.messages.len())?;
        for (name, fields) in &self.messages {
            writeln!(text, "Message {{ name: {name:?}, checked: {}, fields: &[", checked[name.as_str()])?;
            for f in fields {
                let kind = match f.kind {
                    11 if f.map => format!("Kind::Map({})", index_of(&f.type_name)),
                    11 => format!("Kind::Message({})", index_of(&f.type_name)),
                    14 => format!("Kind::Enum({})", enum_of(&f.type_name)),
                    other => format!("Kind::{}", scalar(other)),
                };
                writeln!(
                    text,
                    "Field {{ name: {:?}, number: {}, label: Label::{}, kind: {kind}, default_json: {:?} }},",
                    f.name, f.number, f.label, f.default
                )?;
            }
            writeln!(text, "] }},")?;
        }
        writeln!(text, "];\npub(super) static ENUMS: [Enum; {}] = [", self.enums.len())?;
        for (name, values) in &self.enums {
            writeln!(text, "Enum {{ name: {name:?}, values: &{values:?} }},")?;
        }
        writeln!(text, "];")?;
        Ok(text)
    }
}

fn field_row(field: &FieldDescriptor, maps: &[String]) -> FieldRow {
    let type_name = field.type_name().trim_start_matches('.').to_owned();
    let kind = field.r#type.unwrap_or(0);
    let deprecated = field.options.as_ref().is_some_and(|o| o.deprecated());
    let default = field.default_value.as_ref().filter(|_| !deprecated).map(|value| match kind {
        // Enum defaults and strings are quoted; doubles carry a fraction already as the files write them.
        9 | 14 => format!("{value:?}"),
        1 | 2 if !value.contains('.') => format!("{value}.0"),
        _ => value.clone(),
    });
    FieldRow {
        name: field.name().to_owned(),
        number: field.number(),
        label: match field.label.unwrap_or(1) {
            2 => "Required",
            3 => "Repeated",
            _ => "Optional",
        },
        kind,
        map: maps.contains(&type_name),
        type_name,
        default,
    }
}

fn scalar(kind: i32) -> &'static str {
    match kind {
        1 => "Double",
        2 => "Float",
        3 => "Int64",
        4 => "Uint64",
        5 => "Int32",
        8 => "Bool",
        9 => "String",
        12 => "Bytes",
        13 => "Uint32",
        other => panic!("the Mesos protocol has no field of descriptor type {other}"),
    }
}
