//! Quota is set, and what counts against it is kept up to date. While no role has quota, nothing is counted.

use super::Hierarchical;
use crate::amounts::Amounts;
use crate::key::AgentKey;
use crate::quota::{Quota, counts_when_held};
use crate::role::RoleId;
use tepui_resources::{Limits, Quantities, Resource, Resources, Role};

impl Hierarchical {
    /// Sets the quota of a top-level role; without guarantees and limits the role has none. It counts from the next
    /// allocation on.
    pub(super) fn update_quota(&mut self, role: &Role, guarantees: Quantities, limits: Limits) {
        let quota = Quota::new(guarantees, limits, &mut self.names).map(Box::new);
        if let Some(id) = self.roles.set_quota(role.as_str(), quota) {
            let consumed = self.consumption(id);
            self.roles.consume(id, &consumed, true);
        }
        // What was withheld from everyone may not be any more, and the other way round.
        self.epoch += 1;
    }

    /// A framework holds more, or less, under a role.
    pub(super) fn count_held(&mut self, role: RoleId, resources: &Resources, more: bool) {
        if self.roles.quota(role).is_some() {
            let amounts = self.names.scalars(resources.iter().filter(|resource| counts_when_held(resource)));
            self.roles.consume(role, &amounts, more);
        }
    }

    /// An agent's reservations appear, or go. The roles are in use.
    pub(super) fn count_reserved(&mut self, agent: AgentKey, more: bool) {
        if !self.roles.have_quota() {
            return;
        }
        let Some(agent) = self.agents.get(agent) else { return };
        for resource in agent.total() {
            let role = resource.reservation_role().and_then(|role| self.roles.find(role.as_str()));
            if let Some(role) = role.filter(|role| self.roles.quota(*role).is_some()) {
                let amounts = self.names.scalars([resource]);
                self.roles.consume(role, &amounts, more);
            }
        }
    }

    /// What counts against the quota of a role, from the agents' ledgers.
    pub(super) fn consumption(&self, id: RoleId) -> Amounts {
        let mut names = self.names.clone();
        let is_below = |role: &Role| self.roles.find(role.as_str()).is_some_and(|role| self.roles.is_within(role, id));
        let mut sum = Amounts::default();
        for (_, agent) in self.agents.iter() {
            let reserved = |resource: &&Resource| resource.reservation_role().is_some_and(is_below);
            sum.add(&names.scalars(agent.total().iter().filter(reserved)));
            for holding in agent.holdings().iter().filter(|holding| self.roles.is_within(holding.role, id)) {
                sum.add(&names.scalars(holding.resources.iter().filter(|resource| counts_when_held(resource))));
            }
        }
        sum
    }
}
