//! Figures of the allocator, for the master's metrics.

use super::Hierarchical;
use crate::sorter::Sorter;
use tepui_base::Map;
use tepui_resources::{Limits, Name, Quantities, Role, Scalar};

/// What the allocator can tell of itself (`src/master/allocator/mesos/metrics.cpp`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// `allocator/mesos/allocation_runs`: since the start.
    pub allocation_runs: u64,
    /// `allocator/mesos/resources/<name>/total`, over all agents.
    pub total: Quantities,
    /// `allocator/mesos/resources/<name>/offered_or_allocated`, over all agents.
    pub offered_or_allocated: Quantities,
    /// Of each role with frameworks, in the order of names.
    pub roles: Vec<RoleMetrics>,
    /// Of each role with quota, in the order of names.
    pub quotas: Vec<QuotaMetrics>,
}

/// Figures of the quota of one role (`allocator/mesos/quota/roles/<role>/resources/<name>/...`).
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaMetrics {
    /// Which.
    pub role: Role,
    /// `guarantee`.
    pub guarantees: Quantities,
    /// `limit`.
    pub limits: Limits,
    /// `offered_or_allocated`: all that frameworks of exactly the role hold, reserved or not.
    pub offered_or_allocated: Quantities,
}

/// Figures of one role.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleMetrics {
    /// Which.
    pub role: Role,
    /// `allocator/mesos/roles/<role>/shares/dominant`, weighted: what the frameworks of exactly this role have.
    /// Only where shares decide.
    pub dominant_share: Option<f64>,
    /// `allocator/mesos/offer_filters/roles/<role>/active`.
    pub filters: usize,
}

impl Hierarchical {
    pub(crate) fn figures(&self) -> Metrics {
        let pool = self.pool.amounts().iter();
        let total = pool.map(|(number, amount)| (self.names.all()[number].clone(), Scalar::from_thousandths(amount)));
        let mut offered_or_allocated = Quantities::new();
        for (_, agent) in self.agents.iter() {
            offered_or_allocated += &Quantities::from_scalars(&agent.used());
        }
        Metrics {
            allocation_runs: self.runs,
            total: total.collect::<Vec<(Name, Scalar)>>().into_iter().collect(),
            offered_or_allocated,
            roles: self.role_figures(),
            quotas: self.quota_figures(),
        }
    }

    fn quota_figures(&self) -> Vec<QuotaMetrics> {
        let figures = self.roles.quotas().map(|(id, quota)| {
            let allocated = self.roles.own_standing(id).map(|standing| standing.allocated.clone()).unwrap_or_default();
            let named =
                |(number, amount): (usize, i64)| (self.names.all()[number].clone(), Scalar::from_thousandths(amount));
            QuotaMetrics {
                role: self.roles.path(id).clone(),
                guarantees: quota.guarantees.clone(),
                limits: quota.limits.clone(),
                offered_or_allocated: allocated.iter().map(named).collect(),
            }
        });
        let mut figures: Vec<QuotaMetrics> = figures.collect();
        figures.sort_by(|a, b| a.role.cmp(&b.role));
        figures
    }

    fn role_figures(&self) -> Vec<RoleMetrics> {
        let mut filters: Map<_, usize> = Map::default();
        for (id, client) in self.clients.iter() {
            *filters.entry(client.role).or_default() += self.filters.count(id);
        }
        let figures = filters.into_iter().filter_map(|(role, filters)| {
            let standing = self.roles.own_standing(role)?;
            let share = self.pool.dominant_share(&standing.allocated) / standing.weight;
            let dominant_share = (self.options.sorter == Sorter::Drf).then_some(share);
            Some(RoleMetrics { role: self.roles.path(role).clone(), dominant_share, filters })
        });
        let mut figures: Vec<RoleMetrics> = figures.collect();
        figures.sort_by(|a, b| a.role.cmp(&b.role));
        figures
    }
}
