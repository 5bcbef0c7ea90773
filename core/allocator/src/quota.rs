//! Quota: what a role is guaranteed, and what it may have at most (`docs/quota.md`; `__generateOffers` in
//! `src/master/allocator/mesos/hierarchical.cpp`).
//!
//! Quota is set on top-level roles and holds for all below them. What counts against it is every reservation for the
//! role, used or not, and what its frameworks hold of unreserved resources that are not revocable.

use crate::amounts::{Amounts, Names};
use crate::bits::Bits;
use crate::role::{RoleId, Roles};
use smallvec::SmallVec;
use tepui_base::Rng;
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

    /// Whether it may have nothing more of any scalar there is.
    fn is_full(&self, consumed: &Amounts, pool: &Amounts) -> bool {
        pool.iter().all(|(name, _)| self.room(name, consumed) == Some(0))
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
#[derive(Debug, Default)]
pub struct Budget {
    /// What is consumed, by the number of the top-level role with quota.
    consumed: Vec<Option<Amounts>>,
    /// See [`Budget::unmet`]. There may be thousands of roles for each of thousands of agents, so a look is one bit.
    unmet: Bits,
    /// See [`Budget::full`].
    full: Bits,
    /// Guaranteed and not consumed, over all roles.
    required: Amounts,
    /// Free, unreserved and not revocable, over all agents.
    available: Amounts,
    /// All agents' scalars.
    pool: Amounts,
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
    /// The budget at the start of a run, where all agents have the scalars of `pool`. `free` sums up what is free,
    /// unreserved and not revocable; it is asked only if some guarantee is not met.
    pub fn new(roles: &Roles, pool: &Amounts, free: impl FnOnce() -> Amounts) -> Option<Budget> {
        if !roles.have_quota() {
            return None;
        }
        let (pool, mut budget) = (pool.clone(), Budget::default());
        for (top, quota) in roles.quotas() {
            budget.required.add(&quota.unmet(&quota.consumed));
            budget.account(top, quota, quota.consumed.clone(), &pool);
        }
        if budget.is_short() {
            budget.available = free();
        }
        Some(Budget { pool, ..budget })
    }

    /// Sets what a role consumes.
    fn account(&mut self, top: RoleId, quota: &Quota, consumed: Amounts, pool: &Amounts) {
        let at = top.index();
        self.unmet.set(at as u32, !quota.unmet(&consumed).is_zero());
        self.full.set(at as u32, quota.is_full(&consumed, pool));
        if at >= self.consumed.len() {
            self.consumed.resize(at + 1, None);
        }
        self.consumed[at] = Some(consumed);
    }

    /// Whether any guarantee is not met.
    pub fn is_short(&self) -> bool {
        !self.required.is_zero()
    }

    /// The numbers of the top-level roles whose guarantees are not met.
    pub fn unmet(&self) -> &Bits {
        &self.unmet
    }

    /// The numbers of the top-level roles to which quota leaves no unreserved scalars, whatever is free. (It may leave some
    /// to others, and yet too little.)
    pub fn full(&self) -> &Bits {
        &self.full
    }

    /// Whether in the second stage guarantees that are not met leave no unreserved scalars to anyone.
    pub fn leaves_nothing(&self) -> bool {
        self.is_short() && self.pool.iter().all(|(name, _)| self.spare(name).is_some_and(|spare| spare <= 0))
    }

    /// The quota that holds for a role, and what is consumed of it.
    fn quota<'a>(&'a self, role: RoleId, roles: &'a Roles) -> Option<(&'a Quota, &'a Amounts)> {
        let (top, quota) = roles.quota(role)?;
        Some((quota, self.consumed.get(top.index())?.as_ref()?))
    }

    /// What a role may be offered of unreserved scalars that are not revocable.
    pub fn part(&self, stage: Stage, role: RoleId, roles: &Roles, free: &Free<'_>, rng: &mut Rng) -> Part {
        let quota = self.quota(role, roles);
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
        let quota = self.quota(role, roles);
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
        if let Some((top, quota)) = roles.quota(role) {
            let mut consumed = self.consumed[top.index()].take().unwrap_or_default();
            consumed.add(&part.amounts);
            let pool = std::mem::take(&mut self.pool);
            self.account(top, quota, consumed, &pool);
            self.pool = pool;
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
