//! A scheduler's call: its type, and the part that belongs to it.

use super::Checked;
use crate::state::task::uuid;
use tepui_authz::Principal;
use tepui_proto::ProtoId;
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::scheduler::call::{Subscribe, Type};

/// Checks a call of a principal.
pub fn validate(call: &Call, principal: &Principal) -> Checked {
    let Some(kind) = call.r#type else { return missing("type") };
    if kind == Type::SUBSCRIBE {
        return match call.subscribe.as_option() {
            None => missing("subscribe"),
            Some(subscribe) => validate_subscribe(call, subscribe, principal),
        };
    }
    if !call.framework_id.is_set() {
        return missing("framework_id");
    }
    let (part, set) = match kind {
        Type::ACCEPT => ("accept", call.accept.is_set()),
        Type::DECLINE => ("decline", call.decline.is_set()),
        Type::ACCEPT_INVERSE_OFFERS => ("accept_inverse_offers", call.accept_inverse_offers.is_set()),
        Type::DECLINE_INVERSE_OFFERS => ("decline_inverse_offers", call.decline_inverse_offers.is_set()),
        Type::KILL => ("kill", call.kill.is_set()),
        Type::SHUTDOWN => ("shutdown", call.shutdown.is_set()),
        Type::ACKNOWLEDGE => ("acknowledge", call.acknowledge.is_set()),
        Type::ACKNOWLEDGE_OPERATION_STATUS => {
            ("acknowledge_operation_status", call.acknowledge_operation_status.is_set())
        }
        Type::RECONCILE => ("reconcile", call.reconcile.is_set()),
        Type::RECONCILE_OPERATIONS => ("reconcile_operations", call.reconcile_operations.is_set()),
        Type::MESSAGE => ("message", call.message.is_set()),
        Type::REQUEST => ("request", call.request.is_set()),
        Type::UPDATE_FRAMEWORK => ("update_framework", call.update_framework.is_set()),
        Type::SUBSCRIBE | Type::TEARDOWN | Type::REVIVE | Type::SUPPRESS | Type::UNKNOWN => return Ok(()),
    };
    if !set {
        return missing(part);
    }
    match kind {
        Type::ACKNOWLEDGE => validate_uuid(&call.acknowledge.uuid),
        Type::ACKNOWLEDGE_OPERATION_STATUS => {
            validate_uuid(&call.acknowledge_operation_status.uuid)?;
            if call.acknowledge_operation_status.agent_id.is_set() { Ok(()) } else { missing("agent_id") }
        }
        Type::UPDATE_FRAMEWORK if call.framework_id.id() != call.update_framework.framework_info.id.id() => {
            Err("'framework_id' differs from 'update_framework.framework_info.id'".to_owned())
        }
        _ => Ok(()),
    }
}

fn validate_uuid(bytes: &[u8]) -> Checked {
    if uuid(Some(bytes)).is_some() { Ok(()) } else { Err("Not a valid UUID".to_owned()) }
}

fn validate_subscribe(call: &Call, subscribe: &Subscribe, principal: &Principal) -> Checked {
    let info = &subscribe.framework_info;
    if info.id.id() != call.framework_id.id() {
        return Err("'framework_id' differs from 'subscribe.framework_info.id'".to_owned());
    }
    match (principal, &info.principal) {
        (Some(own), Some(set)) if own != set => {
            Err(format!("Authenticated principal '{own}' does not match principal '{set}' set in `FrameworkInfo`"))
        }
        _ => Ok(()),
    }
}

fn missing(part: &str) -> Checked {
    Err(format!("Expecting '{part}' to be present"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_proto::MessageField;
    use tepui_proto::mesos::scheduler::call;
    use tepui_proto::mesos::{FrameworkID, FrameworkInfo};

    fn call(kind: Option<Type>, id: &str) -> Call {
        let framework_id = if id.is_empty() {
            MessageField::none()
        } else {
            MessageField::some(FrameworkID { value: id.to_owned(), ..Default::default() })
        };
        Call { r#type: kind, framework_id, ..Default::default() }
    }

    #[test]
    fn a_subscription_names_one_framework_and_one_principal() {
        let info = FrameworkInfo { principal: Some("q".to_owned()), ..Default::default() };
        let subscribe = call::Subscribe { framework_info: MessageField::some(info), ..Default::default() };
        let with = |id| Call { subscribe: MessageField::some(subscribe.clone()), ..call(Some(Type::SUBSCRIBE), id) };
        assert_eq!(
            validate(&with("f"), &None),
            Err("'framework_id' differs from 'subscribe.framework_info.id'".to_owned())
        );
        assert_eq!(
            validate(&with(""), &Some("p".to_owned())),
            Err("Authenticated principal 'p' does not match principal 'q' set in `FrameworkInfo`".to_owned())
        );
        assert_eq!(validate(&with(""), &Some("q".to_owned())), Ok(()));
    }
}
