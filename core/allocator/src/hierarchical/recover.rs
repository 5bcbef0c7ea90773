//! What was offered comes back, or becomes something else.

use super::Hierarchical;
use super::account::Change;
use crate::key::{AgentKey, FrameworkKey};
use std::time::Duration;
use tepui_base::Now;
use tepui_resources::Resources;

impl Hierarchical {
    pub(super) fn recover(
        &mut self,
        framework: FrameworkKey,
        agent: AgentKey,
        resources: &Resources,
        refuse: Option<Duration>,
        now: Now,
    ) {
        if self.agents.get(agent).is_none() {
            return;
        }
        let refuse = refuse.filter(|refuse| !refuse.is_zero());
        for (path, resources) in resources.allocations() {
            let Some(role) = self.roles.find(path.as_str()) else { continue };
            // Removing the framework has freed all it held: this message crossed that one.
            if self.agents.get(agent).and_then(|ledger| ledger.holding(framework, role)).is_none() {
                continue;
            }
            let idle = self.withdraw(framework, role, agent, &resources);
            if let Some(refuse) = refuse
                && let Some(id) = self.client_of(framework, role)
                && self.frameworks.get(framework).is_some()
            {
                let until = now.monotonic + refuse.max(self.options.interval);
                let ledger = self.agents.get_mut(agent).expect("seen above");
                let refused = ledger.share_refusal(resources.unallocated());
                self.filters.add(id, agent, refused, until);
            }
            if let Some(id) = idle {
                self.untrack_if_idle(id);
            }
        }
        self.restock(agent);
    }

    pub(super) fn update_allocation(
        &mut self,
        framework: FrameworkKey,
        agent: AgentKey,
        offered: &Resources,
        conversions: Vec<(Resources, Resources)>,
        now: Now,
    ) {
        let Some(ledger) = self.agents.get(agent) else { return };
        let total = ledger.total().clone();
        for (path, offered) in offered.allocations() {
            let Some(role) = self.roles.find(path.as_str()) else { continue };
            if self.agents.get(agent).and_then(|ledger| ledger.holding(framework, role)).is_none() {
                continue;
            }
            let updated = convert(offered.clone(), &conversions);
            // Held across the moment in which nothing is held.
            self.roles.retain_id(role);
            let idle = self.withdraw(framework, role, agent, &offered);
            if !updated.is_empty() {
                self.give(framework, role, agent, &updated, Change::Grow);
            }
            if let Some(id) = idle {
                self.untrack_if_idle(id);
            }
            self.roles.release(role);
        }
        // One more copy of a shared resource is no more of it on the agent.
        let stripped = conversions.into_iter().filter(|(consumed, _)| !consumed.is_empty());
        let stripped: Vec<_> = stripped.map(|(from, to)| (from.unallocated(), to.unallocated())).collect();
        self.replace_total(agent, convert(total, &stripped));
        self.schedule(agent, now);
    }
}

/// Applies conversions, in order. The master has checked that what they consume is there.
fn convert(mut resources: Resources, conversions: &[(Resources, Resources)]) -> Resources {
    for (consumed, converted) in conversions {
        assert!(resources.contains(consumed), "an operation consumes what was offered");
        resources -= consumed;
        resources += converted;
    }
    resources
}
