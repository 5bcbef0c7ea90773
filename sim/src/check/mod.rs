//! The judges. They see what passes between hosts and what containers do, never a machine's own fields.
//!
//! What is seen is turned into [`Fact`]s by [`observe`]; each checker keeps its own small model of what may be true and
//! objects to what may not. One file per concern.

mod agents;
pub mod observe;
mod offers;
mod reconcile;
mod tasks;
mod updates;

use crate::network::{HostId, Process};
use std::collections::{BTreeMap, BTreeSet};
use tepui_proto::mesos::TaskState;

pub use offers::total;

/// Thousandths of a CPU, and MB.
pub type Amount = (i64, i64);

/// An update of a task, wherever it is seen. Task ids are unique in a world.
#[derive(Clone, Debug)]
pub struct Update {
    /// The task.
    pub task: String,
    /// Empty if it needs no acknowledgement.
    pub uuid: Vec<u8>,
    /// What it says.
    pub state: TaskState,
}

/// Something that was seen.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The master sends an offer.
    Offered { to: HostId, offer: String, agent: String, amount: Amount },
    /// The master takes an offer back.
    Rescinded { offer: String },
    /// An offer has reached its framework.
    OfferArrived { to: HostId, offer: String },
    /// So has the word that it is void.
    RescindArrived { offer: String },
    /// The framework has sent its answer.
    OfferAnswered { offers: Vec<String> },
    /// The master takes an answer to offers, with the tasks to launch.
    Answered { offers: Vec<String>, tasks: Vec<String> },
    /// The master has a new subscription of a framework, or lost the old one: offers are void.
    Subscription { of: HostId },
    /// A framework's subscription has begun or ended: what it held is void.
    Connected { framework: HostId },
    /// The master sends a task to an agent.
    Run { agent: String, task: String, amount: Amount },
    /// An agent has got its id.
    Registered { agent: Process, id: String },
    /// The master takes a reregistration, with the tasks that have not ended.
    Reregistering { id: String, live: Vec<String> },
    /// The master confirms it.
    Reregistered { id: String },
    /// The agent sends an update to the master.
    UpdateSent { agent: Process, update: Update },
    /// The master takes it.
    UpdateTaken { update: Update },
    /// The agent takes an acknowledgement.
    AcknowledgementTaken { task: String, uuid: Vec<u8> },
    /// The agent takes an update of an executor.
    ExecutorUpdate { agent: Process, update: Update },
    /// A framework hears of a task.
    Told { framework: HostId, update: Update },
    /// A framework acknowledges.
    Acknowledged { uuid: Vec<u8> },
    /// The master takes a question about tasks.
    Asked { framework: HostId, tasks: Vec<String> },
    /// A program starts.
    Forked { task: String },
    /// An agent starts a container.
    ContainerUp { executor: HostId, framework: String },
    /// A container is gone.
    ContainerDown { executor: HostId },
    /// A process has ended.
    Ended(Process),
}

/// All checkers.
#[derive(Default)]
pub struct Checks {
    offers: offers::Offers,
    tasks: tasks::Tasks,
    updates: updates::Updates,
    agents: agents::Agents,
    reconcile: reconcile::Reconcile,
    /// Containers that run, with the framework each is for.
    containers: BTreeMap<HostId, String>,
    /// Hosts of masters.
    pub masters: BTreeSet<HostId>,
    /// What was objected to.
    pub violations: Vec<String>,
}

impl Checks {
    /// Shows a fact to all checkers.
    pub fn see(&mut self, now: u64, fact: &Fact) {
        let mut found = Vec::new();
        self.offers.see(now, fact, &self.masters, &mut found);
        self.tasks.see(fact, &mut found);
        self.updates.see(now, fact, &mut found);
        self.agents.see(fact, &mut found);
        self.reconcile.see(now, fact, &self.masters, &mut found);
        match fact {
            Fact::ContainerUp { executor, framework, .. } => {
                self.containers.insert(*executor, framework.clone());
            }
            Fact::ContainerDown { executor } => {
                self.containers.remove(executor);
            }
            _ => {}
        }
        for text in found {
            self.object(now, text);
        }
    }

    /// Says what is wrong.
    pub fn object(&mut self, now: u64, text: String) {
        self.violations.push(format!("at {:.6} s: {text}", now as f64 / 1e9));
    }

    /// Looks for what should have happened by now.
    pub fn overdue(&mut self, now: u64) {
        let mut found = Vec::new();
        self.offers.overdue(now, &mut found);
        self.reconcile.overdue(now, &mut found);
        for text in found {
            self.object(now, text);
        }
    }

    /// After the quiet phase: everything has ended, is known, and is acknowledged.
    pub fn at_rest(&mut self, now: u64, quiet_since: u64) {
        let mut found = Vec::new();
        self.tasks.at_rest(&mut found);
        self.updates.at_rest(now, quiet_since, &mut found);
        for text in found {
            self.object(now, text);
        }
    }

    /// While the frameworks are idle but there: one that takes everything gets all but what executors hold.
    pub fn nothing_leaked(&mut self, now: u64, probe: HostId, agents: usize, total: Amount, executor: Amount) {
        let offered = self.offers.held_by(probe).into_values();
        let sum = offered.fold((0, 0), |sum, amount| (sum.0 + amount.0, sum.1 + amount.1));
        let (agents, executors) = (agents as i64, self.containers.len() as i64);
        let least = (agents * total.0 - executors * executor.0, agents * total.1 - executors * executor.1);
        if sum.0 < least.0 || sum.1 < least.1 {
            self.object(now, format!("all is idle, but only {sum:?} are offered where at least {least:?} are free"));
        }
    }

    /// After all frameworks have left: no container runs, and a framework that takes everything has got everything.
    pub fn all_free(&mut self, now: u64, probe: HostId, agents: usize, total: Amount) {
        let mut found = Vec::new();
        for (executor, framework) in &self.containers {
            found.push(format!("executor {executor} still runs although its framework {framework} has ended"));
        }
        let offered = self.offers.held_by(probe);
        if offered.len() != agents {
            found.push(format!("{} of {agents} agents are offered", offered.len()));
        }
        for (agent, amount) in offered.iter().filter(|(_, amount)| **amount != total) {
            found.push(format!("agent {agent} is idle, and of {total:?} only {amount:?} are offered"));
        }
        for text in found {
            self.object(now, text);
        }
    }

    /// How many updates executors have made.
    pub fn transitions(&self) -> u64 {
        self.tasks.transitions()
    }

    /// Tasks that were launched.
    pub fn launched(&self) -> usize {
        self.tasks.launched()
    }
}
