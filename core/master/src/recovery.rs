//! What a new leader takes over from the registry, before any agent has spoken to it.
//!
//! Agents that are to come back, with what operators have said of them; those that are unreachable or gone; the
//! maintenance schedule; quotas and weights, of which the allocator learns too. Source: Mesos `src/master/master.cpp`,
//! `_recover`.

use crate::cx::Cx;
use crate::pending::Pending;
use crate::{Master, Phase, Timer};
use imbl::OrdMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_allocator::{Input, RoleQuota};
use tepui_base::{AgentId, Map};
use tepui_proto::mesos::WeightInfo;
use tepui_proto::mesos::quota::{QuotaConfig, QuotaInfo};
use tepui_proto::mesos::value::Scalar;
use tepui_registry::{Operation, Standing, State};
use tepui_resources::{Limits, Quantities, Role};

impl Master {
    /// The registrar has the registry, with this master's name in it: the term begins.
    pub(crate) fn recovered(&mut self, cx: &mut Cx, registry: State) {
        if self.phase == Phase::Leading {
            return;
        }
        if let Some(refusal) = registry.refusal(&self.state.info) {
            return cx.exit(refusal);
        }
        self.phase = Phase::Leading;
        self.state.recovered = true;
        self.known.recovered = registry.admitted.len();
        self.known.standings = standings(&registry);
        let agents = registry.admitted.iter().map(|(id, agent)| (id.clone(), agent.info.clone()));
        self.state.recovered_agents = agents.collect();
        self.state.unreachable = registry.unreachable.iter().map(|(id, agent)| (id.clone(), agent.since)).collect();
        self.state.gone = registry.gone.iter().map(|(id, agent)| (id.clone(), agent.since)).collect();
        self.state.quotas = quotas(&registry);
        self.await_agents(cx);
        self.recover_weights(cx, &registry);
        self.state.maintenance = registry.maintenance;
        if !self.state.recovered_agents.is_empty() {
            self.timers.set(cx.now.monotonic + self.config.agent_reregister_timeout, Timer::Recovered);
        }
        self.prune_later(cx);
    }

    /// The allocator learns how many agents there were, and the quotas.
    fn await_agents(&mut self, cx: &mut Cx) {
        let expected = self.state.recovered_agents.len();
        // Mesos lets nobody give quota to a role below another, and the allocator knows of none.
        let quotas = self.state.quotas.values().filter(|quota| !quota.role.contains('/')).map(|quota| RoleQuota {
            role: Role::from(quota.role.as_str()),
            guarantees: Quantities::from_proto(&quota.guarantees),
            limits: Limits::from_proto(&quota.limits),
        });
        cx.allocator(Input::AwaitAgents { expected, quotas: quotas.collect() });
    }

    /// Weights of the registry replace those of `--weights`, which go into a registry that has none.
    fn recover_weights(&mut self, cx: &mut Cx, registry: &State) {
        let stored: OrdMap<String, f64> =
            registry.weights().map(|info| (info.role.clone().unwrap_or_default(), info.weight)).collect();
        if !stored.is_empty() {
            self.state.weights = stored;
        } else if !self.state.weights.is_empty() {
            let info = |(role, weight): (&String, &f64)| WeightInfo {
                role: Some(role.clone()),
                weight: *weight,
                ..Default::default()
            };
            let weights = self.state.weights.iter().map(info).collect();
            self.apply(cx, Operation::UpdateWeights(weights), Pending::Weights);
        }
        // A weight that is not positive would be nobody's turn for ever; Mesos does not store one.
        let weights = self.state.weights.iter().filter(|(_, weight)| **weight > 0.0);
        cx.allocator(Input::UpdateWeights(
            weights.map(|(role, weight)| (Role::from(role.as_str()), *weight)).collect(),
        ));
    }
}

/// What operators have said of agents that may come back.
fn standings(registry: &State) -> Map<AgentId, Standing> {
    let admitted = registry.admitted.iter().map(|(id, agent)| (id, &agent.standing));
    let unreachable = registry.unreachable.iter().map(|(id, agent)| (id, &agent.standing));
    let said = admitted.chain(unreachable).filter(|(_, standing)| **standing != Standing::default());
    said.map(|(id, standing)| (id.clone(), standing.clone())).collect()
}

/// By role, the quotas of before 1.9 and those of now, of which a role has one.
fn quotas(registry: &State) -> OrdMap<String, Arc<QuotaConfig>> {
    let old = registry.old_quotas().map(modern);
    old.chain(registry.quota_configs().iter().cloned()).map(|quota| (quota.role.clone(), Arc::new(quota))).collect()
}

/// What was guaranteed was the limit, too.
fn modern(old: &QuotaInfo) -> QuotaConfig {
    let mut amounts: BTreeMap<String, Scalar> = BTreeMap::new();
    for resource in &old.guarantee {
        amounts.entry(resource.name.clone()).or_default().value += resource.scalar.value;
    }
    let role = old.role.clone().unwrap_or_default();
    QuotaConfig { role, guarantees: amounts.clone(), limits: amounts, ..Default::default() }
}
