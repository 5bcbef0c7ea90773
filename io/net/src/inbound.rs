//! A connection from a peer: its requests in, their answers out in the same order.
//!
//! Reading never waits for answers (the processes see pipelined requests at once), only for room: in the mailbox of the
//! process a request is for, and in the queue of unsent answers. A failing write does not stop the reading: peers
//! close right after their last message, without waiting for its `202`, and all they sent must arrive.

use crate::answer::Answer;
use crate::arrivals::{Share, WINDOW};
use crate::gzip;
use crate::hang_up::Speaker;
use crate::mailbox::Mailbox;
use crate::replies::{self, Content, Reply};
use crate::shared::{Phase, Shared};
use bytes::{BufMut, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tepui_wire::decode::{Decoded, Decoder, Error, Head, Payload};
use tepui_wire::message::Envelope;
use tepui_wire::route::{Route, route};
use tepui_wire::{NetInput, Request, Response, accept};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

/// Room to read into; large bodies make the buffer grow.
const READ_BYTES: usize = 32 * 1024;

/// How much is read at once of a request that is larger than what needs no asking.
const LARGE_READ_BYTES: usize = 256 * 1024;

/// Requests of one connection that may be unanswered before it is not read any more.
const PIPELINE_MAX: usize = 1024;

/// Requests of one connection (messages do not count: their answers are short) that may be unanswered before it is not
/// read any more: each answer may be as large as the state of the cluster, and is kept until its turn has come.
const REQUESTS_MAX: usize = 32;

/// How long a peer may pause within a request. Between requests it may be silent for ever, as links are; a peer that has
/// begun to speak and stops for longer is gone or wastes what it has sent so far.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Why the reading of a connection ended.
enum Ending {
    /// The peer will send no more; what it asked may still be answered.
    Done,
    /// What it sent cannot be understood, or its socket broke.
    Broken,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(shared: &Arc<Shared>, stream: TcpStream, peer: SocketAddr, speaker: &Speaker) {
    let (read, write) = stream.into_split();
    let (replies, queued) = mpsc::channel(PIPELINE_MAX);
    let (gone, is_gone) = watch::channel(false);
    let reader = async {
        let mut reader = Reader { shared, peer, speaker, replies, places: Arc::new(Semaphore::new(REQUESTS_MAX)) };
        let ending = tokio::select! {
            ending = reader.run(read) => ending,
            () = shared.reached(Phase::Draining) => Ending::Done,
        };
        gone.send_replace(true);
        ending
    };
    let mut writer = std::pin::pin!(replies::write(shared, write, queued, is_gone));
    tokio::select! {
        () = &mut writer => {}
        ending = reader => if let Ending::Done = ending { writer.await },
    }
}

struct Reader<'a> {
    shared: &'a Arc<Shared>,
    peer: SocketAddr,
    speaker: &'a Speaker,
    replies: mpsc::Sender<Reply>,
    /// One for each request that may be unanswered.
    places: Arc<Semaphore>,
}

impl Reader<'_> {
    async fn run(&mut self, read: OwnedReadHalf) -> Ending {
        let mut decoder = Decoder::new(self.shared.config.limits);
        let mut share = self.shared.arrivals.share();
        loop {
            match decoder.decode() {
                Ok(Some(decoded)) => {
                    // Whole, and from here on for others to bound: who does not read answers must not keep the room.
                    share.shrink(decoder.held());
                    let Some(reply) = self.take(decoded).await else { return Ending::Broken };
                    if self.replies.send(reply).await.is_err() {
                        return Ending::Broken;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => return self.refuse(&error).await,
            }
            let held = decoder.held();
            share.shrink(held);
            let most = if held > READ_BYTES { LARGE_READ_BYTES } else { READ_BYTES };
            share.grow(held + most).await;
            let pause = if decoder.is_between_requests() { None } else { Some(PAUSE_MAX) };
            match receive(&read, decoder.buffer(), most, pause, &mut share).await {
                Ok(0) => return Ending::Done,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => {
                    tracing::warn!(peer = %self.peer, "Closing a connection that sends too slowly while others wait for room");
                    return Ending::Broken;
                }
                Err(error) => {
                    tracing::debug!(peer = %self.peer, %error, "Connection broke");
                    return Ending::Broken;
                }
            }
        }
    }

    /// Closes a connection that cannot be understood without an answer; only one that sends too much is told so.
    async fn refuse(&self, error: &Error) -> Ending {
        tracing::warn!(peer = %self.peer, %error, "Closing a connection that cannot be decoded");
        if !matches!(error, Error::BodyTooLarge(_)) {
            return Ending::Broken;
        }
        let content = Content::answer(Response::status(413).header("Connection", "close"));
        let reply = Reply::to_message(content, false);
        let _ = self.replies.send(reply).await;
        Ending::Done
    }

    /// Hands one request on. `None` if its compressed body cannot be inflated, which counts as undecodable.
    async fn take(&self, decoded: Decoded) -> Option<Reply> {
        let limits = self.shared.config.limits;
        match decoded {
            Decoded::Continue => Some(Reply::to_message(Content::Continue, true)),
            Decoded::Message(Err(text), payload) => {
                Some(Reply::to_message(Content::answer(Response::text(500, text)), payload.keep_alive))
            }
            Decoded::Message(Ok(envelope), payload) => {
                let payload = inflated(payload, limits.message_body)?;
                let keep_alive = payload.keep_alive;
                Some(Reply::to_message(self.take_message(envelope, payload).await, keep_alive))
            }
            Decoded::Request(head, payload) => {
                let place = self.place().await;
                let payload = inflated(payload, limits.request_body)?;
                let mut reply = Reply {
                    content: Content::Continue,
                    keep_alive: payload.keep_alive,
                    is_head: head.method == "HEAD",
                    gzip: false,
                    chunked: payload.chunked_answer,
                    place,
                };
                let request = self.request(head, payload);
                reply.gzip = accept::accepts_encoding(request.header("accept-encoding"), "gzip");
                reply.content = self.take_request(request).await;
                Some(reply)
            }
        }
    }

    /// Waits until few enough requests are unanswered.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so a permit always comes.
        self.places.clone().acquire_owned().await.ok()
    }

    async fn take_message(&self, envelope: Envelope, payload: Payload) -> Content {
        if self.shared.config.require_peer_address_ip_match && self.peer.ip() != envelope.from.ip {
            let text = format!(
                "UPID IP address validation failed: Message from {} was sent from IP {}",
                envelope.from, self.peer
            );
            return Content::answer(Response::text(400, text));
        }
        self.speaker.get_or_init(|| envelope.from.address());
        let Some(mailbox) = self.shared.process(&envelope.to) else {
            tracing::debug!(to = envelope.to, name = envelope.name, "Message to no process");
            return Content::answer(Response::status(404));
        };
        let length = payload.body.len();
        let message = envelope.with_body(self.shared.address, payload.body);
        match mailbox.deliver(NetInput::Message(message), length).await {
            true => Content::Accepted,
            false => Content::answer(Response::status(404)),
        }
    }

    fn request(&self, head: Head, payload: Payload) -> Request {
        Request {
            method: head.method,
            path: head.path,
            query: head.query,
            headers: head.headers,
            body: payload.body,
            peer: self.peer,
            principal: None,
            nonce: nonce(),
        }
    }

    async fn take_request(&self, mut request: Request) -> Content {
        let target = {
            let processes = self.shared.processes();
            match route(&request.path, processes.delegate.as_deref(), |id| processes.is_known(id)) {
                Route::Refused(status, text) => Target::Refused(Response::text(status, text)),
                Route::To { id, path } => {
                    request.path = path;
                    match (processes.handler(&request.path), processes.get(&id)) {
                        (Some(handler), _) => Target::Handler(handler),
                        (None, Some(mailbox)) => Target::Process(mailbox.clone()),
                        (None, None) => Target::Refused(Response::status(404)),
                    }
                }
            }
        };
        match target {
            Target::Refused(response) => Content::answer(response),
            Target::Handler(handler) => {
                let (send, receive) = oneshot::channel::<Answer>();
                let answer = handler(request);
                tokio::spawn(async move {
                    let _ = send.send(answer.await);
                });
                Content::Handler(receive)
            }
            Target::Process(mailbox) => {
                let (id, outcome) = self.shared.exchanges.begin(&mailbox, self.peer);
                let length = request.body.len();
                if !mailbox.deliver(NetInput::Http(id, request), length).await {
                    self.shared.exchanges.cancel(id);
                }
                Content::Process(outcome)
            }
        }
    }
}

/// Reads up to `most` of what there is, waiting for it at most for `pause`; [`io::ErrorKind::QuotaExceeded`] if the
/// connection keeps room that others wait for and does not use it. A connection that waits between requests gives its
/// buffer back: there may be tens of thousands.
async fn receive(
    read: &OwnedReadHalf,
    buffer: &mut BytesMut,
    most: usize,
    pause: Option<Duration>,
    share: &mut Share,
) -> io::Result<usize> {
    let started = Instant::now();
    loop {
        buffer.reserve(most);
        let came = match read.try_read_buf(&mut buffer.limit(most)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Ok(0) => return Ok(0),
            read => read?,
        };
        if share.is_taken() && !share.note(came) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        if came > 0 {
            return Ok(came);
        }
        if buffer.is_empty() {
            *buffer = BytesMut::new();
        }
        match pause {
            None => read.readable().await?,
            Some(pause) => {
                let left = pause.saturating_sub(started.elapsed());
                let until = if share.is_taken() { left.min(WINDOW) } else { left };
                match tokio::time::timeout(until, read.readable()).await {
                    Ok(readable) => readable?,
                    Err(_) if until < left => {}
                    Err(elapsed) => return Err(elapsed.into()),
                }
            }
        }
    }
}

enum Target {
    Refused(Response),
    Handler(crate::processes::Handler),
    Process(Arc<Mailbox>),
}

fn inflated(mut payload: Payload, limit: usize) -> Option<Payload> {
    if payload.gzip {
        payload.body = gzip::inflate(&payload.body, limit)?;
        payload.gzip = false;
    }
    Some(payload)
}

fn nonce() -> u128 {
    let mut bytes = [0; 16];
    // Ids made of this must not be guessed; without the system's generator nothing safe can go on.
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    u128::from_ne_bytes(bytes)
}
