//! `POST /slave(1)/api/v1/executor`: checks in the order of Mesos, with its texts, then the handlers V0 uses as well.

use crate::state::{Executor, executor::Phase};
use crate::{Agent, Cx};
use tepui_api::{NOT_ACCEPTABLE, UNSUPPORTED, accepted, content_type, post_only};
use tepui_base::FrameworkId;
use tepui_proto::Enumeration;
use tepui_proto::ids::ProtoId;
use tepui_proto::mesos::executor::{Call, call};
use tepui_proto::mesos::task_status::Source;
use tepui_proto::mesos::{CheckStatusInfo, TaskState, check_info};
use tepui_proto::v1;
use tepui_wire::{NetEffect, Request, RequestId, Response};

impl Agent {
    pub(crate) fn executor_request(&mut self, cx: &mut Cx<'_>, id: RequestId, request: &Request) {
        match self.executor_call(cx, id, request) {
            // A subscription has been answered by its stream.
            Ok(None) => {}
            Ok(Some(response)) | Err(response) => cx.net(NetEffect::Respond(id, response)),
        }
    }

    fn executor_call(
        &mut self,
        cx: &mut Cx<'_>,
        id: RequestId,
        request: &Request,
    ) -> Result<Option<Response>, Response> {
        let call = read_call(request)?;
        let kind = call.r#type.unwrap_or_default();
        let accept = accepted(request);
        match kind {
            call::Type::SUBSCRIBE if accept.is_none() => {
                return Err(Response::text(406, NOT_ACCEPTABLE));
            }
            // Its ids may be placeholders, so they are not looked at.
            call::Type::HEARTBEAT => return Ok(Some(Response::empty(202))),
            _ => {}
        }
        let (framework, executor) = self.caller(&call)?;
        if executor.phase == Phase::Registering && kind != call::Type::SUBSCRIBE {
            return Err(Response::text(403, "Executor is not subscribed"));
        }
        match (kind, accept) {
            (call::Type::SUBSCRIBE, Some(form)) => {
                self.subscribe_executor(cx, id, form, &executor, &call.subscribe);
                return Ok(None);
            }
            (call::Type::UPDATE, _) => {
                let status = call.update.into_option().unwrap_or_default().status.into_option().unwrap_or_default();
                self.update_call(cx, &framework, status);
            }
            (call::Type::MESSAGE, _) => {
                let data = call.message.into_option().unwrap_or_default().data;
                self.message_call(cx, &framework, &executor.id, data);
            }
            _ => return Err(Response::text(501, "501 Not Implemented.")),
        }
        Ok(Some(Response::empty(202)))
    }

    /// Whose call it is.
    fn caller(&self, call: &Call) -> Result<(FrameworkId, Executor), Response> {
        let framework = self.state.framework(&call.framework_id.id());
        let framework = framework.ok_or_else(|| Response::text(400, "Framework cannot be found"))?;
        let executor = framework.executors.get(&call.executor_id.id());
        let executor = executor.ok_or_else(|| Response::text(400, "Executor cannot be found"))?;
        Ok((framework.id.clone(), (**executor).clone()))
    }
}

fn read_call(request: &Request) -> Result<Call, Response> {
    post_only(request)?;
    let form = content_type(request, UNSUPPORTED)?;
    let call: Call = v1::decode_call(form, &request.body).map_err(|error| Response::text(400, error.to_string()))?;
    validate(&call).map_err(|text| Response::text(400, format!("Failed to validate Executor::Call: {text}")))?;
    Ok(call)
}

fn validate(call: &Call) -> Result<(), String> {
    let expect = |present: bool, field: &str| {
        if present { Ok(()) } else { Err(format!("Expecting '{field}' to be present")) }
    };
    expect(call.r#type.is_some(), "type")?;
    match call.r#type.unwrap_or_default() {
        call::Type::SUBSCRIBE => expect(call.subscribe.is_set(), "subscribe"),
        call::Type::MESSAGE => expect(call.message.is_set(), "message"),
        call::Type::HEARTBEAT | call::Type::UNKNOWN => Ok(()),
        call::Type::UPDATE => {
            expect(call.update.is_set(), "update")?;
            validate_update(call)
        }
    }
}

fn validate_update(call: &Call) -> Result<(), String> {
    let status = &call.update.status;
    let (executor, framework) = (&call.executor_id.value, &call.framework_id.value);
    let uuid = status.uuid.as_ref().ok_or("Expecting 'uuid' to be present")?;
    if !is_uuid(uuid) {
        return Err("Not a valid UUID".to_owned());
    }
    if status.executor_id.is_set() && status.executor_id.value != *executor {
        let other = &status.executor_id.value;
        return Err(format!("ExecutorID in Call: {executor} does not match ExecutorID in TaskStatus: {other}"));
    }
    if status.source != Some(Source::SOURCE_EXECUTOR) {
        return Err(format!(
            "Received Call from executor {executor} of framework {framework} with invalid source, expecting \
             'SOURCE_EXECUTOR'"
        ));
    }
    if status.state == TaskState::TASK_STAGING {
        return Err(format!(
            "Received TASK_STAGING from executor {executor} of framework {framework} which is not allowed"
        ));
    }
    status.check_status.as_option().map_or(Ok(()), validate_check_status)
}

/// Of HTTP calls only: Mesos looks at this neither in V0 updates nor in those that come with a subscription.
fn validate_check_status(status: &CheckStatusInfo) -> Result<(), String> {
    let Some(kind) = status.r#type else { return Err("CheckStatusInfo must specify 'type'".to_owned()) };
    let (is_set, field) = match kind {
        check_info::Type::COMMAND => (status.command.is_set(), "command"),
        check_info::Type::HTTP => (status.http.is_set(), "http"),
        check_info::Type::TCP => (status.tcp.is_set(), "tcp"),
        check_info::Type::UNKNOWN => return Err("'UNKNOWN' is not a valid check's status type".to_owned()),
    };
    match is_set {
        true => Ok(()),
        false => Err(format!("Expecting '{field}' to be set for {} check's status", kind.proto_name())),
    }
}

/// Sixteen bytes that name one of the five versions of RFC 4122.
fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 16 && (1..=5).contains(&(bytes[6] >> 4))
}
