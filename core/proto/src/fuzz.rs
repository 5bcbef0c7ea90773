//! One fuzz body per parser: any bytes may come, nothing may panic, and what is accepted must read back the same.

use crate::json::{self, Names};
use crate::mesos::{internal, scheduler};
use crate::{codec, content_type::ContentType, recordio, v1};

/// Binary messages of peers.
pub fn fuzz_codec(data: &[u8]) {
    if let Ok(message) = codec::decode::<internal::ReregisterAgentMessage>(data) {
        let again = codec::decode(&codec::encode(&message)).expect("what we encode we can read");
        assert!(message == again || has_nan(&message));
    }
    let _ = codec::decode::<internal::StatusUpdateMessage>(data);
    let _ = v1::decode_scheduler_call(ContentType::Protobuf, data);
    let _ = v1::decode_master_call(ContentType::Protobuf, data);
}

/// A NaN is not equal to itself; such a message cannot be compared.
fn has_nan(message: &internal::ReregisterAgentMessage) -> bool {
    json::to_string(message, Names::V0).contains("\"NaN\"")
}

/// JSON of HTTP clients.
pub fn fuzz_json(data: &[u8]) {
    if let Ok(call) = v1::decode_scheduler_call(ContentType::Json, data) {
        let text = json::to_string(&call, Names::V1);
        let again = v1::decode_scheduler_call(ContentType::Json, text.as_bytes()).expect("what we print we can read");
        assert_eq!(json::to_string(&again, Names::V1), text);
    }
    let _ = json::from_slice::<scheduler::Event>(data, Names::V1);
    let _ = v1::decode_master_call(ContentType::Json, data);
}

/// Streams of records, in whatever chunks.
pub fn fuzz_recordio(data: &[u8]) {
    let mut decoder = recordio::Decoder::new(1 << 16);
    for chunk in data.chunks(7) {
        decoder.push(chunk);
        while let Ok(Some(_)) = decoder.next_record() {}
    }
}
