//! Maintenance: who has something on an agent that will be away is asked to give it back.
//!
//! The question is an inverse offer. A framework has at most one out per agent, and gets the next in a run over that
//! agent after the last has ended and its refusal is over. The window itself, and what frameworks answered, is the
//! master's. Source: Mesos `hierarchical.cpp`, `generateInverseOffers`, `updateUnavailability`, `updateInverseOffer`.

use super::Hierarchical;
use crate::input::Effect;
use crate::key::{AgentKey, FrameworkKey};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tepui_base::{Instant, Now, Outbox};

/// An agent that will be away.
#[derive(Clone, Debug, Default)]
struct Planned {
    /// Who has an inverse offer.
    outstanding: BTreeSet<FrameworkKey>,
    /// Who does not want another before that moment.
    refused: BTreeMap<FrameworkKey, Instant>,
}

/// The agents that will be away, and nothing of all others.
#[derive(Clone, Debug, Default)]
pub(super) struct Maintenance(BTreeMap<AgentKey, Planned>);

impl Maintenance {
    /// Those of the agents of a run that will be away.
    pub(super) fn among(&self, all: bool, some: &BTreeSet<AgentKey>) -> Vec<AgentKey> {
        self.0.keys().filter(|agent| all || some.contains(agent)).copied().collect()
    }

    /// The agent is gone, or stays.
    pub(super) fn forget_agent(&mut self, agent: AgentKey) {
        self.0.remove(&agent);
    }

    /// The framework is gone.
    pub(super) fn forget_framework(&mut self, framework: FrameworkKey) {
        for planned in self.0.values_mut() {
            planned.outstanding.remove(&framework);
            planned.refused.remove(&framework);
        }
    }

    /// Whoever refused inverse offers of the agent may get one again.
    pub(super) fn forget_refusals_of_agent(&mut self, agent: AgentKey) {
        if let Some(planned) = self.0.get_mut(&agent) {
            planned.refused.clear();
        }
    }

    /// The framework may get inverse offers of all agents again.
    pub(super) fn forget_refusals_by(&mut self, framework: FrameworkKey) {
        for planned in self.0.values_mut() {
            planned.refused.remove(&framework);
        }
    }

    /// Whether nothing is planned.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Hierarchical {
    /// A new window, or none any more: all that was asked and answered about the last one is void.
    pub(super) fn update_unavailability(&mut self, agent: AgentKey, planned: bool, now: Now) {
        if self.agents.get(agent).is_none() {
            return;
        }
        self.maintenance.forget_agent(agent);
        if planned {
            self.maintenance.0.insert(agent, Planned::default());
        }
        self.schedule(agent, now);
    }

    /// An inverse offer was answered, withdrawn or never sent.
    pub(super) fn end_inverse_offer(
        &mut self,
        framework: FrameworkKey,
        agent: AgentKey,
        refuse: Option<Duration>,
        now: Now,
    ) {
        if self.frameworks.get(framework).is_none() {
            return;
        }
        let Some(planned) = self.maintenance.0.get_mut(&agent) else { return };
        planned.outstanding.remove(&framework);
        if let Some(refuse) = refuse.filter(|refuse| !refuse.is_zero()) {
            let until = planned.refused.entry(framework).or_insert(now.monotonic);
            *until = (*until).max(now.monotonic + refuse);
        }
    }

    /// Asks all who hold something on these agents and are not asked yet.
    pub(super) fn make_inverse_offers(&mut self, agents: Vec<AgentKey>, time: Instant, out: &mut Outbox<Effect>) {
        let mut asked: BTreeMap<FrameworkKey, Vec<AgentKey>> = BTreeMap::new();
        for key in agents {
            // The master would not send what concerns an agent that is away already.
            let Some(agent) = self.agents.get(key).filter(|agent| agent.active) else { continue };
            let Some(planned) = self.maintenance.0.get_mut(&key) else { continue };
            // A refusal still holds at the moment of its end, as one of an offer does.
            planned.refused.retain(|_, until| *until >= time);
            for holding in agent.holdings() {
                let framework = holding.framework;
                let active = self.frameworks.get(framework).is_some_and(|framework| framework.active);
                if active && !planned.refused.contains_key(&framework) && planned.outstanding.insert(framework) {
                    asked.entry(framework).or_default().push(key);
                }
            }
        }
        for (framework, agents) in asked {
            out.push(Effect::InverseOffer { framework, agents });
        }
    }
}
