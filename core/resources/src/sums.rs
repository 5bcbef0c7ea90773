//! Resources as the old JSON endpoints show them: one entry per name, whoever they are reserved for
//! (`json(JSON::ObjectWriter*, Resources)` of `src/common/http.cpp`).

use std::collections::BTreeMap;

use crate::{Name, Ranges, Resource, Scalar, Set, Value};

/// The entries of the JSON object. What is revocable stands under `<name>_revocable`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// Numbers; `cpus`, `disk`, `gpus` and `mem` are always there.
    pub scalars: BTreeMap<Name, Scalar>,
    /// Shown as texts: `[31000-32000]`.
    pub ranges: BTreeMap<Name, Ranges>,
    /// Shown as texts: `{a, b}`.
    pub sets: BTreeMap<Name, Set>,
}

impl Sums {
    /// Sums resources by name.
    pub fn of<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Sums {
        let always = [Name::CPUS, Name::GPUS, Name::MEM, Name::DISK];
        let mut sums = Sums {
            scalars: always.into_iter().map(|name| (name, Scalar::ZERO)).collect(),
            ranges: BTreeMap::new(),
            sets: BTreeMap::new(),
        };
        resources.into_iter().for_each(|resource| sums.add(resource));
        sums
    }

    fn add(&mut self, resource: &Resource) {
        let name = match resource.is_revocable() {
            true => Name::from(&*format!("{}_revocable", resource.name())),
            false => resource.name().clone(),
        };
        match resource.value() {
            Value::Scalar(amount) => *self.scalars.entry(name).or_default() += *amount,
            Value::Ranges(ranges) => *self.ranges.entry(name).or_default() += ranges,
            Value::Set(set) => *self.sets.entry(name).or_default() += set,
        }
    }
}
