//! Tasks of a group are sent to their agent together and start together, or not at all.

use super::{CallType, Fact};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Groups {
    /// The tasks of the group of each task.
    groups: BTreeMap<String, Vec<String>>,
}

impl Groups {
    pub fn see(&mut self, fact: &Fact, found: &mut Vec<String>) {
        match fact {
            Fact::Call { call, .. } if call.r#type == Some(CallType::ACCEPT) => {
                let groups = call.accept.operations.iter().map(|operation| &operation.launch_group.task_group.tasks);
                for group in groups {
                    let ids: Vec<String> = group.iter().map(|task| task.task_id.value.clone()).collect();
                    self.groups.extend(ids.iter().map(|id| (id.clone(), ids.clone())));
                }
            }
            Fact::Together { tasks, what } => {
                let group = tasks.first().and_then(|first| self.groups.get(first));
                if tasks.len() > 1 && group.is_none() {
                    found.push(format!("tasks {tasks:?} {what} as a group, and are none"));
                }
                if group.is_some_and(|group| group != tasks) {
                    found.push(format!("tasks {tasks:?} {what} without the others of their group {group:?}"));
                }
            }
            _ => {}
        }
    }
}
