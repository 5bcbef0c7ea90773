//! One allocation run: agent by agent, role by role, framework by framework.

use super::Hierarchical;
use super::account::{Change, Tally};
use crate::agent::{Agent, ParcelNumbers};
use crate::amounts::{Amounts, Names};
use crate::bits::Bits;
use crate::client::{Client, ClientId};
use crate::filter::Filters;
use crate::input::{Effect, OfferedAgent};
use crate::key::{AgentKey, FrameworkKey, Key};
use crate::quota::{Budget, Free, Part, Stage};
use crate::role::{RoleId, Roles};
use crate::sorter::{Lottery, Sorter, Turns};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use tepui_base::{Instant, Outbox, Rng};
use tepui_resources::{Resource, Resources, Value};

type Offers = BTreeMap<FrameworkKey, Vec<OfferedAgent>>;

/// What one client is given of one agent.
struct Pick {
    client: ClientId,
    framework: FrameworkKey,
    role: RoleId,
    resources: Resources,
}

/// What a client takes of an agent.
struct Choice {
    parcels: ParcelNumbers,
    /// What of the plain parcel, if not all of it.
    part: Option<Resources>,
    /// What of it counts against quota, if any role has quota.
    counted: Option<Part>,
}

/// Why a client takes nothing of an agent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// It does not want what is free.
    Unwanted,
    /// Quota leaves too little for it; that may change without a change of the agent or the client.
    Withheld,
}

/// What decides whether a client takes what is free on an agent, besides the agent.
struct Rules<'a> {
    roles: &'a Roles,
    filters: &'a Filters,
    names: &'a Names,
    minimum: &'a [Amounts],
    filter_gpus: bool,
    stage: Stage,
}

/// The top-level roles that are asked about an agent, by number, with all below them. There may be thousands that are not.
enum Asked {
    Only(Bits),
    AllBut(Bits),
}

/// What goes through a run.
struct Round {
    stage: Stage,
    budget: Option<Budget>,
    /// What is left to chance is drawn from this and from whom it is about, so that a look that is spared changes no
    /// other.
    seed: u64,
    /// The top-level roles with a framework that has its own minimum of an offer. Known only if there is quota.
    choosy: Bits,
    /// Of the random sorter: the roles and their chances.
    chances: Vec<(RoleId, f64)>,
    offers: Offers,
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
        let planned = self.maintenance.among(self.candidates.all, &self.candidates.some);
        let candidates = self.take_candidates();
        if !candidates.is_empty() {
            self.make_offers(candidates, out);
        }
        // Who was just offered something has something to give back, too.
        self.make_inverse_offers(planned, time, out);
    }

    /// Offers what is free on these agents: first to roles whose guarantees are not met, then in order of fairness.
    fn make_offers(&mut self, mut candidates: Vec<AgentKey>, out: &mut Outbox<Effect>) {
        self.roles.refresh(&mut self.clients.standings, &self.pool);
        let mut round = Round {
            stage: Stage::Guarantees,
            seed: self.rng.next_u64(),
            budget: Budget::new(&self.roles, self.pool.amounts(), || self.free_for_quota()),
            choosy: Bits::default(),
            chances: if self.options.sorter == Sorter::Random { self.roles.chances() } else { Vec::new() },
            offers: Offers::new(),
        };
        if round.budget.is_some() {
            let choosy = self.clients.iter().filter(|(_, client)| client.minimum.is_some());
            choosy.for_each(|(_, client)| round.choosy.insert(self.roles.top_of(client.role).index() as u32));
        }
        if round.budget.as_ref().is_some_and(Budget::is_short) {
            for agent in &candidates {
                self.offer_agent(*agent, &mut round);
            }
            // The first stage tends to take from the front of the list.
            self.shuffle(&mut candidates);
        }
        round.stage = Stage::FairShare;
        for agent in candidates {
            self.offer_agent(agent, &mut round);
        }
        for (framework, offers) in round.offers {
            out.push(Effect::Offer { framework, offers });
        }
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
        self.shuffle(&mut keys);
        keys
    }

    fn shuffle(&mut self, keys: &mut [AgentKey]) {
        for at in (1..keys.len()).rev() {
            keys.swap(at, self.rng.below(at as u64 + 1) as usize);
        }
    }

    /// What is free, unreserved and not revocable, over all agents.
    fn free_for_quota(&self) -> Amounts {
        let mut sum = Amounts::default();
        self.agents.iter().filter_map(|(_, agent)| agent.plain()).for_each(|parcel| sum.add(&parcel.quantities));
        sum
    }

    fn offer_agent(&mut self, key: AgentKey, round: &mut Round) {
        let Some(agent) = self.agents.get_mut(key).filter(|agent| !agent.is_quiet(self.epoch)) else { return };
        agent.begin();
        let rules = Rules {
            roles: &self.roles,
            filters: &self.filters,
            names: &self.names,
            minimum: &self.minimum,
            filter_gpus: self.options.filter_gpu_resources,
            stage: round.stage,
        };
        // The orders are those at the beginning of this agent: what is picked counts from the next agent on.
        let mut picks: SmallVec<[Pick; 2]> = SmallVec::new();
        let seed = round.seed ^ (u64::from(key.generation()) << 32 | u64::from(key.index()));
        let mut dice = Rng::new(seed);
        let asked = rules.asked(agent, round);
        let mut is_final = matches!(&asked, Asked::AllBut(passed_over) if passed_over.is_empty());
        let mut turns = match self.options.sorter {
            Sorter::Drf => Turns::Sorted(self.roles.in_order(|top| asked.has(top))),
            Sorter::Random => {
                let chances = round.chances.iter().filter(|(role, _)| asked.has(self.roles.top_of(*role)));
                Turns::Drawn(Lottery::new(chances.copied().collect()))
            }
        };
        while let Some(role) = turns.next(&mut dice) {
            if agent.is_bare() || round.is_over() {
                break;
            }
            let mut open = agent.open_to(role, &self.roles, self.runs);
            let clients = self.roles.clients(role).as_slice().iter().copied();
            let mut turns = match self.options.sorter {
                Sorter::Drf => Turns::Sorted(clients),
                Sorter::Random => Turns::Drawn(Lottery::new(clients.map(|at| (at, 1.0)).collect())),
            };
            while let Some(at) = turns.next(&mut dice) {
                if open.is_empty() || !rules.is_served(role, round.budget.as_ref()) {
                    break;
                }
                if agent.is_unsuited(at) {
                    continue;
                }
                let id = ClientId(at);
                let client = self.clients.get(id);
                match rules.pick(agent, key, id, client, &open, round.budget.as_ref(), seed) {
                    Ok(choice) => {
                        let resources = agent.unstock(&choice.parcels, choice.part.as_ref(), &self.names, self.runs);
                        if let (Some(budget), Some(part)) = (&mut round.budget, &choice.counted) {
                            budget.give(role, &self.roles, part);
                        }
                        picks.push(Pick { client: id, framework: client.framework, role, resources });
                        open = agent.open_to(role, &self.roles, self.runs);
                    }
                    Err(Refusal::Withheld) => is_final = false,
                    // Who does not want what a pick has left may want what was there before it.
                    Err(Refusal::Unwanted) if picks.is_empty() => agent.note_unsuited(at),
                    Err(Refusal::Unwanted) => {}
                }
            }
        }
        drop(turns);
        if picks.is_empty() && is_final {
            agent.end_without_taker(self.epoch);
        }
        for pick in picks {
            self.settle(key, pick, &mut round.offers);
        }
    }

    /// Books a pick and puts it among the offers.
    fn settle(&mut self, agent: AgentKey, pick: Pick, offers: &mut Offers) {
        let Pick { client, framework, role, resources: plain } = pick;
        let tally: Tally = self.tally(agent, &plain);
        let path = self.roles.path(role).clone();
        let ledger = self.agents.get_mut(agent).expect("an agent stays during a run");
        ledger.assert_free(&plain, tally.unshared());
        let resources = plain.allocated_to(&path);
        let is_new = ledger.hold(framework, role, &resources, tally.unshared());
        if is_new {
            self.roles.retain_id(role);
            self.clients.get_mut(client).holdings += 1;
        }
        self.charge(client, &tally, Change::Grant);
        self.count_held(role, &resources, true);
        offers.entry(framework).or_default().push(OfferedAgent { agent, role: path, resources });
    }
}

impl Round {
    /// Whether the stage has nothing left to do.
    fn is_over(&self) -> bool {
        self.stage == Stage::Guarantees && !self.budget.as_ref().is_some_and(Budget::is_short)
    }
}

impl Asked {
    fn has(&self, top: RoleId) -> bool {
        let at = top.index() as u32;
        match self {
            Asked::Only(tops) => tops.has(at),
            Asked::AllBut(tops) => !tops.has(at),
        }
    }
}

impl Rules<'_> {
    /// Whom to ask about an agent: not those to whom quota certainly gives nothing of it.
    fn asked(&self, agent: &Agent, round: &Round) -> Asked {
        match &round.budget {
            Some(budget) if self.stage == Stage::Guarantees => Asked::Only(budget.unmet().clone()),
            Some(budget) if self.offers_only_scalars(agent) => match budget.leaves_nothing() {
                true => Asked::Only(round.choosy.clone()),
                false => Asked::AllBut(budget.full().without(&round.choosy)),
            },
            _ => Asked::AllBut(Bits::default()),
        }
    }

    /// Whether what is left of an agent without its unreserved scalars is no offer to a framework without a minimum of its
    /// own.
    fn offers_only_scalars(&self, agent: &Agent) -> bool {
        let [only] = agent.parcels() else { return false };
        let rest = only.resources.iter().filter(|resource| !matches!(resource.value(), Value::Scalar(_)));
        let rest = self.names.known_quantities(rest);
        only.is_plain() && !self.minimum.is_empty() && !self.minimum.iter().any(|least| rest.contains(least))
    }

    /// Whether a role has a turn in this stage, as long as it is not satisfied.
    fn is_served(&self, role: RoleId, budget: Option<&Budget>) -> bool {
        self.stage == Stage::FairShare
            || budget.is_some_and(|budget| budget.unmet().has(self.roles.top_of(role).index() as u32))
    }

    /// What a client takes, if it takes anything.
    #[allow(clippy::too_many_arguments, reason = "parts of the allocator that are borrowed one by one")]
    fn pick(
        &self,
        agent: &Agent,
        key: AgentKey,
        id: ClientId,
        client: &Client,
        open: &ParcelNumbers,
        budget: Option<&Budget>,
        seed: u64,
    ) -> Result<Choice, Refusal> {
        if !agent.suits(client, self.roles, self.filter_gpus) {
            return Err(Refusal::Unwanted);
        }
        let parcels = agent.suitable(open, client.capabilities);
        if parcels.is_empty() || !self.is_enough(agent, client, &parcels, None) {
            return Err(Refusal::Unwanted);
        }
        if client.constraints.as_ref().is_some_and(|constraints| constraints.excludes(&agent.facts)) {
            return Err(Refusal::Unwanted);
        }
        let choice = match budget {
            None => Choice { parcels, part: None, counted: None },
            Some(budget) => {
                let mut rng = Rng::new(seed ^ u64::from(id.0) << 16);
                self.within(budget, agent, client, parcels, &mut rng)?
            }
        };
        let part = choice.part.as_ref();
        let amounts = part.map(|part| self.names.known_quantities(part));
        let enough = amounts.is_none() || self.is_enough(agent, client, &choice.parcels, amounts.as_ref());
        let refused = || self.filters.refuses(id, key, &agent.contents(&choice.parcels, part));
        if !enough || self.filters.has(id, key) && refused() {
            return Err(if part.is_some() { Refusal::Withheld } else { Refusal::Unwanted });
        }
        Ok(choice)
    }

    /// What of some parcels quota leaves for a client. Reservations, what is revocable, and what is no amount (ports)
    /// are always left.
    fn within(
        &self,
        budget: &Budget,
        agent: &Agent,
        client: &Client,
        parcels: ParcelNumbers,
        rng: &mut Rng,
    ) -> Result<Choice, Refusal> {
        let plain = parcels.iter().map(|at| agent.parcel(*at)).find(|parcel| parcel.is_plain());
        let is_scalar = |resource: &Resource| matches!(resource.value(), Value::Scalar(_));
        let (mut part, mut counted) = (None, Part::default());
        if let Some(plain) = plain {
            // Most roles that have all they may have are found here.
            let most = budget.at_most(client.role, self.roles, &plain.quantities);
            if self.stage == Stage::FairShare && !self.is_enough(agent, client, &parcels, Some(&most)) {
                return Err(Refusal::Withheld);
            }
            let scalars = plain.resources.filter(is_scalar);
            let free = Free { scalars: &scalars, names: self.names };
            counted = budget.part(self.stage, client.role, self.roles, &free, rng);
            if counted.scalars != scalars {
                part = Some(&plain.resources.filter(|resource| !is_scalar(resource)) + &counted.scalars);
            }
        }
        let nothing = parcels.len() == 1 && part.as_ref().is_some_and(Resources::is_empty);
        if nothing || self.stage == Stage::Guarantees && !counted.is_progress() {
            return Err(Refusal::Withheld);
        }
        Ok(Choice { parcels, part, counted: Some(counted) })
    }

    /// Whether the parcels make an offer of the size the framework, or the cluster, asks for.
    /// Of the plain parcel count only these amounts, if any are named.
    fn is_enough(&self, agent: &Agent, client: &Client, parcels: &ParcelNumbers, plain: Option<&Amounts>) -> bool {
        let minimum = client.minimum.as_deref().unwrap_or(self.minimum);
        if minimum.is_empty() {
            return true;
        }
        if let ([only], None) = (parcels.as_slice(), plain) {
            return minimum.iter().any(|least| agent.parcel(*only).quantities.contains(least));
        }
        let mut sum = Amounts::default();
        for parcel in parcels.iter().map(|at| agent.parcel(*at)) {
            sum.add(plain.filter(|_| parcel.is_plain()).unwrap_or(&parcel.quantities));
        }
        minimum.iter().any(|least| sum.contains(least))
    }
}
