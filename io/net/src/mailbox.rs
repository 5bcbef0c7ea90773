//! The way to a process: one queue, in order of arrival.
//!
//! What comes from outside first takes its share of the mailbox's bytes and, if there are none, its connection is not
//! read; what comes from inside (the end of a link or stream, messages between processes of one node) never waits.

use crate::shared::Shared;
use std::sync::Arc;
use tepui_wire::NetInput;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// What an input costs besides its body; shares are counted in it.
const INPUT_BYTES: usize = 1024;

struct Item {
    input: NetInput,
    /// Given back when the process takes the input.
    _share: Option<OwnedSemaphorePermit>,
}

/// The sending end.
pub(crate) struct Mailbox {
    pub(crate) id: Arc<str>,
    queue: mpsc::UnboundedSender<Item>,
    /// Free room in units of [`INPUT_BYTES`].
    room: Arc<Semaphore>,
    size: usize,
}

impl Mailbox {
    /// Delivers what comes from inside; lost if the process has ended.
    pub(crate) fn push(&self, input: NetInput) {
        let _ = self.queue.send(Item { input, _share: None });
    }

    /// Delivers what comes from outside, waiting for room; false if the process has ended.
    pub(crate) async fn deliver(&self, input: NetInput, body_bytes: usize) -> bool {
        let share = (1 + body_bytes / INPUT_BYTES).min(self.size) as u32;
        let Ok(share) = self.room.clone().acquire_many_owned(share).await else { return false };
        self.queue.send(Item { input, _share: Some(share) }).is_ok()
    }

    /// Lets those go who wait for room.
    pub(crate) fn close(&self) {
        self.room.close();
    }
}

/// The receiving end: all that reaches one process. Dropping it ends the process: later messages and requests to it
/// are answered with 404, its open requests with 500, its streams end, and its linkers on this node see it exit.
pub struct Inbox {
    queue: mpsc::UnboundedReceiver<Item>,
    mailbox: Arc<Mailbox>,
    shared: Arc<Shared>,
}

impl Inbox {
    pub(crate) fn new(id: Arc<str>, shared: Arc<Shared>) -> (Arc<Mailbox>, Inbox) {
        let (sender, queue) = mpsc::unbounded_channel();
        let size = (shared.config.mailbox_bytes / INPUT_BYTES).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let mailbox = Arc::new(Mailbox { id, queue: sender, room: Arc::new(Semaphore::new(size)), size });
        (mailbox.clone(), Inbox { queue, mailbox, shared })
    }

    /// The next input; cancelling the wait loses nothing.
    pub async fn recv(&mut self) -> NetInput {
        // The queue cannot close: this inbox holds a sending end itself.
        let item = self.queue.recv().await.expect("an inbox keeps its own mailbox open");
        item.input
    }

    /// The next input, if it is there already.
    pub fn try_recv(&mut self) -> Option<NetInput> {
        self.queue.try_recv().ok().map(|item| item.input)
    }

    /// How many inputs wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.mailbox.close();
        self.shared.end_process(&self.mailbox);
    }
}
