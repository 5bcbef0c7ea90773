//! Quota: what a role is guaranteed, and what it may have at most (`docs/quota.md`; `__generateOffers` in
//! `src/master/allocator/mesos/hierarchical.cpp`).
//!
//! Quota is set on top-level roles and holds for all below them. What counts against it is every reservation for the
//! role, used or not, and what its frameworks hold of unreserved resources that are not revocable.

use crate::amounts::{Amounts, Names};
use crate::role::{RoleId, Roles};
use smallvec::SmallVec;
use tepui_base::{Map, Rng};
use tepui_resources::{Limits, Quantities, Resource, Resources, Scalar};

/// The quota of one role.
#[derive(Clone, Debug)]
pub struct Quota {
    /// What is kept for it, as told.
    pub guarantees: Quantities,
    /// What it may have at most, as told; what is not named is unbounded.
    pub limits: Limits,
    /// The guarantees as amounts.
    guaranteed: Amounts,
    /// The limits, by name number.
    bounds: SmallVec<[(usize, i64); 4]>,
    /// What counts against it now.
    pub consumed: Amounts,
}

impl Quota {
    /// Quota of which nothing is consumed; `None` if it neither guarantees nor bounds anything.
    pub fn new(guarantees: Quantities, limits: Limits, names: &mut Names) -> Option<Quota> {
        if guarantees.is_empty() && limits.is_empty() {
            return None;
        }
        let bounds = limits.iter().map(|(name, bound)| (names.number(name), bound.thousandths())).collect();
        let guaranteed = names.amounts(&guarantees);
        Some(Quota { guarantees, limits, guaranteed, bounds, consumed: Amounts::default() })
    }

    /// What of its guarantees is not consumed yet.
    fn unmet(&self, consumed: &Amounts) -> Amounts {
        self.guaranteed.minus_floored(consumed)
    }

    /// How much more of a name it may have; `None`: any amount.
    fn room(&self, name: usize, consumed: &Amounts) -> Option<i64> {
        let bound = self.bounds.iter().find(|(number, _)| *number == name);
        bound.map(|(_, bound)| bound.saturating_sub(consumed.get(name)).max(0))
    }
}

/// Whether a resource counts against quota while it is held.
pub fn counts_when_held(resource: &Resource) -> bool {
    resource.is_unreserved() && !resource.is_revocable()
}

/// The two passes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Roles whose guarantees are not met come first, everywhere.
    Guarantees,
    /// Then all, within limits, and leaving what unmet guarantees need.
    FairShare,
}

/// What one run may still give, as it goes on. There is none while no role has quota.
#[derive(Debug)]
pub struct Budget {
    /// By top-level role with quota.
    consumed: Map<RoleId, Amounts>,
    /// Guaranteed and not consumed, over all roles.
    required: Amounts,
    /// Free, unreserved and not revocable, over all agents.
    available: Amounts,
}

/// What of some unreserved scalars may be offered.
#[derive(Debug, Default)]
pub struct Part {
    /// The resources.
    pub scalars: Resources,
    /// Their amounts.
    pub amounts: Amounts,
    /// How much of that meets a guarantee.
    guaranteed: Amounts,
}

impl Budget {
    /// The budget at the start of a run. `free` sums up what is free, unreserved and not revocable; it is asked only if
    /// some guarantee is not met.
    pub fn new(roles: &Roles, free: impl FnOnce() -> Amounts) -> Option<Budget> {
        if !roles.have_quota() {
            return None;
        }
        let (mut consumed, mut required) = (Map::default(), Amounts::default());
        for (id, quota) in roles.quotas() {
            required.add(&quota.unmet(&quota.consumed));
            consumed.insert(id, quota.consumed.clone());
        }
        let available = if required.is_zero() { Amounts::default() } else { free() };
        Some(Budget { consumed, required, available })
    }

    /// Whether any guarantee is not met.
    pub fn is_short(&self) -> bool {
        !self.required.is_zero()
    }

    /// Whether the guarantees that hold for a role are not met.
    pub fn is_unmet(&self, role: RoleId, roles: &Roles) -> bool {
        roles.quota(role).is_some_and(|(top, quota)| !quota.unmet(&self.consumed[&top]).is_zero())
    }

    /// What a role may be offered of unreserved scalars that are not revocable.
    pub fn part(&self, stage: Stage, role: RoleId, roles: &Roles, free: &Free<'_>, rng: &mut Rng) -> Part {
        let quota = roles.quota(role).map(|(top, quota)| (quota, &self.consumed[&top]));
        let mut part = Part::default();
        let mut rest = free.scalars.clone();
        if let Some((quota, consumed)) = quota
            && stage == Stage::Guarantees
        {
            let unmet = quota.unmet(consumed);
            (part.scalars, part.guaranteed) = chop(&rest, free.names, rng, |name| Some(unmet.get(name)));
            rest -= &part.scalars;
            part.amounts = part.guaranteed.clone();
        }
        let spare = |name| self.spare(name);
        let room = |name| quota.and_then(|(quota, consumed)| quota.room(name, consumed));
        let (more, amounts) = chop(&rest, free.names, rng, |name| {
            let room = room(name).map(|room| room.saturating_sub(part.guaranteed.get(name)));
            room.into_iter().chain(spare(name)).min()
        });
        part.scalars += &more;
        part.amounts.add(&amounts);
        part
    }

    /// At least as much as [`Budget::part`] leaves of some amounts in the second stage, found faster.
    pub fn at_most(&self, role: RoleId, roles: &Roles, free: &Amounts) -> Amounts {
        let quota = roles.quota(role).map(|(top, quota)| (quota, &self.consumed[&top]));
        let mut most = Amounts::default();
        for (name, amount) in free.iter() {
            let room = quota.and_then(|(quota, consumed)| quota.room(name, consumed));
            let bound = room.into_iter().chain(self.spare(name)).min();
            most.add_one(name, bound.map_or(amount, |bound| bound.clamp(0, amount)));
        }
        most
    }

    /// How much of a name guarantees leave, if any is not met: what they need stays.
    fn spare(&self, name: usize) -> Option<i64> {
        self.is_short().then(|| self.available.get(name).saturating_sub(self.required.get(name)))
    }

    /// A part was given.
    pub fn give(&mut self, role: RoleId, roles: &Roles, part: &Part) {
        if let Some((top, _)) = roles.quota(role) {
            self.consumed.entry(top).or_default().add(&part.amounts);
        }
        self.required = self.required.minus_floored(&part.guaranteed);
        self.available.subtract(&part.amounts);
    }
}

impl Part {
    /// Whether it brings a role nearer to its guarantees.
    pub fn is_progress(&self) -> bool {
        !self.guaranteed.is_zero()
    }
}

/// Unreserved scalars that are not revocable, free on one agent.
pub struct Free<'a> {
    /// The resources.
    pub scalars: &'a Resources,
    /// The numbers of names.
    pub names: &'a Names,
}

/// A part of some scalars with at most the amount of each name that `bound` tells (`None`: all). What can be split only
/// whole and does not fit is left out. Which of several entries of a name is cut is left to chance, so that it is not
/// always the same one (`shrinkResources` of `src/common/resources_utils.cpp`).
fn chop(
    scalars: &Resources,
    names: &Names,
    rng: &mut Rng,
    bound: impl Fn(usize) -> Option<i64>,
) -> (Resources, Amounts) {
    let (mut part, mut amounts) = (Resources::new(), Amounts::default());
    let mut entries: SmallVec<[&Resource; 8]> = scalars.iter().collect();
    for last in (1..entries.len()).rev() {
        entries.swap(last, rng.below(last as u64 + 1) as usize);
    }
    for resource in entries {
        let Some(name) = names.find(resource.name()) else { continue };
        let target = bound(name).map_or(i64::MAX, |bound| bound.saturating_sub(amounts.get(name)));
        if target <= 0 {
            continue;
        }
        let Some(cut) = resource.shrink(Scalar::from_thousandths(target)) else { continue };
        amounts.add_one(name, cut.amount().unwrap_or_default().thousandths());
        part += cut;
    }
    (part, amounts)
}
