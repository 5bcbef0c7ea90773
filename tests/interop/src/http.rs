//! The little HTTP a test needs: one GET on one connection, answered with JSON.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// No answer of a healthy daemon takes longer.
const LIMIT: Duration = Duration::from_secs(10);

/// The body of `GET path`, which must be answered `200 OK`.
pub fn get(address: &str, path: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_read_timeout(Some(LIMIT))?;
    // HTTP/1.0 has no chunks, but a server may answer in 1.1 all the same.
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = find(&answer, b"\r\n\r\n").context("no end of the headers")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.starts_with("http/1.1 200"), "GET {path}: {status}");
    let body = &answer[end + 4..];
    if head.contains("transfer-encoding: chunked") { joined(body) } else { Ok(body.to_vec()) }
}

/// The JSON of `GET path`.
pub fn get_json(address: &str, path: &str) -> Result<Value> {
    serde_json::from_slice(&get(address, path)?).with_context(|| format!("GET {path}: not JSON"))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Chunks put together.
fn joined(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = find(rest, b"\r\n").context("a chunk without a size")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line])?.trim(), 16)?;
        if size == 0 {
            return Ok(body);
        }
        let chunk = rest.get(line + 2..line + 2 + size).context("a chunk cut short")?;
        body.extend_from_slice(chunk);
        rest = rest.get(line + 2 + size + 2..).context("a chunk without an end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together() {
        assert_eq!(joined(b"3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n").unwrap(), b"abc0123456789");
        assert!(joined(b"3\r\nab").is_err());
    }
}
