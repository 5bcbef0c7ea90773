//! Whoever asks about a task gets an answer, and the answer is true: it is the last state that was forwarded to be
//! acknowledged, or the newest one known, or it says where a task that is not known must have gone. Nobody is told
//! anything of a task whose agent has yet to come back to a new master.

use super::{CallType, Fact, Model, Update};
use crate::network::HostId;
use std::collections::BTreeMap;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::task_status::{Reason, Source};

/// How long an answer may take.
const LIMIT_NANOS: u64 = 30_000_000_000;

#[derive(Default)]
pub struct Reconcile {
    /// Questions: by host of the framework and task, since when.
    asked: BTreeMap<(HostId, String), u64>,
}

impl Reconcile {
    pub fn see(&mut self, now: u64, fact: &Fact, model: &Model, found: &mut Vec<String>) {
        match fact {
            Fact::Call { framework, from, call } if call.r#type == Some(CallType::RECONCILE) => {
                for task in questions(framework, call, model) {
                    self.asked.entry((*from, task)).or_insert(now);
                }
            }
            Fact::Says { via, update, .. } if is_answer(update) => {
                let Some((framework, entry)) = model.roster.at(via) else { return };
                let expected = truth(framework, entry.aware, update, model);
                if expected != Some(update.state) {
                    let (task, said) = (&update.task, update.state);
                    found.push(format!("framework {framework} is told that task {task} is {said:?}: {expected:?}"));
                }
            }
            // Any word about the task will do.
            Fact::Told { framework, update } => {
                self.asked.remove(&(*framework, update.task.clone()));
            }
            Fact::Connected { framework }
            | Fact::Subscription { of: framework }
            | Fact::ToldAgain { of: framework } => {
                self.asked.retain(|(of, _), _| of != framework);
            }
            Fact::MasterEnded => self.asked.clear(),
            Fact::Ended(process) => self.asked.retain(|(of, _), _| *of != process.host),
            _ => {}
        }
    }

    /// A question that was taken must be answered.
    pub fn overdue(&mut self, now: u64, found: &mut Vec<String>) {
        for ((framework, task), _) in self.asked.iter().filter(|(_, since)| now > *since + LIMIT_NANOS) {
            found.push(format!("framework {framework} asked about task {task} and got no answer"));
        }
    }
}

/// Answers carry no uuid, and are the master's own.
fn is_answer(update: &Update) -> bool {
    update.uuid.is_empty()
        && update.reason == Some(Reason::REASON_RECONCILIATION)
        && update.source == Some(Source::SOURCE_MASTER)
}

/// The tasks that must be answered: those named, or all that are known.
fn questions(framework: &str, call: &Call, model: &Model) -> Vec<String> {
    let known = &model.known;
    let named = &call.reconcile.tasks;
    if named.is_empty() {
        let own = known.tasks.iter().filter(|(_, task)| task.framework == framework);
        return own.map(|(id, _)| id.clone()).collect();
    }
    let is_answered = |task: &str, agent: Option<&str>| {
        known.tasks.contains_key(task) || agent.map_or(known.awaited.is_empty(), |agent| !known.awaited.contains(agent))
    };
    let named = named.iter().map(|task| (&task.task_id.value, task.agent_id.as_option().map(|id| id.value.as_str())));
    named.filter(|(task, agent)| is_answered(task, *agent)).map(|(task, _)| task.clone()).collect()
}

/// What must be answered; nothing if there is to be no answer.
fn truth(framework: &str, aware: bool, update: &Update, model: &Model) -> Option<TaskState> {
    let known = &model.known;
    if let Some(task) = known.tasks.get(&update.task).filter(|task| task.framework == framework) {
        return Some(task.told_state());
    }
    let agent = &update.agent;
    let awaited = if agent.is_empty() { !known.awaited.is_empty() } else { known.awaited.contains(agent) };
    let state = match () {
        () if known.registered.contains(agent) => TaskState::TASK_GONE,
        () if known.unreachable.contains(agent) => TaskState::TASK_UNREACHABLE,
        () => TaskState::TASK_UNKNOWN,
    };
    (!awaited).then_some(if aware { state } else { TaskState::TASK_LOST })
}
