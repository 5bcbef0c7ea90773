//! The client's side of HTTP/1.1 without an asynchronous runtime, for the two processes that live beside a task and
//! must stay small: the command executor and the fetcher. Requests are text put together here; responses are parsed
//! piece by piece, whatever way they were cut.
//!
//! Not done: TLS, compression, trailers (skipped), requests with chunked bodies.
//!
//! Source: RFC 9112.

use std::fmt::Write;

/// The longest status line with headers that is read: agents and file servers send a few hundred bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The longest line with a chunk's size.
const MAX_CHUNK_LINE: usize = 1024;

/// Why a response is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not HTTP/1.x, or a header without a colon.
    #[error("malformed response head")]
    Head,
    /// More than this client reads.
    #[error("response head too long")]
    HeadTooLong,
    /// A `Content-Length` that is no number.
    #[error("malformed Content-Length")]
    Length,
    /// A chunk without a size, or longer than its size.
    #[error("malformed chunk")]
    Chunk,
    /// The connection ended inside a response.
    #[error("connection closed in the middle of a response")]
    Truncated,
}

/// Status line and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Its phrase, such as `Not Found`.
    pub reason: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A piece of a response. Each response is one `Head`, any number of `Data`, one `End`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A response begins.
    Head(Head),
    /// Part of its body, never empty; not aligned with chunks.
    Data(Vec<u8>),
    /// It is complete.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are to come.
    Length(u64),
    ChunkSize,
    /// So many bytes of the chunk are to come.
    Chunk(u64),
    ChunkEnd,
    Trailer,
    UntilClose,
}

/// Parses the responses of one connection, one after the other.
#[derive(Debug)]
pub struct Parser {
    state: State,
    /// What has arrived and is not parsed yet: at most a head or a line.
    rest: Vec<u8>,
}

impl Default for Parser {
    fn default() -> Self {
        Parser { state: State::Head, rest: Vec::new() }
    }
}

impl Parser {
    /// Takes what has arrived.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Part>, Error> {
        self.rest.extend_from_slice(bytes);
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(used) = self.step(at, &mut parts)? {
            at += used;
        }
        self.rest.drain(..at);
        Ok(parts)
    }

    /// The connection has ended: that completes a response without a length, and cuts any other.
    pub fn finish(&mut self) -> Result<Option<Part>, Error> {
        match self.state {
            State::UntilClose => {
                self.state = State::Head;
                Ok(Some(Part::End))
            }
            State::Head if self.rest.is_empty() => Ok(None),
            _ => Err(Error::Truncated),
        }
    }

    /// One step on the bytes from `at`: how many it used, or `None` if more must arrive first.
    fn step(&mut self, at: usize, parts: &mut Vec<Part>) -> Result<Option<usize>, Error> {
        let rest = &self.rest[at..];
        match self.state {
            State::Head => {
                let Some(length) = find(rest, b"\r\n\r\n") else {
                    return if rest.len() > MAX_HEAD { Err(Error::HeadTooLong) } else { Ok(None) };
                };
                let head = parse_head(&rest[..length])?;
                self.begin(head, parts)?;
                Ok(Some(length + 4))
            }
            State::ChunkSize => {
                let Some(length) = line(rest)? else { return Ok(None) };
                let size = chunk_size(&rest[..length])?;
                self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
                Ok(Some(length + 2))
            }
            State::ChunkEnd => match rest {
                [b'\r', b'\n', ..] => {
                    self.state = State::ChunkSize;
                    Ok(Some(2))
                }
                [] | [b'\r'] => Ok(None),
                _ => Err(Error::Chunk),
            },
            State::Trailer => {
                let Some(length) = line(rest)? else { return Ok(None) };
                if length == 0 {
                    self.end(parts);
                }
                Ok(Some(length + 2))
            }
            State::Length(left) => Ok(self.data(at, left, parts)),
            State::Chunk(left) => Ok(self.data(at, left, parts)),
            State::UntilClose => Ok(self.data(at, u64::MAX, parts)),
        }
    }

    fn begin(&mut self, head: Head, parts: &mut Vec<Part>) -> Result<(), Error> {
        if head.status / 100 == 1 {
            return Ok(()); // Interim: the real response follows.
        }
        let chunked = head.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        let length = head.header("content-length").map(|v| v.trim().parse().map_err(|_| Error::Length)).transpose()?;
        let without_body = matches!(head.status, 204 | 304);
        parts.push(Part::Head(head));
        self.state = match length {
            _ if without_body => State::Length(0),
            _ if chunked => State::ChunkSize,
            Some(length) => State::Length(length),
            None => State::UntilClose,
        };
        if self.state == State::Length(0) {
            self.end(parts);
        }
        Ok(())
    }

    fn data(&mut self, at: usize, left: u64, parts: &mut Vec<Part>) -> Option<usize> {
        let rest = &self.rest[at..];
        let used = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if used == 0 {
            return None;
        }
        parts.push(Part::Data(rest[..used].to_vec()));
        let left = left - used as u64;
        match self.state {
            State::Length(_) if left == 0 => self.end(parts),
            State::Length(_) => self.state = State::Length(left),
            State::Chunk(_) => self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) },
            _ => {}
        }
        Some(used)
    }

    fn end(&mut self, parts: &mut Vec<Part>) {
        parts.push(Part::End);
        self.state = State::Head;
    }
}

fn parse_head(bytes: &[u8]) -> Result<Head, Error> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or("").splitn(3, ' ');
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(Error::Head);
    }
    let status = words.next().and_then(|code| code.parse().ok()).ok_or(Error::Head)?;
    let reason = words.next().unwrap_or("").to_owned();
    let header = |line: &str| {
        line.split_once(':')
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .ok_or(Error::Head)
    };
    Ok(Head { status, reason, headers: lines.map(header).collect::<Result<_, _>>()? })
}

/// The length of the line at the start of `bytes`, if it is complete.
fn line(bytes: &[u8]) -> Result<Option<usize>, Error> {
    match find(bytes, b"\r\n") {
        None if bytes.len() > MAX_CHUNK_LINE => Err(Error::Chunk),
        found => Ok(found),
    }
}

/// A size in hexadecimal, before any chunk extension.
fn chunk_size(line: &[u8]) -> Result<u64, Error> {
    let text = std::str::from_utf8(line).map_err(|_| Error::Chunk)?;
    let digits = text.split(';').next().unwrap_or("").trim();
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::Chunk);
    }
    u64::from_str_radix(digits, 16).map_err(|_| Error::Chunk)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A request with its body; `Content-Length` is added.
pub fn request(method: &str, target: &str, host: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in headers {
        // Writing to a string cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n\
        3\r\nabc\r\nB;x=y\r\nhello world\r\n0\r\nTrailer: t\r\n\r\n";
    const SHORT: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 Not Found\r\n\
        Content-Length: 4\r\n\r\nnope";

    /// Statuses with whole bodies, however the bytes are cut.
    fn responses(bytes: &[u8], size: usize) -> Vec<(u16, String)> {
        let mut parser = Parser::default();
        let (mut done, mut head, mut body) = (Vec::new(), None, Vec::new());
        for piece in bytes.chunks(size) {
            for part in parser.feed(piece).unwrap() {
                match part {
                    Part::Head(h) => head = Some(h),
                    Part::Data(data) => body.extend(data),
                    Part::End => {
                        let text = String::from_utf8(std::mem::take(&mut body)).unwrap();
                        done.push((head.take().unwrap().status, text));
                    }
                }
            }
        }
        assert_eq!(parser.finish(), Ok(None));
        done
    }

    #[test]
    fn responses_are_the_same_however_cut() {
        for size in 1..CHUNKED.len() + SHORT.len() {
            assert_eq!(responses(CHUNKED, size), [(200, "abchello world".to_owned())]);
            assert_eq!(responses(SHORT, size), [(202, String::new()), (404, "nope".to_owned())]);
        }
    }

    #[test]
    fn an_interim_response_is_skipped() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n";
        assert_eq!(responses(bytes, 7), [(204, String::new())]);
    }

    #[test]
    fn a_body_without_length_ends_with_the_connection() {
        let mut parser = Parser::default();
        let parts = parser.feed(b"HTTP/1.0 200 OK\r\n\r\nall of it").unwrap();
        assert_eq!(parts[1..], [Part::Data(b"all of it".to_vec())]);
        assert_eq!(parser.finish(), Ok(Some(Part::End)));
    }

    #[test]
    fn nonsense_is_an_error() {
        for (bytes, error) in [
            (&b"SSH-2.0-x\r\n\r\n"[..], Error::Head),
            (b"HTTP/1.1 abc\r\n\r\n", Error::Head),
            (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Error::Head),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Error::Length),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n", Error::Chunk),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", Error::Chunk),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", Error::Chunk),
        ] {
            assert_eq!(Parser::default().feed(bytes), Err(error));
        }
        assert_eq!(Parser::default().feed(&vec![b'x'; MAX_HEAD + 1]), Err(Error::HeadTooLong));
        let mut parser = Parser::default();
        parser.feed(&CHUNKED[..CHUNKED.len() - 1]).unwrap();
        assert_eq!(parser.finish(), Err(Error::Truncated));
    }

    #[test]
    fn a_request_is_text() {
        let bytes = request("POST", "/slave(1)/x", "h:1", &[("Accept", "a/b")], b"hi");
        let text = "POST /slave(1)/x HTTP/1.1\r\nHost: h:1\r\nAccept: a/b\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(bytes, text.as_bytes());
    }
}
