//! What HTTP requests mean to the agent: executors' calls change it, everything else reads it.

mod executor;

use crate::view;
use crate::{Agent, Cx};
use tepui_api::NoHost;
use tepui_wire::{NetEffect, Request, RequestId};

impl Agent {
    /// Whether a request only reads, so that [`view::respond`] can answer it from a snapshot.
    pub fn is_read(request: &Request) -> bool {
        view::path(request) != "/api/v1/executor"
    }

    pub(crate) fn http(&mut self, cx: &mut Cx<'_>, id: RequestId, request: &Request) {
        if Agent::is_read(request) {
            let response = view::respond(&self.snapshot(), &NoHost, request);
            cx.net(NetEffect::Respond(id, response));
        } else {
            self.executor_request(cx, id, request);
        }
    }
}
