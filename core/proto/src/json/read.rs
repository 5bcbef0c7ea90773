//! From JSON to the binary form, and so to a message.

use super::Names;
use crate::codec;
use crate::names;
use crate::schema::{self, Field, Kind, Label, Message};
use crate::wire_format::{Value, put};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value as Json;

/// Deepest nesting of objects and arrays accepted, so that no input can exhaust the stack (CVE-2018-11793). It is the
/// limit of the parser, `serde_json`.
pub const MAX_DEPTH: usize = 128;

/// Why a text is not the message it should be. The texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON.
    #[error("syntax error at line {line} near: {near}")]
    Syntax {
        /// Line, counted from 1.
        line: usize,
        /// What stands there, to the end of the line.
        near: String,
    },
    /// JSON with a number that no double holds.
    #[error("Value out of range")]
    Range,
    /// JSON, and then something else.
    #[error("Parsed JSON included non-whitespace trailing characters: {0}")]
    Trailing(String),
    /// JSON, but not this message.
    #[error("{0}")]
    Conversion(String),
}

/// Parses JSON text within [`MAX_DEPTH`].
pub fn parse(text: &[u8]) -> Result<Json, Error> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter();
    match values.next() {
        Some(Ok(value)) => match text[values.byte_offset()..].trim_ascii_end() {
            [] if is_in_range(&value) => Ok(value),
            [] => Err(Error::Range),
            rest => Err(Error::Trailing(String::from_utf8_lossy(rest).into_owned())),
        },
        Some(Err(error)) => Err(syntax(text, &error)),
        None => Err(Error::Syntax { line: 1, near: String::new() }),
    }
}

/// Whether a double holds each number; [`MAX_DEPTH`] bounds the recursion.
fn is_in_range(value: &Json) -> bool {
    match value {
        Json::Number(number) => number.as_f64().is_some(),
        Json::Array(values) => values.iter().all(is_in_range),
        Json::Object(values) => values.values().all(is_in_range),
        _ => true,
    }
}

fn syntax(text: &[u8], error: &serde_json::Error) -> Error {
    let line = text.split(|b| *b == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // Nothing stands where the text ends too early.
    let near = if error.is_eof() { None } else { line.get(error.column().saturating_sub(1)..) };
    let near = String::from_utf8_lossy(near.unwrap_or_default()).into_owned();
    Error::Syntax { line: error.line().max(1), near }
}

/// Reads a message from JSON text. Unknown names are ignored.
pub fn from_slice<M: buffa::Message + buffa::MessageName>(text: &[u8], names: Names) -> Result<M, Error> {
    from_value(&parse(text)?, names)
}

/// Reads a message from parsed JSON.
pub fn from_value<M: buffa::Message + buffa::MessageName>(json: &Json, names: Names) -> Result<M, Error> {
    let Json::Object(object) = json else {
        return Err(Error::Conversion("Expecting a JSON object".into()));
    };
    let mut bytes = Vec::new();
    write_object(schema::of::<M>(), object, names, &mut bytes)?;
    codec::decode(&bytes).map_err(|error| Error::Conversion(error.to_string()))
}

fn write_object(
    message: &'static Message,
    object: &serde_json::Map<String, Json>,
    names: Names,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    for (name, value) in object {
        if let Some(field) = find(message, name, names) {
            write_field(field, value, names, out)?;
        }
    }
    Ok(())
}

fn find(message: &'static Message, name: &str, names: Names) -> Option<&'static Field> {
    message.fields.iter().find(|field| match names {
        Names::V0 => names::v0_field(message.name, field.name) == name,
        Names::V1 => field.name == name && !names::is_v0_only_field(message.name, field.name),
        Names::V1AndV0Fields => field.name == name,
    })
}

fn write_field(field: &'static Field, json: &Json, names: Names, out: &mut Vec<u8>) -> Result<(), Error> {
    match (json, field.kind) {
        (Json::Null, _) => Ok(()),
        (Json::Array(items), _) if field.label == Label::Repeated => {
            items.iter().try_for_each(|item| write_field(field, item, names, out))
        }
        (Json::Array(_), _) => Err(unexpected("array", field)),
        (Json::Object(object), Kind::Map(index)) => write_map(field, index, object, names, out),
        (Json::Object(object), Kind::Message(index)) => {
            let mut inner = Vec::new();
            write_object(schema::message(index), object, names, &mut inner)?;
            put(field.number, Value::Bytes(&inner), out);
            Ok(())
        }
        (Json::Object(_), _) => Err(unexpected("object", field)),
        (Json::String(text), _) => write_string(field, text, names, out),
        (Json::Number(number), _) => write_number(field, &number.to_string(), out),
        (Json::Bool(value), Kind::Bool) => {
            put(field.number, Value::Varint(u64::from(*value)), out);
            Ok(())
        }
        (Json::Bool(_), _) => Err(unexpected("boolean", field)),
    }
}

fn unexpected(what: &str, field: &Field) -> Error {
    Error::Conversion(format!("Not expecting a JSON {what} for field '{}'", field.name))
}

fn write_map(
    field: &Field,
    entry: u16,
    object: &serde_json::Map<String, Json>,
    names: Names,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let [key_field, value_field] = schema::message(entry).fields else { return Ok(()) };
    for (key, value) in object {
        let mut inner = Vec::new();
        write_string(key_field, key, names, &mut inner)?;
        write_field(value_field, value, names, &mut inner)?;
        put(field.number, Value::Bytes(&inner), out);
    }
    Ok(())
}

fn write_string(field: &Field, text: &str, names: Names, out: &mut Vec<u8>) -> Result<(), Error> {
    match field.kind {
        Kind::String => put(field.number, Value::Bytes(text.as_bytes()), out),
        Kind::Bytes => {
            let bytes = from_base64(text).map_err(|error| {
                Error::Conversion(format!("Failed to base64 decode bytes field '{}': {error}", field.name))
            })?;
            put(field.number, Value::Bytes(&bytes), out);
        }
        Kind::Enum(index) => return write_enum(field, index, text, names, out),
        Kind::Bool => match text {
            "true" => put(field.number, Value::Varint(1), out),
            "false" => put(field.number, Value::Varint(0), out),
            _ => return Err(not_a("boolean", text, field, parse(text.as_bytes()))),
        },
        Kind::Message(_) | Kind::Map(_) => return Err(unexpected("string", field)),
        Kind::Double | Kind::Float if text == "Infinity" => return write_number(field, "inf", out),
        Kind::Double | Kind::Float if text == "-Infinity" => return write_number(field, "-inf", out),
        _ => {
            return match parse(text.as_bytes()) {
                Ok(Json::Number(_)) => write_number(field, text, out),
                other => Err(not_a("number", text, field, other)),
            };
        }
    }
    Ok(())
}

/// A string that holds something else than the number or boolean it should.
fn not_a(what: &str, text: &str, field: &Field, parsed: Result<Json, Error>) -> Error {
    let why = parsed.map_or_else(|error| error.to_string(), |_| "Unexpected JSON type parsed".to_owned());
    Error::Conversion(format!("Failed to parse '{text}' as a JSON {what} for field '{}': {why}", field.name))
}

/// Base64 as stout reads it: spaces between are skipped, and padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.split('=').next().unwrap_or_default();
    let mut digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != 0x0B).collect();
    if let Some(other) = digits.iter().find(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/')) {
        return Err(format!("Invalid character '{}'", char::from(*other)));
    }
    // One digit alone holds no byte.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    BASE64.decode(digits).map_err(|error| error.to_string())
}

fn write_enum(field: &Field, index: u16, text: &str, names: Names, out: &mut Vec<u8>) -> Result<(), Error> {
    let table = schema::enumeration(index);
    let known = table.values.iter().find(|(name, _)| match names {
        Names::V0 => names::v0_value(name) == text,
        _ => *name == text && !names::is_v0_only_value(table.name, name),
    });
    match known {
        Some((_, number)) => put(field.number, Value::Varint(i64::from(*number) as u64), out),
        None if field.label == Label::Required => {
            return Err(Error::Conversion(format!("Failed to find enum for '{text}'")));
        }
        None => {}
    }
    Ok(())
}

/// Converts as a C cast does: a fraction is cut off, a 32-bit field takes the low bits of a 64-bit number.
fn write_number(field: &Field, text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    let integer = || -> u64 {
        if let Ok(value) = text.parse::<i64>() {
            return value as u64;
        }
        if let Ok(value) = text.parse::<u64>() {
            return value;
        }
        match text.parse::<f64>() {
            Ok(value) if value < 0.0 => value as i64 as u64,
            Ok(value) => value as u64,
            Err(_) => 0,
        }
    };
    let value = match field.kind {
        Kind::Double => Value::Fixed64(text.parse().unwrap_or(0.0f64).to_bits()),
        Kind::Float => Value::Fixed32(text.parse().unwrap_or(0.0f32).to_bits()),
        Kind::Int32 => Value::Varint(i64::from(integer() as i32) as u64),
        Kind::Uint32 => Value::Varint(u64::from(integer() as u32)),
        Kind::Int64 | Kind::Uint64 => Value::Varint(integer()),
        _ => return Err(unexpected("number", field)),
    };
    put(field.number, value, out);
    Ok(())
}
