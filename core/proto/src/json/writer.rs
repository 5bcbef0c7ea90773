//! Writes JSON text the way stout's `jsonify` does: compact, keys in the order they are written.

use super::{Names, write_message};
use buffa::{Message, MessageName};
use std::fmt::{Display, Write};
use std::ops::Range;

/// Doubles below this are exact integers whose digits need no search for the shortest form.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

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

    /// An empty text with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer { out: String::with_capacity(bytes) }
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
        // Nearly every text has nothing to escape.
        if is_plain(text.as_bytes()) {
            self.out.push_str(text);
        } else {
            self.escaped(text);
        }
        self.out.push('"');
    }

    /// A string that is written as it is displayed, without a copy beside it.
    pub fn display(&mut self, value: &impl Display) {
        self.separate();
        self.out.push('"');
        let start = self.out.len();
        let _ = write!(self.out, "{value}");
        if !is_plain(&self.out.as_bytes()[start..]) {
            let text = self.out.split_off(start);
            self.escaped(&text);
        }
        self.out.push('"');
    }

    fn escaped(&mut self, mut rest: &str) {
        // Bytes of longer characters are all above those that are escaped, so no character is cut in two.
        while let Some(at) = rest.bytes().position(is_escaped) {
            self.out.push_str(&rest[..at]);
            self.escape(rest.as_bytes()[at]);
            rest = &rest[at + 1..];
        }
        self.out.push_str(rest);
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
        let out = &mut self.out;
        // Writing to a string cannot fail.
        let _ = match value {
            v if v.is_nan() => out.write_str("\"NaN\""),
            f64::INFINITY => out.write_str("\"Infinity\""),
            f64::NEG_INFINITY => out.write_str("\"-Infinity\""),
            v if v == 0.0 && v.is_sign_positive() => out.write_str("0.0"),
            v if v.fract() == 0.0 && v.abs() < EXACT_INTEGERS && v != 0.0 => {
                out.push_str(itoa::Buffer::new().format(v as i64));
                out.write_str(".0")
            }
            v if v == 0.0 || (1e-6..1e21).contains(&v.abs()) => {
                let fraction = if v.fract() == 0.0 { ".0" } else { "" };
                write!(out, "{v}{fraction}")
            }
            v => write!(out, "{v:e}"),
        };
    }

    /// An unsigned integer, also beyond 2^53.
    pub fn u64(&mut self, value: u64) {
        self.separate();
        self.out.push_str(itoa::Buffer::new().format(value));
    }

    /// A signed integer.
    pub fn i64(&mut self, value: i64) {
        self.separate();
        self.out.push_str(itoa::Buffer::new().format(value));
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// A complete JSON value, or some complete fields of an object, made elsewhere (a cached fragment, a default).
    pub fn raw(&mut self, json: &str) {
        self.separate();
        self.out.push_str(json);
    }

    /// Once more the complete value that was written at these bytes ([`Writer::len`] before and after it).
    pub fn again(&mut self, written: Range<usize>) {
        self.separate();
        self.out.extend_from_within(written);
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

    /// `key` and a string that is written as it is displayed.
    pub fn field_display(&mut self, key: &str, value: &impl Display) {
        self.key(key);
        self.display(value);
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

    /// `key` and a message with the keys of all objects sorted, as what stout first makes a `JSON::Object` of.
    pub fn field_sorted<M: Message + MessageName>(&mut self, key: &str, value: &M, names: Names) {
        self.key(key);
        self.raw(&sorted(value, names));
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

fn is_escaped(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < b' '
}

/// Whether no byte of a text is escaped: eight at a time, the last eight perhaps twice.
fn is_plain(text: &[u8]) -> bool {
    let mut chunks = text.chunks_exact(WORD);
    if !chunks.all(|chunk| is_plain_word(word(chunk))) {
        return false;
    }
    match text.last_chunk::<WORD>() {
        Some(last) => is_plain_word(u64::from_ne_bytes(*last)),
        None => !text.iter().copied().any(is_escaped),
    }
}

const WORD: usize = 8;

fn word(chunk: &[u8]) -> u64 {
    chunk.try_into().map_or(0, u64::from_ne_bytes)
}

/// [`is_escaped`] of none of eight bytes. In each byte the highest bit tells, as in "Bit Twiddling Hacks" (hasless):
/// `x - n` borrows where a byte is below `n`; a byte whose own highest bit is set is none of these characters.
fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |x: u64, n: u8| x.wrapping_sub(ONES * u64::from(n)) & !x;
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    (below(word, b' ') | below(quote, 1) | below(backslash, 1)) & HIGH == 0
}

/// A message as JSON text with sorted keys. Numbers keep their digits.
pub fn sorted<M: Message + MessageName>(message: &M, names: Names) -> String {
    let text = super::to_string(message, names);
    // What was just written can be read; and serde's maps are sorted.
    super::parse(text.as_bytes()).map_or(text, |value| value.to_string())
}
