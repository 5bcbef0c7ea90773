//! An executor reports for duty: over libprocess once, over HTTP as often as its stream breaks. Both end in the same
//! greeting, after which its queued tasks are sent.

use super::events;
use crate::state::executor::Phase;
use crate::state::{self, Connection, Executor};
use crate::status_update::{Report, Sender};
use crate::timers::Timer;
use crate::{Agent, Cx};
use tepui_base::{ExecutorId, FrameworkId, Set, TaskId};
use tepui_proto::ids::ProtoId;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::executor::call::Subscribe;
use tepui_proto::mesos::internal::{RegisterExecutorMessage, ShutdownExecutorMessage};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::{ContentType, ToProto};
use tepui_wire::{NetEffect, RequestId, Response, Upid};

impl Agent {
    /// V0: once, in answer to its launch. Whoever comes unexpected is told to leave.
    pub(crate) fn register_executor(&mut self, cx: &mut Cx<'_>, from: &Upid, message: &RegisterExecutorMessage) {
        let (framework, id) = (message.framework_id.id(), message.executor_id.id());
        let expected = self.state.phase != state::Phase::Terminating
            && self.state.framework(&framework).is_some_and(|framework| !framework.terminating)
            && self.state.executor(&framework, &id).is_some_and(|executor| executor.phase == Phase::Registering);
        if !expected {
            self.refuse_executor(cx, from);
            return;
        }
        cx.net(NetEffect::Link { to: from.clone(), reconnect: false });
        self.welcome(cx, &framework, &id, Connection::Libprocess(from.clone()));
        if !self.shut_down_if_without_work(cx, &framework, &id) {
            self.greet(cx, &framework, &id);
        }
    }

    /// Tells an executor that is not expected to leave.
    pub(crate) fn refuse_executor(&mut self, cx: &mut Cx<'_>, from: &Upid) {
        self.send(cx, from, &ShutdownExecutorMessage::default());
    }

    /// V1: the request becomes the executor's stream; an older stream is closed.
    pub(crate) fn subscribe_executor(
        &mut self,
        cx: &mut Cx<'_>,
        stream: RequestId,
        content_type: ContentType,
        executor: &Executor,
        subscribe: &Subscribe,
    ) {
        cx.net(NetEffect::Respond(stream, Response::stream(content_type.as_str())));
        let (framework, id) = (executor.framework.clone(), executor.id.clone());
        let leaving = self.state.phase == state::Phase::Terminating
            || self.state.framework(&framework).is_none_or(|framework| framework.terminating)
            || matches!(executor.phase, Phase::Terminating | Phase::Terminated);
        if leaving {
            cx.net(NetEffect::StreamWrite(stream, events::record(content_type, &events::shutdown())));
            cx.net(NetEffect::StreamClose(stream));
            return;
        }
        if let Connection::Http { stream: old, .. } = executor.connection {
            self.subscriptions.remove(&old);
            cx.net(NetEffect::StreamClose(old));
        }
        self.subscriptions.insert(stream, (framework.clone(), id.clone()));
        self.timers.set(cx.now.monotonic + events::HEARTBEAT, Timer::Heartbeat(stream));
        self.welcome(cx, &framework, &id, Connection::Http { stream, content_type });
        for update in &subscribe.unacknowledged_updates {
            let status = update.status.as_option().cloned().unwrap_or_default();
            let update = self.update_of(cx, &framework, status);
            self.status_update(cx, update, &Sender::Http);
        }
        self.drop_tasks_unknown_to_executor(cx, &framework, &id, subscribe);
        if !self.shut_down_if_without_work(cx, &framework, &id) {
            self.greet(cx, &framework, &id);
        }
    }

    /// The executor runs from now on, over this connection.
    fn welcome(&mut self, cx: &mut Cx<'_>, framework: &FrameworkId, id: &ExecutorId, connection: Connection) {
        let Some(executor) = self.state.executor_mut(framework, id) else { return };
        executor.connection = connection;
        if executor.phase == Phase::Registering {
            executor.phase = Phase::Running;
            cx.note(format!("Executor '{id}' of framework {framework} has registered"));
        }
    }

    /// Says hello, and gets the container ready for what is queued.
    fn greet(&mut self, cx: &mut Cx<'_>, framework: &FrameworkId, id: &ExecutorId) {
        let Some(of) = self.state.framework(framework) else { return };
        let Some(executor) = of.executors.get(id) else { return };
        let container = executor.container.to_proto();
        let event = events::subscribed(&executor.info, &of.info, self.info(), container);
        self.send_event(cx, &executor.clone(), event);
        self.update_container(cx, framework, id);
    }

    /// A task still staging that a returning executor does not know got lost between agent and executor.
    fn drop_tasks_unknown_to_executor(
        &mut self,
        cx: &mut Cx<'_>,
        framework: &FrameworkId,
        id: &ExecutorId,
        subscribe: &Subscribe,
    ) {
        let Some(of) = self.state.framework(framework) else { return };
        let state = crate::run::dropped_state(&of.info);
        let known: Set<TaskId> = subscribe.unacknowledged_tasks.iter().map(|task| task.task_id.id()).collect();
        let Some(executor) = of.executors.get(id) else { return };
        let staging = executor.launched.iter().filter(|(_, task)| task.state == TaskState::TASK_STAGING);
        let lost: Vec<TaskId> = staging.map(|(id, _)| id.clone()).filter(|id| !known.contains(id)).collect();
        for task in &lost {
            let report = Report {
                framework,
                task,
                executor: Some(id),
                state,
                reason: Reason::REASON_AGENT_RESTARTED,
                message: "Task launched during agent restart",
            };
            self.report(cx, &report);
        }
    }

    /// The executor left its stream. It may come back; meanwhile events for it are lost, as in Mesos.
    pub(crate) fn stream_closed(&mut self, stream: RequestId) {
        let Some((framework, id)) = self.subscriptions.remove(&stream) else { return };
        let Some(executor) = self.state.executor_mut(&framework, &id) else { return };
        if matches!(executor.connection, Connection::Http { stream: current, .. } if current == stream) {
            executor.connection = Connection::None;
        }
    }
}
