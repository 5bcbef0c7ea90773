//! The few places where V1 bytes are not V0 bytes, handled where they come in and go out.
//!
//! * `scheduler.Call.Subscribe`: V0 has `force = 2`, `suppressed_roles = 3`, `offer_constraints = 4`; V1 has
//!   `suppressed_roles = 2`, `offer_constraints = 3`. Our type has the V0 numbers.
//! * `master.Call.DrainAgent.max_grace_period`: V1 has `google.protobuf.Duration`, V0 `DurationInfo`.

use crate::codec;
use crate::content_type::ContentType;
use crate::json::{self, Names};
use crate::mesos::{master, scheduler};
use crate::wire_format::{Malformed, Reader, Value, put};
use buffa::{Message, MessageName};
use bytes::Bytes;
use serde_json::Value as Json;

/// `scheduler.Call.subscribe`.
const SUBSCRIBE: u32 = 3;
/// `master.Call.drain_agent` and its `max_grace_period`.
const DRAIN_AGENT: u32 = 21;
const MAX_GRACE_PERIOD: u32 = 2;

/// Why a request body is not the call it should be. The texts are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The protobuf body does not parse, or lacks required fields.
    #[error("Failed to parse body into Call protobuf")]
    Protobuf,
    /// The body is not JSON.
    #[error("Failed to parse body into JSON: {0}")]
    Json(json::Error),
    /// The JSON is not a call.
    #[error("Failed to convert JSON into Call protobuf: {0}")]
    Conversion(json::Error),
}

/// Reads a call whose V1 and V0 bytes are the same (executor, agent).
pub fn decode_call<M: Message + MessageName>(form: ContentType, body: &[u8]) -> Result<M, Error> {
    match form {
        ContentType::Protobuf => codec::decode(body).map_err(|_| Error::Protobuf),
        ContentType::Json => from_json(&json::parse(body).map_err(Error::Json)?),
    }
}

/// Reads a V1 scheduler call.
pub fn decode_scheduler_call(form: ContentType, body: &[u8]) -> Result<scheduler::Call, Error> {
    match form {
        ContentType::Json => decode_call(form, body),
        ContentType::Protobuf => {
            let body = map_field(body, SUBSCRIBE, |inner| renumber(inner, subscribe_from_v1));
            codec::decode(&body.map_err(|_| Error::Protobuf)?).map_err(|_| Error::Protobuf)
        }
    }
}

/// Writes a V1 scheduler call, as a client sends it. `force` has no place in V1 and is left out.
pub fn encode_scheduler_call(form: ContentType, call: &scheduler::Call) -> Bytes {
    match form {
        ContentType::Json => form.encode(call),
        ContentType::Protobuf => {
            let body = map_field(&codec::encode(call), SUBSCRIBE, |inner| renumber(inner, subscribe_to_v1));
            Bytes::from(body.expect("what was just encoded is well-formed"))
        }
    }
}

/// Reads a V1 operator call to the master.
pub fn decode_master_call(form: ContentType, body: &[u8]) -> Result<master::Call, Error> {
    match form {
        ContentType::Json => {
            let mut value = json::parse(body).map_err(Error::Json)?;
            if let Some(grace) = value.pointer_mut("/drain_agent/max_grace_period") {
                json_duration_to_v0(grace);
            }
            from_json(&value)
        }
        ContentType::Protobuf => {
            let body = map_field(body, DRAIN_AGENT, |drain| map_field(drain, MAX_GRACE_PERIOD, duration_to_v0));
            codec::decode(&body.map_err(|_| Error::Protobuf)?).map_err(|_| Error::Protobuf)
        }
    }
}

fn from_json<M: Message + MessageName>(value: &Json) -> Result<M, Error> {
    json::from_value(value, Names::V1).map_err(Error::Conversion)
}

fn subscribe_from_v1(number: u32) -> Option<u32> {
    Some(match number {
        2 => 3,
        3 => 4,
        other => other,
    })
}

fn subscribe_to_v1(number: u32) -> Option<u32> {
    match number {
        2 => None,
        3 => Some(2),
        4 => Some(3),
        other => Some(other),
    }
}

/// Rewrites the message fields numbered `target`, leaving all others as they are.
fn map_field(
    bytes: &[u8],
    target: u32,
    change: impl Fn(&[u8]) -> Result<Vec<u8>, Malformed>,
) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let mut reader = Reader::new(bytes);
    while let Some((number, value)) = reader.next()? {
        match value {
            Value::Bytes(inner) if number == target => put(number, Value::Bytes(&change(inner)?), &mut out),
            value => put(number, value, &mut out),
        }
    }
    Ok(out)
}

fn renumber(bytes: &[u8], change: impl Fn(u32) -> Option<u32>) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut reader = Reader::new(bytes);
    while let Some((number, value)) = reader.next()? {
        if let Some(number) = change(number) {
            put(number, value, &mut out);
        }
    }
    Ok(out)
}

/// `Duration{seconds = 1, nanos = 2}` to `DurationInfo{nanoseconds = 1}`.
fn duration_to_v0(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    let mut reader = Reader::new(bytes);
    while let Some((number, value)) = reader.next()? {
        match (number, value) {
            (1, Value::Varint(v)) => seconds = v as i64,
            (2, Value::Varint(v)) => nanos = i64::from(v as i32),
            _ => {}
        }
    }
    let mut out = Vec::new();
    put(1, Value::Varint(total_nanos(seconds, nanos) as u64), &mut out);
    Ok(out)
}

fn json_duration_to_v0(grace: &mut Json) {
    let part = |name: &str| grace.get(name).and_then(Json::as_i64);
    if let (None, None) = (part("seconds"), part("nanos")) {
        return;
    }
    let total = total_nanos(part("seconds").unwrap_or(0), part("nanos").unwrap_or(0));
    *grace = serde_json::json!({ "nanoseconds": total });
}

fn total_nanos(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use buffa::MessageField;

    fn subscribe() -> scheduler::Call {
        let subscribe = scheduler::call::Subscribe {
            framework_info: MessageField::some(crate::mesos::FrameworkInfo {
                user: "u".into(),
                name: "n".into(),
                ..Default::default()
            }),
            suppressed_roles: vec!["a".into(), "b".into()],
            offer_constraints: MessageField::some(Default::default()),
            ..Default::default()
        };
        scheduler::Call {
            r#type: Some(scheduler::call::Type::SUBSCRIBE),
            subscribe: MessageField::some(subscribe),
            ..Default::default()
        }
    }

    #[test]
    fn subscribe_has_its_own_numbers_in_v1() {
        let bytes = encode_scheduler_call(ContentType::Protobuf, &subscribe());
        assert_eq!(decode_scheduler_call(ContentType::Protobuf, &bytes).unwrap(), subscribe());
        // Read as V0, the same bytes would put roles where the flag `force` is.
        assert!(
            codec::decode::<scheduler::Call>(&bytes).is_err()
                || codec::decode::<scheduler::Call>(&bytes) != Ok(subscribe())
        );
        // JSON names fields, so nothing is renumbered; explicit defaults come back as set.
        let text = encode_scheduler_call(ContentType::Json, &subscribe());
        let read = decode_scheduler_call(ContentType::Json, &text).unwrap();
        assert_eq!(read.subscribe.suppressed_roles, ["a", "b"]);
        assert!(read.subscribe.offer_constraints.is_set());
    }

    #[test]
    fn a_drain_grace_period_is_a_duration_in_v1() {
        let text = br#"{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"S0"},"max_grace_period":{"seconds":2,"nanos":5}}}"#;
        let call = decode_master_call(ContentType::Json, text).unwrap();
        assert_eq!(call.drain_agent.max_grace_period.nanoseconds, 2_000_000_005);
        // drain_agent{agent_id{value}, max_grace_period{seconds: 2, nanos: 5}}
        let mut grace = Vec::new();
        put(1, Value::Varint(2), &mut grace);
        put(2, Value::Varint(5), &mut grace);
        let mut drain = Vec::new();
        put(
            1,
            Value::Bytes(&codec::encode(&crate::mesos::AgentID { value: "S0".into(), ..Default::default() })),
            &mut drain,
        );
        put(2, Value::Bytes(&grace), &mut drain);
        let mut body = Vec::new();
        put(DRAIN_AGENT, Value::Bytes(&drain), &mut body);
        let call = decode_master_call(ContentType::Protobuf, &body).unwrap();
        assert_eq!(call.drain_agent.max_grace_period.nanoseconds, 2_000_000_005);
    }

    #[test]
    fn errors_have_the_text_of_mesos() {
        let text = |form, body: &[u8]| decode_scheduler_call(form, body).unwrap_err().to_string();
        assert_eq!(text(ContentType::Protobuf, b"\xff"), "Failed to parse body into Call protobuf");
        assert!(
            text(ContentType::Json, b"{").starts_with("Failed to parse body into JSON: syntax error at line 1 near: ")
        );
        assert_eq!(
            text(ContentType::Json, b"[]"),
            "Failed to convert JSON into Call protobuf: Expecting a JSON object"
        );
    }
}
