//! A task runs once, ends once, and its end becomes known.

use super::roster::Roster;
use super::{CallType, Fact, Update};
use crate::network::{HostId, Process};
use std::collections::{BTreeMap, BTreeSet};
use tepui_framework::scheduler::is_terminal;
use tepui_proto::mesos::TaskState;

#[derive(Default)]
struct Task {
    framework: String,
    launched: u64,
    last: Option<TaskState>,
    /// Updates that its framework has heard.
    heard: BTreeSet<Vec<u8>>,
    /// The state it ended with, as its executor or agent said, and when a framework first heard of that.
    end: Option<(TaskState, u64)>,
    /// Which instances of its framework have heard of it: one that was replaced may hear what went before late.
    knowing: BTreeSet<HostId>,
}

/// An update on its way: when its agent sent it last, and how many times more than its framework has been told.
#[derive(Default)]
struct Copies {
    last: u64,
    under_way: u64,
}

#[derive(Default)]
pub struct Tasks {
    tasks: BTreeMap<String, Task>,
    /// By the update's UUID.
    copies: BTreeMap<Vec<u8>, Copies>,
    /// The agent of each task.
    sent: BTreeMap<String, String>,
    /// Which process has each agent id.
    owners: BTreeMap<String, Process>,
    ended: BTreeSet<Process>,
    forked: BTreeSet<String>,
    transitions: u64,
}

/// Whether nothing can follow. What a master says of tasks out of its sight may be taken back: lost, unreachable.
fn is_final(update: &Update) -> bool {
    use TaskState::{TASK_ERROR, TASK_FAILED, TASK_FINISHED, TASK_KILLED};
    matches!(update.state, TASK_FINISHED | TASK_FAILED | TASK_KILLED | TASK_ERROR)
}

impl Tasks {
    pub fn see(&mut self, now: u64, fact: &Fact, roster: &Roster, found: &mut Vec<String>) {
        match fact {
            Fact::Registered { agent, id } => {
                self.owners.insert(id.clone(), *agent);
            }
            Fact::Ended(process) => {
                self.ended.insert(*process);
            }
            Fact::Run { task, agent, .. } => {
                let earlier = self.sent.insert(task.clone(), agent.clone());
                found.extend(earlier.map(|_| format!("task {task} is sent to an agent a second time")));
            }
            Fact::Call { framework, call, .. } if call.r#type == Some(CallType::ACCEPT) => {
                for task in super::offers::launched(call) {
                    let task = self.tasks.entry(task.task_id.value.clone()).or_default();
                    task.framework.clone_from(framework);
                    task.launched = now;
                }
            }
            Fact::Forked { task } => {
                let is_first = self.forked.insert(task.clone());
                found.extend((!is_first).then(|| format!("task {task} runs a second time")));
            }
            Fact::ExecutorUpdate { .. } => self.transitions += 1,
            Fact::UpdateSent { update, .. } => {
                let copies = self.copies.entry(update.uuid.clone()).or_default();
                *copies = Copies { last: now, under_way: copies.under_way + 1 };
            }
            Fact::Told { framework, update } => self.told(now, *framework, update, roster, found),
            _ => {}
        }
    }

    fn told(&mut self, now: u64, by: HostId, update: &Update, roster: &Roster, found: &mut Vec<String>) {
        use TaskState::{TASK_KILLING, TASK_RUNNING, TASK_STAGING, TASK_STARTING};
        let task = self.tasks.entry(update.task.clone()).or_default();
        let is_alive = matches!(update.state, TASK_STAGING | TASK_STARTING | TASK_RUNNING | TASK_KILLING);
        let is_from_agent = !update.uuid.is_empty();
        let sent = self.copies.get_mut(&update.uuid);
        let sent = sent.filter(|copies| copies.under_way > 0).map(|copies| {
            copies.under_way -= 1;
            copies.last
        });
        if is_from_agent && sent.is_none() {
            found.push(format!(
                "task {}: {:?} is told more often than its agent has said it",
                update.task, update.state
            ));
        }
        let is_repeat = is_from_agent && !task.heard.insert(update.uuid.clone());
        // The present instance is told nothing of before; one that was replaced may be, unless it has heard the end itself.
        let knows = |task: &Task| task.knowing.contains(&by) || roster.is_present_host(&task.framework, by);
        match task.end {
            // The master may say of an ended task that it is out of its sight, or that it has forgotten it.
            // A repeat may have been on its way, on a connection that was given up, when the end was told on another.
            Some((_, told)) if is_repeat && sent.is_some_and(|sent| sent <= told) => {}
            Some((end, _)) if end != update.state && (is_from_agent || is_alive) && knows(task) => {
                found.push(format!("task {} ended with {end:?} and is now {:?}", update.task, update.state));
            }
            _ => {}
        }
        // Frameworks pass over a repeat. One that comes after the master has called the task lost does not bring it back
        // to life: the master has forgotten it by then, and nobody asks about it.
        if !is_repeat {
            task.last = Some(update.state);
        }
        // Of an agent that comes back the master tells the latest state at once, before the updates that led there.
        if is_final(update) && is_from_agent {
            task.end = Some((update.state, task.end.map_or(now, |(_, told)| told)));
            task.knowing.insert(by);
        }
    }

    /// Nothing runs any more, and everybody knows. What was on an agent that has ended while it was unreachable stays
    /// so: no agent recovers yet. Nobody is told of the tasks of a framework that was removed.
    pub fn at_rest(&self, roster: &Roster, found: &mut Vec<String>) {
        let is_orphan = |task: &Task| roster.was_removed_after(&task.framework, task.launched);
        for (id, task) in self.tasks.iter().filter(|(_, task)| !is_orphan(task)) {
            let known = task.end.is_some()
                || task.last.is_some_and(|state| match state {
                    TaskState::TASK_UNKNOWN => true,
                    TaskState::TASK_UNREACHABLE => self.is_agent_over(id),
                    state => is_terminal(state),
                });
            if !known {
                let (framework, seconds) = (&task.framework, task.launched as f64 / 1e9);
                let removed = roster.removed_at(framework).map(|at| at as f64 / 1e9);
                found.push(format!(
                    "task {id} of {framework} (removed: {removed:?}), launched at {seconds:.6} s, was last said to be \
                     {:?}, and its end is not known",
                    task.last
                ));
            }
        }
    }

    fn is_agent_over(&self, task: &str) -> bool {
        // An id that reached no agent belongs to one that ended before it heard of it.
        let is_over = |agent: &String| self.owners.get(agent).is_none_or(|process| self.ended.contains(process));
        // A task that was never sent is asked about by the agent it was meant for.
        self.sent.get(task).is_none_or(is_over)
    }

    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    pub fn launched(&self) -> usize {
        self.sent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agent says it, and the framework's only instance hears it a second later.
    fn tell(tasks: &mut Tasks, at: u64, state: TaskState, uuid: &[u8]) -> Vec<String> {
        say(tasks, at, state, uuid);
        hear(tasks, at + 1, 1, state, uuid)
    }

    fn update(state: TaskState, uuid: &[u8]) -> Update {
        let (task, agent, uuid) = ("t".to_owned(), "A".to_owned(), uuid.to_vec());
        Update { task, agent, uuid, state, reason: None, source: None }
    }

    fn say(tasks: &mut Tasks, at: u64, state: TaskState, uuid: &[u8]) {
        let fact = Fact::UpdateSent { agent: Process { host: 9, life: 1 }, update: update(state, uuid) };
        tasks.see(at, &fact, &Roster::default(), &mut Vec::new());
    }

    fn hear(tasks: &mut Tasks, at: u64, framework: HostId, state: TaskState, uuid: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let update = update(state, uuid);
        tasks.see(at, &Fact::Told { framework, update }, &Roster::with_host("F", 3), &mut found);
        found
    }

    fn at_rest(tasks: &Tasks) -> usize {
        let mut found = Vec::new();
        tasks.at_rest(&Roster::default(), &mut found);
        found.len()
    }

    #[test]
    fn a_repeat_does_not_bring_a_lost_task_back_and_an_update_does() {
        let mut tasks = Tasks::default();
        assert!(tell(&mut tasks, 10, TaskState::TASK_RUNNING, b"1").is_empty());
        assert_eq!(at_rest(&tasks), 1, "its end is not known");
        hear(&mut tasks, 20, 1, TaskState::TASK_LOST, b"");
        tell(&mut tasks, 30, TaskState::TASK_RUNNING, b"1");
        assert_eq!(at_rest(&tasks), 0);
        tell(&mut tasks, 40, TaskState::TASK_RUNNING, b"2");
        assert_eq!(at_rest(&tasks), 1);
        tell(&mut tasks, 50, TaskState::TASK_FINISHED, b"3");
        assert_eq!(at_rest(&tasks), 0);
        assert_eq!(tell(&mut tasks, 60, TaskState::TASK_RUNNING, b"2").len(), 1, "an agent does not go back");
    }

    /// Seed 41350059247959: the link broke, the update was sent again on a new one and acknowledged, the task ended, and
    /// what had been sent on the old connection arrived.
    #[test]
    fn a_repeat_that_was_under_way_may_be_told_after_the_end_and_only_as_often_as_it_was_sent() {
        let mut tasks = Tasks::default();
        say(&mut tasks, 10, TaskState::TASK_KILLING, b"1");
        assert!(tell(&mut tasks, 20, TaskState::TASK_KILLING, b"1").is_empty());
        assert!(tell(&mut tasks, 30, TaskState::TASK_KILLED, b"2").is_empty());
        assert!(hear(&mut tasks, 40, 1, TaskState::TASK_KILLING, b"1").is_empty());
        assert!(!hear(&mut tasks, 50, 1, TaskState::TASK_KILLING, b"1").is_empty(), "the master repeats nothing");
        say(&mut tasks, 60, TaskState::TASK_RUNNING, b"0");
        assert_eq!(hear(&mut tasks, 61, 1, TaskState::TASK_RUNNING, b"0").len(), 1, "that is news, and too late");
    }

    /// Seed 73654368053834: the update was under way to the old instance when the new one subscribed.
    #[test]
    fn an_instance_that_was_replaced_may_hear_late_what_went_before_an_end() {
        let mut tasks = Tasks::default();
        for (state, uuid) in [(TaskState::TASK_RUNNING, b"1"), (TaskState::TASK_FINISHED, b"2")] {
            say(&mut tasks, 1, state, uuid);
        }
        assert!(hear(&mut tasks, 2, 2, TaskState::TASK_FINISHED, b"2").is_empty());
        assert!(hear(&mut tasks, 3, 1, TaskState::TASK_RUNNING, b"1").is_empty());
        for (instance, uuid) in [(2, b"3"), (3, b"4")] {
            say(&mut tasks, 4, TaskState::TASK_RUNNING, uuid);
            tasks.tasks.get_mut("t").unwrap().framework = "F".to_owned();
            let found = hear(&mut tasks, 5, instance, TaskState::TASK_RUNNING, uuid);
            assert_eq!(found.len(), 1, "it knows of the end, or is the present instance: {instance}");
        }
    }
}
