//! What V0 schedulers send: `mesos.scheduler.Call`, and the messages that drivers before 1.0 sent instead of it.

use super::decode;
use crate::Master;
use crate::call::CallError;
use crate::call::subscribe::Subscriber;
use crate::cx::Cx;
use crate::event;
use crate::metrics::Counter;
use crate::state::task::uuid;
use crate::validate;
use tepui_base::FrameworkId;
use tepui_proto::mesos::internal::{
    AuthenticateMessage, AuthenticationErrorMessage, DeactivateFrameworkMessage, FrameworkToExecutorMessage,
    KillTaskMessage, LaunchTasksMessage, ReconcileTasksMessage, RegisterFrameworkMessage, ReregisterFrameworkMessage,
    ResourceRequestMessage, ReviveOffersMessage, StatusUpdateAcknowledgementMessage, SubmitSchedulerRequest,
    SubmitSchedulerResponse, UnregisterFrameworkMessage,
};
use tepui_proto::mesos::offer::{Operation, operation};
use tepui_proto::mesos::scheduler::call::Type;
use tepui_proto::mesos::scheduler::{Call, call};
use tepui_proto::mesos::{FrameworkID, FrameworkInfo};
use tepui_proto::{MessageField, ProtoId};
use tepui_wire::{Message, Upid};

impl Master {
    /// Takes a message of a scheduler; nothing if it is none, or does not parse.
    pub(super) fn scheduler_message(&mut self, cx: &mut Cx, message: &Message) -> Option<()> {
        let from = &message.from;
        if message.name == "mesos.scheduler.Call" {
            let call: Call = decode(message)?;
            self.call_v0(cx, from, call, true);
            return Some(());
        }
        match message.name.strip_prefix("mesos.internal.")? {
            "RegisterFrameworkMessage" => {
                let message: RegisterFrameworkMessage = decode(message)?;
                self.register_framework(cx, from, message.framework);
            }
            "ReregisterFrameworkMessage" => {
                let message: ReregisterFrameworkMessage = decode(message)?;
                self.reregister_framework(cx, from, message.framework, message.failover);
            }
            "UnregisterFrameworkMessage" => {
                let message: UnregisterFrameworkMessage = decode(message)?;
                let id = self.framework_at(&message.framework_id, from)?;
                self.teardown(cx, &id);
            }
            "DeactivateFrameworkMessage" => {
                let message: DeactivateFrameworkMessage = decode(message)?;
                self.state.metrics.count(Counter::DeactivateFramework);
                let id = self.framework_at(&message.framework_id, from)?;
                self.deactivate_by_driver(cx, &id);
            }
            "StatusUpdateAcknowledgementMessage" => {
                let message: StatusUpdateAcknowledgementMessage = decode(message)?;
                self.acknowledge_v0(cx, from, message);
            }
            "FrameworkToExecutorMessage" => {
                let message: FrameworkToExecutorMessage = decode(message)?;
                self.framework_to_executor(cx, from, message);
            }
            "AuthenticateMessage" => {
                let _: AuthenticateMessage = decode(message)?;
                self.state.metrics.count(Counter::Authenticate);
                let error = Some("No authenticator loaded".to_owned());
                cx.send(&self.config.pid, from, &AuthenticationErrorMessage { error, ..Default::default() });
            }
            "SubmitSchedulerRequest" => {
                let _: SubmitSchedulerRequest = decode(message)?;
                cx.send(&self.config.pid, from, &SubmitSchedulerResponse { okay: false, ..Default::default() });
            }
            _ => return self.old_call(cx, message),
        }
        Some(())
    }

    /// The messages that say word for word what a call says.
    fn old_call(&mut self, cx: &mut Cx, message: &Message) -> Option<()> {
        let (framework_id, call) = match message.name.strip_prefix("mesos.internal.")? {
            "ResourceRequestMessage" => {
                let message: ResourceRequestMessage = decode(message)?;
                let request = call::Request { requests: message.requests, ..Default::default() };
                (message.framework_id, Call { request: MessageField::some(request), ..of(call::Type::REQUEST) })
            }
            "LaunchTasksMessage" => {
                let message: LaunchTasksMessage = decode(message)?;
                (message.framework_id.clone(), accept_or_decline(message))
            }
            "ReviveOffersMessage" => {
                let message: ReviveOffersMessage = decode(message)?;
                let revive = call::Revive { roles: message.roles, ..Default::default() };
                (message.framework_id, Call { revive: MessageField::some(revive), ..of(call::Type::REVIVE) })
            }
            "KillTaskMessage" => {
                let message: KillTaskMessage = decode(message)?;
                let kill = call::Kill { task_id: message.task_id, ..Default::default() };
                (message.framework_id, Call { kill: MessageField::some(kill), ..of(call::Type::KILL) })
            }
            "ReconcileTasksMessage" => {
                let message: ReconcileTasksMessage = decode(message)?;
                let tasks = message.statuses.into_iter().map(|status| call::reconcile::Task {
                    task_id: status.task_id,
                    agent_id: status.agent_id,
                    ..Default::default()
                });
                let reconcile = call::Reconcile { tasks: tasks.collect(), ..Default::default() };
                (message.framework_id, Call { reconcile: MessageField::some(reconcile), ..of(call::Type::RECONCILE) })
            }
            _ => return None,
        };
        self.call_v0(cx, &message.from, Call { framework_id, ..call }, false);
        Some(())
    }

    /// A call, checked as V1 calls are; errors are dropped, and so are calls that V0 does not have.
    /// A framework's metrics know of calls only: what came as a message of its own is not `counted`.
    fn call_v0(&mut self, cx: &mut Cx, from: &Upid, call: Call, counted: bool) {
        let operations = [Type::ACKNOWLEDGE_OPERATION_STATUS, Type::RECONCILE_OPERATIONS];
        if validate::call::validate(&call, &None).is_err() {
            self.state.metrics.count_invalid_call(call.r#type);
            return;
        }
        if call.r#type == Some(call::Type::SUBSCRIBE) {
            let subscribe = call.subscribe.into_option().unwrap_or_default();
            return self.subscribe(cx, Subscriber::Pid(from.clone()), &None, subscribe);
        }
        let Some(id) = self.framework_at(&call.framework_id, from) else {
            return;
        };
        let framework = self.state.framework_mut(&id).expect("it was there a moment ago");
        if counted {
            framework.metrics.count_call(call.r#type.unwrap_or(call::Type::UNKNOWN));
        }
        // As in Mesos messages of their own are carried out even then.
        if counted && !framework.is_connected() {
            return event::error(cx, &self.config.pid, from, "Framework disconnected".to_owned());
        }
        if call.r#type.is_some_and(|kind| operations.contains(&kind)) {
            return;
        }
        // Only UPDATE_FRAMEWORK can be wrong in this way.
        if let Err(CallError::Invalid(text) | CallError::Forbidden(text)) = self.call(cx, &id, call) {
            event::error(cx, &self.config.pid, from, text);
        }
    }

    fn register_framework(&mut self, cx: &mut Cx, from: &Upid, info: MessageField<FrameworkInfo>) {
        if info.id.is_set() {
            let text = "Registering with 'id' already set".to_owned();
            return event::error(cx, &self.config.pid, from, text);
        }
        let subscribe = call::Subscribe { framework_info: info, ..Default::default() };
        self.subscribe(cx, Subscriber::Pid(from.clone()), &None, subscribe);
    }

    fn reregister_framework(&mut self, cx: &mut Cx, from: &Upid, info: MessageField<FrameworkInfo>, force: bool) {
        if info.id.value.is_empty() {
            let text = "Re-registering without an 'id'".to_owned();
            return event::error(cx, &self.config.pid, from, text);
        }
        let subscribe = call::Subscribe { framework_info: info, force: Some(force), ..Default::default() };
        self.subscribe(cx, Subscriber::Pid(from.clone()), &None, subscribe);
    }

    fn acknowledge_v0(&mut self, cx: &mut Cx, from: &Upid, message: StatusUpdateAcknowledgementMessage) {
        let id = self.framework_at(&message.framework_id, from);
        let (Some(id), Some(_)) = (id, uuid(Some(&message.uuid))) else {
            self.state.metrics.count(Counter::InvalidStatusUpdateAcknowledgements);
            return;
        };
        let acknowledge = call::Acknowledge {
            agent_id: message.agent_id,
            task_id: message.task_id,
            uuid: message.uuid,
            ..Default::default()
        };
        self.acknowledge(cx, &id, &acknowledge);
    }

    fn framework_to_executor(&mut self, cx: &mut Cx, from: &Upid, message: FrameworkToExecutorMessage) {
        let Some(id) = self.framework_at(&message.framework_id, from) else {
            self.state.metrics.count(Counter::InvalidFrameworkToExecutor);
            return;
        };
        let call = call::Message {
            agent_id: message.agent_id,
            executor_id: message.executor_id,
            data: message.data,
            ..Default::default()
        };
        self.message(cx, &id, call);
    }

    /// The framework of this id, if its scheduler is at `from`.
    fn framework_at(&self, id: &FrameworkID, from: &Upid) -> Option<FrameworkId> {
        let framework = self.state.frameworks.get(&id.id())?;
        (framework.pid.as_ref() == Some(from)).then(|| framework.id.clone())
    }
}

fn of(kind: call::Type) -> Call {
    Call { r#type: Some(kind), ..Default::default() }
}

/// The call that a launch stands for: without tasks it is how drivers of old decline, each offer by itself.
fn accept_or_decline(message: LaunchTasksMessage) -> Call {
    let LaunchTasksMessage { offer_ids, tasks, filters, .. } = message;
    if tasks.is_empty() {
        let decline = call::Decline { offer_ids, filters, ..Default::default() };
        return Call { decline: MessageField::some(decline), ..of(call::Type::DECLINE) };
    }
    let launch = operation::Launch { task_infos: tasks, ..Default::default() };
    let operation =
        Operation { r#type: Some(operation::Type::LAUNCH), launch: MessageField::some(launch), ..Default::default() };
    let accept = call::Accept { offer_ids, operations: vec![operation], filters, ..Default::default() };
    Call { accept: MessageField::some(accept), ..of(call::Type::ACCEPT) }
}
