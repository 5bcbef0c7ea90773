//! Calls to a master over one connection, without waiting for the answer of one before the next (HTTP pipelining): the
//! master, not the way to it, is to be the limit of what is measured.

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

/// Calls without an answer at one time. Enough to keep a master busy; a real Mesos crashes at many hundreds.
const UNANSWERED_MAX: usize = 64;

/// The master has refused a call, or the connection broke before it answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Refused {
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    /// The body.
    pub reason: String,
}

/// The answer to a call that was made; it may be ignored.
pub struct Answer(oneshot::Receiver<Result<(), Refused>>);

impl Answer {
    /// Waits for it.
    pub async fn get(self) -> Result<(), Refused> {
        let lost = |_| Err(Refused { status: 0, reason: "the connection has ended".to_owned() });
        self.0.await.unwrap_or_else(lost)
    }
}

type Waiting = oneshot::Sender<Result<(), Refused>>;

/// A connection for calls.
pub(super) struct Calls {
    queue: mpsc::UnboundedSender<(Bytes, Waiting)>,
    refused: Arc<AtomicU64>,
}

impl Calls {
    /// Connects.
    pub async fn connect(master: SocketAddrV4) -> anyhow::Result<Calls> {
        let stream = TcpStream::connect(master).await.with_context(|| format!("no connection to {master}"))?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let (queue, calls) = mpsc::unbounded_channel();
        let (waiting, answers) = mpsc::channel(UNANSWERED_MAX);
        let refused = Arc::new(AtomicU64::new(0));
        tokio::spawn(write_calls(write, calls, waiting));
        let count = refused.clone();
        tokio::spawn(async move {
            if let Err(error) = read_answers(read, answers, &count).await {
                tracing::debug!(%error, "The connection for calls has ended");
            }
        });
        Ok(Calls { queue, refused })
    }

    /// Sends a whole request.
    pub fn send(&self, request: Bytes) -> Answer {
        let (waiting, answer) = oneshot::channel();
        // A closed queue drops the sender, which the answer tells.
        let _ = self.queue.send((request, waiting));
        Answer(answer)
    }

    /// How many calls were refused so far, whether anybody waited for their answers or not.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Writes calls in as few writes as possible, and each only once there is room for it among the unanswered.
async fn write_calls(
    mut write: OwnedWriteHalf,
    mut calls: mpsc::UnboundedReceiver<(Bytes, Waiting)>,
    waiting: mpsc::Sender<Waiting>,
) {
    let mut batch = Vec::new();
    while let Some((request, answer)) = calls.recv().await {
        let Ok(room) = waiting.reserve().await else { return };
        room.send(answer);
        batch.extend_from_slice(&request);
        while let Ok(room) = waiting.try_reserve()
            && let Ok((request, answer)) = calls.try_recv()
        {
            room.send(answer);
            batch.extend_from_slice(&request);
        }
        if write.write_all(&batch).await.is_err() {
            return;
        }
        batch.clear();
    }
}

async fn read_answers(
    mut read: OwnedReadHalf,
    mut waiting: mpsc::Receiver<Waiting>,
    refused: &AtomicU64,
) -> anyhow::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        while let Some((status, body)) = next_answer(&mut buffer)? {
            let is_taken = matches!(status, 200 | 202);
            if !is_taken {
                refused.fetch_add(1, Ordering::Relaxed);
            }
            let reason = || String::from_utf8_lossy(&body).into_owned();
            let outcome = if is_taken { Ok(()) } else { Err(Refused { status, reason: reason() }) };
            let waiting = waiting.recv().await.context("an answer to nothing")?;
            // Most callers do not wait.
            let _ = waiting.send(outcome);
        }
        if read.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Cuts the next answer off the front, once it is whole: its status and body. Masters answer calls with a length.
fn next_answer(buffer: &mut BytesMut) -> anyhow::Result<Option<(u16, Bytes)>> {
    let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&buffer[..end])?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let mut length = None;
    for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>()?);
        }
    }
    let Some(length) = length else { bail!("an answer without a length: {head}") };
    if buffer.len() < end + 4 + length {
        return Ok(None);
    }
    let whole = buffer.split_to(end + 4 + length).freeze();
    Ok(Some((status, whole.slice(end + 4..))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_cut_off_one_by_one() {
        let text = b"HTTP/1.1 202 Accepted\r\nDate: now\r\nContent-Length: 0\r\n\r\nHTTP/1.1 400 Bad Request\r\n\
                     content-length: 3\r\n\r\nno!";
        let mut buffer = BytesMut::new();
        let mut found = Vec::new();
        for byte in text {
            buffer.extend_from_slice(&[*byte]);
            found.extend(next_answer(&mut buffer).unwrap());
        }
        assert_eq!(found, [(202, Bytes::new()), (400, Bytes::from_static(b"no!"))]);
        assert!(next_answer(&mut BytesMut::from(&b"HTTP/1.1 200 OK\r\n\r\n"[..])).is_err());
    }
}
