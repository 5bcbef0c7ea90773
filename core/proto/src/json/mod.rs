//! The JSON dialect of Mesos, driven by the schema tables over the binary form.
//!
//! It is not canonical protobuf JSON: proto field names, 64-bit integers as numbers, enum names, base64 bytes, doubles
//! always with a fraction, singular fields printed when set *or* when they have an explicit default (and are not
//! deprecated). Source: stout `protobuf.hpp`, `jsonify.hpp`, `json.hpp`.

mod read;
mod write;
mod writer;

pub use read::{Error, MAX_DEPTH, from_slice, from_value, parse};
pub use writer::{Writer, sorted};

use crate::schema;
use buffa::{Message, MessageName};

/// Which names and which fields a peer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// V0: slave; registry, ZooKeeper, flag files.
    V0,
    /// V0 names, and only the fields that are set: what is read back is the same message.
    V0AsSet,
    /// V1: agent; what V1 does not have is left out.
    V1,
    /// V1 names, but with what only V0 has: the hand-written views of the master (`agent_info.checkpoint`).
    V1AndV0Fields,
}

/// A message as JSON text, without spaces.
pub fn to_string<M: Message + MessageName>(message: &M, names: Names) -> String {
    let mut writer = Writer::new();
    writer.message(message, names);
    writer.finish()
}

pub(crate) fn write_message<M: Message + MessageName>(writer: &mut Writer, message: &M, names: Names) {
    write::message(writer, schema::of::<M>(), &message.encode_to_vec(), names);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesos::{self, CommandInfo, MasterInfo, TaskStatus, quota, scheduler};

    fn round<M: Message + MessageName + PartialEq + std::fmt::Debug>(text: &str) -> M {
        let message: M = from_slice(text.as_bytes(), Names::V1).unwrap();
        assert_eq!(to_string(&message, Names::V1), text);
        message
    }

    #[test]
    fn a_status_reads_and_prints_as_mesos_prints_it() {
        let text = concat!(
            r#"{"task_id":{"value":"a\"\\\n\u001Fé/"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","#,
            r#""data":"aGVsbG8=","agent_id":{"value":"S0"},"timestamp":1795308590.0,"uuid":"0f0Y9ja8RUaPn/KWugtTXw==","#,
            r#""healthy":true,"labels":{"labels":[{"key":"k","value":"v"},{"key":"l"}]}}"#
        );
        let status: TaskStatus = round(text);
        assert_eq!(status.uuid.as_deref().map(<[u8]>::len), Some(16));
        assert!(to_string(&status, Names::V0).contains(r#""slave_id":{"value":"S0"}"#));
    }

    /// Escaped one character after the other.
    fn plainly(text: &str) -> String {
        let escaped = text.chars().map(|character| match character {
            '"' | '\\' => format!("\\{character}"),
            '\u{8}' => "\\b".to_owned(),
            '\u{c}' => "\\f".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            control if control < ' ' => format!("\\u{:04X}", u32::from(control)),
            other => other.to_string(),
        });
        format!("\"{}\"", escaped.collect::<String>())
    }

    #[test]
    fn a_character_is_escaped_wherever_it_stands() {
        for length in 0..20 {
            for (at, character) in (0..=length).flat_map(|at| (0..=0x101).map(move |code| (at, code))) {
                let mut text = "é".repeat(length / 3) + &"x".repeat(length - length / 3);
                let places: Vec<_> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
                text.insert(places[at], char::from_u32(character).unwrap());
                let (mut string, mut display) = (Writer::new(), Writer::new());
                string.string(&text);
                display.display(&text);
                assert_eq!((string.finish(), display.finish()), (plainly(&text), plainly(&text)));
            }
        }
    }

    #[test]
    fn numbers_are_those_of_the_formatter() {
        for value in [0, 1, 9, 10, 4_294_967_296, i64::MAX, -1, i64::MIN] {
            let mut writer = Writer::new();
            writer.i64(value);
            writer.u64(value as u64);
            writer.double((value / 1024) as f64);
            assert_eq!(writer.finish(), format!("{value},{},{:?}", value as u64, (value / 1024) as f64));
        }
        let mut writer = Writer::new();
        writer.double(-0.0);
        writer.double(0.0);
        assert_eq!(writer.finish(), "-0.0,0.0");
    }

    #[test]
    fn a_value_is_written_again() {
        let mut writer = Writer::new();
        writer.begin_object();
        writer.key("a");
        let start = writer.len();
        writer.array([1, 2], Writer::u64);
        let value = start..writer.len();
        writer.key("b");
        writer.again(value);
        writer.end_object();
        assert_eq!(writer.finish(), r#"{"a":[1,2],"b":[1,2]}"#);
    }

    #[test]
    fn explicit_defaults_are_printed_deprecated_ones_only_when_set() {
        assert_eq!(to_string(&CommandInfo::default(), Names::V1), r#"{"shell":true}"#);
        let text = to_string(&mesos::FrameworkInfo::default(), Names::V1);
        assert_eq!(text, r#"{"user":"","name":"","failover_timeout":0.0,"checkpoint":false}"#);
        assert_eq!(to_string(&mesos::AgentInfo::default(), Names::V1), r#"{"hostname":"","port":5051}"#);
        assert_eq!(
            to_string(&mesos::AgentInfo::default(), Names::V1AndV0Fields),
            r#"{"hostname":"","port":5051,"checkpoint":false}"#
        );
        assert_eq!(to_string(&quota::QuotaRequest::default(), Names::V1), "{}");
        assert_eq!(to_string(&quota::QuotaRequest::default(), Names::V0), r#"{"force":false}"#);
    }

    #[test]
    fn a_capability_that_v1_lacks_is_an_empty_object() {
        use mesos::master_info::{Capability, capability::Type};
        let of = |r#type| Capability { r#type: Some(r#type), ..Default::default() };
        let info = MasterInfo { capabilities: vec![of(Type::AGENT_UPDATE), of(Type::QUOTA_V2)], ..Default::default() };
        assert!(to_string(&info, Names::V1).ends_with(r#""capabilities":[{"type":"AGENT_UPDATE"},{}]}"#));
        assert!(to_string(&info, Names::V0).contains(r#"{"type":"QUOTA_V2"}"#));
    }

    #[test]
    fn keys_can_be_sorted() {
        let text = r#"{"timestamp":1.0,"cpus_limit":0.10,"mem_rss_bytes":18446744073709551615}"#;
        let statistics: mesos::ResourceStatistics = from_slice(text.as_bytes(), Names::V0).unwrap();
        let expected = r#"{"cpus_limit":0.1,"mem_rss_bytes":18446744073709551615,"timestamp":1.0}"#;
        assert_eq!(sorted(&statistics, Names::V0), expected);
    }

    #[test]
    fn maps_are_objects() {
        let text = concat!(
            r#"{"user":"u","name":"n","failover_timeout":0.0,"checkpoint":false,"offer_filters":{"a":"#,
            r#"{"min_allocatable_resources":{"quantities":[{"quantities":{"cpus":{"value":1.0}}}]}},"b":{}}}"#
        );
        round::<mesos::FrameworkInfo>(text);
    }

    #[test]
    fn numbers_follow_grisu_rules() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (1e20, "100000000000000000000.0"),
            (1e21, "1e21"),
            (1.5e300, "1.5e300"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            let mut writer = Writer::new();
            writer.double(value);
            assert_eq!(writer.finish(), text);
        }
    }

    #[test]
    fn input_is_lenient_where_mesos_is() {
        let scalar = |text: &str| from_slice::<mesos::Value>(text.as_bytes(), Names::V1);
        let value = scalar(r#"{"type":"SCALAR","scalar":{"value":"2.5"},"nonsense":[1],"text":null}"#).unwrap();
        assert_eq!(value.scalar.value, 2.5);
        let set = scalar(r#"{"type":"SET","set":{"item":"alone"}}"#).unwrap();
        assert_eq!(set.set.item, ["alone"], "a single value stands for a list of one");
        let call: scheduler::Call = from_slice(br#"{"type":"NOT_YET_INVENTED"}"#, Names::V1).unwrap();
        assert_eq!(call.r#type, None);
        assert_eq!(scalar(r#"{"type":"SCALAR","scalar":{"value":"Infinity"}}"#).unwrap().scalar.value, f64::INFINITY);
    }

    #[test]
    fn input_errors_have_the_text_of_mesos() {
        let text = |json: &str| from_slice::<mesos::Value>(json.as_bytes(), Names::V1).unwrap_err().to_string();
        assert_eq!(text(r#"{"type":1}"#), "Not expecting a JSON number for field 'type'");
        assert_eq!(text(r#"{"type":"X"}"#), "Failed to find enum for 'X'");
        assert_eq!(text(r#"{"type":["SCALAR"]}"#), "Not expecting a JSON array for field 'type'");
        assert_eq!(text(r#"{"scalar":true}"#), "Not expecting a JSON boolean for field 'scalar'");
        assert_eq!(text(r#"{"text":{"value":{}}}"#), "Not expecting a JSON object for field 'value'");
        assert_eq!(text(r#"{"scalar":{}}"#), "Missing required fields: type, scalar.value");
        assert_eq!(text("[]"), "Expecting a JSON object");
        assert!(matches!(from_slice::<mesos::Value>(b"{", Names::V1), Err(Error::Syntax { line: 1, .. })));
        assert_eq!(text(r#"{"x":[{"y":-1e400}]}"#), "Value out of range");
        assert_eq!(text("nonsense"), "syntax error at line 1 near: onsense");
        assert_eq!(text("{\"type\":"), "syntax error at line 1 near: ");
        assert_eq!(text("{} and more \n"), "Parsed JSON included non-whitespace trailing characters:  and more");
        let number = "Failed to parse 'long' as a JSON number for field 'value': syntax error at line 1 near: long";
        assert_eq!(text(r#"{"scalar":{"value":"long"}}"#), number);
        let number = "Failed to parse '{}' as a JSON number for field 'value': Unexpected JSON type parsed";
        assert_eq!(text(r#"{"scalar":{"value":"{}"}}"#), number);
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(from_slice::<mesos::Value>(deep.as_bytes(), Names::V1).is_err());
    }

    #[test]
    fn base64_is_read_as_stout_reads_it() {
        let data = |text: &str| {
            let json = format!(r#"{{"task_id":{{"value":"t"}},"state":"TASK_RUNNING","data":"{text}"}}"#);
            from_slice::<TaskStatus>(json.as_bytes(), Names::V1).map(|status| status.data.unwrap_or_default().to_vec())
        };
        for text in ["aGVsbG8=", "aGVsbG8", "aGVs bG8=", "aGVsbG8=ignored", "aGVsbG9="] {
            assert_eq!(data(text).unwrap(), b"hello", "{text}");
        }
        assert_eq!(data("a").unwrap(), b"");
        let error = data("aG?s").unwrap_err().to_string();
        assert_eq!(error, "Failed to base64 decode bytes field 'data': Invalid character '?'");
    }

    #[test]
    fn fields_that_v1_lacks_are_unknown_to_it() {
        let text = br#"{"framework_info":{"user":"u","name":"n"},"force":true}"#;
        let subscribe: scheduler::call::Subscribe = from_slice(text, Names::V1).unwrap();
        assert_eq!(subscribe.force, None);
        let subscribe: scheduler::call::Subscribe = from_slice(text, Names::V0).unwrap();
        assert_eq!(subscribe.force, Some(true));
    }
}
