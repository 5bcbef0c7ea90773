//! What the master is asked to pass on it passes on in the same step, once, and nothing that it was not asked to.

use super::{CallType, Fact, Model};
use std::collections::BTreeSet;
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::task_status::Reason;

#[derive(Default)]
pub struct Relay {
    acknowledged: Vec<(String, Vec<u8>)>,
    kills: BTreeSet<String>,
    kills_ever: BTreeSet<String>,
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
            Fact::AcknowledgementPassed { task, uuid } => {
                let at = self.acknowledged.iter().position(|(of, known)| of == task && known == uuid);
                match at {
                    Some(at) => drop(self.acknowledged.remove(at)),
                    None => found.push(format!("an acknowledgement of task {task} is sent that nobody made")),
                }
            }
            Fact::KillPassed { task } if !self.kills.remove(task) && !self.kills_ever.contains(task) => {
                found.push(format!("task {task} is killed, and nobody asked for it"));
            }
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
                self.acknowledged.push((task, uuid));
            }
            Some(CallType::KILL) => {
                let (id, agent) = (&call.kill.task_id.value, call.kill.agent_id.as_option());
                self.kills_ever.insert(id.clone());
                let task = known.tasks.get(id).filter(|task| task.framework == framework);
                let meant = task.filter(|task| agent.is_none_or(|agent| agent.value == task.agent));
                if meant.is_some_and(|task| known.connected.contains(&task.agent)) {
                    self.kills.insert(id.clone());
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

    fn step_end(&mut self, model: &Model, found: &mut Vec<String>) {
        self.acknowledged.clear();
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
