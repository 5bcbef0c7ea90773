//! Containers and the executors in them: what is told to leave leaves; when one is over its agent says so, and what a
//! framework hears of it is true.

use super::{Fact, Sender};
use crate::network::{HostId, Process};
use std::collections::{BTreeMap, BTreeSet};
use tepui_wire::Upid;

/// The grace period of executors here is five seconds; then the container is destroyed.
const LEAVE_NANOS: u64 = 10_000_000_000;
/// How long an agent may take to tell of an end.
const SAY_NANOS: u64 = 1_000_000_000;

/// A container of this world.
#[derive(Clone, Debug)]
pub struct Container {
    /// The agent it runs on.
    pub agent: Process,
    /// Whose it is.
    pub framework: String,
    /// The executor in it.
    pub executor: String,
    /// Whether its executor is the framework's own.
    pub custom: bool,
    leave_by: Option<u64>,
}

impl Container {
    /// One that nobody wants to leave yet.
    pub fn new(agent: Process, framework: String, executor: String, custom: bool) -> Container {
        Container { agent, framework, executor, custom, leave_by: None }
    }
}

#[derive(Default)]
pub struct Containers {
    /// Those that run.
    pub up: BTreeMap<HostId, Container>,
    /// How executors have ended, by framework and executor.
    ends: BTreeMap<(String, String), BTreeSet<i32>>,
    /// The master that each agent has detected. It heeds no other.
    masters: BTreeMap<Process, Upid>,
    /// Agents that are registered, as they themselves see it, and with whom.
    attached: BTreeMap<Process, Sender>,
    /// Ends that an agent has to tell of, until then.
    untold: Vec<(u64, Container)>,
}

impl Containers {
    pub fn see(&mut self, now: u64, fact: &Fact, found: &mut Vec<String>) {
        match fact {
            Fact::ContainerUp { host, container } => {
                self.up.insert(*host, container.clone());
            }
            Fact::ContainerDown { host, status } => {
                let (Some(container), Some(status)) = (self.up.remove(host), status) else { return };
                let key = (container.framework.clone(), container.executor.clone());
                self.ends.entry(key).or_default().insert(*status);
                if container.custom && self.attached.contains_key(&container.agent) {
                    self.untold.push((now + SAY_NANOS, container));
                }
            }
            // What a former master said may arrive late, and is not heeded.
            Fact::ShutdownTaken { agent, by, framework, executor } if self.attached.get(agent) == Some(by) => {
                let is_meant = |container: &&mut Container| {
                    container.agent == *agent
                        && container.framework == *framework
                        && executor.as_ref().is_none_or(|executor| *executor == container.executor)
                };
                for container in self.up.values_mut().filter(is_meant) {
                    container.leave_by.get_or_insert(now + LEAVE_NANOS);
                }
            }
            Fact::ExitedSent { agent, framework, executor, .. } => {
                let is_it = |(_, container): &(u64, Container)| {
                    container.agent == *agent && container.framework == *framework && container.executor == *executor
                };
                if let Some(at) = self.untold.iter().position(is_it) {
                    self.untold.remove(at);
                }
            }
            Fact::Failure { via, executor: Some(executor), status, framework, .. } => {
                let ends = self.ends.get(&(framework.clone(), executor.clone()));
                let is_true = ends.is_some_and(|ends| ends.contains(status)) || *status < 0;
                if !is_true {
                    found.push(format!("{via:?} hears that executor {executor} ended with {status}: {ends:?}"));
                }
            }
            Fact::Attached { agent, by } if self.masters.get(agent) == Some(&by.pid) => {
                self.attached.insert(*agent, by.clone());
            }
            Fact::Detached { agent, master } => {
                self.attached.remove(agent);
                self.masters.remove(agent);
                self.masters.extend(master.clone().map(|master| (*agent, master)));
                // Nobody is there to be told; what the agent reports when it registers again lacks the executor (seed
                // 67560837201934).
                self.untold.retain(|(_, container)| container.agent != *agent);
            }
            Fact::Ended(process) => {
                self.attached.remove(process);
                self.masters.remove(process);
                // Containers die with their agent, though it says so only when it is back.
                self.up.retain(|_, container| container.agent != *process);
                self.untold.retain(|(_, container)| container.agent != *process);
            }
            _ => {}
        }
    }

    /// What should have left, and what should have been told.
    pub fn overdue(&mut self, now: u64, found: &mut Vec<String>) {
        for (host, container) in self.up.iter().filter(|(_, c)| c.leave_by.is_some_and(|by| now > by)) {
            let Container { framework, executor, .. } = container;
            found.push(format!("executor {executor} of {framework} was told to leave and still runs ({host})"));
        }
        for (_, container) in self.untold.iter().filter(|(by, _)| now > *by) {
            let Container { framework, executor, agent, .. } = container;
            found.push(format!("executor {executor} of {framework} is over, and agent {} is silent", agent.host));
        }
    }

    /// After the quiet phase nothing runs for a framework that the present master has removed.
    pub fn at_rest(&self, removed: &BTreeSet<String>, found: &mut Vec<String>) {
        for container in self.up.values().filter(|container| removed.contains(&container.framework)) {
            let Container { framework, executor, .. } = container;
            found.push(format!("executor {executor} runs although its framework {framework} was removed"));
        }
    }
}
