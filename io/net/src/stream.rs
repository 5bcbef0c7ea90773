//! An open response between the process that writes it and the connection that sends it.
//!
//! What a client that does not read may cost is decided here, in two sizes of chunks. Small ones (each within `max`) are
//! counted until they are sent, and the client is given up when more than `max` bytes of them wait. A larger one, such as
//! the offers of ten thousand agents, is taken at any time, and as long as it is not sent the connection must go on reading
//! ([`crate::replies`] gives up on one that does not). Behind a large chunk that is being sent one more may wait, if the
//! client has taken something of late. So one that reads may be two large chunks behind, and one that does not costs one
//! and the small ones.

use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A client that has taken something within this time reads: longer than a slow one pauses between two reads, and far
/// shorter than what makes a stopped one give its place up.
const READS_WITHIN: Duration = Duration::from_secs(5);

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
    chunks: VecDeque<Chunk>,
    /// Bytes of small chunks that are not sent yet, also of the one being sent.
    waiting_bytes: usize,
    /// Whether a chunk larger than all small ones may be together waits, of which nothing is sent yet.
    large_waits: bool,
    /// What the chunk being sent counts as.
    sending: Option<Size>,
    /// When the client last took something, or a chunk began to be sent.
    taken: Option<Instant>,
    end: End,
}

enum Chunk {
    Ready(Bytes, Size),
    /// Still being made; nothing overtakes it.
    Promised(Arc<OnceLock<Bytes>>),
}

#[derive(Clone, Copy)]
enum Size {
    Small(usize),
    Large,
}

impl Size {
    fn of(chunk: &Bytes, max: usize) -> Size {
        if chunk.len() > max { Size::Large } else { Size::Small(chunk.len()) }
    }
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

/// A place in a stream for a chunk that is still being made, whatever its size. Dropping it empty cuts the stream: the
/// client must not take what follows for all there is.
pub struct Promise {
    stream: Arc<Stream>,
    chunk: Arc<OnceLock<Bytes>>,
}

impl Promise {
    pub(crate) fn new(stream: &Arc<Stream>) -> Promise {
        let chunk = Arc::new(OnceLock::new());
        let mut state = stream.state();
        // Counted as large while it is made, too, so that there is one at most.
        state.large_waits = true;
        state.chunks.push_back(Chunk::Promised(chunk.clone()));
        Promise { stream: stream.clone(), chunk }
    }

    /// Puts the chunk into its place.
    pub fn keep(self, chunk: Bytes) {
        let _ = self.chunk.set(chunk);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if self.chunk.get().is_none() {
            self.stream.abort();
        }
        self.stream.written.notify_one();
    }
}

impl State {
    fn sends_large(&self) -> bool {
        matches!(self.sending, Some(Size::Large))
    }

    /// Whether the client has taken something of late.
    fn reads(&self) -> bool {
        self.taken.is_some_and(|taken| taken.elapsed() < READS_WITHIN)
    }
}

impl Stream {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a chunk. False if too much waits already: the client does not read, and the stream is aborted.
    pub(crate) fn write(&self, chunk: Bytes, max: usize) -> bool {
        let mut state = self.state();
        let size = Size::of(&chunk, max);
        let fits = match size {
            Size::Small(length) => state.waiting_bytes + length <= max,
            Size::Large => !state.large_waits && (!state.sends_large() || state.reads()),
        };
        if !fits {
            drop(state);
            self.abort();
            return false;
        }
        // An empty chunk would end the body.
        if !chunk.is_empty() {
            match size {
                Size::Small(length) => state.waiting_bytes += length,
                Size::Large => state.large_waits = true,
            }
            state.chunks.push_back(Chunk::Ready(chunk, size));
            self.written.notify_one();
        }
        true
    }

    fn abort(&self) {
        let mut state = self.state();
        state.end = End::Aborted;
        state.chunks.clear();
        self.aborted.notify_one();
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
        // Who asks for the next chunk has sent the one before.
        match state.sending.take() {
            Some(Size::Small(length)) => state.waiting_bytes -= length,
            Some(Size::Large) | None => {}
        }
        if state.end == End::Aborted {
            return Some(Next::Aborted);
        }
        let (chunk, size) = match state.chunks.pop_front() {
            None => return (state.end == End::Closed).then_some(Next::Closed),
            Some(Chunk::Ready(chunk, size)) => (chunk, size),
            Some(Chunk::Promised(promised)) => match promised.get() {
                Some(chunk) => (chunk.clone(), Size::Large),
                None => {
                    state.chunks.push_front(Chunk::Promised(promised));
                    return None;
                }
            },
        };
        if let Size::Large = size {
            state.large_waits = false;
        }
        (state.sending, state.taken) = (Some(size), Some(Instant::now()));
        Some(Next::Chunk(chunk))
    }

    /// The client took a part of the chunk that is being sent.
    pub(crate) fn note_taken(&self) {
        self.state().taken = Some(Instant::now());
    }

    /// Whether a client may leave what waits unread for as long as it likes: not while that is large, and not when the
    /// stream is over, because nobody would ever miss the client.
    pub(crate) fn may_wait(&self) -> bool {
        let state = self.state();
        !state.large_waits && !state.sends_large() && state.end == End::Open
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
        assert!(stream.write(chunk("abc"), 5) && stream.write(chunk("de"), 5));
        assert_eq!(stream.next().await, Next::Chunk(chunk("abc")));
        assert!(!stream.write(chunk("x"), 5), "what is being sent still counts");
        stream.aborted().await;
        assert_eq!(stream.next().await, Next::Aborted);
    }

    const LARGE: &str = "longer than the limit";

    #[tokio::test]
    async fn one_chunk_may_be_larger_than_all_others_together() {
        let stream = Stream::default();
        assert!(stream.write(chunk("a"), 5) && stream.write(chunk(LARGE), 5));
        assert!(stream.write(chunk("bcde"), 5), "a large chunk leaves the room of the small ones alone");
        assert!(!stream.may_wait());
        for expected in ["a", LARGE, "bcde"] {
            assert_eq!(stream.next().await, Next::Chunk(chunk(expected)));
        }
        assert!(stream.may_wait());
        assert!(stream.write(chunk(LARGE), 5));
        assert!(!stream.write(chunk(LARGE), 5), "two wait");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_may_be_two_large_chunks_behind() {
        let stream = Stream::default();
        assert!(stream.write(chunk(LARGE), 5));
        assert_eq!(stream.next().await, Next::Chunk(chunk(LARGE)));
        tokio::time::advance(READS_WITHIN).await;
        stream.note_taken();
        assert!(stream.write(chunk(LARGE), 5), "the first one is being sent");
        assert!(stream.write(chunk("abcde"), 5) && !stream.may_wait());
        assert!(!stream.write(chunk(LARGE), 5), "one waits already");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_stopped_reading_gets_no_second_large_chunk() {
        let stream = Stream::default();
        assert!(stream.write(chunk(LARGE), 5));
        assert_eq!(stream.next().await, Next::Chunk(chunk(LARGE)));
        tokio::time::advance(READS_WITHIN).await;
        assert!(!stream.write(chunk(LARGE), 5));
    }

    #[tokio::test]
    async fn nothing_overtakes_a_promised_chunk() {
        let stream = Arc::new(Stream::default());
        let promise = Promise::new(&stream);
        assert!(stream.write(chunk("later"), 5));
        stream.close();
        assert!(stream.take().is_none());
        promise.keep(chunk("first"));
        for expected in [Next::Chunk(chunk("first")), Next::Chunk(chunk("later")), Next::Closed] {
            assert_eq!(stream.next().await, expected);
        }
    }

    #[tokio::test]
    async fn a_broken_promise_cuts_the_stream() {
        let stream = Arc::new(Stream::default());
        let promise = Promise::new(&stream);
        assert!(stream.write(chunk("later"), 5));
        drop(promise);
        assert_eq!(stream.next().await, Next::Aborted);
    }
}
