//! What the agent may not know yet: a SUBSCRIBE repeats it, so that an agent that restarted loses nothing.

use std::collections::BTreeMap;
use tepui_proto::mesos::executor::call::{Subscribe, Update};
use tepui_proto::mesos::{TaskID, TaskInfo};

/// Tasks of which no update has been acknowledged, and updates that have not.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    tasks: BTreeMap<String, TaskInfo>,
    /// In the order they were made: the agent forwards the updates of a task in that order.
    updates: Vec<Update>,
}

impl Unacknowledged {
    pub fn launched(&mut self, tasks: &[TaskInfo]) {
        self.tasks.extend(tasks.iter().map(|task| (task.task_id.value.clone(), task.clone())));
    }

    pub fn updated(&mut self, update: Update) {
        self.updates.push(update);
    }

    pub fn acknowledged(&mut self, task_id: &TaskID, uuid: &[u8]) {
        self.tasks.remove(&task_id.value);
        self.updates.retain(|update| update.status.uuid.as_deref() != Some(uuid));
    }

    pub fn subscribe(&self) -> Subscribe {
        Subscribe {
            unacknowledged_tasks: self.tasks.values().cloned().collect(),
            unacknowledged_updates: self.updates.clone(),
            ..Subscribe::default()
        }
    }
}
