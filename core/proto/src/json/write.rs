//! From the binary form to JSON.

use super::{Names, Writer};
use crate::names;
use crate::schema::{self, Field, Kind, Label, Message};
use crate::wire_format::{Malformed, Reader, Value};
use base64::Engine;
use std::borrow::Cow;

/// Writes `bytes`, a well-formed `message`, as one JSON object.
pub(super) fn message(writer: &mut Writer, message: &'static Message, bytes: &[u8], names: Names) {
    let mut values: Vec<(usize, Value<'_>)> = Vec::with_capacity(message.fields.len());
    let mut reader = Reader::new(bytes);
    while let Ok(Some((number, value))) = reader.next() {
        if let Some(at) = message.position(number) {
            values.push((at, value));
        }
    }
    // Declaration order; the sort is stable, so repeated values keep theirs.
    values.sort_by_key(|(at, _)| *at);
    writer.begin_object();
    let mut rest = values.as_slice();
    for (at, field) in message.fields.iter().enumerate() {
        let count = rest.iter().take_while(|(position, _)| *position == at).count();
        let (own, later) = rest.split_at(count);
        rest = later;
        if names == Names::V1 && names::is_v0_only_field(message.name, field.name) {
            continue;
        }
        write_field(writer, message, field, own, names);
    }
    writer.end_object();
}

fn write_field(writer: &mut Writer, parent: &Message, field: &Field, own: &[(usize, Value<'_>)], names: Names) {
    let name = field_name(parent, field, names);
    match (field.label, own.last()) {
        (Label::Repeated, None) => {}
        (Label::Repeated, Some(_)) if matches!(field.kind, Kind::Map(_)) => {
            writer.key(&name);
            write_map(writer, field, own, names);
        }
        (Label::Repeated, Some(_)) => {
            writer.key(&name);
            writer.begin_array();
            for (_, value) in own {
                write_elements(writer, field.kind, *value, names);
            }
            writer.end_array();
        }
        (_, Some((_, value))) if is_printable(field.kind, *value, names) => {
            writer.key(&name);
            write_value(writer, field.kind, *value, names);
        }
        _ => {
            let v0_only = names != Names::V0 && names::is_v0_only_default(parent.name, field.name);
            if let Some(default) = field.default_json.filter(|_| !v0_only) {
                writer.key(&name);
                writer.raw(default);
            }
        }
    }
}

fn field_name<'a>(parent: &Message, field: &'a Field, names: Names) -> Cow<'a, str> {
    match names {
        Names::V0 => names::v0_field(parent.name, field.name),
        Names::V1 | Names::V1AndV0Fields => Cow::Borrowed(field.name),
    }
}

/// An enum number without a name for this peer counts as unset.
fn is_printable(kind: Kind, value: Value<'_>, names: Names) -> bool {
    match (kind, value) {
        (Kind::Enum(index), Value::Varint(number)) => enum_name(index, number, names).is_some(),
        _ => true,
    }
}

fn enum_name(index: u16, number: u64, names: Names) -> Option<Cow<'static, str>> {
    let table = schema::enumeration(index);
    let name = table.name_of(number as i32)?;
    match names {
        Names::V0 => Some(names::v0_value(name)),
        _ if names::is_v0_only_value(table.name, name) => None,
        _ => Some(Cow::Borrowed(name)),
    }
}

/// One occurrence of a repeated field: a value, or a packed run of them.
fn write_elements(writer: &mut Writer, kind: Kind, value: Value<'_>, names: Names) {
    let packed = match (kind, value) {
        (Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Map(_), _) => None,
        (_, Value::Bytes(bytes)) => Some(bytes),
        _ => None,
    };
    let Some(bytes) = packed else {
        if is_printable(kind, value, names) {
            write_value(writer, kind, value, names);
        }
        return;
    };
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let Ok(value) = packed_value(&mut reader, kind) else { return };
        if is_printable(kind, value, names) {
            write_value(writer, kind, value, names);
        }
    }
}

fn packed_value<'a>(reader: &mut Reader<'a>, kind: Kind) -> Result<Value<'a>, Malformed> {
    Ok(match kind {
        Kind::Double => Value::Fixed64(u64::from_le_bytes(reader.array()?)),
        Kind::Float => Value::Fixed32(u32::from_le_bytes(reader.array()?)),
        _ => Value::Varint(reader.varint()?),
    })
}

fn write_value(writer: &mut Writer, kind: Kind, value: Value<'_>, names: Names) {
    match (kind, value) {
        (Kind::Double, Value::Fixed64(bits)) => writer.double(f64::from_bits(bits)),
        (Kind::Float, Value::Fixed32(bits)) => writer.double(float_as_double(f32::from_bits(bits))),
        (Kind::Int32, Value::Varint(v)) => writer.i64(i64::from(v as i32)),
        (Kind::Int64, Value::Varint(v)) => writer.i64(v as i64),
        (Kind::Uint32, Value::Varint(v)) => writer.u64(u64::from(v as u32)),
        (Kind::Uint64, Value::Varint(v)) => writer.u64(v),
        (Kind::Bool, Value::Varint(v)) => writer.bool(v != 0),
        (Kind::String, Value::Bytes(bytes)) => writer.string(&String::from_utf8_lossy(bytes)),
        (Kind::Bytes, Value::Bytes(bytes)) => {
            writer.string(&base64::engine::general_purpose::STANDARD.encode(bytes));
        }
        (Kind::Enum(index), Value::Varint(v)) => writer.string(&enum_name(index, v, names).unwrap_or_default()),
        (Kind::Message(index) | Kind::Map(index), Value::Bytes(bytes)) => {
            message(writer, schema::message(index), bytes, names);
        }
        // A wire type that does not fit the field: the decoder would have refused it.
        _ => writer.raw("null"),
    }
}

/// The double with the shortest decimal text that still names this float: `0.1`, not `0.10000000149011612`.
fn float_as_double(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn write_map(writer: &mut Writer, field: &Field, own: &[(usize, Value<'_>)], names: Names) {
    let Kind::Map(index) = field.kind else { return };
    let entry = schema::message(index);
    let (key_kind, value_kind) = (entry.fields[0].kind, entry.fields[1].kind);
    writer.begin_object();
    for (_, value) in own {
        let Value::Bytes(bytes) = value else { continue };
        let (mut key, mut held) = (Value::Bytes(b""), Value::Bytes(b""));
        let mut reader = Reader::new(bytes);
        while let Ok(Some((number, value))) = reader.next() {
            match number {
                1 => key = value,
                2 => held = value,
                _ => {}
            }
        }
        writer.key(&map_key(key_kind, key));
        write_value(writer, value_kind, held, names);
    }
    writer.end_object();
}

fn map_key(kind: Kind, value: Value<'_>) -> String {
    match (kind, value) {
        (Kind::Int32 | Kind::Int64, Value::Varint(v)) => (v as i64).to_string(),
        (Kind::Bool, Value::Varint(v)) => (v != 0).to_string(),
        (_, Value::Varint(v)) => v.to_string(),
        (_, Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}
