//! Makes the requests of a protocol machine.

use crate::connection::Connection;
use std::collections::{HashMap, VecDeque};
use tepui_framework::exchange::{ExchangeId, HttpEffect, HttpInput, Post, Reply};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Inputs that may wait for the machine; when they are this many, the sockets are not read.
const QUEUE: usize = 64;

/// Two lanes to a peer, as `tepui_framework::exchange` describes them. Dropping it closes both.
pub(crate) struct Transport {
    inputs: mpsc::Sender<HttpInput>,
    calls: mpsc::UnboundedSender<Step>,
    caller: JoinHandle<()>,
    streams: HashMap<ExchangeId, JoinHandle<()>>,
}

/// What the lane of calls is told.
enum Step {
    Call(ExchangeId, Post),
    Abort(ExchangeId),
}

impl Transport {
    /// The transport, and what the network does.
    pub fn new() -> (Transport, mpsc::Receiver<HttpInput>) {
        let (inputs, received) = mpsc::channel(QUEUE);
        // Unbounded, because a machine never waits; its callers wait for their answers, which bounds it in practice.
        let (calls, steps) = mpsc::unbounded_channel();
        let caller = tokio::spawn(make_calls(steps, inputs.clone()));
        (Transport { inputs, calls, caller, streams: HashMap::new() }, received)
    }

    /// Performs one effect.
    pub fn apply(&mut self, effect: HttpEffect) {
        // The task that takes steps ends only together with this value.
        match effect {
            HttpEffect::Call(id, post) => {
                let _ = self.calls.send(Step::Call(id, post));
            }
            HttpEffect::Subscribe(id, post) => {
                self.streams.retain(|_, stream| !stream.is_finished());
                self.streams.insert(id, tokio::spawn(subscribe(id, post, self.inputs.clone())));
            }
            HttpEffect::Abort(id) => match self.streams.remove(&id) {
                Some(stream) => stream.abort(),
                None => {
                    let _ = self.calls.send(Step::Abort(id));
                }
            },
        }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.caller.abort();
        self.streams.values().for_each(JoinHandle::abort);
    }
}

/// The lane of calls: one after another, over one connection while they go to one peer.
async fn make_calls(mut steps: mpsc::UnboundedReceiver<Step>, inputs: mpsc::Sender<HttpInput>) {
    let mut queue = VecDeque::new();
    let mut open: Option<(String, Connection)> = None;
    loop {
        let Some((id, post)) = queue.pop_front() else {
            match steps.recv().await {
                Some(Step::Call(id, post)) => queue.push_back((id, post)),
                // It was answered before.
                Some(Step::Abort(_)) => {}
                None => return,
            }
            continue;
        };
        let answer = tokio::select! {
            biased;
            () = aborted(id, &mut steps, &mut queue) => None,
            answer = call(&mut open, &post) => Some(answer),
        };
        let input = match answer {
            Some(Ok(reply)) => HttpInput::Answered(id, reply),
            Some(Err(error)) => {
                open = None;
                HttpInput::Closed(id, error)
            }
            None => {
                open = None;
                continue;
            }
        };
        if inputs.send(input).await.is_err() {
            return;
        }
    }
}

/// Takes steps while a call is under way, until that call is to be forgotten.
async fn aborted(
    current: ExchangeId,
    steps: &mut mpsc::UnboundedReceiver<Step>,
    queue: &mut VecDeque<(ExchangeId, Post)>,
) {
    loop {
        match steps.recv().await {
            Some(Step::Call(id, post)) => queue.push_back((id, post)),
            Some(Step::Abort(id)) if id == current => return,
            Some(Step::Abort(id)) => queue.retain(|(waiting, _)| *waiting != id),
            None => std::future::pending().await,
        }
    }
}

async fn call(open: &mut Option<(String, Connection)>, post: &Post) -> Result<Reply, String> {
    let usable = match open {
        Some((to, connection)) => *to == post.to && connection.is_open(),
        None => false,
    };
    if !usable {
        *open = Some((post.to.clone(), Connection::open(&post.to).await?));
    }
    let (_, connection) = open.as_mut().ok_or("no connection")?;
    connection.send("POST", post.path, &post.headers, post.body.clone()).await?.whole().await
}

async fn subscribe(id: ExchangeId, post: Post, inputs: mpsc::Sender<HttpInput>) {
    let end = match stream(id, post, &inputs).await {
        Ok(Some(reply)) => HttpInput::Answered(id, reply),
        Ok(None) => HttpInput::Closed(id, "the stream has ended".to_owned()),
        Err(error) => HttpInput::Closed(id, error),
    };
    // Nobody listens any more once the machine's owner is gone.
    let _ = inputs.send(end).await;
}

/// Feeds the stream to the machine until it ends, or gives the answer that is no stream.
async fn stream(id: ExchangeId, post: Post, inputs: &mpsc::Sender<HttpInput>) -> Result<Option<Reply>, String> {
    let mut connection = Connection::open(&post.to).await?;
    let mut answer = connection.send("POST", post.path, &post.headers, post.body).await?;
    if answer.head.status != 200 {
        return answer.whole().await.map(Some);
    }
    if inputs.send(HttpInput::Opened(id, answer.head.clone())).await.is_err() {
        return Ok(None);
    }
    while let Some(chunk) = answer.chunk().await {
        if inputs.send(HttpInput::Chunk(id, chunk?)).await.is_err() {
            return Ok(None);
        }
    }
    Ok(None)
}
