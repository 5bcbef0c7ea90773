//! HTTP as bytes: requests that no library would send, answers as they came, and streams of records.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// No answer of a healthy daemon takes longer; a request that neither answers is an answer too, so it is short.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// As it stands on the first line.
    pub method: String,
    /// As it stands on the first line.
    pub path: String,
    /// Besides `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// None sends no `Content-Length` either.
    pub body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status code with its reason, or `closed` if the connection ended without an answer.
    pub status: String,
    /// In the order they came.
    pub headers: Vec<(String, String)>,
    /// Without transfer encoding; empty for a stream.
    pub body: Vec<u8>,
}

impl Request {
    /// Sends it on a connection of its own and reads the whole answer.
    pub fn send(&self, address: &str) -> Result<Response> {
        let mut reader = self.write(address)?;
        let mut response = head(&mut reader)?;
        // An answer to HEAD has a length but no body.
        if self.method != "HEAD" {
            response.body = unpacked(body(&mut reader, &response)?, &response)?;
        }
        Ok(response)
    }

    /// Sends it and leaves the answer open if it is a stream.
    pub fn open(&self, address: &str) -> Result<(Response, Option<Stream>)> {
        let mut reader = self.write(address)?;
        let mut response = head(&mut reader)?;
        if response.status.starts_with("200") && is_chunked(&response) {
            return Ok((response, Some(Stream::new(reader)?)));
        }
        response.body = unpacked(body(&mut reader, &response)?, &response)?;
        Ok((response, None))
    }

    fn write(&self, address: &str) -> Result<BufReader<TcpStream>> {
        let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if let Some(body) = &self.body {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            bytes.extend_from_slice(body);
        } else {
            bytes.extend_from_slice(b"\r\n");
        }
        // A peer that closes at once may do so before everything is written; its answer tells, if there is one.
        let _ = stream.write_all(&bytes);
        Ok(BufReader::new(stream))
    }
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

fn is_chunked(response: &Response) -> bool {
    response.header("Transfer-Encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
}

fn head(reader: &mut BufReader<TcpStream>) -> Result<Response> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).unwrap_or_default();
    if read == 0 {
        return Ok(Response { status: "closed".to_owned(), ..Response::default() });
    }
    let status = line.trim_end().strip_prefix("HTTP/1.1 ").with_context(|| format!("not a status line: {line}"))?;
    Ok(Response { status: status.to_owned(), ..headers(reader)? })
}

/// The headers up to the empty line.
pub fn headers(reader: &mut BufReader<TcpStream>) -> Result<Response> {
    let mut response = Response::default();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(response) };
        response.headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// What follows the headers.
pub fn body(reader: &mut BufReader<TcpStream>, response: &Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if is_chunked(response) {
        while let Some(chunk) = chunk(reader)? {
            body.extend_from_slice(&chunk);
        }
    } else if let Some(length) = response.header("Content-Length") {
        body.resize(length.parse()?, 0);
        reader.read_exact(&mut body)?;
    }
    Ok(body)
}

/// A packed body as it was: which bytes a packer makes of it is its own affair, and that it was packed the headers say.
fn unpacked(body: Vec<u8>, response: &Response) -> Result<Vec<u8>> {
    if response.header("Content-Encoding") != Some("gzip") {
        return Ok(body);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).context("a body that says it is gzip")?;
    Ok(plain)
}

/// The next chunk; none after the last.
fn chunk(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let size = usize::from_str_radix(line.trim(), 16).with_context(|| format!("a chunk of size {line:?}"))?;
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk)?;
    chunk.truncate(size);
    Ok((size > 0).then_some(chunk))
}

/// An open answer whose records are read by a thread of its own.
pub struct Stream {
    socket: TcpStream,
    records: Receiver<Vec<u8>>,
}

impl Stream {
    fn new(mut reader: BufReader<TcpStream>) -> Result<Stream> {
        let socket = reader.get_ref().try_clone()?;
        // The stream lives as long as the script wants; silence is no failure.
        socket.set_read_timeout(None)?;
        let (sender, records) = channel();
        std::thread::spawn(move || read_records(&mut reader, &sender));
        Ok(Stream { socket, records })
    }

    /// The next record, or none if there is none within `limit`; an error once the stream has ended.
    pub fn next(&self, limit: Duration) -> Result<Option<Vec<u8>>> {
        use std::sync::mpsc::RecvTimeoutError;
        match self.records.recv_timeout(limit) {
            Ok(record) => Ok(Some(record)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the stream has ended"),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The reader thread holds a clone of the socket, so closing ours alone would not close the connection.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// Ends when the stream ends, makes no sense any more, or nobody wants its records.
fn read_records(reader: &mut impl BufRead, records: &Sender<Vec<u8>>) {
    let mut pending = Vec::new();
    while let Ok(Some(chunk)) = chunk(reader) {
        pending.extend_from_slice(&chunk);
        while let Some(record) = take_record(&mut pending) {
            if records.send(record).is_err() {
                return;
            }
        }
    }
}

/// Takes one whole record (`<length>\n<bytes>`) off the front.
fn take_record(pending: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = pending.iter().position(|byte| *byte == b'\n')?;
    let length: usize = std::str::from_utf8(&pending[..end]).ok()?.parse().ok()?;
    if pending.len() < end + 1 + length {
        return None;
    }
    let record = pending[end + 1..end + 1 + length].to_vec();
    pending.drain(..=end + length);
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_taken_whole_across_chunks() {
        let mut pending = b"3\nab".to_vec();
        assert_eq!(take_record(&mut pending), None);
        pending.extend_from_slice(b"c2\nde");
        assert_eq!(take_record(&mut pending).unwrap(), b"abc");
        assert_eq!(take_record(&mut pending).unwrap(), b"de");
        assert_eq!(take_record(&mut pending), None);
    }

    #[test]
    fn the_last_chunk_ends_a_body() {
        let mut bytes: &[u8] = b"3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(chunk(&mut bytes).unwrap().unwrap(), b"abc");
        assert_eq!(chunk(&mut bytes).unwrap(), None);
    }
}
