//! Bodies: of a known length, or in chunks.

use super::{Error, Pending};
use bytes::{Buf, Bytes, BytesMut};

/// Where in a body the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// That many bytes, and the request is complete.
    Length(usize),
    /// The line with the size of a chunk.
    ChunkSize,
    /// That many bytes of a chunk.
    ChunkData(usize),
    /// The line end after a chunk.
    ChunkEnd,
    /// Header lines after the last chunk, up to an empty one; their content is of no interest. So many bytes so far.
    Trailer(usize),
}

/// The size of a chunk with its extensions.
const CHUNK_LINE_BYTES_MAX: usize = 4096;

/// All trailer lines together.
const TRAILER_BYTES_MAX: usize = 16 * 1024;

/// Up to this size a body is copied out, so that it does not keep the whole read buffer alive.
const COPIED_BODY_MAX: usize = 4096;

/// Moves body bytes from the buffer to the request; true when it is complete.
pub(super) fn take(buffer: &mut BytesMut, pending: &mut Pending) -> Result<bool, Error> {
    loop {
        let next = match pending.framing {
            Framing::Length(length) => return take_length(buffer, pending, length),
            Framing::ChunkSize => chunk_size(buffer)?.map(|size| match size {
                0 => Framing::Trailer(0),
                size => Framing::ChunkData(size),
            }),
            Framing::ChunkData(size) => take_chunk(buffer, pending, size)?.then_some(Framing::ChunkEnd),
            Framing::ChunkEnd => match take_line(buffer, 2, |line| line.is_empty())? {
                Some(true) => Some(Framing::ChunkSize),
                Some(false) => return Err(Error::Malformed("chunk is longer than its size")),
                None => None,
            },
            Framing::Trailer(seen) => match take_line(buffer, TRAILER_BYTES_MAX - seen, |line| line.len())? {
                Some(0) => return Ok(finish_chunks(pending)),
                Some(length) => Some(Framing::Trailer((seen + length).min(TRAILER_BYTES_MAX))),
                None => None,
            },
        };
        let Some(next) = next else { return Ok(false) };
        pending.framing = next;
    }
}

fn take_length(buffer: &mut BytesMut, pending: &mut Pending, length: usize) -> Result<bool, Error> {
    check(length, pending.limit)?;
    if buffer.len() < length {
        return Ok(false);
    }
    pending.payload.body = split(buffer, length);
    Ok(true)
}

/// Waits for the whole chunk, so that a body of one chunk is never copied together.
fn take_chunk(buffer: &mut BytesMut, pending: &mut Pending, size: usize) -> Result<bool, Error> {
    check(size.saturating_add(pending.payload.body.len()).saturating_add(pending.collected.len()), pending.limit)?;
    if buffer.len() < size {
        return Ok(false);
    }
    if pending.payload.body.is_empty() && pending.collected.is_empty() {
        pending.payload.body = split(buffer, size);
    } else {
        let first = std::mem::take(&mut pending.payload.body);
        pending.collected.extend_from_slice(&first);
        pending.collected.extend_from_slice(&buffer[..size]);
        buffer.advance(size);
    }
    Ok(true)
}

fn finish_chunks(pending: &mut Pending) -> bool {
    if !pending.collected.is_empty() {
        pending.payload.body = std::mem::take(&mut pending.collected).freeze();
    }
    true
}

fn split(buffer: &mut BytesMut, length: usize) -> Bytes {
    if length > COPIED_BODY_MAX {
        return buffer.split_to(length).freeze();
    }
    let body = Bytes::copy_from_slice(&buffer[..length]);
    buffer.advance(length);
    body
}

fn check(length: usize, limit: usize) -> Result<(), Error> {
    if length > limit { Err(Error::BodyTooLarge(limit)) } else { Ok(()) }
}

fn chunk_size(buffer: &mut BytesMut) -> Result<Option<usize>, Error> {
    match take_line(buffer, CHUNK_LINE_BYTES_MAX, hexadecimal)? {
        Some(None) => Err(Error::Malformed("chunk size")),
        Some(size) => Ok(size),
        None => Ok(None),
    }
}

/// The number before the extensions of a chunk line.
fn hexadecimal(line: &[u8]) -> Option<usize> {
    let end = line.iter().position(|byte| *byte == b';').unwrap_or(line.len());
    let digits = Some(line[..end].trim_ascii()).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0usize, |size, digit| {
        let digit = char::from(*digit).to_digit(16)? as usize;
        size.checked_mul(16)?.checked_add(digit)
    })
}

/// Reads a line without its end and drops it, if it has arrived; a bare line feed ends one, too.
fn take_line<T>(buffer: &mut BytesMut, max: usize, read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Error> {
    let Some(end) = buffer.iter().take(max).position(|byte| *byte == b'\n') else {
        return if buffer.len() < max { Ok(None) } else { Err(Error::Malformed("line is too long")) };
    };
    let line = &buffer[..end];
    let value = read(line.strip_suffix(b"\r").unwrap_or(line));
    buffer.advance(end + 1);
    Ok(Some(value))
}
