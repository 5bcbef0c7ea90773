//! What HTTP requests mean to the agent: executors' calls change it, everything else reads it.

mod executor;

use crate::view;
use crate::{Agent, Cx};
use tepui_proto::ContentType;
use tepui_wire::{NetEffect, Request, RequestId, Response};

impl Agent {
    /// Whether a request only reads, so that [`view::respond`] can answer it from a snapshot.
    pub fn is_read(request: &Request) -> bool {
        view::path(request) != "/api/v1/executor"
    }

    pub(crate) fn http(&mut self, cx: &mut Cx<'_>, id: RequestId, request: &Request) {
        if Agent::is_read(request) {
            let response = view::respond(&self.snapshot(), request);
            cx.net(NetEffect::Respond(id, response));
        } else {
            self.executor_request(cx, id, request);
        }
    }
}

/// 405 with the text and header of libprocess.
pub(crate) fn method_not_allowed(allowed: &'static str, received: &str) -> Response {
    let text = format!("405 Method Not Allowed. Expecting one of {{ '{allowed}' }}, but received '{received}'.");
    Response::text(405, text).header("Allow", allowed)
}

/// The form of the answer: JSON if the client takes it, else protobuf.
pub(crate) fn accepted(request: &Request) -> Option<ContentType> {
    [ContentType::Json, ContentType::Protobuf].into_iter().find(|form| request.accepts(form.as_str()))
}

/// The form of a request body. The 415 text differs by endpoint.
pub(crate) fn content_type(request: &Request, unsupported: &str) -> Result<ContentType, Response> {
    let header = request.header("content-type");
    let header = header.ok_or_else(|| Response::text(400, "Expecting 'Content-Type' to be present"))?;
    ContentType::from_header(header).ok_or_else(|| Response::text(415, unsupported))
}
