//! Messages over a socket.

use bytes::{Bytes, BytesMut};
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest message taken. ZooKeeper's own Java client takes as much (`jute.maxbuffer`): the names of some ten thousand
/// children.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// An open connection to a server.
pub struct Connection {
    stream: TcpStream,
    input: BytesMut,
}

impl Connection {
    /// Connects to a server.
    pub async fn open(address: SocketAddr) -> Result<Connection, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, input: BytesMut::new() })
    }

    /// Sends a message that has its length before it.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        self.stream.write_all(message).await
    }

    /// The next message, without its length. Nothing is lost if the caller stops waiting.
    pub async fn receive(&mut self) -> Result<Bytes, Error> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn take(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(head) = self.input.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(i32::from_be_bytes(*head)).ok().filter(|length| *length <= MAX_MESSAGE_BYTES);
        let length = length.ok_or_else(|| Error::new(ErrorKind::InvalidData, "a message of impossible length"))?;
        if self.input.len() < 4 + length {
            return Ok(None);
        }
        let mut message = self.input.split_to(4 + length).freeze();
        Ok(Some(message.split_off(4)))
    }
}
