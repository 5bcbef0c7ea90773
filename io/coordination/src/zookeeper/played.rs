//! A server that is played, for what no real one can be made to do.

use super::protocol::Code;
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than any test here takes.
pub(crate) const SESSION: Duration = Duration::from_secs(60);

/// The next message.
pub(crate) async fn read(stream: &mut TcpStream) -> Bytes {
    let length = stream.read_u32().await.unwrap();
    let mut message = vec![0; length as usize];
    stream.read_exact(&mut message).await.unwrap();
    message.into()
}

/// Takes a connection and grants its session, new or not.
pub(crate) async fn grant(listener: &TcpListener, session: i64) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    read(&mut stream).await;
    let mut answer = BytesMut::new();
    answer.put_i32(0);
    answer.put_i32(SESSION.as_millis() as i32);
    answer.put_i64(session);
    answer.put_i32(16);
    answer.put_bytes(7, 16);
    write(&mut stream, &answer).await;
    stream
}

/// Sends a message.
pub(crate) async fn write(stream: &mut TcpStream, message: &[u8]) {
    stream.write_u32(message.len() as u32).await.unwrap();
    stream.write_all(message).await.unwrap();
}

/// What an answer begins with.
pub(crate) fn header(xid: i32, code: Code) -> BytesMut {
    let mut answer = BytesMut::new();
    answer.put_i32(xid);
    answer.put_i64(1);
    answer.put_i32(code.0);
    answer
}
