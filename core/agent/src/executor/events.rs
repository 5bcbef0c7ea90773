//! What the agent says to executors. Built once as a V1 event; a V0 executor gets the message that means the same.

use crate::state::{Connection, Executor};
use crate::timers::Timer;
use crate::{Agent, Cx};
use std::time::Duration;
use tepui_proto::mesos::executor::{Event, event};
use tepui_proto::mesos::internal::{
    ExecutorRegisteredMessage, FrameworkToExecutorMessage, KillTaskMessage, RunTaskMessage, ShutdownExecutorMessage,
    StatusUpdateAcknowledgementMessage,
};
use tepui_proto::mesos::{ContainerID, ExecutorInfo, FrameworkInfo, KillPolicy, TaskGroupInfo, TaskID, TaskInfo};
use tepui_proto::{ContentType, MessageField, ToProto, recordio};
use tepui_wire::{NetEffect, RequestId, Upid};

/// Pause between heartbeats on an executor's stream (`DEFAULT_EXECUTOR_HEARTBEAT_INTERVAL`).
pub const HEARTBEAT: Duration = Duration::from_secs(30 * 60);

fn of(kind: event::Type) -> Event {
    Event { r#type: Some(kind), ..Event::default() }
}

/// The first event of a stream.
pub fn subscribed(
    executor: &ExecutorInfo,
    framework: &FrameworkInfo,
    agent: tepui_proto::mesos::AgentInfo,
    container: ContainerID,
) -> Event {
    let subscribed = event::Subscribed {
        executor_info: MessageField::some(executor.clone()),
        framework_info: MessageField::some(framework.clone()),
        agent_info: MessageField::some(agent),
        container_id: MessageField::some(container),
        ..event::Subscribed::default()
    };
    Event { subscribed: MessageField::some(subscribed), ..of(event::Type::SUBSCRIBED) }
}

/// Run a task.
pub fn launch(task: TaskInfo) -> Event {
    let launch = event::Launch { task: MessageField::some(task), ..event::Launch::default() };
    Event { launch: MessageField::some(launch), ..of(event::Type::LAUNCH) }
}

/// Run a group of tasks, all or none.
pub fn launch_group(group: TaskGroupInfo) -> Event {
    let launch_group = event::LaunchGroup { task_group: MessageField::some(group), ..event::LaunchGroup::default() };
    Event { launch_group: MessageField::some(launch_group), ..of(event::Type::LAUNCH_GROUP) }
}

/// Kill a task.
pub fn kill(task_id: MessageField<TaskID>, kill_policy: MessageField<KillPolicy>) -> Event {
    let kill = event::Kill { task_id, kill_policy, ..event::Kill::default() };
    Event { kill: MessageField::some(kill), ..of(event::Type::KILL) }
}

/// An update arrived; the agent sees to it from now on.
pub fn acknowledged(task_id: MessageField<TaskID>, uuid: Vec<u8>) -> Event {
    let acknowledged = event::Acknowledged { task_id, uuid, ..event::Acknowledged::default() };
    Event { acknowledged: MessageField::some(acknowledged), ..of(event::Type::ACKNOWLEDGED) }
}

/// A message of the scheduler.
pub fn message(data: Vec<u8>) -> Event {
    let message = event::Message { data, ..event::Message::default() };
    Event { message: MessageField::some(message), ..of(event::Type::MESSAGE) }
}

/// Kill all tasks and leave.
pub fn shutdown() -> Event {
    of(event::Type::SHUTDOWN)
}

/// One event as a chunk of a stream.
pub fn record(content_type: ContentType, event: &Event) -> bytes::Bytes {
    recordio::encode(&content_type.encode(event))
}

impl Agent {
    /// Sends an event to an executor; lost if it is not connected.
    pub(crate) fn send_event(&self, cx: &mut Cx<'_>, executor: &Executor, event: Event) {
        match &executor.connection {
            Connection::None => {}
            Connection::Http { stream, content_type } => {
                cx.net(NetEffect::StreamWrite(*stream, record(*content_type, &event)));
            }
            Connection::Libprocess(pid) => self.send_message(cx, &pid.clone(), executor, event),
        }
    }

    /// The V0 message that means the same as an event.
    fn send_message(&self, cx: &mut Cx<'_>, to: &Upid, executor: &Executor, event: Event) {
        let framework_id = executor.framework.to_field();
        let agent_id = self.agent_id();
        match event.r#type.unwrap_or_default() {
            event::Type::SUBSCRIBED => {
                let subscribed = event.subscribed.into_option().unwrap_or_default();
                let message = ExecutorRegisteredMessage {
                    executor_info: subscribed.executor_info,
                    framework_id,
                    framework_info: subscribed.framework_info,
                    agent_id,
                    agent_info: subscribed.agent_info,
                    ..ExecutorRegisteredMessage::default()
                };
                self.send(cx, to, &message);
            }
            event::Type::LAUNCH => {
                let framework = self.state.framework(&executor.framework);
                let pid =
                    framework.and_then(|f| f.pid.as_ref()).map_or_else(|| "@0.0.0.0:0".to_owned(), Upid::to_string);
                let framework = framework.map(|framework| (*framework.info).clone()).unwrap_or_default();
                let message = RunTaskMessage {
                    framework: MessageField::some(framework),
                    task: event.launch.into_option().unwrap_or_default().task,
                    pid: Some(pid),
                    ..RunTaskMessage::default()
                };
                self.send(cx, to, &message);
            }
            event::Type::KILL => {
                let event::Kill { task_id, kill_policy, .. } = event.kill.into_option().unwrap_or_default();
                let message = KillTaskMessage { framework_id, task_id, kill_policy, ..KillTaskMessage::default() };
                self.send(cx, to, &message);
            }
            event::Type::ACKNOWLEDGED => {
                let event::Acknowledged { task_id, uuid, .. } = event.acknowledged.into_option().unwrap_or_default();
                let default = StatusUpdateAcknowledgementMessage::default();
                let message = StatusUpdateAcknowledgementMessage { agent_id, framework_id, task_id, uuid, ..default };
                self.send(cx, to, &message);
            }
            event::Type::MESSAGE => {
                let executor_id = executor.id.to_field();
                let data = event.message.into_option().unwrap_or_default().data;
                let default = FrameworkToExecutorMessage::default();
                let message = FrameworkToExecutorMessage { agent_id, framework_id, executor_id, data, ..default };
                self.send(cx, to, &message);
            }
            event::Type::SHUTDOWN => self.send(cx, to, &ShutdownExecutorMessage::default()),
            // Libprocess has neither groups nor errors nor heartbeats.
            event::Type::LAUNCH_GROUP | event::Type::ERROR | event::Type::HEARTBEAT | event::Type::UNKNOWN => {}
        }
    }

    /// Keeps proxies between agent and executor from closing a silent stream.
    pub(crate) fn heartbeat(&mut self, cx: &mut Cx<'_>, stream: RequestId) {
        let Some((framework, id)) = self.subscriptions.get(&stream) else { return };
        let Some(executor) = self.state.executor(framework, id).cloned() else { return };
        self.send_event(cx, &executor, of(event::Type::HEARTBEAT));
        self.timers.set(cx.now.monotonic + HEARTBEAT, Timer::Heartbeat(stream));
    }
}
