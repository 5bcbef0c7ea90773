//! Frameworks come, go, and change what they ask for.

use super::account::Change;
use super::{Framework, Hierarchical};
use crate::client::{Client, ClientId};
use crate::input::{FrameworkCapabilities, FrameworkTerms};
use crate::key::{AgentKey, FrameworkKey};
use crate::role::RoleId;
use crate::sorter::Standing;
use std::sync::Arc;
use tepui_base::Now;
use tepui_resources::Role;

impl Hierarchical {
    pub(super) fn add_framework(&mut self, key: FrameworkKey, terms: FrameworkTerms, active: bool, now: Now) {
        let (id, capabilities) = (terms.id.clone(), terms.capabilities);
        self.frameworks.insert(key, Framework { id, capabilities, active, clients: Vec::new() });
        self.apply_terms(key, &terms);
        if self.unknown.remove(&key) {
            self.account_for_holdings(key);
        }
        if active {
            self.schedule_all(now);
        }
    }

    pub(super) fn update_framework(&mut self, key: FrameworkKey, terms: FrameworkTerms, now: Now) {
        let Some(framework) = self.frameworks.get_mut(key) else { return };
        framework.capabilities = terms.capabilities;
        for id in framework.clients.clone() {
            // What it could not deal with before it may be able to deal with now.
            self.reconsider_everywhere(id);
        }
        self.apply_terms(key, &terms);
        self.maintenance.forget_refusals_by(key);
        self.schedule_all(now);
    }

    pub(super) fn remove_framework(&mut self, key: FrameworkKey, now: Now) {
        self.unknown.remove(&key);
        let agents: Vec<AgentKey> = self.agents_held_by(key);
        for agent in agents {
            for (role, resources) in self.holdings_of(agent, key) {
                if let Some(id) = self.withdraw(key, role, agent, &resources) {
                    self.untrack_if_idle(id);
                }
            }
            self.restock(agent);
            self.schedule(agent, now);
        }
        let Some(framework) = self.frameworks.get(key) else { return };
        for id in framework.clients.clone() {
            self.clients.get_mut(id).subscribed = false;
            self.untrack_if_idle(id);
        }
        self.maintenance.forget_framework(key);
        self.frameworks.remove(key);
    }

    pub(super) fn activate_framework(&mut self, key: FrameworkKey, now: Now) {
        self.set_framework_active(key, true);
        self.schedule_all(now);
    }

    pub(super) fn deactivate_framework(&mut self, key: FrameworkKey) {
        for id in self.set_framework_active(key, false) {
            self.forget_filters(id);
        }
        self.maintenance.forget_refusals_by(key);
    }

    pub(super) fn suppress(&mut self, key: FrameworkKey, roles: &[Role]) {
        for id in self.subscriptions(key, roles) {
            self.clients.get_mut(id).suppressed = true;
            self.rerank(id);
        }
    }

    pub(super) fn revive(&mut self, key: FrameworkKey, roles: &[Role], now: Now) {
        for id in self.subscriptions(key, roles) {
            self.clients.get_mut(id).suppressed = false;
            self.forget_filters(id);
            self.rerank(id);
        }
        self.maintenance.forget_refusals_by(key);
        self.schedule_all(now);
    }

    /// The client of a framework under a role, added if it was not tracked there.
    pub(super) fn track(&mut self, key: FrameworkKey, role: RoleId) -> ClientId {
        if let Some(id) = self.client_of(key, role) {
            return id;
        }
        self.roles.retain_id(role);
        self.roles.join(role, &self.pool);
        let framework = self.frameworks.get_mut(key).expect("only frameworks that were added are tracked");
        let client = Client {
            framework: key,
            role,
            capabilities: framework.capabilities,
            subscribed: false,
            suppressed: false,
            minimum: None,
            constraints: None,
            holdings: 0,
            ranked: false,
        };
        let id = self.clients.add(client, Standing::new(Arc::from(framework.id.as_str()), 1.0));
        framework.clients.push(id);
        id
    }

    /// The client of a framework under a role, if it is tracked there.
    pub(super) fn client_of(&self, key: FrameworkKey, role: RoleId) -> Option<ClientId> {
        self.frameworks.get(key)?.clients.iter().copied().find(|id| self.clients.get(*id).role == role)
    }

    /// Forgets a client that is neither subscribed nor holds anything.
    pub(super) fn untrack_if_idle(&mut self, id: ClientId) {
        let client = self.clients.get(id);
        if client.subscribed || client.holdings > 0 {
            return;
        }
        self.rerank(id);
        self.filters.forget_client(id);
        // The number will be another client's.
        for (_, agent) in self.agents.iter_mut() {
            agent.reconsider_client(id.0);
        }
        let client = self.clients.remove(id);
        if let Some(framework) = self.frameworks.get_mut(client.framework) {
            framework.clients.retain(|other| *other != id);
        }
        self.roles.leave(client.role);
        self.roles.release(client.role);
    }

    /// Puts subscriptions, suppressions, capabilities and minimums in force.
    fn apply_terms(&mut self, key: FrameworkKey, terms: &FrameworkTerms) {
        let before = self.frameworks.get(key).map(|framework| framework.clients.clone()).unwrap_or_default();
        for role in &terms.roles {
            self.subscribe(key, role, terms);
        }
        for id in before {
            let path = self.roles.path(self.clients.get(id).role);
            if !terms.roles.contains(path) {
                self.unsubscribe(id, terms.capabilities);
            }
        }
    }

    fn subscribe(&mut self, key: FrameworkKey, path: &Role, terms: &FrameworkTerms) {
        let role = self.roles.retain(path.as_str());
        let id = self.track(key, role);
        self.roles.release(role);
        let minimum = terms.min_allocatable.iter().find(|(of, _)| of == path);
        let minimum = minimum.map(|(_, list)| list.iter().map(|q| self.names.amounts(q)).collect());
        let client = self.clients.get_mut(id);
        let suppressed = terms.suppressed.contains(path);
        let revived = client.suppressed && !suppressed;
        client.capabilities = terms.capabilities;
        client.subscribed = true;
        client.suppressed = suppressed;
        client.minimum = minimum;
        client.constraints = terms.constraints.of_role(path).cloned();
        if revived {
            self.forget_filters(id);
        }
        self.rerank(id);
    }

    fn unsubscribe(&mut self, id: ClientId, capabilities: FrameworkCapabilities) {
        let client = self.clients.get_mut(id);
        client.capabilities = capabilities;
        client.subscribed = false;
        client.suppressed = false;
        client.minimum = None;
        client.constraints = None;
        self.forget_filters(id);
        self.rerank(id);
        self.untrack_if_idle(id);
    }

    /// The clients of the roles a framework is subscribed to, or of those of them in a list that is not empty.
    fn subscriptions(&self, key: FrameworkKey, roles: &[Role]) -> Vec<ClientId> {
        let Some(framework) = self.frameworks.get(key) else { return Vec::new() };
        let meant = |id: &ClientId| {
            let client = self.clients.get(*id);
            client.subscribed && (roles.is_empty() || roles.contains(self.roles.path(client.role)))
        };
        framework.clients.iter().copied().filter(meant).collect()
    }

    fn set_framework_active(&mut self, key: FrameworkKey, active: bool) -> Vec<ClientId> {
        let Some(framework) = self.frameworks.get_mut(key) else { return Vec::new() };
        framework.active = active;
        let clients = framework.clients.clone();
        clients.iter().for_each(|id| self.rerank(*id));
        clients
    }

    /// Puts a client into its role's order, or takes it out, as it can be offered to or not.
    fn rerank(&mut self, id: ClientId) {
        let client = self.clients.get_mut(id);
        let active = self.frameworks.get(client.framework).is_some_and(|framework| framework.active);
        let wanted = active && client.subscribed && !client.suppressed;
        if wanted == client.ranked {
            return;
        }
        client.ranked = wanted;
        let order = self.roles.clients_mut(client.role);
        if wanted {
            order.insert(&mut self.clients.standings, id.0, &self.pool);
        } else {
            order.remove(id.0);
        }
    }

    fn forget_filters(&mut self, id: ClientId) {
        for key in self.filters.forget_client(id) {
            if let Some(agent) = self.agents.get_mut(key) {
                agent.reconsider_client(id.0);
            }
        }
    }

    fn reconsider_everywhere(&mut self, id: ClientId) {
        for (_, agent) in self.agents.iter_mut() {
            agent.reconsider_client(id.0);
        }
    }

    /// Accounts a framework that was just added for what agents already said it holds.
    fn account_for_holdings(&mut self, key: FrameworkKey) {
        for agent in self.agents_held_by(key) {
            let mut before = Vec::new();
            for (role, resources) in self.holdings_of(agent, key) {
                let id = self.track(key, role);
                self.clients.get_mut(id).holdings += 1;
                let mut tally = self.tally(agent, &resources);
                // The ledger has all of it already, the standings only what came before in this loop.
                tally.keep_holders(|holder, role| holder != key || before.contains(&role));
                self.charge(id, &tally, Change::Grant);
                before.push(role);
            }
        }
    }

    fn agents_held_by(&self, key: FrameworkKey) -> Vec<AgentKey> {
        let held = self.agents.iter().filter(|(_, agent)| agent.holdings().iter().any(|h| h.framework == key));
        held.map(|(agent, _)| agent).collect()
    }
}
