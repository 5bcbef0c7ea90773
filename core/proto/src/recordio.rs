//! RecordIO: the framing of event streams. A record is its length in decimal, a line feed, and that many bytes.
//!
//! Source: stout `recordio.hpp`.

use bytes::{Buf, Bytes, BytesMut};

/// Longest length line accepted: 20 digits hold any 64-bit length.
const MAX_HEADER: usize = 20;

/// Why a stream is not RecordIO.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The length is not a decimal number.
    #[error("Failed to decode length '{0}'")]
    Length(String),
    /// A record longer than the reader allows.
    #[error("A record of {length} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Length the peer announced.
        length: u64,
        /// What the reader allows.
        limit: usize,
    },
}

/// Frames one record.
pub fn encode(record: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(record.len() + MAX_HEADER);
    out.extend_from_slice(record.len().to_string().as_bytes());
    out.extend_from_slice(b"\n");
    out.extend_from_slice(record);
    out.freeze()
}

/// Cuts a byte stream into records, however it is chunked.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    /// Bytes of the current record, once its header is read.
    expected: Option<usize>,
    limit: usize,
}

impl Decoder {
    /// Accepts records of up to `limit` bytes.
    pub fn new(limit: usize) -> Decoder {
        Decoder { buffer: BytesMut::new(), expected: None, limit }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete record. After an error the stream is lost.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, Error> {
        let expected = match self.expected {
            Some(expected) => expected,
            None => match self.header()? {
                Some(expected) => expected,
                None => return Ok(None),
            },
        };
        if self.buffer.len() < expected {
            self.expected = Some(expected);
            return Ok(None);
        }
        self.expected = None;
        Ok(Some(self.buffer.split_to(expected).freeze()))
    }

    fn header(&mut self) -> Result<Option<usize>, Error> {
        let Some(end) = self.buffer.iter().take(MAX_HEADER + 1).position(|b| *b == b'\n') else {
            if self.buffer.len() > MAX_HEADER {
                return Err(Error::Length(String::from_utf8_lossy(&self.buffer[..MAX_HEADER]).into_owned()));
            }
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::Length(text));
        }
        let length: u64 = text.parse().map_err(|_| Error::Length(text))?;
        self.buffer.advance(end + 1);
        match usize::try_from(length) {
            Ok(expected) if expected <= self.limit => Ok(Some(expected)),
            _ => Err(Error::TooLarge { length, limit: self.limit }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_chunking_gives_the_same_records() {
        let records: [&[u8]; 3] = [b"hello", b"", b"{\"type\":\"HEARTBEAT\"}\n1\n2"];
        let stream: Vec<u8> = records.iter().flat_map(|r| encode(r)).collect();
        for size in 1..stream.len() {
            let mut decoder = Decoder::new(100);
            let mut found = Vec::new();
            for chunk in stream.chunks(size) {
                decoder.push(chunk);
                while let Some(record) = decoder.next_record().unwrap() {
                    found.push(record.to_vec());
                }
            }
            assert_eq!(found, records, "chunks of {size}");
        }
    }

    #[test]
    fn a_bad_length_is_refused() {
        for (stream, expected) in [
            (&b"x\nabc"[..], Error::Length("x".into())),
            (b"\nabc", Error::Length(String::new())),
            (b"-1\n", Error::Length("-1".into())),
            (b"101\n", Error::TooLarge { length: 101, limit: 100 }),
            (b"999999999999999999999999999", Error::Length("9".repeat(20))),
        ] {
            let mut decoder = Decoder::new(100);
            decoder.push(stream);
            assert_eq!(decoder.next_record(), Err(expected));
        }
    }
}
