//! What the master is asked to pass on it passes on in the same step, once, and nothing that it was not asked to.

use super::{CallType, Fact, Model};
use std::collections::BTreeSet;
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::task_status::Reason;

#[derive(Default)]
pub struct Relay {
    acknowledged: Vec<(String, Vec<u8>)>,
    /// Acknowledgements that must be passed on in this step.
    owed: BTreeSet<(String, Vec<u8>)>,
    kills: BTreeSet<String>,
    kills_ever: BTreeSet<String>,
    /// Agent and task: an agent that comes back with the task is told again.
    killed: BTreeSet<(String, String)>,
    /// Where, and which framework's word must be told in this step.
    updates: BTreeSet<(String, String)>,
    /// Agent and executor.
    shutdowns: BTreeSet<(String, String)>,
    /// Agent, framework and executor, of which the framework must hear.
    exits: BTreeSet<(String, String, String)>,
    /// Tasks whose frameworks have heard that their agent is back.
    returned: BTreeSet<String>,
}

impl Relay {
    /// Sees each fact before the model does.
    pub fn see(&mut self, fact: &Fact, model: &Model, found: &mut Vec<String>) {
        match fact {
            Fact::Call { framework, call, .. } => self.call(framework, call, model),
            Fact::AcknowledgementPassed { pid, task, uuid } => {
                self.must_be_connected(pid, "an acknowledgement", model, found);
                self.acknowledgement_passed(task, uuid, model, found);
            }
            Fact::KillPassed { pid, task } => {
                self.must_be_connected(pid, "a kill", model, found);
                if !self.kills.remove(task) && !self.kills_ever.contains(task) {
                    found.push(format!("task {task} is killed, and nobody asked for it"));
                }
            }
            Fact::FrameworkUpdate { pid, framework } => drop(self.updates.remove(&(pid.clone(), framework.clone()))),
            // Only what an agent comes back to that was not given up in between.
            Fact::Reregistered { id } if model.known.registered.contains(id) => {
                let alive = model.known.reported_alive(id).into_iter();
                let is_due = |task: &&String| {
                    model.known.tasks.contains_key(*task) && self.killed.contains(&(id.clone(), (*task).clone()))
                };
                let again = alive.filter(is_due);
                self.kills.extend(again.cloned());
            }
            Fact::MarkedUnreachable { id } | Fact::AgentRemoved { id } => self.killed.retain(|(agent, _)| agent != id),
            Fact::ShutdownPassed { agent, executor } if !self.shutdowns.remove(&(agent.clone(), executor.clone())) => {
                found.push(format!("executor {executor} on {agent} is shut down, and nobody asked for it"));
            }
            Fact::ExitedTaken { agent, framework, executor } => {
                let key = (agent.clone(), framework.clone(), executor.clone());
                if model.known.executors.contains_key(&key) && model.roster.is_connected(framework) {
                    self.exits.insert(key);
                }
            }
            Fact::Failure { via, agent, executor: Some(executor), .. } => {
                let framework = model.roster.at(via).map(|(id, _)| id.clone()).unwrap_or_default();
                self.exits.remove(&(agent.clone(), framework, executor.clone()));
            }
            Fact::Says { update, .. } if update.reason == Some(Reason::REASON_AGENT_REREGISTERED) => {
                self.returned.insert(update.task.clone());
            }
            Fact::StepEnd => self.step_end(model, found),
            Fact::MasterEnded => *self = Relay::default(),
            _ => {}
        }
    }

    fn call(&mut self, framework: &str, call: &Call, model: &Model) {
        let known = &model.known;
        match call.r#type {
            Some(CallType::ACKNOWLEDGE) => {
                let (task, uuid) = (call.acknowledge.task_id.value.clone(), call.acknowledge.uuid.clone());
                let known = known.tasks.get(&task).filter(|known| known.framework == framework);
                let is_due = known.is_some_and(|known| {
                    known.unacknowledged() == Some(&uuid) && model.known.connected.contains(&known.agent)
                });
                if is_due && call.acknowledge.agent_id.value == known.map_or("", |known| &known.agent) {
                    self.owed.insert((task.clone(), uuid.clone()));
                }
                self.acknowledged.push((task, uuid));
            }
            Some(CallType::UPDATE_FRAMEWORK) => {
                let told = known.registered_pids().map(|pid| (pid.clone(), framework.to_owned()));
                self.updates.extend(told);
            }
            Some(CallType::KILL) => {
                let (id, agent) = (&call.kill.task_id.value, call.kill.agent_id.as_option());
                self.kills_ever.insert(id.clone());
                let task = known.tasks.get(id).filter(|task| task.framework == framework);
                let meant = task.filter(|task| agent.is_none_or(|agent| agent.value == task.agent));
                if let Some(task) = meant {
                    self.killed.insert((task.agent.clone(), id.clone()));
                    self.kills.extend(known.connected.contains(&task.agent).then(|| id.clone()));
                }
            }
            Some(CallType::SHUTDOWN) => {
                let (agent, executor) = (&call.shutdown.agent_id.value, &call.shutdown.executor_id.value);
                if known.registered.contains(agent) {
                    self.shutdowns.insert((agent.clone(), executor.clone()));
                }
            }
            _ => {}
        }
    }

    /// What is sent to an agent that cannot be reached is lost, or reaches one that has begun anew.
    fn must_be_connected(&self, pid: &str, what: &str, model: &Model, found: &mut Vec<String>) {
        let agent = model.known.agent_at(pid);
        if agent.is_none_or(|agent| !model.known.connected.contains(agent)) {
            found.push(format!("{what} goes to {pid}, which cannot be reached"));
        }
    }

    fn acknowledgement_passed(&mut self, task: &String, uuid: &Vec<u8>, model: &Model, found: &mut Vec<String>) {
        self.owed.remove(&(task.clone(), uuid.clone()));
        let at = self.acknowledged.iter().position(|(of, known)| of == task && known == uuid);
        match at {
            Some(at) => drop(self.acknowledged.remove(at)),
            None => found.push(format!("an acknowledgement of task {task} is sent that nobody made")),
        }
        if model.known.tasks.get(task).is_some_and(|known| known.unacknowledged().is_none()) {
            found.push(format!("an acknowledgement of task {task} is sent, of which nothing was forwarded"));
        }
    }

    fn step_end(&mut self, model: &Model, found: &mut Vec<String>) {
        self.acknowledged.clear();
        for (task, _) in std::mem::take(&mut self.owed) {
            found.push(format!("an update of task {task} is acknowledged, and its agent is not told"));
        }
        for (pid, framework) in std::mem::take(&mut self.updates) {
            found.push(format!("framework {framework} has changed, and the agent at {pid} is not told"));
        }
        for task in std::mem::take(&mut self.kills) {
            found.push(format!("task {task} is to be killed, and its agent is not told"));
        }
        for (agent, executor) in std::mem::take(&mut self.shutdowns) {
            found.push(format!("executor {executor} is to be shut down, and agent {agent} is not told"));
        }
        for (agent, framework, executor) in std::mem::take(&mut self.exits) {
            found.push(format!("executor {executor} on {agent} is over, and framework {framework} is not told"));
        }
        let told = std::mem::take(&mut self.returned);
        for (task, framework) in &model.known.returned {
            if model.roster.is_connected(framework) && !told.contains(task) {
                found.push(format!("task {task} is back with its agent, and framework {framework} is not told"));
            }
        }
    }
}
