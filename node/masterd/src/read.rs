//! Requests that only read, answered from a snapshot on another thread: the machine never waits for a reader.
//!
//! Answers that grow with the cluster are made one batch at a time: all that wait when a batch begins see one snapshot,
//! and those that ask the same get one answer, as in Mesos (`ReadOnlyHandler` in `src/master/http.cpp`). All others, among
//! them `/health`, are answered beside the batch and never wait for it.

use crate::timed::Timed;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tepui_driver::Mailbox;
use tepui_master::view::allocator::Figures;
use tepui_master::{Master, Snapshot, view};
use tepui_net::Outlet;
use tepui_processes::{Limiter, Processes};
use tepui_wire::{NetEffect, Request, RequestId, Response};
use tokio::sync::mpsc;

/// What a reader needs.
#[derive(Clone)]
pub(crate) struct Reader {
    pub mailbox: Mailbox<Master>,
    /// For its figures.
    pub allocator: Mailbox<Timed>,
    pub outlet: Outlet,
    pub processes: Arc<Processes>,
    /// Of `/metrics/snapshot`.
    pub limiter: Arc<Limiter>,
    /// Answers that were made for another request (`master/http_cache_hits`).
    pub hits: Arc<AtomicU64>,
}

/// Where reads are put.
pub(crate) struct Reads {
    reader: Reader,
    shared: mpsc::UnboundedSender<(RequestId, Request)>,
}

/// What two requests must agree in to get the same answer.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    path: String,
    query: String,
    principal: Option<String>,
    forms: [Option<String>; 2],
    body: Bytes,
}

type Batch = BTreeMap<Question, (Request, Vec<RequestId>)>;

impl Reads {
    /// Begins to answer batches.
    pub fn start(reader: Reader) -> Reads {
        let (shared, waiting) = mpsc::unbounded_channel();
        tokio::spawn(reader.clone().answer_batches(waiting));
        Reads { reader, shared }
    }

    /// Answers a request as soon as it can be.
    pub fn answer(&self, id: RequestId, request: Request) {
        if view::is_shared(&request) {
            // The receiver ends with the runtime only.
            let _ = self.shared.send((id, request));
        } else {
            tokio::spawn(self.reader.clone().answer_alone(id, request));
        }
    }
}

impl Reader {
    async fn answer_alone(self, id: RequestId, request: Request) {
        if view::is_metrics(&request) {
            self.limiter.acquire().await;
        }
        let question = question(&request);
        self.answer_batch(BTreeMap::from([(question, (request, vec![id]))])).await;
    }

    async fn answer_batches(self, mut waiting: mpsc::UnboundedReceiver<(RequestId, Request)>) {
        while let Some(first) = waiting.recv().await {
            let mut batch = Batch::new();
            let mut next = Some(first);
            while let Some((id, request)) = next.take().or_else(|| waiting.try_recv().ok()) {
                batch.entry(question(&request)).or_insert_with(|| (request, Vec::new())).1.push(id);
            }
            self.answer_batch(batch).await;
        }
    }

    async fn answer_batch(&self, batch: Batch) {
        let failed: Vec<RequestId> = batch.values().flat_map(|(_, ids)| ids).copied().collect();
        let wants_figures = batch.values().any(|(request, _)| view::allocator::is_wanted(request));
        let figures = if wants_figures { self.figures().await } else { None };
        let snapshot = self.mailbox.inspect(|master| Snapshot { allocator: figures, ..master.snapshot() }).await;
        let this = self.clone();
        let answered = tokio::task::spawn_blocking(move || {
            let snapshot = snapshot?;
            for (request, ids) in batch.into_values() {
                let response = view::respond(&snapshot, &*this.processes, &request);
                this.hits.fetch_add(ids.len() as u64 - 1, Ordering::Relaxed);
                ids.into_iter().for_each(|id| this.outlet.apply(NetEffect::Respond(id, response.clone())));
            }
            Some(())
        });
        if !matches!(answered.await, Ok(Some(()))) {
            failed.into_iter().for_each(|id| self.outlet.apply(NetEffect::Respond(id, Response::status(500))));
        }
    }
}

impl Reader {
    async fn figures(&self) -> Option<Arc<Figures>> {
        let waiting = self.allocator.len();
        self.allocator.inspect(move |allocator| allocator.figures(waiting)).await.map(Arc::new)
    }
}

fn question(request: &Request) -> Question {
    let form = |name| request.header(name).map(str::to_owned);
    Question {
        path: request.path.clone(),
        query: request.query.clone(),
        principal: request.principal.clone(),
        forms: [form("accept"), form("content-type")],
        body: request.body.clone(),
    }
}
