//! Request line and headers.

use super::body::Framing;
use super::{Error, HEAD_BYTES_MAX, HEADERS_MAX, Head, Limits, Payload, Pending, Subject};
use crate::{message, query};
use bytes::{Buf, Bytes, BytesMut};
use std::mem::MaybeUninit;

/// The methods of libprocess' parser; another one makes a request undecodable.
const METHODS: &[&str] = &[
    "POST",
    "GET",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "COPY",
    "LOCK",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "SEARCH",
    "UNLOCK",
    "BIND",
    "REBIND",
    "UNBIND",
    "ACL",
    "REPORT",
    "MKACTIVITY",
    "CHECKOUT",
    "MERGE",
    "M-SEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "PURGE",
    "MKCALENDAR",
    "LINK",
    "UNLINK",
];

/// Takes a whole head off the buffer.
pub(super) fn take(buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Pending>, Error> {
    if buffer.is_empty() {
        return Ok(None);
    }
    let mut space = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let (length, pending) = match request.parse_with_uninit_headers(buffer, &mut space) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => (length, read(&request, limits)?),
        Ok(httparse::Status::Partial) if buffer.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Error::HeadTooLarge),
        Err(_) => return Err(Error::Malformed("request line or header")),
    };
    buffer.advance(length);
    Ok(Some(pending))
}

fn read(request: &httparse::Request<'_, '_>, limits: &Limits) -> Result<Pending, Error> {
    let method = request.method.unwrap_or_default();
    if !METHODS.contains(&method) {
        return Err(Error::Malformed("method"));
    }
    let (path, query) = split_target(request.path.unwrap_or_default())?;
    let known = Known::read(request.headers)?;
    let is_message = message::is_message(method, known.user_agent.as_deref(), known.libprocess_from.as_deref());
    let subject = if is_message {
        let (user_agent, from) = (known.user_agent.as_deref(), known.libprocess_from.as_deref());
        Subject::Message(message::envelope(path, user_agent, from))
    } else {
        Subject::Request(Head {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: request.headers.iter().map(owned).collect(),
        })
    };
    let http_1_1 = request.version == Some(1);
    let keep_alive = if http_1_1 { !known.close } else { known.keep_alive };
    Ok(Pending {
        subject,
        payload: Payload { body: Bytes::new(), gzip: known.gzip, keep_alive, chunked_answer: http_1_1 },
        framing: known.framing()?,
        collected: BytesMut::new(),
        limit: if is_message { limits.message_body } else { limits.request_body },
        expects_continue: http_1_1 && known.expects_continue,
    })
}

/// Path and query of a request target: an origin (`/a?b`) or a whole URL; a fragment is dropped.
fn split_target(target: &str) -> Result<(&str, &str), Error> {
    let local = match target.as_bytes().first() {
        Some(b'/' | b'*') => target,
        _ => {
            let (_, rest) = target.split_once("://").ok_or(Error::Malformed("target"))?;
            rest.find(['/', '?', '#']).map_or("", |at| &rest[at..])
        }
    };
    let local = local.split_once('#').map_or(local, |(before, _)| before);
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    query::decode(query).map_err(|_| Error::Malformed("query"))?;
    Ok((path, query))
}

fn owned(header: &httparse::Header<'_>) -> (String, String) {
    (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned())
}

/// The headers this layer itself acts upon.
#[derive(Default)]
struct Known<'a> {
    user_agent: Option<std::borrow::Cow<'a, str>>,
    libprocess_from: Option<std::borrow::Cow<'a, str>>,
    content_length: Option<usize>,
    chunked: bool,
    gzip: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

impl<'a> Known<'a> {
    fn read(headers: &[httparse::Header<'a>]) -> Result<Known<'a>, Error> {
        let mut known = Known::default();
        for header in headers {
            known.note(header)?;
        }
        Ok(known)
    }

    fn note(&mut self, header: &httparse::Header<'a>) -> Result<(), Error> {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let text = || String::from_utf8_lossy(header.value);
        // The length of a name is tried first: most headers are none of these.
        match header.name.len() {
            10 if is("user-agent") => self.user_agent = Some(text()),
            15 if is("libprocess-from") => self.libprocess_from = Some(text()),
            10 if is("connection") => {
                self.close |= has_token(header.value, "close");
                self.keep_alive |= has_token(header.value, "keep-alive");
            }
            17 if is("transfer-encoding") => self.chunked |= has_token(header.value, "chunked"),
            16 if is("content-encoding") => self.gzip = header.value == b"gzip",
            6 if is("expect") => self.expects_continue = has_token(header.value, "100-continue"),
            14 if is("content-length") => {
                let length = decimal(header.value).ok_or(Error::Malformed("content length"))?;
                if self.content_length.replace(length).is_some_and(|before| before != length) {
                    return Err(Error::Malformed("two content lengths"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn framing(&self) -> Result<Framing, Error> {
        match (self.chunked, self.content_length) {
            (true, Some(_)) => Err(Error::Malformed("both chunked and with a content length")),
            (true, None) => Ok(Framing::ChunkSize),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

fn has_token(value: &[u8], token: &str) -> bool {
    value.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

fn decimal(value: &[u8]) -> Option<usize> {
    // Not `parse` alone: that would take a sign.
    let digits = value.trim_ascii();
    digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}
