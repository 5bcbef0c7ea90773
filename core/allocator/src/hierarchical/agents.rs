//! Agents come, go, and change what they have.

use super::Hierarchical;
use super::account::Change;
use crate::agent::Agent;
use crate::amounts::Amounts;
use crate::input::AgentFacts;
use crate::key::{AgentKey, FrameworkKey};
use tepui_base::Now;
use tepui_resources::Resources;

impl Hierarchical {
    pub(super) fn add_agent(
        &mut self,
        key: AgentKey,
        facts: AgentFacts,
        total: Resources,
        used: Vec<(FrameworkKey, Resources)>,
        now: Now,
    ) {
        let whitelisted = self.is_whitelisted(&facts);
        let remote = self.is_remote(&facts);
        self.agents.insert(key, Agent::new(facts, whitelisted, remote));
        self.replace_total(key, total);
        for (framework, resources) in used {
            for (path, resources) in resources.allocations() {
                let role = self.roles.retain(path.as_str());
                self.give(framework, role, key, &resources, Change::Grant);
                self.roles.release(role);
            }
        }
        self.restock(key);
        self.schedule(key, now);
    }

    pub(super) fn update_agent(
        &mut self,
        key: AgentKey,
        facts: Option<AgentFacts>,
        total: Option<Resources>,
        now: Now,
    ) {
        let new_facts = facts.is_some_and(|facts| self.replace_facts(key, facts));
        let Some(agent) = self.agents.get(key) else { return };
        let total = total.filter(|total| total != agent.total());
        if new_facts || total.is_some() {
            self.schedule(key, now);
        }
        if let Some(total) = total {
            self.replace_total(key, total);
        }
    }

    pub(super) fn remove_agent(&mut self, key: AgentKey) {
        let Some(agent) = self.agents.get(key) else { return };
        let holdings = agent.holdings().to_vec();
        for holding in holdings {
            if let Some(id) = self.withdraw(holding.framework, holding.role, key, &holding.resources) {
                self.untrack_if_idle(id);
            }
        }
        let agent = self.agents.remove(key).expect("seen above");
        self.pool.replace(agent.total_scalars(), &Amounts::default());
        agent.dismantle(&mut self.roles);
        self.filters.forget_agent(key);
        self.maintenance.forget_agent(key);
        self.candidates.some.remove(&key);
    }

    pub(super) fn set_agent_active(&mut self, key: AgentKey, active: bool, now: Now) {
        let Some(agent) = self.agents.get_mut(key) else { return };
        agent.active = active;
        if active {
            self.schedule(key, now);
        }
    }

    /// Replaces what an agent has, there and in the pool.
    pub(super) fn replace_total(&mut self, key: AgentKey, total: Resources) {
        let Some(agent) = self.agents.get_mut(key) else { return };
        let before = agent.total_scalars().clone();
        agent.set_total(total, &mut self.names, &mut self.roles);
        self.pool.replace(&before, agent.total_scalars());
    }

    fn replace_facts(&mut self, key: AgentKey, facts: AgentFacts) -> bool {
        let (whitelisted, remote) = (self.is_whitelisted(&facts), self.is_remote(&facts));
        let Some(agent) = self.agents.get_mut(key) else { return false };
        if agent.facts == facts {
            return false;
        }
        // Frameworks may have refused it for an attribute it did not have, and could not learn of the change otherwise.
        if agent.facts.attributes != facts.attributes {
            self.filters.forget_agent(key);
            self.maintenance.forget_refusals_of_agent(key);
        }
        (agent.facts, agent.whitelisted, agent.remote) = (facts, whitelisted, remote);
        agent.reconsider();
        true
    }

    fn is_whitelisted(&self, facts: &AgentFacts) -> bool {
        self.whitelist.as_ref().is_none_or(|listed| listed.contains(&*facts.hostname))
    }

    /// An agent without a region is nowhere else than the master.
    fn is_remote(&self, facts: &AgentFacts) -> bool {
        facts.region.is_some() && facts.region != self.options.region
    }
}
