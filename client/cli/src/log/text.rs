//! A position as protobuf's text format prints it (`DebugString`).

use std::fmt::Write;
use tepui_proto::mesos::internal::log::{Action, action::Type};

/// A line for each field, in the order of their numbers.
pub fn action(action: &Action) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name}: {value}");
    };
    line("position", &action.position);
    line("promised", &action.promised);
    if let Some(performed) = action.performed {
        line("performed", &performed);
    }
    if let Some(learned) = action.learned {
        line("learned", &learned);
    }
    if let Some(r#type) = action.r#type {
        let name = match r#type {
            Type::NOP => "NOP",
            Type::APPEND => "APPEND",
            Type::TRUNCATE => "TRUNCATE",
        };
        line("type", &name);
    }
    let mut block = |name: &str, field: Option<String>| {
        let _ = writeln!(out, "{name} {{");
        if let Some(field) = field {
            let _ = writeln!(out, "  {field}");
        }
        out.push_str("}\n");
    };
    if let Some(nop) = action.nop.as_option() {
        block("nop", nop.tombstone.map(|tombstone| format!("tombstone: {tombstone}")));
    }
    if let Some(append) = action.append.as_option() {
        block("append", Some(format!("bytes: \"{}\"", escaped(&append.bytes))));
    }
    if let Some(truncate) = action.truncate.as_option() {
        block("truncate", Some(format!("to: {}", truncate.to)));
    }
    out
}

/// Bytes as in C: what is not printable ASCII in three octal digits.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'"' | b'\'' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            0x20..0x7f => out.push(char::from(*byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use tepui_log::{Action, Value};

    #[test]
    fn a_position_looks_as_protobuf_prints_it() {
        let value = Value::Append(bytes::Bytes::from_static(b"a\"b\n\x01\xff'\\"));
        let text = super::action(&Action::of(7, 2, value, true).to_proto());
        let want = "position: 7\npromised: 2\nperformed: 2\nlearned: true\ntype: APPEND\n\
                    append {\n  bytes: \"a\\\"b\\n\\001\\377\\'\\\\\"\n}\n";
        assert_eq!(text, want);
        let text = super::action(&Action::of(7, 2, Value::Nop { tombstone: false }, false).to_proto());
        assert!(text.ends_with("type: NOP\nnop {\n}\n"), "{text}");
    }
}
