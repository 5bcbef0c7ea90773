//! The books, checked against the ledgers they were kept from.

use super::Hierarchical;
use crate::amounts::Amounts;
use crate::client::ClientId;
use crate::role::RoleId;
use tepui_base::Map;
use tepui_resources::Resources;

impl Hierarchical {
    /// Recomputes every incrementally kept sum from the agents' ledgers and asserts that it is right. Slow: for tests
    /// and the simulator.
    pub fn audit(&self) {
        let mut names = self.names.clone();
        let mut pool = Amounts::default();
        let mut held: Map<ClientId, (Amounts, u32)> = Map::default();
        let mut roles: Map<RoleId, Amounts> = Map::default();
        for (key, agent) in self.agents.iter() {
            pool.add(agent.total_scalars());
            assert_eq!(*agent.total_scalars(), names.scalars(agent.total()), "total of {key:?}");
            let mut used = Resources::new();
            let mut by_role: Map<RoleId, Resources> = Map::default();
            for holding in agent.holdings() {
                assert!(!holding.resources.is_empty(), "no empty holding is kept");
                let plain = holding.resources.clone().unallocated();
                used += &plain;
                let Some(id) = self.client_of(holding.framework, holding.role) else { continue };
                let (amounts, count) = held.entry(id).or_default();
                amounts.add(&names.scalars(&holding.resources));
                *count += 1;
                for role in self.roles.upwards(holding.role) {
                    *by_role.entry(role).or_default() += &plain;
                }
            }
            assert_eq!(names.scalars(&used.non_shared()), *agent.used_scalars(), "used of {key:?}");
            for (role, resources) in by_role {
                roles.entry(role).or_default().add(&names.scalars(&resources));
            }
        }
        assert_eq!(pool, *self.pool.amounts(), "the pool is all agents' totals");
        for (id, client) in self.clients.iter() {
            let (amounts, count) = held.remove(&id).unwrap_or_default();
            assert_eq!(amounts, self.clients.standings.get(id.0).allocated, "allocation of client {id:?}");
            assert_eq!(count, client.holdings, "holdings of client {id:?}");
            assert!(client.subscribed || client.holdings > 0, "an idle client is forgotten");
        }
        for (id, quota) in self.roles.quotas() {
            assert_eq!(self.consumption(id), quota.consumed, "quota consumed by {}", self.roles.path(id));
        }
        for role in self.roles.ids() {
            let allocated = self.roles.standing(role).map(|standing| standing.allocated.clone()).unwrap_or_default();
            assert_eq!(roles.remove(&role).unwrap_or_default(), allocated, "allocation of {}", self.roles.path(role));
        }
    }

    /// Whether nothing is known any more: what is left when all frameworks and agents are gone.
    pub fn is_empty(&self) -> bool {
        self.frameworks.is_empty()
            && self.agents.is_empty()
            && self.roles.len() == 0
            && self.filters.len() == 0
            && self.maintenance.is_empty()
    }
}
