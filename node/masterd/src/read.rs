//! Requests that only read, answered from a snapshot on another thread: the machine never waits for a reader.

use tepui_driver::Mailbox;
use tepui_master::{Master, view};
use tepui_net::Outlet;
use tepui_wire::{NetEffect, Request, RequestId, Response};

pub(crate) async fn answer(id: RequestId, request: Request, mailbox: Mailbox<Master>, outlet: Outlet) {
    let response = match mailbox.inspect(|master| master.snapshot()).await {
        Some(snapshot) => tokio::task::spawn_blocking(move || view::respond(&snapshot, &request)).await.ok(),
        None => None,
    };
    let response = response.unwrap_or_else(|| Response::text(500, "500 Internal Server Error."));
    outlet.apply(NetEffect::Respond(id, response));
}
