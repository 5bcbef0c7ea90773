//! One fuzz body per parser: they run on any bytes and must neither panic nor break what they check. The suite runs
//! them on bounded random input (`tests/fuzz.rs`), cargo-fuzz can run them long.

use crate::decode::{Decoded, Decoder, Limits};
use crate::message::{self, Message};
use crate::{Upid, accept, percent, query, route};
use bytes::Bytes;
use std::net::Ipv4Addr;

/// Addresses: what is read is written so that it is read again.
pub fn fuzz_upid(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(upid) = Upid::parse(&text) {
        assert_eq!(Upid::parse(&upid.to_string()), Some(upid));
    }
}

/// Queries and percent encoding.
pub fn fuzz_query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(pairs) = query::decode(&text) {
        let again = query::encode(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        // An empty key with an empty value leaves no trace in the text.
        let kept = pairs.into_iter().filter(|(key, value)| !(key.is_empty() && value.is_empty())).collect();
        assert_eq!(query::decode(&again), Ok(kept));
    }
    assert_eq!(percent::decode(&percent::encode(&text)).as_deref(), Ok(&*text));
    accept::accepts_media_type(&text, "application/json");
    accept::accepts_encoding(Some(&text), "gzip");
}

/// Paths: what is routed stays below the root and goes to a known process.
pub fn fuzz_path(data: &[u8]) {
    let path = String::from_utf8_lossy(data);
    let known = |id: &str| matches!(id, "master" | "files");
    if let route::Route::To { id, path } = route::route(&path, Some("master"), known) {
        assert!(known(&id) && path.starts_with('/') && !path.contains("/.."));
    }
    route::below(&path, "/files");
}

/// Connections: the same requests come out whether the bytes come at once or in two pieces.
pub fn fuzz_decode(data: &[u8]) {
    let cut = data.first().map_or(0, |byte| usize::from(*byte).min(data.len()));
    assert_eq!(decode(&[data]), decode(&[&data[..cut], &data[cut..]]));
}

fn decode(pieces: &[&[u8]]) -> (Vec<Decoded>, bool) {
    let mut decoder = Decoder::new(Limits { message_body: 4096, request_body: 1024 });
    let mut out = Vec::new();
    for piece in pieces {
        decoder.buffer().extend_from_slice(piece);
        loop {
            match decoder.decode() {
                // Whether a client is told to go on depends on what has arrived.
                Ok(Some(Decoded::Continue)) => {}
                Ok(Some(decoded)) => out.push(decoded),
                Ok(None) => break,
                Err(_) => return (out, false),
            }
        }
    }
    (out, true)
}

/// Message recognition: what was encoded is recognised and read back; anything else is read without a panic.
pub fn fuzz_message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = message::envelope(&text, Some(&text), None);
    let (from, to) = (Upid::new("m", Ipv4Addr::LOCALHOST, 1), Upid::new("slave(1)", Ipv4Addr::LOCALHOST, 2));
    let sent = Message { from, to: to.clone(), name: "a.B".to_owned(), body: Bytes::copy_from_slice(data) };
    let (decoded, _) = decode(&[&sent.encode().concat()[..]]);
    match &decoded[..] {
        [Decoded::Message(Ok(envelope), payload)] => {
            assert_eq!(envelope.clone().with_body(to.address(), payload.body.clone()), sent);
        }
        [] => assert!(data.len() > 4096),
        other => panic!("{other:?}"),
    }
}
