//! Writing the answers of a connection, in the order of its requests.

use crate::answer::{Answer, File};
use crate::exchange::{OpenStream, Outcome};
use crate::gzip;
use crate::shared::{Phase, Shared};
use crate::stream::{Next, Stream};
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;
use tepui_wire::encode::{self, Framing};
use tepui_wire::{Body, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

/// Up to this size answers are gathered, so that those to a burst of messages leave in one write.
const GATHERED_BYTES_MAX: usize = 16 * 1024;

/// Room for gathered answers that an idle connection keeps: a few answers to messages.
const RESTING_BYTES_MAX: usize = 512;

/// Bodies from this size on are compressed on a thread of their own: it takes milliseconds.
const BLOCKING_GZIP_BYTES: usize = 64 * 1024;

/// How much of a file is read at once.
const FILE_PIECE_BYTES: usize = 64 * 1024;

/// How long a client may take nothing at all of an answer, or of a stream, that is larger than it may let wait for ever,
/// or of a stream that is over.
/// One that is stopped for shorter than this (a pause of a garbage collector) comes back to a whole answer.
const STALL_MAX: Duration = Duration::from_secs(60);

/// The answer to one request, come or to come, and how it is to be sent.
pub(crate) struct Reply {
    pub(crate) content: Content,
    pub(crate) keep_alive: bool,
    /// The request was HEAD: no body is sent.
    pub(crate) is_head: bool,
    /// The client takes gzip.
    pub(crate) gzip: bool,
    /// The client takes chunks.
    pub(crate) chunked: bool,
    /// The place the request has among those of its connection; free again when the answer is sent.
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

pub(crate) enum Content {
    /// `100 Continue`: no answer yet.
    Continue,
    /// `202 Accepted` to a message.
    Accepted,
    /// An answer that is there. Boxed, because the queue of a connection has room for many replies as soon as it has
    /// held one.
    Answer(Box<Answer>),
    /// From a handler.
    Handler(oneshot::Receiver<Answer>),
    /// From a process.
    Process(oneshot::Receiver<Outcome>),
}

impl Content {
    /// An answer that is there.
    pub(crate) fn answer(response: Response) -> Content {
        Content::Answer(Box::new(response.into()))
    }
}

impl Reply {
    pub(crate) fn to_message(content: Content, keep_alive: bool) -> Reply {
        Reply { content, keep_alive, is_head: false, gzip: false, chunked: true, place: None }
    }
}

/// Writes what is queued until the queue closes, a reply ends the connection, or the node drains. After a failed write
/// it goes on taking replies without writing, so that the reader can go on.
pub(crate) async fn write(
    shared: &Arc<Shared>,
    write: OwnedWriteHalf,
    mut queued: mpsc::Receiver<Reply>,
    gone: watch::Receiver<bool>,
) {
    let mut writer = Writer { shared, write, gathered: Vec::new(), gone, broken: false, stalled: false };
    loop {
        let reply = match queued.try_recv() {
            Ok(reply) => reply,
            Err(_) => {
                writer.flush().await;
                writer.rest();
                match queued.recv().await {
                    Some(reply) => reply,
                    None => break,
                }
            }
        };
        if !writer.reply(reply).await || writer.stalled {
            break;
        }
    }
    writer.flush().await;
    let _ = writer.write.shutdown().await;
}

struct Writer<'a> {
    shared: &'a Arc<Shared>,
    write: OwnedWriteHalf,
    /// Small answers that wait for one write.
    gathered: Vec<u8>,
    /// Whether the reader has ended.
    gone: watch::Receiver<bool>,
    broken: bool,
    /// The peer takes nothing: unlike one that is broken, it is not read any more either.
    stalled: bool,
}

impl Writer<'_> {
    /// False if the connection is to be closed after this reply.
    async fn reply(&mut self, reply: Reply) -> bool {
        let Reply { content, keep_alive, is_head, gzip, chunked, place: _place } = reply;
        let failed = || Answer::Response(Response::status(500));
        let answer = match content {
            Content::Continue => {
                self.gathered.extend_from_slice(encode::CONTINUE);
                return true;
            }
            Content::Accepted => {
                self.accepted();
                return keep_alive;
            }
            Content::Answer(answer) => *answer,
            Content::Handler(answer) => self.wait(answer).await.unwrap_or_else(failed),
            Content::Process(outcome) => match self.wait(outcome).await {
                Some(Outcome::Answer(answer)) => answer,
                Some(Outcome::Stream(response, open)) => {
                    return self.stream(response, open, is_head, chunked).await && keep_alive;
                }
                None => failed(),
            },
        };
        match answer {
            Answer::Response(response) => self.response(response, is_head, gzip).await && keep_alive,
            Answer::File(file) => self.file(file, is_head).await && keep_alive,
        }
    }

    /// An answer that is still being made; what is there already goes out meanwhile.
    async fn wait<T>(&mut self, mut answer: oneshot::Receiver<T>) -> Option<T> {
        match answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(oneshot::error::TryRecvError::Closed) => None,
            Err(oneshot::error::TryRecvError::Empty) => {
                self.flush().await;
                answer.await.ok()
            }
        }
    }

    fn accepted(&mut self) {
        self.gathered.extend_from_slice(b"HTTP/1.1 202 Accepted\r\nDate: ");
        self.gathered.extend_from_slice(self.shared.date.now().as_bytes());
        self.gathered.extend_from_slice(b"\r\nContent-Length: 0\r\n\r\n");
    }

    fn head(&mut self, status: u16, headers: &[(&'static str, String)], framing: Framing) {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let head = encode::head(status, headers, &self.shared.date.now(), framing);
        self.gathered.extend_from_slice(head.as_bytes());
    }

    async fn response(&mut self, mut response: Response, is_head: bool, gzip: bool) -> bool {
        let Body::Full(mut body) = response.body else {
            tracing::error!("A handler answered with a stream, which only processes can");
            return Box::pin(self.response(Response::status(500), is_head, gzip)).await;
        };
        let has_encoding = response.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
        if gzip && encode::wants_gzip(body.len(), has_encoding, Some("gzip")) {
            match compressed(body.clone()).await {
                Ok(compressed) => {
                    body = compressed;
                    response.headers.push(("Content-Encoding", "gzip".to_owned()));
                }
                Err(error) => tracing::warn!(%error, "Failed to gzip response body"),
            }
        }
        let stays = !closes(&response.headers);
        self.head(response.status, &response.headers, Framing::Length(body.len() as u64));
        if !is_head {
            self.body(&body).await;
        }
        stays
    }

    async fn body(&mut self, body: &Bytes) {
        if self.gathered.len() + body.len() <= GATHERED_BYTES_MAX {
            self.gathered.extend_from_slice(body);
        } else {
            self.write_with_gathered(&[body]).await;
        }
    }

    /// Streams until the process or the client ends it; false if the connection cannot go on.
    async fn stream(&mut self, response: Response, open: OpenStream, is_head: bool, chunked: bool) -> bool {
        let framing = if chunked { Framing::Chunked } else { Framing::UntilClose };
        self.head(response.status, &response.headers, framing);
        self.flush().await;
        if is_head {
            return true;
        }
        let mut gone = self.gone.clone();
        let shared = self.shared;
        loop {
            let next = tokio::select! {
                // What is queued goes out before a shutdown ends the stream, and a shutdown (which ends the reader, too)
                // ends it as it should be ended.
                biased;
                next = open.stream.next() => next,
                () = shared.reached(Phase::Draining) => Next::Closed,
                _ = gone.wait_for(|gone| *gone) => Next::Aborted,
            };
            match next {
                Next::Chunk(chunk) => {
                    tokio::select! {
                        () = self.chunk(&open.stream, &chunk, chunked) => {}
                        () = open.stream.aborted() => return false,
                    }
                    if self.broken {
                        return false;
                    }
                }
                Next::Closed if chunked => {
                    self.write_with_gathered(&[encode::LAST_CHUNK]).await;
                    return !self.broken && !closes(&response.headers);
                }
                Next::Closed | Next::Aborted => return false,
            }
        }
    }

    /// One chunk in one write: clients read a record per chunk.
    async fn chunk(&mut self, stream: &Stream, chunk: &[u8], chunked: bool) {
        let head = encode::chunk_head(chunk.len());
        let framed = [head.as_bytes(), chunk, b"\r\n"];
        let pace = Pace { may_wait: &|| stream.may_wait(), note_taken: &|| stream.note_taken() };
        self.write_while(if chunked { &framed } else { &framed[1..2] }, pace).await;
    }

    /// Sends a file as long as it is when opened; false if it could not be sent whole.
    async fn file(&mut self, file: File, is_head: bool) -> bool {
        let (mut content, length) = match open_file(&file.path).await {
            Ok(opened) => opened,
            Err(status) => return self.response(Response::status(status), is_head, false).await,
        };
        self.head(200, &file.headers, Framing::Length(length));
        let (mut left, mut piece) = (if is_head { 0 } else { length }, vec![0; FILE_PIECE_BYTES]);
        while left > 0 && !self.broken {
            let most = left.min(FILE_PIECE_BYTES as u64) as usize;
            match content.read(&mut piece[..most]).await {
                Ok(0) | Err(_) => return false,
                Ok(read) => {
                    left -= read as u64;
                    self.write_with_gathered(&[&piece[..read]]).await;
                }
            }
        }
        !closes(&file.headers)
    }

    /// Nothing is to be written for now: gives back room that only a burst needs. There may be tens of thousands of idle
    /// connections.
    fn rest(&mut self) {
        if self.gathered.capacity() > RESTING_BYTES_MAX {
            self.gathered = Vec::new();
        }
    }

    async fn flush(&mut self) {
        if !self.gathered.is_empty() {
            self.write_with_gathered(&[]).await;
        }
    }

    async fn write_with_gathered(&mut self, pieces: &[&[u8]]) {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let may_wait = length <= self.shared.config.stream_queued_bytes_max;
        self.write_while(pieces, Pace { may_wait: &|| may_wait, note_taken: &|| {} }).await;
    }

    /// Writes what was gathered and `pieces`.
    async fn write_while(&mut self, pieces: &[&[u8]], pace: Pace<'_>) {
        let gathered = std::mem::take(&mut self.gathered);
        if self.broken {
            return;
        }
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(pieces.len() + 1);
        slices.push(IoSlice::new(&gathered));
        slices.extend(pieces.iter().map(|piece| IoSlice::new(piece)));
        match write_patiently(&mut self.write, &mut slices, pace).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                tracing::warn!("Dropping a client that has read nothing of what waits for it for {STALL_MAX:?}");
                (self.broken, self.stalled) = (true, true);
            }
            Err(error) => {
                tracing::debug!(%error, "Failed to write an answer; the peer may have left");
                self.broken = true;
            }
        }
        // The room of the gathered bytes serves again.
        self.gathered = gathered;
        self.gathered.clear();
    }
}

/// Writes all pieces, in as few writes as the socket takes them.
pub(crate) async fn write_all(write: &mut OwnedWriteHalf, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    write_patiently(write, slices, Pace { may_wait: &|| true, note_taken: &|| {} }).await
}

/// What becomes of the pace at which a peer takes what is written.
struct Pace<'a> {
    /// Whether one that has taken nothing for [`STALL_MAX`] is waited for even then.
    may_wait: &'a (dyn Fn() -> bool + Sync),
    /// The peer took something.
    note_taken: &'a (dyn Fn() + Sync),
}

/// The same; [`io::ErrorKind::TimedOut`] if the socket takes nothing for [`STALL_MAX`] and the peer may not wait.
async fn write_patiently(write: &mut OwnedWriteHalf, mut slices: &mut [IoSlice<'_>], pace: Pace<'_>) -> io::Result<()> {
    // Leaves out empty pieces at the front, so that a write of nothing is not taken for a closed socket.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let written = match tokio::time::timeout(STALL_MAX, write.write_vectored(slices)).await {
            Ok(written) => written?,
            Err(_) if (pace.may_wait)() => continue,
            Err(stalled) => return Err(stalled.into()),
        };
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        (pace.note_taken)();
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}

fn closes(headers: &[(&'static str, String)]) -> bool {
    headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close"))
}

async fn compressed(body: Bytes) -> io::Result<Bytes> {
    if body.len() < BLOCKING_GZIP_BYTES {
        return gzip::compress(&body);
    }
    tokio::task::spawn_blocking(move || gzip::compress(&body)).await.map_err(io::Error::other)?
}

/// The file and its length, or the code to answer with.
async fn open_file(path: &std::path::Path) -> Result<(tokio::fs::File, u64), u16> {
    let code = |error: io::Error| -> u16 {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => 404,
            _ => 500,
        }
    };
    let file = tokio::fs::File::open(path).await.map_err(code)?;
    let metadata = file.metadata().await.map_err(|_| 500u16)?;
    if metadata.is_dir() { Err(404) } else { Ok((file, metadata.len())) }
}
