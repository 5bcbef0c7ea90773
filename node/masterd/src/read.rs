//! Requests that only read, answered from a snapshot on another thread: the machine never waits for a reader.

use crate::timed::Timed;
use std::sync::Arc;
use tepui_driver::Mailbox;
use tepui_master::{Master, Snapshot, view};
use tepui_net::Outlet;
use tepui_wire::{NetEffect, Request, RequestId, Response};

pub(crate) async fn answer(
    id: RequestId,
    request: Request,
    mailbox: Mailbox<Master>,
    allocator: Mailbox<Timed>,
    outlet: Outlet,
) {
    let figures = match view::allocator::is_wanted(&request) {
        true => {
            let waiting = allocator.len();
            allocator.inspect(move |allocator| allocator.figures(waiting)).await.map(Arc::new)
        }
        false => None,
    };
    let response = match mailbox.inspect(|master| Snapshot { allocator: figures, ..master.snapshot() }).await {
        Some(snapshot) => tokio::task::spawn_blocking(move || view::respond(&snapshot, &request)).await.ok(),
        None => None,
    };
    let response = response.unwrap_or_else(|| Response::text(500, "500 Internal Server Error."));
    outlet.apply(NetEffect::Respond(id, response));
}
