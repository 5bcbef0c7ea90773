//! The tasks believed to run, and what the master still has to say about them.
//!
//! A launch, or the last update of a task, can be lost with a connection or a master; only asking tells. Source:
//! Mesos' guide on reconciliation: ask, remove what is answered, ask again for the rest after growing pauses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tepui_base::{Instant, TaskId};
pub use tepui_proto::is_terminal;
use tepui_proto::mesos::offer::Operation;
use tepui_proto::mesos::{AgentID, TaskID, TaskStatus};

/// The first pause before asking again, and the longest.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    running: BTreeMap<TaskId, Option<AgentID>>,
    unanswered: BTreeSet<TaskId>,
    ask_again: Option<(Instant, Duration)>,
}

impl Tasks {
    /// Notes the tasks that operations launch.
    pub fn launched(&mut self, operations: &[Operation]) {
        let tasks =
            operations.iter().flat_map(|op| op.launch.task_infos.iter().chain(&op.launch_group.task_group.tasks));
        for task in tasks {
            self.running.insert(task.task_id.value.as_str().into(), task.agent_id.as_option().cloned());
        }
    }

    /// Notes what an update says.
    pub fn updated(&mut self, status: &TaskStatus) {
        let task = TaskId::from(status.task_id.value.as_str());
        self.unanswered.remove(&task);
        if is_terminal(status.state) {
            self.running.remove(&task);
        } else {
            self.running.insert(task, status.agent_id.as_option().cloned());
        }
    }

    /// A new subscription: nothing is known for sure any more. Returns what to ask for.
    pub fn subscribed(&mut self, now: Instant) -> Vec<(TaskID, Option<AgentID>)> {
        self.unanswered = self.running.keys().cloned().collect();
        self.ask_again = Some((now, ASK_AGAIN.0));
        self.due(now)
    }

    /// The subscription ended: there is nobody to ask.
    pub fn disconnected(&mut self) {
        self.ask_again = None;
    }

    /// What to ask for now, if it is time; empty otherwise.
    pub fn due(&mut self, now: Instant) -> Vec<(TaskID, Option<AgentID>)> {
        let Some((_, pause)) = self.ask_again.filter(|(at, _)| now >= *at) else {
            return Vec::new();
        };
        self.ask_again = (!self.unanswered.is_empty()).then(|| (now + pause, pause.saturating_mul(2).min(ASK_AGAIN.1)));
        self.unanswered.iter().map(|task| (proto(task), self.running.get(task).cloned().flatten())).collect()
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.ask_again.map(|(at, _)| at)
    }
}

fn proto(task: &TaskId) -> TaskID {
    TaskID { value: task.as_str().to_owned(), ..TaskID::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::call;
    use tepui_proto::mesos::TaskInfo;
    use tepui_proto::mesos::TaskState;

    fn status(task: &str, state: TaskState) -> TaskStatus {
        TaskStatus { task_id: proto(&task.into()).into(), state, ..TaskStatus::default() }
    }

    fn launch(tasks: &[&str]) -> Operation {
        let task = |id: &&str| TaskInfo { task_id: proto(&TaskId::from(*id)).into(), ..TaskInfo::default() };
        call::launch(tasks.iter().map(task).collect())
    }

    fn names(asked: &[(TaskID, Option<AgentID>)]) -> Vec<&str> {
        asked.iter().map(|(task, _)| task.value.as_str()).collect()
    }

    #[test]
    fn what_is_unanswered_is_asked_for_again_after_growing_pauses() {
        let mut tasks = Tasks::default();
        tasks.launched(&[launch(&["a", "b", "c"])]);
        tasks.updated(&status("a", TaskState::TASK_FINISHED));
        assert_eq!(names(&tasks.subscribed(Instant(0))), ["b", "c"]);
        tasks.updated(&status("b", TaskState::TASK_RUNNING));
        let first = tasks.deadline().unwrap();
        assert_eq!(names(&tasks.due(first)), ["c"]);
        let second = tasks.deadline().unwrap();
        assert_eq!(second.since(first), ASK_AGAIN.0 * 2);
        assert_eq!(names(&tasks.due(second)), ["c"]);
        assert_eq!(tasks.deadline().unwrap().since(second), ASK_AGAIN.0 * 4);
        tasks.updated(&status("c", TaskState::TASK_UNKNOWN));
        let third = tasks.deadline().unwrap();
        assert!(tasks.due(third).is_empty());
        assert_eq!(tasks.deadline(), None);
    }

    #[test]
    fn nobody_is_asked_without_a_subscription() {
        let mut tasks = Tasks::default();
        tasks.launched(&[launch(&["a"])]);
        tasks.subscribed(Instant(0));
        tasks.disconnected();
        assert_eq!(tasks.deadline(), None);
        assert_eq!(names(&tasks.subscribed(Instant(9))), ["a"]);
    }
}
