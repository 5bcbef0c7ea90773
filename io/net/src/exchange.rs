//! Requests that wait for their process, and the streams it opened for them.

use crate::answer::Answer;
use crate::mailbox::Mailbox;
use crate::shared::Shared;
use crate::stream::{Promise, Stream};
use bytes::Bytes;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tepui_wire::{Body, NetInput, RequestId, Response};
use tokio::sync::oneshot;

/// What a connection gets to send for one request.
pub(crate) enum Outcome {
    Answer(Answer),
    /// The head of a stream and the stream itself.
    Stream(Response, OpenStream),
}

/// A stream as its connection holds it. Dropping it tells the process that the client left, unless the process ended
/// the stream itself.
pub(crate) struct OpenStream {
    id: RequestId,
    pub(crate) stream: Arc<Stream>,
    shared: Arc<Shared>,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.shared.exchanges.left(self.id);
    }
}

struct Waiting {
    peer: SocketAddr,
    mailbox: Arc<Mailbox>,
    outcome: oneshot::Sender<Outcome>,
}

struct Open {
    peer: SocketAddr,
    mailbox: Arc<Mailbox>,
    stream: Arc<Stream>,
}

#[derive(Default)]
struct Table {
    last: u64,
    waiting: HashMap<RequestId, Waiting>,
    open: HashMap<RequestId, Open>,
}

/// All requests of a node that processes are to answer or still write to.
#[derive(Default)]
pub(crate) struct Exchanges(Mutex<Table>);

impl Exchanges {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new request of `peer` for the process of `mailbox`.
    pub(crate) fn begin(&self, mailbox: &Arc<Mailbox>, peer: SocketAddr) -> (RequestId, oneshot::Receiver<Outcome>) {
        let (outcome, receiver) = oneshot::channel();
        let mut table = self.table();
        table.last += 1;
        let id = RequestId(table.last);
        table.waiting.insert(id, Waiting { peer, mailbox: mailbox.clone(), outcome });
        (id, receiver)
    }

    /// The process is gone: the connection of the request sees the channel close.
    pub(crate) fn cancel(&self, id: RequestId) {
        self.table().waiting.remove(&id);
    }

    /// The process answers. A second answer to one request, or one to a request that never was, is ignored.
    pub(crate) fn respond(&self, shared: &Arc<Shared>, id: RequestId, response: Response) {
        let mut table = self.table();
        let Some(Waiting { peer, mailbox, outcome }) = table.waiting.remove(&id) else {
            tracing::warn!(request = id.0, "Answer to a request that is not open");
            return;
        };
        let outcome_value = match response.body {
            Body::Full(_) => Outcome::Answer(Answer::Response(response)),
            Body::Stream => {
                let stream = Arc::new(Stream::default());
                table.open.insert(id, Open { peer, mailbox, stream: stream.clone() });
                Outcome::Stream(response, OpenStream { id, stream, shared: shared.clone() })
            }
        };
        // The lock is given back first: a refused stream is dropped here, which looks into the table again.
        drop(table);
        let _ = outcome.send(outcome_value);
    }

    /// The process writes a chunk.
    pub(crate) fn write(&self, id: RequestId, chunk: Bytes, max: usize) {
        let mut table = self.table();
        let Some(open) = table.open.get(&id) else { return };
        if !open.stream.write(chunk, max) {
            let peer = open.peer;
            let open = table.open.remove(&id);
            drop(table);
            tracing::warn!(%peer, max, "Dropping a streaming client that does not read what waits for it");
            open.inspect(|open| open.mailbox.push(NetInput::StreamClosed(id)));
        }
    }

    /// A place for a chunk that comes later, before all that is written from now on; none if the stream is over.
    pub(crate) fn promise(&self, id: RequestId) -> Option<Promise> {
        self.table().open.get(&id).map(|open| Promise::new(&open.stream))
    }

    /// The process ends a stream; it will hear no more of it.
    pub(crate) fn close(&self, id: RequestId) {
        if let Some(open) = self.table().open.remove(&id) {
            open.stream.close();
        }
    }

    /// The connection of a stream is done with it.
    fn left(&self, id: RequestId) {
        if let Some(open) = self.table().open.remove(&id) {
            open.mailbox.push(NetInput::StreamClosed(id));
        }
    }

    /// A process ended: nobody will answer its requests (their connections see the channel close), and its streams end.
    pub(crate) fn end_process(&self, mailbox: &Arc<Mailbox>) {
        let mut table = self.table();
        table.waiting.retain(|_, waiting| !Arc::ptr_eq(&waiting.mailbox, mailbox));
        table.open.retain(|_, open| {
            let stays = !Arc::ptr_eq(&open.mailbox, mailbox);
            if !stays {
                open.stream.close();
            }
            stays
        });
    }

    /// Requests that wait for an answer, and open streams.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let table = self.table();
        (table.waiting.len(), table.open.len())
    }
}
