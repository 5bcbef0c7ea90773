//! A bag of resources: what an agent has, an offer holds or a task uses.
//!
//! Facts from `src/common/resources.cpp`. No two entries could be added together, none is empty, and their order means
//! nothing (but is kept as Mesos keeps it, for it shows in texts).

use ecow::EcoVec;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use crate::{Disk, Name, Quantities, Ranges, Reservation, Resource, Role, Scalar, Value, validate};

/// A bag of resources. A copy shares its entries with the original until one of them changes: most of what an agent has
/// goes through free, offered, used and free again without a change.
#[derive(Clone, Debug, Default)]
pub struct Resources(EcoVec<Resource>);

/// The bag itself.
impl Resources {
    /// Nothing.
    pub const fn new() -> Resources {
        Resources(EcoVec::new())
    }

    /// Nothing yet, with room for what an iterator promises; most bags have no more than four entries.
    fn with_room_for<T>(resources: &impl Iterator<Item = T>) -> Resources {
        match resources.size_hint().0 {
            0 => Resources::new(),
            promised => Resources(EcoVec::with_capacity(promised.min(4))),
        }
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The entries. One entry can stand for several copies of a shared resource.
    pub fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.0.iter()
    }

    /// Adds one resource; an empty one leaves no trace.
    pub fn add_one(&mut self, resource: &Resource) {
        if resource.is_empty() {
            return;
        }
        match self.0.iter().position(|mine| mine.can_add(resource)) {
            Some(at) => self.0.make_mut()[at].absorb(resource),
            None => self.0.push(resource.clone()),
        }
    }

    /// Takes one resource away. What is not there is ignored, and an entry never becomes negative.
    pub fn subtract_one(&mut self, resource: &Resource) {
        if resource.is_empty() {
            return;
        }
        if let Some(at) = self.0.iter().position(|mine| mine.can_subtract(resource)) {
            self.release(at, resource);
        }
    }

    /// Takes a resource away from an entry, and the entry if nothing is left of it.
    fn release(&mut self, at: usize, resource: &Resource) {
        let entries = self.0.make_mut();
        if entries[at].release(resource) {
            let last = entries.len() - 1;
            entries.swap(at, last);
            self.0.pop();
        }
    }

    /// Whether the two are one in memory, as a copy and its original are; then they are equal. They can be equal otherwise.
    fn is_same_storage(&self, other: &Resources) -> bool {
        std::ptr::eq(self.0.as_slice(), other.0.as_slice())
    }

    /// Takes one resource away from what is allocated to no role, to whichever role it is allocated itself. Otherwise
    /// as [`Resources::subtract_one`].
    pub fn subtract_allocated(&mut self, resource: &Resource) {
        if resource.is_empty() {
            return;
        }
        let from = |mine: &Resource| mine.allocation_role().is_none() && mine.can_subtract_unallocated(resource);
        if let Some(at) = self.0.iter().position(from) {
            self.release(at, resource);
        }
    }

    /// True if this one entry holds the resource.
    pub fn contains_one(&self, resource: &Resource) -> bool {
        self.0.iter().any(|mine| mine.contains(resource))
    }

    /// True if all of `other` is in it.
    pub fn contains(&self, other: &Resources) -> bool {
        if self.is_same_storage(other) {
            return true;
        }
        // The entries of a bag draw on different entries of another, except that two equal persistent volumes, or other
        // disks that are taken whole, stay apart: those must be counted.
        let mut remaining = Cow::Borrowed(self);
        other.iter().all(|resource| {
            let found = remaining.contains_one(resource);
            if found && other.len() > 1 && resource.disk().is_some_and(Disk::is_indivisible) {
                remaining.to_mut().subtract_one(resource);
            }
            found
        })
    }

    /// True if some number or item is in both, in entries that would be added together.
    pub fn intersects(&self, other: &Resources) -> bool {
        other.iter().any(|theirs| {
            let meets = |mine: &Resource| mine.is_like(theirs) && mine.value().intersects(theirs.value());
            theirs.amount().is_none() && self.iter().any(meets)
        })
    }

    /// True if for each name there is as much as asked: the sum of scalars, numbers and items.
    pub fn contains_quantities(&self, quantities: &Quantities) -> bool {
        quantities.iter().all(|(name, wanted)| {
            let have: Scalar = self.iter().filter(|mine| mine.name() == name).map(|mine| mine.value().quantity()).sum();
            have >= wanted
        })
    }

    /// How many copies of exactly this resource there are.
    pub fn count(&self, resource: &Resource) -> u32 {
        self.iter().find(|mine| mine.is_same(resource)).map_or(0, Resource::copies)
    }
}

/// Allocation and reservation.
impl Resources {
    /// Marks everything as allocated to a role. What was apart only by its allocation is added together.
    pub fn allocate(&mut self, role: &Role) {
        self.set_allocation(Some(role));
    }

    /// Marks everything as allocated to no role. What was apart only by its allocation is added together.
    pub fn unallocate(&mut self) {
        self.set_allocation(None);
    }

    fn set_allocation(&mut self, role: Option<&Role>) {
        let uniform = self.0.windows(2).all(|pair| pair[0].allocation_role() == pair[1].allocation_role());
        if uniform && self.0.first().is_none_or(|first| first.allocation_role() == role) {
            return;
        }
        self.0.make_mut().iter_mut().for_each(|mine| mine.set_allocation(role));
        if !uniform {
            *self = std::mem::take(&mut self.0).into_iter().collect();
        }
    }

    /// The same allocated to a role.
    pub fn allocated_to(mut self, role: &Role) -> Resources {
        self.allocate(role);
        self
    }

    /// The same allocated to no role.
    pub fn unallocated(mut self) -> Resources {
        self.unallocate();
        self
    }

    /// Puts one more reservation on everything. Fails, with Mesos' text, if it does not refine what is there.
    pub fn push_reservation(&self, reservation: &Reservation) -> Result<Resources, validate::Error> {
        let pushed = self.iter().map(|mine| {
            let stack: Vec<_> = mine.reservations().iter().chain([reservation]).cloned().collect();
            validate::reservations(&stack)?;
            Ok(mine.with_reservations(stack))
        });
        pushed.collect()
    }

    /// Takes the most refined reservation off everything. `None` if something is unreserved.
    pub fn pop_reservation(&self) -> Option<Resources> {
        let popped = self.iter().map(|mine| {
            let (_, rest) = mine.reservations().split_last()?;
            Some(mine.with_reservations(rest.iter().cloned()))
        });
        popped.collect()
    }

    /// The same without any reservation.
    pub fn to_unreserved(&self) -> Resources {
        self.iter().map(|mine| mine.with_reservations([])).collect()
    }

    /// Only the amounts: scalars without role, reservation, disk particulars or anything else.
    pub fn stripped_scalars(&self) -> Resources {
        self.iter().filter_map(|mine| Some(Resource::scalar(mine.name().clone(), mine.amount()?))).collect()
    }

    /// What is reserved, by the role it is reserved for.
    pub fn reservations(&self) -> BTreeMap<Role, Resources> {
        self.group_by(Resource::reservation_role)
    }

    /// What is allocated, by the role it is allocated to.
    pub fn allocations(&self) -> BTreeMap<Role, Resources> {
        self.group_by(Resource::allocation_role)
    }

    fn group_by(&self, role: impl Fn(&Resource) -> Option<&Role>) -> BTreeMap<Role, Resources> {
        // Mostly there is one role, and nothing to take apart.
        if let Some(first) = self.0.first().and_then(&role)
            && self.iter().all(|resource| role(resource) == Some(first))
        {
            return BTreeMap::from([(first.clone(), self.clone())]);
        }
        let mut groups: BTreeMap<Role, Resources> = BTreeMap::new();
        for resource in self.iter() {
            if let Some(role) = role(resource) {
                groups.entry(role.clone()).or_default().0.push(resource.clone());
            }
        }
        groups
    }
}

/// Parts.
impl Resources {
    /// The entries that satisfy the predicate.
    pub fn filter(&self, keep: impl Fn(&Resource) -> bool) -> Resources {
        // Mostly all do, or none.
        if self.iter().all(&keep) {
            return self.clone();
        }
        let mut kept = EcoVec::with_capacity(self.len());
        kept.extend(self.iter().filter(|mine| keep(mine)).cloned());
        Resources(kept)
    }

    /// What is reserved.
    pub fn reserved(&self) -> Resources {
        self.filter(Resource::is_reserved)
    }

    /// What is reserved for exactly this role.
    pub fn reserved_to(&self, role: &str) -> Resources {
        self.filter(|mine| mine.is_reserved_to(role))
    }

    /// What is reserved for this role or one below it.
    pub fn reserved_to_subtree(&self, role: &str) -> Resources {
        self.filter(|mine| mine.is_reserved_to_subtree(role))
    }

    /// What is not reserved.
    pub fn unreserved(&self) -> Resources {
        self.filter(Resource::is_unreserved)
    }

    /// What a framework in this role may be offered.
    pub fn allocatable_to(&self, role: &str) -> Resources {
        self.filter(|mine| mine.is_allocatable_to(role))
    }

    /// What is allocated to this role or one below it.
    pub fn allocated_to_subtree(&self, role: &str) -> Resources {
        self.filter(|mine| mine.is_allocated_to_subtree(role))
    }

    /// The persistent volumes.
    pub fn persistent_volumes(&self) -> Resources {
        self.filter(Resource::is_persistent_volume)
    }

    /// What can be taken back at any time.
    pub fn revocable(&self) -> Resources {
        self.filter(Resource::is_revocable)
    }

    /// What cannot be taken back.
    pub fn non_revocable(&self) -> Resources {
        self.filter(|mine| !mine.is_revocable())
    }

    /// What several tasks can hold at once.
    pub fn shared(&self) -> Resources {
        self.filter(Resource::is_shared)
    }

    /// What only one task can hold.
    pub fn non_shared(&self) -> Resources {
        self.filter(|mine| !mine.is_shared())
    }

    /// The scalars.
    pub fn scalars(&self) -> Resources {
        self.filter(|mine| mine.amount().is_some())
    }

    /// The entries of one name.
    pub fn named(&self, name: &Name) -> Resources {
        self.filter(|mine| mine.name() == name)
    }
}

/// Sums by name.
impl Resources {
    /// The sum of the scalars of one name; `None` if there are none.
    pub fn amount(&self, name: &Name) -> Option<Scalar> {
        let amounts = self.iter().filter(|mine| mine.name() == name).filter_map(Resource::amount);
        amounts.reduce(Add::add)
    }

    /// All `cpus`.
    pub fn cpus(&self) -> Option<Scalar> {
        self.amount(&Name::CPUS)
    }

    /// All `gpus`.
    pub fn gpus(&self) -> Option<Scalar> {
        self.amount(&Name::GPUS)
    }

    /// All `mem`, in megabytes.
    pub fn mem(&self) -> Option<Scalar> {
        self.amount(&Name::MEM)
    }

    /// All `disk`, in megabytes.
    pub fn disk(&self) -> Option<Scalar> {
        self.amount(&Name::DISK)
    }

    /// All `ports`.
    pub fn ports(&self) -> Option<Ranges> {
        self.ranges(&Name::PORTS)
    }

    /// The union of the ranges of one name; `None` if there are none.
    pub fn ranges(&self, name: &Name) -> Option<Ranges> {
        let ranges = self.iter().filter(|mine| mine.name() == name).filter_map(|mine| match mine.value() {
            Value::Ranges(ranges) => Some(ranges.clone()),
            _ => None,
        });
        ranges.reduce(|mut sum, more| {
            sum += &more;
            sum
        })
    }
}

impl FromIterator<Resource> for Resources {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Resources {
        let resources = resources.into_iter();
        let mut bag = Resources::with_room_for(&resources);
        bag.extend(resources);
        bag
    }
}

impl<'a> FromIterator<&'a Resource> for Resources {
    fn from_iter<I: IntoIterator<Item = &'a Resource>>(resources: I) -> Resources {
        let resources = resources.into_iter();
        let mut bag = Resources::with_room_for(&resources);
        resources.for_each(|resource| bag.add_one(resource));
        bag
    }
}

impl Extend<Resource> for Resources {
    fn extend<I: IntoIterator<Item = Resource>>(&mut self, resources: I) {
        resources.into_iter().for_each(|resource| *self += resource);
    }
}

impl From<Resource> for Resources {
    fn from(resource: Resource) -> Resources {
        Resources::from_iter([resource])
    }
}

impl IntoIterator for Resources {
    type Item = Resource;
    type IntoIter = ecow::vec::IntoIter<Resource>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl AddAssign<Resource> for Resources {
    fn add_assign(&mut self, resource: Resource) {
        if resource.is_empty() {
            return;
        }
        match self.0.iter().position(|mine| mine.can_add(&resource)) {
            Some(at) => self.0.make_mut()[at].absorb(&resource),
            None => self.0.push(resource),
        }
    }
}

impl AddAssign<&Resources> for Resources {
    fn add_assign(&mut self, other: &Resources) {
        if self.is_empty() {
            *self = other.clone();
            return;
        }
        other.iter().for_each(|resource| self.add_one(resource));
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Resources) {
        match self.is_empty() {
            true => *self = other,
            false => self.extend(other),
        }
    }
}

impl Add<&Resources> for Resources {
    type Output = Resources;
    fn add(mut self, other: &Resources) -> Resources {
        self += other;
        self
    }
}

impl Add for &Resources {
    type Output = Resources;
    fn add(self, other: &Resources) -> Resources {
        self.clone() + other
    }
}

impl SubAssign<&Resources> for Resources {
    fn sub_assign(&mut self, other: &Resources) {
        if self.is_same_storage(other) {
            *self = Resources::new();
            return;
        }
        other.iter().for_each(|resource| self.subtract_one(resource));
    }
}

impl Sub<&Resources> for Resources {
    type Output = Resources;
    fn sub(mut self, other: &Resources) -> Resources {
        self -= other;
        self
    }
}

impl Sub for &Resources {
    type Output = Resources;
    fn sub(self, other: &Resources) -> Resources {
        self.clone() - other
    }
}

/// Equal if each contains the other; the order of entries does not count.
impl PartialEq for Resources {
    fn eq(&self, other: &Resources) -> bool {
        self.is_same_storage(other) || self.contains(other) && other.contains(self)
    }
}

/// `cpus:1; mem:32`, or `{}` for nothing.
impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("{}");
        }
        for (i, resource) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{resource}")?;
        }
        Ok(())
    }
}
