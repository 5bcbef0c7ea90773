//! One allocation run: agent by agent, role by role, framework by framework.

use super::Hierarchical;
use super::account::{Change, Tally};
use crate::agent::{Agent, ParcelNumbers};
use crate::amounts::Amounts;
use crate::client::{Client, ClientId};
use crate::filter::Filters;
use crate::input::{Effect, OfferedAgent};
use crate::key::{AgentKey, FrameworkKey};
use crate::role::{RoleId, Roles};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use tepui_base::{Instant, Outbox};
use tepui_resources::Resources;

type Offers = BTreeMap<FrameworkKey, Vec<OfferedAgent>>;

/// What one client is given of one agent.
struct Pick {
    client: ClientId,
    framework: FrameworkKey,
    role: RoleId,
    resources: Resources,
}

/// What decides whether a client takes what is free on an agent, besides the agent.
struct Rules<'a> {
    roles: &'a Roles,
    filters: &'a Filters,
    minimum: &'a [Amounts],
    filter_gpus: bool,
}

impl Hierarchical {
    /// Offers what is free on the candidates.
    pub(super) fn run(&mut self, time: Instant, out: &mut Outbox<Effect>) {
        if self.paused {
            self.candidates.all = false;
            self.candidates.some.clear();
            return;
        }
        self.runs += 1;
        self.expire_filters(time);
        let mut offers = Offers::new();
        let planned = self.maintenance.among(self.candidates.all, &self.candidates.some);
        let candidates = self.take_candidates();
        if !candidates.is_empty() {
            self.roles.refresh(&mut self.clients.standings, &self.pool);
        }
        for agent in candidates {
            self.offer_agent(agent, &mut offers);
        }
        for (framework, offers) in offers {
            out.push(Effect::Offer { framework, offers });
        }
        // Who was just offered something has something to give back, too.
        self.make_inverse_offers(planned, time, out);
    }

    fn expire_filters(&mut self, time: Instant) {
        while let Some((client, key)) = self.filters.expire_one(time) {
            if let Some(agent) = self.agents.get_mut(key) {
                agent.reconsider_client(client.0);
            }
        }
    }

    /// The agents to serve, in random order, so that no agent is always the first to be filled.
    fn take_candidates(&mut self) -> Vec<AgentKey> {
        let some = std::mem::take(&mut self.candidates.some);
        let mut keys: Vec<AgentKey> = if std::mem::take(&mut self.candidates.all) {
            self.agents.iter().filter(|(_, agent)| agent.is_open()).map(|(key, _)| key).collect()
        } else {
            let is_open = |key: &AgentKey| self.agents.get(*key).is_some_and(Agent::is_open);
            some.into_iter().filter(is_open).collect()
        };
        for at in (1..keys.len()).rev() {
            keys.swap(at, self.rng.below(at as u64 + 1) as usize);
        }
        keys
    }

    fn offer_agent(&mut self, key: AgentKey, offers: &mut Offers) {
        let Some(agent) = self.agents.get_mut(key).filter(|agent| !agent.is_quiet(self.epoch)) else { return };
        agent.begin();
        let rules = Rules {
            roles: &self.roles,
            filters: &self.filters,
            minimum: &self.minimum,
            filter_gpus: self.options.filter_gpu_resources,
        };
        // The orders are those at the beginning of this agent: what is picked counts from the next agent on.
        let mut picks: SmallVec<[Pick; 2]> = SmallVec::new();
        for role in self.roles.in_order() {
            if agent.is_bare() {
                break;
            }
            let mut open = agent.open_to(role, &self.roles, self.runs);
            for at in self.roles.clients(role).as_slice() {
                if open.is_empty() {
                    break;
                }
                if agent.is_unsuited(*at) {
                    continue;
                }
                let id = ClientId(*at);
                let client = self.clients.get(id);
                let Some(parcels) = rules.pick(agent, key, id, client, &open) else {
                    // Who does not want what a pick has left may want what was there before it.
                    if picks.is_empty() {
                        agent.note_unsuited(*at);
                    }
                    continue;
                };
                let resources = agent.unstock(&parcels, self.runs);
                picks.push(Pick { client: id, framework: client.framework, role, resources });
                open = agent.open_to(role, &self.roles, self.runs);
            }
        }
        if picks.is_empty() {
            agent.end_without_taker(self.epoch);
        }
        for pick in picks {
            self.settle(key, pick, offers);
        }
    }

    /// Books a pick and puts it among the offers.
    fn settle(&mut self, agent: AgentKey, pick: Pick, offers: &mut Offers) {
        let Pick { client, framework, role, resources: plain } = pick;
        let tally: Tally = self.tally(agent, &plain);
        let path = self.roles.path(role).clone();
        let ledger = self.agents.get_mut(agent).expect("an agent stays during a run");
        ledger.assert_free(&plain);
        ledger.occupy(&plain);
        let resources = plain.allocated_to(&path);
        let is_new = ledger.hold(framework, role, &resources);
        if is_new {
            self.roles.retain_id(role);
            self.clients.get_mut(client).holdings += 1;
        }
        self.charge(client, &tally, Change::Grant);
        offers.entry(framework).or_default().push(OfferedAgent { agent, role: path, resources });
    }
}

impl Rules<'_> {
    /// The parcels a client takes, if it takes any.
    fn pick(
        &self,
        agent: &Agent,
        key: AgentKey,
        id: ClientId,
        client: &Client,
        open: &ParcelNumbers,
    ) -> Option<ParcelNumbers> {
        if !agent.suits(client, self.roles, self.filter_gpus) {
            return None;
        }
        let parcels = agent.suitable(open, client.capabilities);
        if parcels.is_empty() || !self.is_enough(agent, client, &parcels) {
            return None;
        }
        if client.constraints.as_ref().is_some_and(|constraints| constraints.excludes(&agent.facts)) {
            return None;
        }
        if self.filters.has(id, key) && self.filters.refuses(id, key, &agent.contents(&parcels)) {
            return None;
        }
        Some(parcels)
    }

    /// Whether the parcels make an offer of the size the framework, or the cluster, asks for.
    fn is_enough(&self, agent: &Agent, client: &Client, parcels: &ParcelNumbers) -> bool {
        let minimum = client.minimum.as_deref().unwrap_or(self.minimum);
        if minimum.is_empty() {
            return true;
        }
        let mut sum = Amounts::default();
        for at in parcels {
            sum.add(&agent.parcel(*at).quantities);
        }
        minimum.iter().any(|least| sum.contains(least))
    }
}
