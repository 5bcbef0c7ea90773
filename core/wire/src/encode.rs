//! Responses to bytes (libprocess `encoder.hpp`, `http_proxy.cpp`).

use crate::accept::accepts_encoding;
use crate::status;
use std::fmt::Write;

/// Bodies from this length on are worth compressing (libprocess `GZIP_MINIMUM_BODY_LENGTH`).
pub const GZIP_BODY_MIN: usize = 1024;

/// Whether a complete body is to be compressed: it is long enough, has no encoding yet, and the client takes gzip.
/// Streams and files never are.
pub fn wants_gzip(body_length: usize, has_encoding: bool, accept_encoding: Option<&str>) -> bool {
    body_length >= GZIP_BODY_MIN && !has_encoding && accepts_encoding(accept_encoding, "gzip")
}

/// How the body after a head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// By the end of the connection: for a stream to a client of HTTP/1.0.
    UntilClose,
}

/// Status line and headers with the empty line after them. `date` is the text of [`crate::date`].
pub fn head<'a>(
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    date: &str,
    framing: Framing,
) -> String {
    let mut head = String::with_capacity(256);
    // Writing to a string cannot fail.
    let _ = write!(head, "HTTP/1.1 {}\r\nDate: {date}\r\n", status::line(status));
    for (name, value) in headers {
        // A line break in a value would end the header early; it can come from what a peer sent.
        let value: std::borrow::Cow<'_, str> =
            if value.contains(['\r', '\n']) { value.replace(['\r', '\n'], " ").into() } else { value.into() };
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = match framing {
        Framing::Length(length) => write!(head, "Content-Length: {length}\r\n\r\n"),
        Framing::Chunked => write!(head, "Transfer-Encoding: chunked\r\n\r\n"),
        Framing::UntilClose => write!(head, "Connection: close\r\n\r\n"),
    };
    head
}

/// What stands before a chunk; a line end follows it.
pub fn chunk_head(length: usize) -> String {
    format!("{length:x}\r\n")
}

/// Ends a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Asks a client that waits (`Expect: 100-continue`) for its body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_message() {
        let head = head(202, [], "Sun, 22 Nov 2026 00:36:56 GMT", Framing::Length(0));
        assert_eq!(head, "HTTP/1.1 202 Accepted\r\nDate: Sun, 22 Nov 2026 00:36:56 GMT\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn headers_cannot_be_split() {
        let head = head(307, [("Location", "//a\r\nX: 1")], "D", Framing::Chunked);
        assert_eq!(
            head,
            "HTTP/1.1 307 Temporary Redirect\r\nDate: D\r\nLocation: //a  X: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
    }

    #[test]
    fn when_to_compress() {
        assert!(wants_gzip(1024, false, Some("gzip, deflate")));
        assert!(!wants_gzip(1023, false, Some("gzip")));
        assert!(!wants_gzip(1024, true, Some("gzip")));
        assert!(!wants_gzip(1024, false, None));
    }
}
