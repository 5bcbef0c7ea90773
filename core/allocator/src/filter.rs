//! Refusals: what a framework does not want to be offered again for a while.
//!
//! A filter belongs to one client (a framework in a role) and one agent, and holds against every offer contained in
//! the refused resources. It ends when its time is over, when the framework revives the role, is deactivated or leaves
//! it, and when the agent goes or changes its attributes.

use crate::client::ClientId;
use crate::key::AgentKey;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_base::{Instant, Map};
use tepui_resources::Resources;

#[derive(Clone, Debug)]
struct Filter {
    until: Instant,
    /// Tells filters with the same end apart.
    serial: u64,
    /// Without allocation role.
    refused: Arc<Resources>,
}

/// The filters of one client, by agent, and how many they are.
#[derive(Clone, Debug, Default)]
struct OfClient {
    agents: Map<AgentKey, SmallVec<[Filter; 1]>>,
    count: usize,
}

/// All filters, by client and agent, and in the order of their ends.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    by_client: Vec<OfClient>,
    due: BTreeMap<(Instant, u64), (ClientId, AgentKey)>,
    serial: u64,
}

impl Filters {
    /// Adds a filter that ends at `until`.
    pub fn add(&mut self, client: ClientId, agent: AgentKey, refused: Arc<Resources>, until: Instant) {
        let at = client.0 as usize;
        if at >= self.by_client.len() {
            self.by_client.resize_with(at + 1, OfClient::default);
        }
        self.serial += 1;
        let serial = self.serial;
        let client_filters = &mut self.by_client[at];
        client_filters.agents.entry(agent).or_default().push(Filter { until, serial, refused });
        client_filters.count += 1;
        self.due.insert((until, serial), (client, agent));
    }

    /// Whether the client has any filter on the agent.
    pub fn has(&self, client: ClientId, agent: AgentKey) -> bool {
        self.by_client.get(client.0 as usize).is_some_and(|filters| filters.agents.contains_key(&agent))
    }

    /// Whether a filter holds against that offer (without allocation role).
    pub fn refuses(&self, client: ClientId, agent: AgentKey, offer: &Resources) -> bool {
        let filters = self.by_client.get(client.0 as usize).and_then(|filters| filters.agents.get(&agent));
        filters.is_some_and(|filters| filters.iter().any(|filter| filter.refused.contains(offer)))
    }

    /// Removes all filters of a client and returns the agents they were on.
    pub fn forget_client(&mut self, client: ClientId) -> Vec<AgentKey> {
        let Some(filters) = self.by_client.get_mut(client.0 as usize) else { return Vec::new() };
        let agents = std::mem::take(filters).agents;
        let mut keys = Vec::with_capacity(agents.len());
        for (agent, filters) in agents {
            filters.iter().for_each(|filter| _ = self.due.remove(&(filter.until, filter.serial)));
            keys.push(agent);
        }
        keys
    }

    /// Removes all filters on an agent.
    pub fn forget_agent(&mut self, agent: AgentKey) {
        for of_client in &mut self.by_client {
            let Some(filters) = of_client.agents.remove(&agent) else { continue };
            of_client.count -= filters.len();
            filters.iter().for_each(|filter| _ = self.due.remove(&(filter.until, filter.serial)));
        }
    }

    /// Removes one filter whose time is over, if there is one, and tells whose it was. A filter still holds at the
    /// moment of its end, so that one of a single interval outlasts the next run over all agents.
    pub fn expire_one(&mut self, now: Instant) -> Option<(ClientId, AgentKey)> {
        let first = self.due.first_entry().filter(|entry| entry.key().0 < now)?;
        let ((_, serial), (client, agent)) = first.remove_entry();
        let of_client = &mut self.by_client[client.0 as usize];
        of_client.count -= 1;
        let agents = &mut of_client.agents;
        let filters = agents.get_mut(&agent).expect("a filter that is due is kept by its client");
        filters.retain(|filter| filter.serial != serial);
        if filters.is_empty() {
            agents.remove(&agent);
        }
        Some((client, agent))
    }

    /// How many filters a client has.
    pub fn count(&self, client: ClientId) -> usize {
        self.by_client.get(client.0 as usize).map_or(0, |filters| filters.count)
    }

    /// How many filters there are.
    pub fn len(&self) -> usize {
        self.due.len()
    }
}
