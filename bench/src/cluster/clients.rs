//! A client that asks the same question again and again and throws the answers away: it is to cost as little as possible.

use anyhow::{Context, Result, bail};
use std::net::SocketAddrV4;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is read at once. As much as fits into a processor's own cache.
const READ_BYTES: usize = 256 * 1024;

/// A connection that stays open, and one question.
pub(super) struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects, to ask for `path` later.
    pub async fn connect(address: SocketAddrV4, path: &str) -> Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes();
        Ok(Client { stream, request, buffer: vec![0; READ_BYTES] })
    }

    /// Asks, and reads the answer to its end. Gives the length of the body.
    pub async fn ask(&mut self) -> Result<usize> {
        self.stream.write_all(&self.request).await?;
        let mut filled = 0;
        let (body, length) = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            filled += read;
            if let Some(found) = head(&self.buffer[..filled])? {
                break found;
            }
            if read == 0 {
                bail!("the master closes the connection");
            }
        };
        let mut left = (body + length).saturating_sub(filled);
        while left > 0 {
            let most = left.min(READ_BYTES);
            let read = self.stream.read(&mut self.buffer[..most]).await?;
            if read == 0 {
                bail!("the master closes the connection within an answer");
            }
            left -= read;
        }
        Ok(length)
    }
}

/// Where the body begins and how long it is, once the head is whole.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    if !head.starts_with("HTTP/1.1 200 ") {
        bail!("the master answers {}", head.lines().next().unwrap_or_default());
    }
    let mut lengths = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    Ok(Some((end + 4, lengths.next().context("an answer without a length")??)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_tells_where_the_body_is() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{";
        assert_eq!(head(bytes).unwrap(), Some((bytes.len() - 1, 12)));
        assert_eq!(head(&bytes[..30]).unwrap(), None);
        assert!(head(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
