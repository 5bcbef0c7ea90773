//! JSON as it was written: keys in their order, numbers as the text they were.
//!
//! A parser that makes values would hide what clients of Mesos see: that `1.0` is not `1`, and which key comes first.

use std::fmt;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Json {
    /// A number, `true`, `false` or `null`, as its text.
    Token(String),
    /// A string, as the text between its quotes, escapes and all.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object; keys may repeat, and then both are here.
    Object(Vec<(String, Json)>),
}

/// Deeper than any answer; the parser is recursive.
const MAX_DEPTH: usize = 100;

/// Reads one value that is the whole text.
pub fn parse(text: &str) -> Option<Json> {
    let mut rest = text.trim();
    let value = value(&mut rest, 0)?;
    rest.trim().is_empty().then_some(value)
}

fn value(rest: &mut &str, depth: usize) -> Option<Json> {
    if depth > MAX_DEPTH {
        return None;
    }
    match rest.chars().next()? {
        '{' => {
            let mut entries = Vec::new();
            list(rest, '}', |rest| {
                let name = text(rest)?;
                skip(rest, ':')?;
                entries.push((name, value(rest, depth + 1)?));
                Some(())
            })?;
            Some(Json::Object(entries))
        }
        '[' => {
            let mut entries = Vec::new();
            list(rest, ']', |rest| {
                entries.push(value(rest, depth + 1)?);
                Some(())
            })?;
            Some(Json::Array(entries))
        }
        '"' => text(rest).map(Json::Text),
        _ => {
            let end = rest.find([',', '}', ']', ' ', '\n']).unwrap_or(rest.len());
            let token = &rest[..end];
            *rest = &rest[end..];
            (!token.is_empty()).then(|| Json::Token(token.to_owned()))
        }
    }
}

/// Reads entries and the commas between them, from the opening bracket to the closing one.
fn list(rest: &mut &str, close: char, mut entry: impl FnMut(&mut &str) -> Option<()>) -> Option<()> {
    *rest = rest[1..].trim_start();
    if skip(rest, close).is_some() {
        return Some(());
    }
    loop {
        entry(rest)?;
        if skip(rest, ',').is_none() {
            return skip(rest, close);
        }
    }
}

fn skip(rest: &mut &str, wanted: char) -> Option<()> {
    *rest = rest.trim_start().strip_prefix(wanted)?.trim_start();
    Some(())
}

fn text(rest: &mut &str) -> Option<String> {
    let inside = rest.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.find(|c| {
        let end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        end
    })?;
    *rest = &inside[end + 1..];
    Some(inside[..end].to_owned())
}

impl Json {
    /// The value of a key of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Json> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of an array; of anything else, none.
    pub fn entries(&self) -> &[Json] {
        match self {
            Json::Array(entries) => entries,
            _ => &[],
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Token(token) => f.write_str(token),
            Json::Text(text) => write!(f, "\"{text}\""),
            Json::Array(entries) => {
                f.write_str("[")?;
                for (place, entry) in entries.iter().enumerate() {
                    write!(f, "{}{entry}", if place > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Json::Object(entries) => {
                f.write_str("{")?;
                for (place, (name, value)) in entries.iter().enumerate() {
                    write!(f, "{}\"{name}\":{value}", if place > 0 { "," } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_prints_the_same() {
        let text = r#"{"b":1.0,"a":[1,2.50,"x\"y\\",{}],"c":null,"b":true,"e":[]}"#;
        assert_eq!(parse(text).unwrap().to_string(), text);
        assert_eq!(parse("[ 1 , 2 ]").unwrap().to_string(), "[1,2]");
    }

    #[test]
    fn what_is_not_json_is_none() {
        for text in ["", "{", "[1", "{\"a\"}", "[1]x", "\"x", &"[".repeat(1000)] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
