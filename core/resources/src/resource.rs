//! One resource: an amount of something, with all that keeps it apart from other amounts of the same thing.
//!
//! Facts from `src/common/resources.cpp`. Most resources are only a name, a value and the role they are allocated
//! to; whatever else there is sits behind one shared pointer, so that copying and comparing the common ones costs
//! little.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::reservation::Kind;
use crate::roles::is_in_subtree_of;
use crate::{Disk, Name, Ranges, Reservation, Role, Scalar, Set, SourceKind, Value};

/// A resource in the form Mesos calls "post reservation refinement".
///
/// Whatever comes from outside is validated before it becomes one, so a value is never negative, a stack of reservations
/// never refines outside its role, and only persistent volumes are shared.
#[derive(Clone, Debug)]
pub struct Resource {
    name: Name,
    value: Value,
    allocation: Option<Role>,
    traits: Option<Arc<Traits>>,
    /// How many equal copies of a shared resource this stands for; 1 for any other.
    copies: u32,
}

/// What sets a resource apart besides name, value and allocation. Never all unset behind a pointer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Traits {
    pub(crate) reservations: SmallVec<[Reservation; 1]>,
    pub(crate) disk: Option<Disk>,
    pub(crate) provider_id: Option<Arc<str>>,
    pub(crate) revocable: bool,
    pub(crate) shared: bool,
}

impl Traits {
    fn is_plain(&self) -> bool {
        self.reservations.is_empty()
            && self.disk.is_none()
            && self.provider_id.is_none()
            && !self.revocable
            && !self.shared
    }
}

/// Construction.
impl Resource {
    /// An unreserved, unallocated resource.
    pub fn new(name: impl Into<Name>, value: Value) -> Resource {
        Resource { name: name.into(), value, allocation: None, traits: None, copies: 1 }
    }

    /// An unreserved, unallocated amount.
    pub fn scalar(name: impl Into<Name>, amount: Scalar) -> Resource {
        Resource::new(name, Value::Scalar(amount))
    }

    /// An unreserved, unallocated set of numbers.
    pub fn ranges(name: impl Into<Name>, ranges: Ranges) -> Resource {
        Resource::new(name, Value::Ranges(ranges))
    }

    /// An unreserved, unallocated set of texts.
    pub fn set(name: impl Into<Name>, set: Set) -> Resource {
        Resource::new(name, Value::Set(set))
    }

    /// The same with another value.
    pub fn with_value(&self, value: Value) -> Resource {
        Resource { value, ..self.clone() }
    }

    /// The same allocated to a role, or to none.
    pub fn with_allocation(self, role: Option<Role>) -> Resource {
        Resource { allocation: role, ..self }
    }

    /// The same with another stack of reservations, the most general first. The caller has validated it.
    pub fn with_reservations(&self, reservations: impl IntoIterator<Item = Reservation>) -> Resource {
        self.with_traits(|traits| traits.reservations = reservations.into_iter().collect())
    }

    /// The same with other disk particulars.
    pub fn with_disk(&self, disk: Option<Disk>) -> Resource {
        self.with_traits(|traits| traits.disk = disk)
    }

    /// The same, revocable or not.
    pub fn with_revocable(&self, revocable: bool) -> Resource {
        self.with_traits(|traits| traits.revocable = revocable)
    }

    /// The same, shared or not; one copy of it.
    pub fn with_shared(&self, shared: bool) -> Resource {
        self.with_traits(|traits| traits.shared = shared).single()
    }

    /// The same from a resource provider, or from the agent itself.
    pub fn with_provider_id(&self, provider_id: Option<Arc<str>>) -> Resource {
        self.with_traits(|traits| traits.provider_id = provider_id)
    }

    /// One copy of it: what a message that names a shared resource means.
    pub fn single(self) -> Resource {
        Resource { copies: 1, ..self }
    }

    /// The regular disk a persistent volume is made on: without persistence, volume and sharing.
    pub fn without_volume(&self) -> Resource {
        let stripped = self.with_traits(|traits| {
            traits.disk = traits.disk.as_ref().and_then(Disk::without_volume);
            traits.shared = false;
        });
        stripped.single()
    }

    pub(crate) fn with_traits(&self, change: impl FnOnce(&mut Traits)) -> Resource {
        let mut traits = self.traits.as_deref().cloned().unwrap_or_default();
        change(&mut traits);
        let traits = (!traits.is_plain()).then(|| Arc::new(traits));
        Resource { traits, ..self.clone() }
    }
}

/// Reading.
impl Resource {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What it is worth.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The amount, if it is a scalar.
    pub fn amount(&self) -> Option<Scalar> {
        match self.value {
            Value::Scalar(amount) => Some(amount),
            _ => None,
        }
    }

    /// The role it is allocated to.
    pub fn allocation_role(&self) -> Option<&Role> {
        self.allocation.as_ref()
    }

    /// Its reservations, the most general first; empty if unreserved.
    pub fn reservations(&self) -> &[Reservation] {
        self.traits.as_deref().map_or(&[], |traits| &traits.reservations)
    }

    /// The role it is reserved for: that of the most refined reservation.
    pub fn reservation_role(&self) -> Option<&Role> {
        self.reservations().last().map(|reservation| &reservation.role)
    }

    /// Its disk particulars.
    pub fn disk(&self) -> Option<&Disk> {
        self.traits.as_deref()?.disk.as_ref()
    }

    /// The resource provider it comes from, if not from the agent itself.
    pub fn provider_id(&self) -> Option<&Arc<str>> {
        self.traits.as_deref()?.provider_id.as_ref()
    }

    /// The persistence id, if it is a persistent volume.
    pub fn persistence_id(&self) -> Option<&str> {
        Some(&*self.disk()?.persistence.as_ref()?.id)
    }

    /// How many equal copies of a shared resource this stands for; 1 for any other.
    pub fn copies(&self) -> u32 {
        self.copies
    }

    /// True if there is nothing of it.
    pub fn is_empty(&self) -> bool {
        self.copies == 0 || self.value.is_empty()
    }

    /// True for a persistent volume.
    pub fn is_persistent_volume(&self) -> bool {
        self.persistence_id().is_some()
    }

    /// True for a disk from a source of this kind.
    pub fn is_disk(&self, kind: SourceKind) -> bool {
        self.disk().and_then(|disk| disk.source.as_ref()).is_some_and(|source| source.kind == kind)
    }

    /// True if reserved for no role.
    pub fn is_unreserved(&self) -> bool {
        self.reservations().is_empty()
    }

    /// True if reserved for any role.
    pub fn is_reserved(&self) -> bool {
        !self.is_unreserved()
    }

    /// True if reserved for exactly this role.
    pub fn is_reserved_to(&self, role: &str) -> bool {
        self.reservation_role().is_some_and(|reserved| reserved.as_str() == role)
    }

    /// True if reserved for this role or one below it.
    pub fn is_reserved_to_subtree(&self, role: &str) -> bool {
        self.reservation_role().is_some_and(|reserved| is_in_subtree_of(reserved.as_str(), role))
    }

    /// True if the most refined reservation is a dynamic one.
    pub fn is_dynamically_reserved(&self) -> bool {
        self.reservations().last().is_some_and(|reservation| reservation.kind == Kind::Dynamic)
    }

    /// True if there is more than one reservation on it.
    pub fn has_refined_reservations(&self) -> bool {
        self.reservations().len() > 1
    }

    /// True if a framework in this role may be offered it: unreserved, or reserved for the role or one above it.
    pub fn is_allocatable_to(&self, role: &str) -> bool {
        self.reservation_role().is_none_or(|reserved| is_in_subtree_of(role, reserved.as_str()))
    }

    /// True if allocated to this role or one below it.
    pub fn is_allocated_to_subtree(&self, role: &str) -> bool {
        self.allocation.as_ref().is_some_and(|allocated| is_in_subtree_of(allocated.as_str(), role))
    }

    /// True if it can be taken back at any time.
    pub fn is_revocable(&self) -> bool {
        self.traits.as_deref().is_some_and(|traits| traits.revocable)
    }

    /// True if several tasks can hold it at once.
    pub fn is_shared(&self) -> bool {
        self.traits.as_deref().is_some_and(|traits| traits.shared)
    }

    /// True if the agent must write it down, because its flags will not tell of it after a restart
    /// (`needCheckpointing` of `src/common/resources_utils.cpp`).
    pub fn needs_checkpointing(&self) -> bool {
        self.provider_id().is_none() && (self.is_dynamically_reserved() || self.is_persistent_volume())
    }
}

/// Algebra.
impl Resource {
    /// True if only value and copies can differ.
    pub fn is_like(&self, other: &Resource) -> bool {
        self.is_like_unallocated(other) && self.allocation == other.allocation
    }

    /// True if only value, copies and allocation can differ.
    fn is_like_unallocated(&self, other: &Resource) -> bool {
        self.name == other.name && self.value.is_like(&other.value) && same_traits(&self.traits, &other.traits)
    }

    /// True if equal but for the number of copies.
    pub(crate) fn is_same(&self, other: &Resource) -> bool {
        self.is_like(other) && self.value == other.value
    }

    /// True if both together are one resource.
    pub(crate) fn can_add(&self, other: &Resource) -> bool {
        self.is_like(other)
            && match self.traits.as_deref() {
                None => true,
                Some(traits) if traits.shared => self.value == other.value,
                Some(traits) => traits.disk.as_ref().is_none_or(|disk| !disk.is_indivisible()),
            }
    }

    /// True if `other` can be taken from this. It need not be contained: `{a, b} - {b, c}` is fine.
    pub(crate) fn can_subtract(&self, other: &Resource) -> bool {
        self.allocation == other.allocation && self.can_subtract_unallocated(other)
    }

    /// The same, to whichever roles they are allocated.
    pub(crate) fn can_subtract_unallocated(&self, other: &Resource) -> bool {
        self.is_like_unallocated(other)
            && match self.traits.as_deref() {
                None => true,
                Some(traits) => {
                    let whole = traits.shared || traits.disk.as_ref().is_some_and(Disk::is_indivisible);
                    !whole || self.value == other.value
                }
            }
    }

    /// True if `other` is a part of this.
    pub fn contains(&self, other: &Resource) -> bool {
        self.can_subtract(other) && self.copies >= other.copies && self.value.contains(&other.value)
    }

    /// Adds what [`Resource::can_add`] allows: copies of a shared resource, values of any other.
    pub(crate) fn absorb(&mut self, other: &Resource) {
        if self.is_shared() {
            self.copies = self.copies.saturating_add(other.copies);
        } else {
            self.value.add(&other.value);
        }
    }

    /// Takes away what [`Resource::can_subtract`] allows, and says whether nothing is left. Who takes more than
    /// there is leaves nothing, as in Mesos.
    pub(crate) fn release(&mut self, other: &Resource) -> bool {
        if self.is_shared() {
            self.copies = self.copies.saturating_sub(other.copies);
            return self.copies == 0;
        }
        self.value.subtract(&other.value);
        self.value.is_empty()
    }

    pub(crate) fn set_allocation(&mut self, role: Option<&Role>) {
        self.allocation = role.cloned();
    }

    /// At most `target` of a scalar. `None` if it is larger and cannot be split.
    pub fn shrink(&self, target: Scalar) -> Option<Resource> {
        let amount = self.amount()?;
        if amount <= target {
            return Some(self.clone());
        }
        let smaller = self.with_value(Value::Scalar(target));
        (self.disk().is_none() || self.contains(&smaller)).then_some(smaller)
    }
}

fn same_traits(left: &Option<Arc<Traits>>, right: &Option<Arc<Traits>>) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => Arc::ptr_eq(left, right) || left == right,
        _ => false,
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Resource) -> bool {
        self.copies == other.copies && self.is_same(other)
    }
}

/// `cpus(allocated: web)(reservations: [(STATIC,eng),(DYNAMIC,eng/web,ann)]):1.5`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        if let Some(role) = &self.allocation {
            write!(f, "(allocated: {role})")?;
        }
        if let Some(traits) = &self.traits {
            traits.fmt(f)?;
        }
        write!(f, ":{}", self.value)?;
        if self.is_shared() { write!(f, "<{}>", self.copies) } else { Ok(()) }
    }
}

impl fmt::Display for Traits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.reservations.is_empty() {
            f.write_str("(reservations: [")?;
            for (i, reservation) in self.reservations.iter().enumerate() {
                let comma = if i == 0 { "" } else { "," };
                write!(f, "{comma}({reservation})")?;
            }
            f.write_str("])")?;
        }
        if let Some(disk) = &self.disk {
            write!(f, "[{disk}]")?;
        }
        f.write_str(if self.revocable { "{REV}" } else { "" })?;
        f.write_str(if self.shared { "<SHARED>" } else { "" })
    }
}
