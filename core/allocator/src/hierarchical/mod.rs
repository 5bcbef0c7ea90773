//! The hierarchical DRF allocator (`src/master/allocator/mesos/hierarchical.cpp`).
//!
//! For each agent with something free, roles are asked in the order of their shares, and in each role its frameworks
//! in the order of theirs; the first who can take what is free and does not refuse it is offered all of it. A run over
//! all agents happens once per interval. Whatever frees or adds resources, or wants more, causes a run over just the
//! agents concerned at once; inputs that arrive together share that run, because it is made by `tick`.
//!
//! Invariants:
//! 1. What is offered of an agent was free there: offered and used never exceed the total by an offer. (They can by an
//!    agent that shrinks.)
//! 2. The allocation of a framework in a role is the sum of what it holds on all agents, and that of a role the sum of
//!    its frameworks' and its subroles'. `audit` recomputes both.
//! 3. The order in which the same inputs arrive decides everything: no clock, and random numbers from the seed only.
//!
//! A run differs from one of Mesos in when, never in whom it asks first: Mesos waits for the interval after resources
//! were recovered. Resources that a framework gives back without a filter still wait for it here, too: otherwise a
//! framework that declines without a filter would be asked again and again as fast as it answers.
//!
//! Not done here: quota guarantees and limits, resource providers
//! and operator operations on free resources, recovery that waits for agents.

mod account;
mod agents;
mod audit;
mod frameworks;
mod maintenance;
mod metrics;
mod recover;
mod run;
#[cfg(test)]
mod tests;

pub use metrics::{Metrics, RoleMetrics};

use crate::agent::Agent;
use crate::amounts::{Amounts, Names, Pool};
use crate::client::{ClientId, Clients};
use crate::filter::Filters;
use crate::input::{Effect, FrameworkCapabilities, Input, Options};
use crate::key::{AgentKey, FrameworkKey, Slab};
use crate::role::Roles;
use std::collections::BTreeSet;
use tepui_base::{FrameworkId, Instant, Machine, Now, Outbox, Rng, Set};
use tepui_resources::{Name, Role};

/// A framework that was added.
#[derive(Clone, Debug)]
struct Framework {
    id: FrameworkId,
    capabilities: FrameworkCapabilities,
    active: bool,
    clients: Vec<ClientId>,
}

/// The allocator. See the module's text.
#[derive(Debug)]
pub struct Hierarchical {
    options: Options,
    /// [`Options::min_allocatable`] as amounts.
    minimum: Vec<Amounts>,
    names: Names,
    pool: Pool,
    roles: Roles,
    clients: Clients,
    frameworks: Slab<FrameworkKey, Framework>,
    agents: Slab<AgentKey, Agent>,
    filters: Filters,
    maintenance: maintenance::Maintenance,
    /// Frameworks that hold something on an agent but have not been added.
    unknown: Set<FrameworkKey>,
    whitelist: Option<Set<String>>,
    paused: bool,
    rng: Rng,
    /// Grows whenever a framework may want what it did not want before.
    epoch: u64,
    candidates: Candidates,
    /// A run that waits for the next tick.
    run_at: Option<Instant>,
    next_cycle: Instant,
    runs: u64,
}

/// The agents the next run looks at.
#[derive(Debug, Default)]
struct Candidates {
    all: bool,
    some: BTreeSet<AgentKey>,
}

impl Hierarchical {
    /// An allocator that knows nobody; its first interval begins at `now`. The seed decides the order in which the
    /// agents of one run are served.
    pub fn new(options: Options, seed: u64, now: Now) -> Hierarchical {
        let mut names = Names::default();
        let minimum = options.min_allocatable.iter().map(|quantities| names.amounts(quantities)).collect();
        let excluded =
            options.fair_sharing_excluded.iter().map(|name| names.number(&Name::from(name.as_str()))).collect();
        Hierarchical {
            next_cycle: now.monotonic + options.interval,
            pool: Pool::new(excluded),
            options,
            minimum,
            names,
            roles: Roles::default(),
            clients: Clients::default(),
            frameworks: Slab::default(),
            agents: Slab::default(),
            filters: Filters::default(),
            maintenance: maintenance::Maintenance::default(),
            unknown: Set::default(),
            whitelist: None,
            paused: false,
            rng: Rng::new(seed),
            epoch: 0,
            candidates: Candidates::default(),
            run_at: None,
            runs: 0,
        }
    }

    /// Lets the next tick offer this agent.
    fn schedule(&mut self, agent: AgentKey, now: Now) {
        if !self.paused {
            self.candidates.some.insert(agent);
            self.run_at.get_or_insert(now.monotonic);
        }
    }

    /// A framework may want what it did not want before: lets the next tick offer all agents.
    fn schedule_all(&mut self, now: Now) {
        self.epoch += 1;
        if !self.paused {
            self.candidates.all = true;
            self.run_at.get_or_insert(now.monotonic);
        }
    }

    fn update_weights(&mut self, weights: Vec<(Role, f64)>) {
        for (role, weight) in weights {
            assert!(weight > 0.0, "the master lets only positive weights pass");
            self.roles.weigh(role.as_str(), weight, &self.pool);
        }
    }

    fn update_whitelist(&mut self, whitelist: Option<Vec<String>>) {
        self.whitelist = whitelist.map(|hostnames| hostnames.into_iter().collect());
        let listed = &self.whitelist;
        for (_, agent) in self.agents.iter_mut() {
            agent.whitelisted = listed.as_ref().is_none_or(|listed| listed.contains(&*agent.facts.hostname));
        }
    }
}

impl Machine for Hierarchical {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, _out: &mut Outbox<Effect>) {
        match input {
            Input::AddFramework { key, terms, active } => self.add_framework(key, terms, active, now),
            Input::UpdateFramework { key, terms } => self.update_framework(key, terms, now),
            Input::RemoveFramework(key) => self.remove_framework(key, now),
            Input::ActivateFramework(key) => self.activate_framework(key, now),
            Input::DeactivateFramework(key) => self.deactivate_framework(key),
            Input::AddAgent { key, facts, total, used } => self.add_agent(key, facts, total, used, now),
            Input::UpdateAgent { key, facts, total } => self.update_agent(key, facts, total, now),
            Input::RemoveAgent(key) => self.remove_agent(key),
            Input::ActivateAgent(key) => self.set_agent_active(key, true, now),
            Input::DeactivateAgent(key) => self.set_agent_active(key, false, now),
            Input::UpdateUnavailability { agent, planned } => self.update_unavailability(agent, planned, now),
            Input::EndInverseOffer { framework, agent, refuse } => {
                self.end_inverse_offer(framework, agent, refuse, now);
            }
            Input::UpdateWhitelist(whitelist) => self.update_whitelist(whitelist),
            Input::Recover { framework, agent, resources, refuse, allocated } => {
                self.recover(framework, agent, &resources, refuse, now);
                // See the module's text on what waits for the interval.
                if allocated || refuse.is_some_and(|refuse| !refuse.is_zero()) {
                    self.schedule(agent, now);
                }
            }
            Input::Suppress { framework, roles } => self.suppress(framework, &roles),
            Input::Revive { framework, roles } => self.revive(framework, &roles, now),
            Input::UpdateAllocation { framework, agent, offered, conversions } => {
                self.update_allocation(framework, agent, &offered, conversions, now);
            }
            Input::UpdateWeights(weights) => self.update_weights(weights),
            Input::RequestResources(_) => {}
            Input::Pause => self.paused = true,
            Input::Resume => self.paused = false,
        }
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Effect>) {
        let time = now.monotonic;
        if time >= self.next_cycle {
            self.next_cycle = time + self.options.interval;
            self.candidates.all = true;
        } else if self.run_at.is_none_or(|at| at > time) {
            return;
        }
        self.run_at = None;
        self.run(time, out);
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.run_at.map_or(self.next_cycle, |at| at.min(self.next_cycle)))
    }
}
