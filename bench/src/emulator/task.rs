//! An emulated task: states that are still to be reported, one at a time.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};
use tepui_proto::mesos::internal::{StatusUpdate, StatusUpdateMessage};
use tepui_proto::mesos::task_status::Source;
use tepui_proto::mesos::{self, AgentID, ExecutorID, FrameworkID, TaskInfo, TaskState, TaskStatus};
use tepui_proto::{MessageField, is_terminal};

/// One task of an emulated agent.
#[derive(Debug)]
pub(super) struct Task {
    framework: FrameworkID,
    executor: MessageField<ExecutorID>,
    pub(super) info: TaskInfo,
    /// What it has come to, whether the master knows or not.
    latest: TaskState,
    /// Still to be reported, in this order.
    waiting: VecDeque<TaskState>,
    /// The update on its way.
    sent: Option<(Vec<u8>, TaskState)>,
}

impl Task {
    /// A task that will report `states`.
    pub fn new(framework: FrameworkID, info: TaskInfo, states: &[TaskState]) -> Task {
        Task {
            framework,
            executor: info.executor.executor_id.clone(),
            info,
            latest: TaskState::TASK_STAGING,
            waiting: states.iter().copied().collect(),
            sent: None,
        }
    }

    /// One more state to be reported.
    pub fn push(&mut self, state: TaskState) {
        self.waiting.push_back(state);
    }

    /// The update to send now, unless one is on its way or nothing is left to say.
    pub fn next(&mut self, agent: &AgentID, pid: &str, uuid: [u8; 16]) -> Option<StatusUpdateMessage> {
        if self.sent.is_some() {
            return None;
        }
        let state = self.waiting.pop_front()?;
        self.latest = state;
        self.sent = Some((uuid.to_vec(), state));
        self.on_its_way(agent, pid)
    }

    /// The update that is not acknowledged, for another try.
    pub fn on_its_way(&self, agent: &AgentID, pid: &str) -> Option<StatusUpdateMessage> {
        let (uuid, state) = self.sent.as_ref()?;
        let status = TaskStatus {
            task_id: self.info.task_id.clone(),
            agent_id: MessageField::some(agent.clone()),
            executor_id: self.executor.clone(),
            state: *state,
            source: Some(Source::SOURCE_EXECUTOR),
            timestamp: Some(now()),
            uuid: Some(uuid.clone()),
            ..TaskStatus::default()
        };
        let update = StatusUpdate {
            framework_id: MessageField::some(self.framework.clone()),
            executor_id: self.executor.clone(),
            agent_id: MessageField::some(agent.clone()),
            timestamp: now(),
            uuid: Some(uuid.clone()),
            latest_state: Some(self.latest),
            status: MessageField::some(status),
            ..StatusUpdate::default()
        };
        let update = MessageField::some(update);
        Some(StatusUpdateMessage { update, pid: Some(pid.to_owned()), ..Default::default() })
    }

    /// The master confirms an update; an old one does not count. Says whether the task is over now.
    pub fn acknowledged(&mut self, uuid: &[u8]) -> bool {
        if self.sent.as_ref().is_some_and(|(sent, _)| sent == uuid) {
            let (_, state) = self.sent.take().expect("it was just there");
            return is_terminal(state);
        }
        false
    }

    /// The task as a re-registration tells of it.
    pub fn record(&self, agent: &AgentID) -> mesos::Task {
        mesos::Task {
            name: self.info.name.clone(),
            task_id: self.info.task_id.clone(),
            framework_id: MessageField::some(self.framework.clone()),
            executor_id: self.executor.clone(),
            agent_id: MessageField::some(agent.clone()),
            state: self.latest,
            resources: self.info.resources.clone(),
            labels: self.info.labels.clone(),
            ..mesos::Task::default()
        }
    }

    /// The framework it belongs to.
    pub fn framework_id(&self) -> FrameworkID {
        self.framework.clone()
    }

    /// The id of that framework as text.
    pub fn framework(&self) -> &str {
        &self.framework.value
    }

    /// What it has come to.
    pub fn latest(&self) -> TaskState {
        self.latest
    }
}

/// Wall time in seconds.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_reported_one_after_the_other() {
        let states = [TaskState::TASK_RUNNING, TaskState::TASK_FINISHED];
        let mut task = Task::new(FrameworkID::default(), TaskInfo::default(), &states);
        let agent = AgentID::default();
        let first = task.next(&agent, "slave(1)@127.0.0.1:1", [1; 16]).unwrap();
        assert_eq!(first.update.status.state, TaskState::TASK_RUNNING);
        assert!(task.next(&agent, "", [2; 16]).is_none(), "the first one is not acknowledged");
        assert!(!task.acknowledged(&[9; 16]) && !task.acknowledged(&[1; 16]));
        let second = task.next(&agent, "", [2; 16]).unwrap();
        assert_eq!(second.update.latest_state, Some(TaskState::TASK_FINISHED));
        assert!(task.acknowledged(&[2; 16]), "it is over");
        assert!(task.next(&agent, "", [3; 16]).is_none());
    }
}
