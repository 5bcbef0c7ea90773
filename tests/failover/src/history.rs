//! What happened to every task and every acknowledged operation, and what must be true of it.
//!
//! The framework and the operator write down what they did and heard; each task writes down itself, in a file, that it
//! began and that it ended. Nothing a daemon says of itself is taken for the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tepui_sdk::is_terminal;
use tepui_sdk::mesos::TaskState;

/// One task as its framework knows it.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// The agent it was launched on.
    pub agent: String,
    /// Whether the master has taken the launch; `None` if the answer was lost.
    pub is_taken: Option<bool>,
    /// Every state told, in order.
    pub states: Vec<TaskState>,
    /// The states whose updates were acknowledged, by the update's uuid.
    pub acknowledged: Vec<Vec<u8>>,
    /// Updates that came again after the master had taken their acknowledgement: it may have been lost on the way to the agent.
    pub repeated: u32,
    /// The updates that the agent has sent, by uuid, each once, in order.
    pub heard: Vec<Vec<u8>>,
    /// Updates that came again after a later one of their task. An agent sends the next one only when it has written down that
    /// the one before is acknowledged, and then that one must never be sent again.
    pub resent: u32,
    /// When it was launched.
    pub launched: Option<Instant>,
}

impl Task {
    /// An update of the agent has arrived.
    pub fn hear(&mut self, uuid: &[u8]) {
        match self.heard.iter().position(|heard| heard == uuid) {
            None => self.heard.push(uuid.to_vec()),
            Some(at) if at + 1 < self.heard.len() => self.resent += 1,
            Some(_) => {}
        }
    }

    /// Whether its end is known.
    pub fn has_ended(&self) -> bool {
        self.states.iter().any(|state| is_terminal(*state))
    }

    /// Whether it may still use its agent: one that nobody knows does not, unless more is heard of it.
    pub fn may_run(&self) -> bool {
        !self.has_ended() && self.states.last() != Some(&TaskState::TASK_UNKNOWN)
    }

    /// Whether more cannot be known. An agent that was killed comes back as another one, and the word that its tasks are gone is
    /// sent once, as in Mesos: a framework that missed it in a failover is told, when it asks, that nobody knows them.
    fn is_closed(&self, is_killed: bool) -> bool {
        self.has_ended() || (is_killed && !self.may_run())
    }
}

/// What is written down.
#[derive(Debug, Default)]
pub struct Record {
    /// By task id.
    pub tasks: BTreeMap<String, Task>,
    /// How often the framework was subscribed.
    pub subscriptions: u32,
    /// What was seen that must not be.
    pub objections: Vec<String>,
    /// The highest schedule whose storing was acknowledged.
    pub stored: u64,
    /// The highest schedule that was sent.
    pub sent: u64,
    /// Whether a schedule has been sent and not been answered.
    pub is_between: bool,
    /// When each schedule was acknowledged.
    pub stored_at: BTreeMap<u64, Instant>,
    /// Schedules that were sent and never acknowledged: they may be stored or not.
    pub unanswered: BTreeSet<u64>,
    /// Schedules stored, reads made.
    pub operations: (u64, u64),
}

/// A record that several hands write.
#[derive(Clone)]
pub struct History {
    record: Arc<Mutex<Record>>,
    folder: PathBuf,
}

impl History {
    /// An empty one. Tasks write their files below `folder`.
    pub fn new(folder: &Path) -> std::io::Result<History> {
        std::fs::create_dir_all(folder)?;
        Ok(History { record: Arc::default(), folder: folder.to_owned() })
    }

    /// The record. Never held across a wait.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A command line that tells of its task's life: the file gets `begin PID` and, after `seconds`, `end`.
    pub fn command(&self, task: &str, seconds: &str) -> String {
        let file = self.folder.join(task);
        format!("echo begin $$ >> {0}; sleep {seconds}; echo end >> {0}", file.display())
    }

    /// How often a task began, and how often it came to its own end.
    pub fn lives(&self, task: &str) -> (usize, usize) {
        let text = std::fs::read_to_string(self.folder.join(task)).unwrap_or_default();
        let count = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
        (count("begin"), count("end"))
    }

    /// Tasks whose end is not known, and may be.
    pub fn open(&self, is_killed: impl Fn(&str) -> bool) -> Vec<String> {
        let record = self.record();
        let open = record.tasks.iter().filter(|(_, task)| !task.is_closed(is_killed(&task.agent)));
        open.map(|(id, _)| id.clone()).collect()
    }

    /// Judges every task, once all is quiet. `is_killed` tells of an agent whether it was ever killed: its tasks went
    /// with it.
    pub fn judge(&self, is_killed: impl Fn(&str) -> bool) -> Vec<String> {
        let record = self.record();
        let mut objections = record.objections.clone();
        for (id, task) in &record.tasks {
            let (begun, ended) = self.lives(id);
            objections.extend(judge(id, task, begun, ended, is_killed(&task.agent)));
        }
        objections
    }
}

fn judge(id: &str, task: &Task, begun: usize, ended: usize, is_killed: bool) -> Vec<String> {
    let mut objections = Vec::new();
    let mut object = |what: String| objections.push(format!("{id}: {what}; {task:?}, begun {begun}, ended {ended}"));
    if begun > 1 {
        object("it ran more than once".to_owned());
    }
    if !task.is_closed(is_killed) {
        object("its end is not known".to_owned());
    }
    let is_finished = task.states.contains(&TaskState::TASK_FINISHED);
    if is_finished && ended == 0 {
        object("it is told to have finished and has not".to_owned());
    }
    if ended > 0 && !is_finished && !is_killed {
        object("it finished, and nobody was told".to_owned());
    }
    if begun == 1 && ended == 0 && !is_killed {
        object("it was ended before its time".to_owned());
    }
    if task.resent > 0 {
        object("an acknowledged update was sent again".to_owned());
    }
    if task.is_taken == Some(false) && begun > 0 {
        object("its launch was refused, and it ran".to_owned());
    }
    objections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(states: &[TaskState]) -> Task {
        Task { is_taken: Some(true), states: states.to_vec(), ..Task::default() }
    }

    fn objections(task: &Task, begun: usize, ended: usize, is_killed: bool) -> usize {
        judge("t", task, begun, ended, is_killed).len()
    }

    #[test]
    fn what_is_right_passes() {
        let finished = task(&[TaskState::TASK_RUNNING, TaskState::TASK_FINISHED]);
        assert_eq!(objections(&finished, 1, 1, false), 0);
        assert_eq!(objections(&task(&[TaskState::TASK_LOST]), 0, 0, false), 0, "never launched");
        assert_eq!(objections(&task(&[TaskState::TASK_LOST]), 1, 0, true), 0, "gone with its agent");
        let unknown = task(&[TaskState::TASK_RUNNING, TaskState::TASK_UNKNOWN]);
        assert_eq!(objections(&unknown, 1, 0, true), 0, "its agent is another one now");
    }

    #[test]
    fn what_is_wrong_is_objected_to() {
        let finished = task(&[TaskState::TASK_FINISHED]);
        assert_eq!(objections(&finished, 2, 2, false), 1, "ran twice");
        assert_eq!(objections(&finished, 1, 0, true), 1, "has not finished");
        assert_eq!(objections(&task(&[TaskState::TASK_RUNNING]), 1, 0, true), 1, "no end");
        let unknown = task(&[TaskState::TASK_RUNNING, TaskState::TASK_UNKNOWN]);
        assert_eq!(objections(&unknown, 1, 1, false), 2, "an agent that lives was forgotten");
        assert_eq!(objections(&task(&[TaskState::TASK_LOST]), 1, 1, false), 1, "an update was lost");
        assert_eq!(objections(&task(&[TaskState::TASK_KILLED]), 1, 0, false), 1, "killed by nobody");
        let mut resent = finished.clone();
        [1, 1, 2, 2].iter().for_each(|uuid| resent.hear(&[*uuid]));
        assert_eq!(objections(&resent, 1, 1, false), 0, "the last one may come as often as it likes");
        resent.hear(&[1]);
        assert_eq!(objections(&resent, 1, 1, false), 1, "acknowledged, as the next one had come");
        let refused = Task { is_taken: Some(false), ..finished };
        assert_eq!(objections(&refused, 1, 1, false), 1, "refused");
    }
}
