//! Who has how much: carries each change of a holding into the standings that are compared.

use super::Hierarchical;
use crate::agent::Agent;
use crate::amounts::Amounts;
use crate::client::ClientId;
use crate::key::{AgentKey, FrameworkKey};
use crate::role::{RoleId, Scope};
use crate::sorter::Standing;
use tepui_resources::{Resource, Resources};

/// How a change of a holding shows in a standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Something was given: more, and served once more.
    Grant,
    /// What is held became more without being served.
    Grow,
    /// Something was given back.
    Withdraw,
}

impl Change {
    fn apply(self, standing: &mut Standing, amounts: &Amounts) {
        match self {
            Change::Grant | Change::Grow => standing.allocated.add(amounts),
            Change::Withdraw => {
                assert!(standing.allocated.contains(amounts), "only what is accounted for is withdrawn");
                standing.allocated.subtract(amounts);
            }
        }
        if self == Change::Grant {
            standing.count += 1;
        }
    }
}

/// The amounts of a changed holding, and whose standings they count in.
///
/// A shared resource counts once per agent in each standing, however often it is held. So its amount counts only in
/// those standings none of whose other holdings on the agent has it.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    amounts: Amounts,
    shared: Vec<SharedAmount>,
}

#[derive(Clone, Debug)]
struct SharedAmount {
    amounts: Amounts,
    /// Who else holds it on the agent.
    holders: Vec<(FrameworkKey, RoleId)>,
}

impl Tally {
    /// Whether every standing counts the same.
    fn is_plain(&self) -> bool {
        self.shared.is_empty()
    }

    /// What counts in every standing.
    pub(super) fn unshared(&self) -> &Amounts {
        &self.amounts
    }

    /// Leaves out holders that are not accounted for yet.
    pub(super) fn keep_holders(&mut self, keep: impl Fn(FrameworkKey, RoleId) -> bool) {
        for shared in &mut self.shared {
            shared.holders.retain(|(framework, role)| keep(*framework, *role));
        }
    }

    fn within(&self, is_in_scope: impl Fn(FrameworkKey, RoleId) -> bool) -> Amounts {
        let mut sum = self.amounts.clone();
        for shared in &self.shared {
            if !shared.holders.iter().any(|(framework, role)| is_in_scope(*framework, *role)) {
                sum.add(&shared.amounts);
            }
        }
        sum
    }
}

impl Hierarchical {
    /// What a holding on an agent changes by. Taken before resources are added to the agent's ledger, or after they
    /// were taken off it.
    pub(super) fn tally(&mut self, agent: AgentKey, resources: &Resources) -> Tally {
        let amounts = self.names.scalars(resources.iter().filter(|resource| !resource.is_shared()));
        let mut shared = Vec::new();
        for resource in resources.iter().filter(|resource| resource.is_shared()) {
            let amounts = self.names.scalars([resource]);
            let holders = self.agents.get(agent).map(|agent| self.holders(agent, resource)).unwrap_or_default();
            shared.push(SharedAmount { amounts, holders });
        }
        Tally { amounts, shared }
    }

    /// Puts resources into an agent's ledger and, if the framework was added, into the standings.
    pub(super) fn give(
        &mut self,
        framework: FrameworkKey,
        role: RoleId,
        agent: AgentKey,
        resources: &Resources,
        change: Change,
    ) {
        let known = self.frameworks.get(framework).is_some();
        let client = known.then(|| self.track(framework, role));
        let tally = self.tally(agent, resources);
        let Some(ledger) = self.agents.get_mut(agent) else { return };
        let is_new = ledger.hold(framework, role, resources, tally.unshared());
        if is_new {
            self.roles.retain_id(role);
        }
        self.count_held(role, resources, true);
        let Some(id) = client else {
            self.unknown.insert(framework);
            return;
        };
        self.clients.get_mut(id).holdings += u32::from(is_new);
        self.charge(id, &tally, change);
    }

    /// Takes resources off an agent's ledger and the standings. The caller restocks the agent, and untracks the
    /// client it is told of, which holds nothing there any more.
    pub(super) fn withdraw(
        &mut self,
        framework: FrameworkKey,
        role: RoleId,
        agent: AgentKey,
        resources: &Resources,
    ) -> Option<ClientId> {
        let ledger = self.agents.get_mut(agent)?;
        let emptied = ledger.release(framework, role, resources).expect("only what is held is given back");
        self.count_held(role, resources, false);
        let tally = self.tally(agent, resources);
        self.agents.get_mut(agent)?.vacate(tally.unshared());
        let client = self.client_of(framework, role);
        if let Some(id) = client {
            self.charge(id, &tally, Change::Withdraw);
            self.clients.get_mut(id).holdings -= u32::from(emptied);
        }
        if emptied {
            self.roles.release(role);
        }
        client.filter(|_| emptied)
    }

    /// Works out what is left to offer of an agent whose ledger changed.
    pub(super) fn restock(&mut self, agent: AgentKey) {
        if let Some(ledger) = self.agents.get_mut(agent) {
            ledger.restock(&mut self.names, &self.roles);
        }
    }

    /// What a framework holds on an agent, by role.
    pub(super) fn holdings_of(&self, agent: AgentKey, framework: FrameworkKey) -> Vec<(RoleId, Resources)> {
        let holdings = self.agents.get(agent).map(Agent::holdings).unwrap_or_default();
        let of = holdings.iter().filter(|holding| holding.framework == framework);
        of.map(|holding| (holding.role, holding.resources.clone())).collect()
    }

    /// Carries a change into the standings of a client, its role and the roles above.
    pub(super) fn charge(&mut self, id: ClientId, tally: &Tally, change: Change) {
        let client = self.clients.get(id);
        let (framework, role) = (client.framework, client.role);
        let amounts = tally.within(|other, under| (other, under) == (framework, role));
        if client.ranked {
            let order = self.roles.clients_mut(role);
            let apply = |standing: &mut Standing| change.apply(standing, &amounts);
            order.settle(&mut self.clients.standings, id.0, &self.pool, apply);
        } else {
            change.apply(self.clients.standings.get_mut(id.0), &amounts);
        }
        if tally.is_plain() {
            self.roles.charge(role, &self.pool, |_, standing| change.apply(standing, &amounts));
            return;
        }
        let sums: Vec<(Scope, Amounts)> =
            self.roles.scopes(role).map(|scope| (scope, self.sum(tally, scope))).collect();
        self.roles.charge(role, &self.pool, |scope, standing| {
            let (_, amounts) = sums.iter().find(|(other, _)| *other == scope).expect("every scope has its sum");
            change.apply(standing, amounts);
        });
    }

    fn sum(&self, tally: &Tally, scope: Scope) -> Amounts {
        tally.within(|_, holder| match scope {
            Scope::Only(role) => holder == role,
            Scope::Within(role) => self.roles.is_within(holder, role),
        })
    }

    /// The clients that hold a shared resource on an agent. Frameworks not added yet are not accounted for.
    fn holders(&self, agent: &Agent, resource: &Resource) -> Vec<(FrameworkKey, RoleId)> {
        let holds = |resources: &Resources, role: RoleId| {
            let one = resource.clone().single().with_allocation(Some(self.roles.path(role).clone()));
            resources.contains_one(&one)
        };
        let known = agent.holdings().iter().filter(|holding| self.frameworks.get(holding.framework).is_some());
        known.filter(|h| holds(&h.resources, h.role)).map(|h| (h.framework, h.role)).collect()
    }
}
