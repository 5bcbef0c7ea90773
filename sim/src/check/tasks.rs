//! A task runs once, ends once, and its end becomes known.

use super::{Fact, Update};
use std::collections::{BTreeMap, BTreeSet};
use tepui_framework::scheduler::is_terminal;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::task_status::Reason;

#[derive(Default)]
struct Task {
    last: Option<TaskState>,
    /// The state it ended with, as its executor or agent said.
    end: Option<TaskState>,
}

#[derive(Default)]
pub struct Tasks {
    tasks: BTreeMap<String, Task>,
    sent: BTreeSet<String>,
    forked: BTreeSet<String>,
    transitions: u64,
}

/// Whether nothing can follow. What a master says of tasks out of its sight may be taken back: lost, unreachable.
fn is_final(update: &Update) -> bool {
    use TaskState::{TASK_ERROR, TASK_FAILED, TASK_FINISHED, TASK_KILLED};
    matches!(update.state, TASK_FINISHED | TASK_FAILED | TASK_KILLED | TASK_ERROR)
}

impl Tasks {
    pub fn see(&mut self, fact: &Fact, found: &mut Vec<String>) {
        match fact {
            Fact::Run { task, .. } => {
                if !self.sent.insert(task.clone()) {
                    found.push(format!("task {task} is sent to an agent a second time"));
                }
            }
            Fact::Answered { tasks, .. } => {
                for task in tasks {
                    self.tasks.entry(task.clone()).or_default();
                }
            }
            Fact::Forked { task } => {
                if !self.forked.insert(task.clone()) {
                    found.push(format!("task {task} runs a second time"));
                }
            }
            Fact::ExecutorUpdate { .. } => self.transitions += 1,
            Fact::Told { update, .. } => self.told(update, found),
            _ => {}
        }
    }

    fn told(&mut self, update: &Update, found: &mut Vec<String>) {
        let task = self.tasks.entry(update.task.clone()).or_default();
        // The master may have forgotten a task that ended, and says so when it is asked.
        let is_ignorance = update.reason == Some(Reason::REASON_RECONCILIATION) && !is_final(update) && {
            use TaskState::{TASK_RUNNING, TASK_STAGING, TASK_STARTING};
            !matches!(update.state, TASK_RUNNING | TASK_STAGING | TASK_STARTING)
        };
        match task.end {
            Some(end) if end != update.state && !is_ignorance => {
                found.push(format!("task {} ended with {end:?} and is now {:?}", update.task, update.state));
            }
            _ => {}
        }
        if task.end.is_none() {
            task.last = Some(update.state);
        }
        if is_final(update) {
            task.end = Some(update.state);
        }
    }

    /// Nothing runs any more, and everybody knows.
    pub fn at_rest(&self, found: &mut Vec<String>) {
        for (id, task) in &self.tasks {
            let known = task.last.is_some_and(|state| is_terminal(state) || state == TaskState::TASK_UNKNOWN);
            if !known {
                found.push(format!("task {id} was last said to be {:?}, and its end is not known", task.last));
            }
        }
    }

    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    pub fn launched(&self) -> usize {
        self.sent.len()
    }
}
