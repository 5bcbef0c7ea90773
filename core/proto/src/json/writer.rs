//! Writes JSON text the way stout's `jsonify` does: compact, keys in the order they are written.

use super::{Names, write_message};
use buffa::{Message, MessageName};

/// A JSON text under construction. Keys, elements and commas: call [`Writer::key`] before each value of an object;
/// commas come by themselves. Unbalanced `begin`/`end` calls are a fault of the caller and give invalid JSON.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
}

impl Writer {
    /// An empty text.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// The text.
    pub fn finish(self) -> String {
        self.out
    }

    /// How long the text is by now, in bytes.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    fn separate(&mut self) {
        if !matches!(self.out.as_bytes().last(), None | Some(b'{' | b'[' | b':' | b'(')) {
            self.out.push(',');
        }
    }

    /// `{`
    pub fn begin_object(&mut self) {
        self.separate();
        self.out.push('{');
    }

    /// `}`
    pub fn end_object(&mut self) {
        self.out.push('}');
    }

    /// `[`
    pub fn begin_array(&mut self) {
        self.separate();
        self.out.push('[');
    }

    /// `]`
    pub fn end_array(&mut self) {
        self.out.push(']');
    }

    /// The name of the next value.
    pub fn key(&mut self, name: &str) {
        self.string(name);
        self.out.push(':');
    }

    /// A string, escaped as Mesos escapes it: `/` and non-ASCII stay as they are.
    pub fn string(&mut self, text: &str) {
        self.separate();
        self.out.push('"');
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
            self.out.push_str(&rest[..at]);
            self.escape(rest.as_bytes()[at]);
            rest = &rest[at + 1..];
        }
        self.out.push_str(rest);
        self.out.push('"');
    }

    fn escape(&mut self, byte: u8) {
        match byte {
            b'"' => self.out.push_str("\\\""),
            b'\\' => self.out.push_str("\\\\"),
            0x08 => self.out.push_str("\\b"),
            0x0C => self.out.push_str("\\f"),
            b'\n' => self.out.push_str("\\n"),
            b'\r' => self.out.push_str("\\r"),
            b'\t' => self.out.push_str("\\t"),
            other => self.out.push_str(&format!("\\u{other:04X}")),
        }
    }

    /// A double: the shortest digits that read back the same, always with a fraction or an exponent.
    pub fn double(&mut self, value: f64) {
        self.separate();
        let text = match value {
            v if v.is_nan() => "\"NaN\"".to_owned(),
            f64::INFINITY => "\"Infinity\"".to_owned(),
            f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
            v if v == 0.0 || (1e-6..1e21).contains(&v.abs()) => {
                let text = format!("{v}");
                if text.contains('.') { text } else { text + ".0" }
            }
            v => format!("{v:e}"),
        };
        self.out.push_str(&text);
    }

    /// An unsigned integer, also beyond 2^53.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_string());
    }

    /// A signed integer.
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_string());
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// A complete JSON value made elsewhere (a cached fragment, a default).
    pub fn raw(&mut self, json: &str) {
        self.separate();
        self.out.push_str(json);
    }

    /// A message.
    pub fn message<M: Message + MessageName>(&mut self, message: &M, names: Names) {
        write_message(self, message, names);
    }

    /// `key` and a string.
    pub fn field_string(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    /// `key` and a double.
    pub fn field_double(&mut self, key: &str, value: f64) {
        self.key(key);
        self.double(value);
    }

    /// `key` and a boolean.
    pub fn field_bool(&mut self, key: &str, value: bool) {
        self.key(key);
        self.bool(value);
    }

    /// `key` and a message.
    pub fn field_message<M: Message + MessageName>(&mut self, key: &str, value: &M, names: Names) {
        self.key(key);
        self.message(value, names);
    }

    /// `key` and an array, one call of `each` per item.
    pub fn field_array<T>(&mut self, key: &str, items: impl IntoIterator<Item = T>, each: impl FnMut(&mut Self, T)) {
        self.key(key);
        self.array(items, each);
    }

    /// An array, one call of `each` per item.
    pub fn array<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.begin_array();
        for item in items {
            each(self, item);
        }
        self.end_array();
    }

    /// An object whose fields `fill` writes.
    pub fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.begin_object();
        fill(self);
        self.end_object();
    }

    /// `key` and an object whose fields `fill` writes.
    pub fn field_object(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        self.key(key);
        self.object(fill);
    }
}
