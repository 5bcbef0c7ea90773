//! An open response between the process that writes it and the connection that sends it.

use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Chunks on their way to a client.
#[derive(Default)]
pub(crate) struct Stream {
    state: Mutex<State>,
    /// A chunk or the end has come.
    written: Notify,
    /// The stream was given up.
    aborted: Notify,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Bytes>,
    queued_bytes: usize,
    end: End,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// After the queued chunks the body ends as it should.
    Closed,
    /// The connection is to be cut.
    Aborted,
}

/// What the connection is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Chunk(Bytes),
    Closed,
    Aborted,
}

impl Stream {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a chunk. False if `max` bytes wait already: the client does not read, and the stream is aborted.
    pub(crate) fn write(&self, chunk: Bytes, max: usize) -> bool {
        let mut state = self.state();
        if state.queued_bytes >= max {
            state.end = End::Aborted;
            state.chunks.clear();
            self.aborted.notify_one();
            return false;
        }
        // An empty chunk would end the body.
        if !chunk.is_empty() {
            state.queued_bytes += chunk.len();
            state.chunks.push_back(chunk);
            self.written.notify_one();
        }
        true
    }

    /// Ends the body after what is queued.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        if state.end == End::Open {
            state.end = End::Closed;
            self.written.notify_one();
        }
    }

    /// Waits for something to send. Cancelling the wait loses nothing.
    pub(crate) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.written.notified().await;
        }
    }

    fn take(&self) -> Option<Next> {
        let mut state = self.state();
        match (state.end, state.chunks.pop_front()) {
            (End::Aborted, _) => Some(Next::Aborted),
            (_, Some(chunk)) => {
                state.queued_bytes -= chunk.len();
                Some(Next::Chunk(chunk))
            }
            (End::Closed, None) => Some(Next::Closed),
            (End::Open, None) => None,
        }
    }

    /// Waits until the stream is given up: to be watched while a chunk is being sent.
    pub(crate) async fn aborted(&self) {
        while self.state().end != End::Aborted {
            self.aborted.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[tokio::test]
    async fn chunks_come_out_one_by_one_before_the_end() {
        let stream = Stream::default();
        assert!(stream.write(chunk("a"), 10) && stream.write(chunk(""), 10) && stream.write(chunk("b"), 10));
        stream.close();
        assert_eq!(stream.next().await, Next::Chunk(chunk("a")));
        assert_eq!(stream.next().await, Next::Chunk(chunk("b")));
        assert_eq!(stream.next().await, Next::Closed);
    }

    #[tokio::test]
    async fn a_full_stream_is_given_up() {
        let stream = Stream::default();
        assert!(stream.write(chunk("longer than the limit"), 5), "an empty stream takes any chunk");
        assert!(!stream.write(chunk("x"), 5));
        stream.aborted().await;
        assert_eq!(stream.next().await, Next::Aborted);
    }
}
