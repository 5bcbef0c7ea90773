//! Status updates that the master makes itself. They carry no uuid, so nobody acknowledges them.

use super::Task;
use tepui_base::{AgentId, FrameworkId, TaskId, Wall};
use tepui_proto::mesos::internal::StatusUpdate;
use tepui_proto::mesos::task_status::{Reason, Source};
use tepui_proto::mesos::{TaskState, TaskStatus, TimeInfo};
use tepui_proto::{MessageField, ToProto};

/// What such an update says.
pub struct Made<'a> {
    /// Whose task.
    pub framework: &'a FrameworkId,
    /// On which agent, if that is known.
    pub agent: Option<&'a AgentId>,
    /// Which task.
    pub task: &'a TaskId,
    /// Its state.
    pub state: TaskState,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub message: String,
}

impl Made<'_> {
    /// The update, made now.
    pub fn update(self, now: Wall) -> StatusUpdate {
        let status = TaskStatus {
            task_id: self.task.to_field(),
            state: self.state,
            message: Some(self.message),
            source: Some(Source::SOURCE_MASTER),
            reason: Some(self.reason),
            agent_id: self.agent.map_or_else(MessageField::none, ToProto::to_field),
            timestamp: Some(now.as_secs_f64()),
            ..Default::default()
        };
        StatusUpdate {
            framework_id: self.framework.to_field(),
            agent_id: status.agent_id.clone(),
            status: MessageField::some(status),
            timestamp: now.as_secs_f64(),
            ..Default::default()
        }
    }
}

/// An update about a task the master knows, in a state it knows or decides.
pub fn about(task: &Task, state: TaskState, reason: Reason, message: String, now: Wall) -> StatusUpdate {
    let made = Made { framework: &task.framework, agent: Some(&task.agent), task: &task.id, state, reason, message };
    let mut update = made.update(now);
    if let Some(executor) = &task.executor {
        update.executor_id = executor.to_field();
    }
    update
}

/// The same with what is known of the task's health and container, as answers to questions about it carry.
pub fn known(task: &Task, state: TaskState, reason: Reason, message: &str, now: Wall) -> StatusUpdate {
    let mut update = about(task, state, reason, message.to_owned(), now);
    change(&mut update, |status| {
        status.healthy = task.healthy();
        status.check_status = task.check_status();
        status.container_status = task.container_status();
    });
    update
}

/// Adds since when the task's agent is unreachable, in nanoseconds since the epoch.
pub fn add_unreachable_time(update: &mut StatusUpdate, nanoseconds: i64) {
    let time = TimeInfo { nanoseconds, ..Default::default() };
    change(update, |status| status.unreachable_time = MessageField::some(time));
}

fn change(update: &mut StatusUpdate, how: impl FnOnce(&mut TaskStatus)) {
    if let Some(status) = update.status.as_option_mut() {
        how(status);
    }
}
