//! What the master must know of agents and tasks, from the messages that reached it, those it sent, and the registry.
//!
//! This objects to nothing; the other checkers compare with it.

use super::{Amount, Fact, Report, Update};
use std::collections::{BTreeMap, BTreeSet};
use tepui_framework::scheduler::is_terminal;
use tepui_proto::mesos::TaskState;

/// A task that is not over, or whose end the framework has not acknowledged.
#[derive(Clone, Debug)]
pub struct Task {
    /// Whose it is.
    pub framework: String,
    /// Where it is.
    pub agent: String,
    newest: TaskState,
    forwarded: Option<(TaskState, Vec<u8>)>,
    amount: Amount,
    checkpoint: bool,
}

impl Task {
    /// The state a framework is told when it asks: the last one forwarded to be acknowledged, else the newest.
    pub fn told_state(&self) -> TaskState {
        self.forwarded.as_ref().map_or(self.newest, |(state, _)| *state)
    }
}

/// An executor that is not its agent's own.
#[derive(Clone, Debug)]
pub struct Executor {
    amount: Amount,
    checkpoint: bool,
    /// Its agent has said that it is over. The protocol does not repeat this, so if the word is lost on the way the
    /// master believes in the executor until the agent registers again.
    ended: bool,
}

/// Agent, framework and executor id.
pub type ExecutorKey = (String, String, String);

#[derive(Default)]
pub struct Knowledge {
    /// Tasks by id.
    pub tasks: BTreeMap<String, Task>,
    /// Executors that are not the agents' own.
    pub executors: BTreeMap<ExecutorKey, Executor>,
    /// Agents that are registered.
    pub registered: BTreeSet<String>,
    /// Those of them that can be reached.
    pub connected: BTreeSet<String>,
    /// Agents marked unreachable.
    pub unreachable: BTreeSet<String>,
    /// Agents in the registry that this master has not heard of.
    pub awaited: BTreeSet<String>,
    /// Tasks that came back with their agent in this step, with their frameworks.
    pub returned: Vec<(String, String)>,
    addresses: BTreeMap<String, String>,
    reports: BTreeMap<String, std::rc::Rc<Report>>,
    /// Agents whose return waits for the registrar.
    returning: BTreeSet<String>,
}

impl Knowledge {
    /// The agent that registered from an address last.
    pub fn agent_at(&self, pid: &str) -> Option<&String> {
        self.addresses.get(pid)
    }

    /// What tasks and executors of these frameworks hold on an agent.
    pub fn held(&self, agent: &str, of: impl Fn(&str) -> bool) -> Amount {
        let tasks = self.tasks.values().filter(|task| task.agent == agent && !is_terminal(task.newest));
        let tasks = tasks.filter(|task| of(&task.framework)).map(|task| task.amount);
        let executors = self.executors.iter().filter(|((on, framework, _), _)| on == agent && of(framework));
        let executors = executors.map(|(_, executor)| executor.amount);
        tasks.chain(executors).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// What the executors of these frameworks hold whose end was told and has not been heard.
    pub fn held_by_ended(&self, of: impl Fn(&str) -> bool) -> Amount {
        let ended = self.executors.iter().filter(|((_, framework, _), executor)| executor.ended && of(framework));
        ended.fold((0, 0), |sum, (_, executor)| (sum.0 + executor.amount.0, sum.1 + executor.amount.1))
    }

    pub fn see(&mut self, fact: &Fact, removed: &BTreeSet<String>) {
        match fact {
            Fact::Run { framework, checkpoint, agent, task, amount, executor } => {
                let staging = Task {
                    framework: framework.clone(),
                    agent: agent.clone(),
                    newest: TaskState::TASK_STAGING,
                    forwarded: None,
                    amount: *amount,
                    checkpoint: *checkpoint,
                };
                self.tasks.insert(task.clone(), staging);
                if let Some((executor, amount)) = executor {
                    let key = (agent.clone(), framework.clone(), executor.clone());
                    let new = Executor { amount: *amount, checkpoint: *checkpoint, ended: false };
                    self.executors.entry(key).or_insert(new);
                }
            }
            Fact::UpdateTaken { update } => self.updated(update),
            Fact::Says { update, .. } if !update.uuid.is_empty() => {
                if let Some(task) = self.tasks.get_mut(&update.task) {
                    task.forwarded = Some((update.state, update.uuid.clone()));
                }
            }
            Fact::AcknowledgementPassed { task, uuid } => {
                let of = self.tasks.get(task).and_then(|task| task.forwarded.as_ref());
                if of.is_some_and(|(state, last)| is_terminal(*state) && last == uuid) {
                    self.tasks.remove(task);
                }
            }
            Fact::ExitedSent { id, framework, executor, .. } => {
                if let Some(known) = self.executors.get_mut(&(id.clone(), framework.clone(), executor.clone())) {
                    known.ended = true;
                }
            }
            Fact::ExitedTaken { agent, framework, executor } => {
                self.executors.remove(&(agent.clone(), framework.clone(), executor.clone()));
            }
            Fact::FrameworkShutdown { framework } => self.framework_ended(framework),
            Fact::Call { framework, call, .. } if call.r#type == Some(super::CallType::TEARDOWN) => {
                self.framework_ended(framework);
            }
            _ => self.see_agent(fact, removed),
        }
    }

    fn see_agent(&mut self, fact: &Fact, removed: &BTreeSet<String>) {
        match fact {
            Fact::Recovered { admitted, unreachable } => {
                self.awaited = admitted.iter().cloned().collect();
                self.unreachable = unreachable.iter().cloned().collect();
            }
            Fact::Admitted { id } => {
                self.registered.insert(id.clone());
                self.connected.insert(id.clone());
            }
            Fact::AgentAt { id, pid } => {
                self.addresses.insert(pid.clone(), id.clone());
            }
            Fact::AgentLost { id } => {
                self.connected.remove(id);
                self.tasks.retain(|_, task| task.agent != *id || task.checkpoint);
                self.executors.retain(|(agent, _, _), executor| agent != id || executor.checkpoint);
            }
            Fact::MarkedUnreachable { id } => {
                self.agent_gone(id);
                self.unreachable.insert(id.clone());
            }
            Fact::AgentRemoved { id } => self.agent_gone(id),
            Fact::Reregistering { id, report } if !self.returning.contains(id) => {
                self.reports.insert(id.clone(), report.clone());
            }
            Fact::ReturnBegun { id } => {
                self.returning.insert(id.clone());
            }
            Fact::Reregistered { id } => self.agent_back(id, removed),
            Fact::StepEnd => self.returned.clear(),
            Fact::MasterEnded => *self = Knowledge::default(),
            _ => {}
        }
    }

    fn updated(&mut self, update: &Update) {
        if !self.registered.contains(&update.agent) {
            return;
        }
        let task = self.tasks.get_mut(&update.task).filter(|task| task.agent == update.agent);
        if let Some(task) = task.filter(|task| !is_terminal(task.newest)) {
            task.newest = update.state;
        }
    }

    fn framework_ended(&mut self, framework: &str) {
        self.tasks.retain(|_, task| task.framework != framework);
        self.executors.retain(|(_, owner, _), _| owner != framework);
    }

    fn agent_gone(&mut self, id: &str) {
        self.tasks.retain(|_, task| task.agent != id);
        self.executors.retain(|(agent, _, _), _| agent != id);
        self.registered.remove(id);
        self.connected.remove(id);
        self.awaited.remove(id);
        self.returning.remove(id);
        self.addresses.retain(|_, known| known != id);
    }

    fn agent_back(&mut self, id: &str, removed: &BTreeSet<String>) {
        self.returning.remove(id);
        let report = self.reports.get(id).cloned().unwrap_or_default();
        let was_awaited = self.awaited.remove(id);
        self.unreachable.remove(id);
        self.connected.insert(id.to_owned());
        if !self.registered.insert(id.to_owned()) {
            let listed = |(agent, framework, executor): &ExecutorKey| {
                agent != id || report.executors.iter().any(|(f, e, _)| f == framework && e == executor)
            };
            self.executors.retain(|key, _| listed(key));
            return;
        }
        self.adopt(id, &report, removed);
        if was_awaited {
            self.returned.clear();
        }
    }

    /// An agent that is not registered brings all it runs.
    fn adopt(&mut self, id: &str, report: &Report, removed: &BTreeSet<String>) {
        let checkpoint = |framework: &String| report.checkpoints.get(framework).copied().unwrap_or(false);
        for (framework, executor, amount) in report.executors.iter().filter(|(of, _, _)| !removed.contains(of)) {
            let key = (id.to_owned(), framework.clone(), executor.clone());
            let executor = Executor { amount: *amount, checkpoint: checkpoint(framework), ended: false };
            self.executors.insert(key, executor);
        }
        for told in report.tasks.iter().filter(|told| !removed.contains(&told.framework)) {
            if self.tasks.contains_key(&told.task) {
                continue;
            }
            let task = Task {
                framework: told.framework.clone(),
                agent: id.to_owned(),
                newest: told.state,
                forwarded: told.forwarded.clone(),
                amount: told.amount,
                checkpoint: checkpoint(&told.framework),
            };
            self.tasks.insert(told.task.clone(), task);
            self.returned.push((told.task.clone(), told.framework.clone()));
        }
    }
}
