//! Amounts by name, without regard to whose or where: what the allocator reckons quota and fair shares with.
//!
//! Facts from `include/mesos/resource_quantities.hpp` and `src/common/resource_quantities.cpp`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use smallvec::SmallVec;
use tepui_proto::mesos::value;

use crate::{Name, Resources, Scalar, parse};

/// Amounts by name, in the order of names. A name that is absent has an amount of zero; none is stored as zero or
/// less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantities(SmallVec<[(Name, Scalar); 4]>);

impl Quantities {
    /// Nothing.
    pub fn new() -> Quantities {
        Quantities::default()
    }

    /// Reads `cpus:10;mem:1024`. Zero amounts are dropped, equal names added.
    pub fn parse(text: &str) -> Result<Quantities, parse::QuantityError> {
        parse::amounts(text, "quantity")?.into_iter().map(Ok).collect()
    }

    /// Reads a map of a message; zero and negative amounts are dropped.
    pub fn from_proto(map: &BTreeMap<String, value::Scalar>) -> Quantities {
        map.iter().map(|(name, amount)| (Name::from(&**name), Scalar::from(amount))).collect()
    }

    /// The map of a message.
    pub fn to_proto(&self) -> BTreeMap<String, value::Scalar> {
        to_map(&self.0)
    }

    /// The scalars among some resources, summed by name. A shared resource counts once.
    pub fn from_scalars(resources: &Resources) -> Quantities {
        resources.iter().filter_map(|resource| Some((resource.name().clone(), resource.amount()?))).collect()
    }

    /// All resources summed by name; a set counts its items, ranges count their numbers.
    pub fn from_resources(resources: &Resources) -> Quantities {
        resources.iter().map(|resource| (resource.name().clone(), resource.value().quantity())).collect()
    }

    /// The amount of one name; zero if absent.
    pub fn get(&self, name: &Name) -> Scalar {
        self.0.iter().find(|(mine, _)| mine == name).map_or(Scalar::ZERO, |(_, amount)| *amount)
    }

    /// Names and amounts in the order of names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, Scalar)> {
        self.0.iter().map(|(name, amount)| (name, *amount))
    }

    /// True if every amount is zero.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many names have an amount.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds to one name. Zero and negative amounts are ignored.
    pub fn increase(&mut self, name: &Name, amount: Scalar) {
        if amount <= Scalar::ZERO {
            return;
        }
        match self.0.binary_search_by(|(mine, _)| mine.cmp(name)) {
            Ok(at) => self.0[at].1 += amount,
            Err(at) => self.0.insert(at, (name.clone(), amount)),
        }
    }

    /// True if each amount of `other` is there.
    pub fn contains(&self, other: &Quantities) -> bool {
        let mut mine = self.0.iter().peekable();
        other.0.iter().all(|(name, wanted)| {
            while mine.next_if(|(candidate, _)| candidate < name).is_some() {}
            mine.next_if(|(candidate, _)| candidate == name).is_some_and(|(_, amount)| amount >= wanted)
        })
    }

    /// Only the names that satisfy the predicate.
    pub fn filter(&self, keep: impl Fn(&Name) -> bool) -> Quantities {
        Quantities(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }
}

impl FromIterator<(Name, Scalar)> for Quantities {
    fn from_iter<I: IntoIterator<Item = (Name, Scalar)>>(amounts: I) -> Quantities {
        let mut quantities = Quantities::new();
        amounts.into_iter().for_each(|(name, amount)| quantities.increase(&name, amount));
        quantities
    }
}

impl AddAssign<&Quantities> for Quantities {
    fn add_assign(&mut self, other: &Quantities) {
        // Both are sorted, so one walk finds each place.
        let mut at = 0;
        for (name, amount) in &other.0 {
            while self.0.get(at).is_some_and(|(mine, _)| mine < name) {
                at += 1;
            }
            match self.0.get_mut(at) {
                Some((mine, sum)) if mine == name => *sum += *amount,
                _ => self.0.insert(at, (name.clone(), *amount)),
            }
        }
    }
}

/// Amounts that would become zero or negative are dropped.
impl SubAssign<&Quantities> for Quantities {
    fn sub_assign(&mut self, other: &Quantities) {
        let mut theirs = other.0.iter().peekable();
        self.0.retain(|(name, amount)| {
            while theirs.next_if(|(candidate, _)| candidate < name).is_some() {}
            if let Some((_, taken)) = theirs.next_if(|(candidate, _)| candidate == name) {
                *amount -= *taken;
            }
            *amount > Scalar::ZERO
        });
    }
}

impl Add<&Quantities> for Quantities {
    type Output = Quantities;
    fn add(mut self, other: &Quantities) -> Quantities {
        self += other;
        self
    }
}

impl Sub<&Quantities> for Quantities {
    type Output = Quantities;
    fn sub(mut self, other: &Quantities) -> Quantities {
        self -= other;
        self
    }
}

/// `cpus:1; mem:32`, or `{}` for nothing.
impl fmt::Display for Quantities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_amounts(f, &self.0)
    }
}

/// Upper bounds by name. A name that is absent is unbounded; zero is a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(SmallVec<[(Name, Scalar); 4]>);

impl Limits {
    /// No bounds.
    pub fn new() -> Limits {
        Limits::default()
    }

    /// Reads `cpus:10;mem:1024`. Zero is kept; a name may stand there only once.
    pub fn parse(text: &str) -> Result<Limits, parse::QuantityError> {
        let mut limits = Limits::new();
        for (name, amount) in parse::amounts(text, "limit")? {
            if limits.get(&name).is_some() {
                return Err(parse::QuantityError::DuplicateName(amount.to_string()));
            }
            limits.set(&name, amount);
        }
        Ok(limits)
    }

    /// Reads a map of a message.
    pub fn from_proto(map: &BTreeMap<String, value::Scalar>) -> Limits {
        let mut limits = Limits::new();
        map.iter().for_each(|(name, bound)| limits.set(&Name::from(&**name), bound.into()));
        limits
    }

    /// The map of a message.
    pub fn to_proto(&self) -> BTreeMap<String, value::Scalar> {
        to_map(&self.0)
    }

    /// The bound of one name; `None` if unbounded.
    pub fn get(&self, name: &Name) -> Option<Scalar> {
        self.0.iter().find(|(mine, _)| mine == name).map(|(_, amount)| *amount)
    }

    /// Names and bounds in the order of names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, Scalar)> {
        self.0.iter().map(|(name, amount)| (name, *amount))
    }

    /// True if nothing is bounded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bounds one name.
    pub fn set(&mut self, name: &Name, bound: Scalar) {
        match self.0.binary_search_by(|(mine, _)| mine.cmp(name)) {
            Ok(at) => self.0[at].1 = bound,
            Err(at) => self.0.insert(at, (name.clone(), bound)),
        }
    }

    /// True if each of these bounds is at least as wide as the one of `other`.
    pub fn contains(&self, other: &Limits) -> bool {
        self.iter().all(|(name, mine)| other.get(name).is_some_and(|theirs| mine >= theirs))
    }

    /// True if each of the amounts is within its bound.
    pub fn contains_quantities(&self, quantities: &Quantities) -> bool {
        let mut amounts = quantities.0.iter().peekable();
        self.0.iter().all(|(name, bound)| {
            while amounts.next_if(|(candidate, _)| candidate < name).is_some() {}
            amounts.next_if(|(candidate, _)| candidate == name).is_none_or(|(_, amount)| amount <= bound)
        })
    }
}

/// Lowers bounds by amounts, to zero at the lowest. What is unbounded stays so.
impl SubAssign<&Quantities> for Limits {
    fn sub_assign(&mut self, quantities: &Quantities) {
        for (name, bound) in &mut self.0 {
            *bound = bound.minus_floored(quantities.get(name));
        }
    }
}

impl Sub<&Quantities> for Limits {
    type Output = Limits;
    fn sub(mut self, quantities: &Quantities) -> Limits {
        self -= quantities;
        self
    }
}

/// `cpus:1; mem:32`, or `{}` for no bounds.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_amounts(f, &self.0)
    }
}

fn to_map(amounts: &[(Name, Scalar)]) -> BTreeMap<String, value::Scalar> {
    amounts.iter().map(|(name, amount)| (name.as_str().to_owned(), (*amount).into())).collect()
}

fn write_amounts(f: &mut fmt::Formatter<'_>, amounts: &[(Name, Scalar)]) -> fmt::Result {
    if amounts.is_empty() {
        return f.write_str("{}");
    }
    for (i, (name, amount)) in amounts.iter().enumerate() {
        let separator = if i == 0 { "" } else { "; " };
        write!(f, "{separator}{name}:{amount}")?;
    }
    Ok(())
}
