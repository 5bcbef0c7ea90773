//! `POST /api/v1/scheduler`: checks in the order of Mesos, then the same handlers as V0.

use crate::Master;
use crate::call::CallError;
use crate::call::subscribe::Subscriber;
use crate::cx::Cx;
use crate::state::Http;
use crate::validate;
use tepui_api::{NOT_ACCEPTABLE, UNSUPPORTED, accepted_or, content_type, post_only};
use tepui_base::FrameworkId;
use tepui_base::rng::{uuid_text, uuid_v4};
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::scheduler::call::Type;
use tepui_proto::{ContentType, ProtoId, v1};
use tepui_wire::{Request, RequestId, Response};

/// A checked request.
enum Checked {
    /// SUBSCRIBE, with the form of the events it wants.
    Subscribe(Call, ContentType),
    /// Anything else, of this framework.
    Other(FrameworkId, Call),
}

impl Master {
    pub(super) fn scheduler_request(&mut self, cx: &mut Cx, id: RequestId, request: Request) {
        match self.check_scheduler(&request) {
            Err(response) => cx.respond(id, response),
            Ok(Checked::Subscribe(call, content)) => {
                let stream_id = uuid_text(&uuid_v4(request.nonce));
                let response = Response::stream(content.as_str()).header("Mesos-Stream-Id", stream_id.clone());
                cx.respond(id, response);
                let http = Http { request: id, stream_id, content };
                let subscribe = call.subscribe.into_option().unwrap_or_default();
                self.subscribe(cx, Subscriber::Http(http), &request.principal, subscribe);
            }
            Ok(Checked::Other(framework, call)) => {
                let status = if call.r#type == Some(Type::UPDATE_FRAMEWORK) { 200 } else { 202 };
                let response = match self.call(cx, &framework, call) {
                    Ok(()) => Response::empty(status),
                    Err(error) => refusal(&error),
                };
                cx.respond(id, response);
            }
        }
    }

    fn check_scheduler(&mut self, request: &Request) -> Result<Checked, Response> {
        if !self.is_leading() {
            return Err(Response::text(503, "Master has not finished recovery"));
        }
        post_only(request)?;
        let content = content_type(request, UNSUPPORTED)?;
        let call = v1::decode_scheduler_call(content, &request.body)
            .map_err(|error| Response::text(400, error.to_string()))?;
        if let Err(text) = validate::call::validate(&call, &request.principal) {
            self.state.metrics.count_invalid_call(call.r#type);
            return Err(Response::text(400, format!("Failed to validate scheduler::Call: {text}")));
        }
        let streams = matches!(call.r#type, Some(Type::SUBSCRIBE | Type::RECONCILE_OPERATIONS));
        let accepted = if streams { accepted_or(request, NOT_ACCEPTABLE)? } else { ContentType::Json };
        let stream_id = request.header("mesos-stream-id");
        if call.r#type == Some(Type::SUBSCRIBE) {
            if stream_id.is_some() {
                let text = "Subscribe calls should not include the 'Mesos-Stream-Id' header";
                return Err(Response::text(400, text));
            }
            return Ok(Checked::Subscribe(call, accepted));
        }
        let id = call.framework_id.id();
        self.check_subscribed(&id, &call, &request.principal, stream_id)?;
        Ok(Checked::Other(id, call))
    }

    /// Whether the call comes from where the framework subscribed.
    fn check_subscribed(
        &mut self,
        id: &FrameworkId,
        call: &Call,
        principal: &Option<String>,
        stream_id: Option<&str>,
    ) -> Result<(), Response> {
        let Some(framework) = self.state.framework_mut(id) else {
            return Err(Response::text(400, "Framework cannot be found"));
        };
        framework.metrics.count_call(call.r#type.unwrap_or(Type::UNKNOWN));
        if principal.is_some() && *principal != framework.info.principal {
            let (own, set) = (principal.as_deref().unwrap_or_default(), framework.info.principal.as_deref());
            let set = set.unwrap_or_default();
            let text =
                format!("Authenticated principal '{own}' does not match principal '{set}' set in `FrameworkInfo`");
            return Err(Response::text(400, text));
        }
        if !framework.is_connected() {
            return Err(Response::text(403, "Framework is not subscribed"));
        }
        let Some(http) = &framework.http else {
            return Err(Response::text(403, "Framework is not connected via HTTP"));
        };
        let Some(stream_id) = stream_id else {
            let text = "All non-subscribe calls should include the 'Mesos-Stream-Id' header";
            return Err(Response::text(400, text));
        };
        if stream_id != http.stream_id {
            let text = format!(
                "The stream ID '{stream_id}' included in this request didn't match the stream ID currently \
                 associated with framework ID {id}"
            );
            return Err(Response::text(400, text));
        }
        Ok(())
    }
}

/// How a call that was not carried out is answered.
fn refusal(error: &CallError) -> Response {
    match error {
        CallError::Invalid(text) => Response::text(400, text.clone()),
        CallError::Forbidden(text) => Response::text(403, text.clone()),
        CallError::NotBuilt("UNKNOWN") => Response::text(501, "501 Not Implemented."),
        CallError::NotBuilt(_) => Response::text(501, error.to_string()),
    }
}
