//! Looking for resources of any role (`Resources::find` of `src/common/resources.cpp`; `mesos-execute` uses it).

use crate::{Resource, Resources};

impl Resources {
    /// Picks resources worth `targets`, whoever they are reserved for: first those with the target's own reservation
    /// role, then unreserved ones, then any. The result bears the reservations of what was picked. `None` if there is
    /// not enough.
    pub fn find(&self, targets: &Resources) -> Option<Resources> {
        let mut found = Resources::new();
        for target in targets {
            found += self.find_one(&target.clone().single())?;
        }
        Some(found)
    }

    fn find_one(&self, target: &Resource) -> Option<Resources> {
        let own = |mine: &Resource| target.reservation_role().is_some_and(|role| mine.is_reserved_to(role.as_str()));
        let mut candidates: Vec<&Resource> = self.iter().collect();
        candidates.sort_by_key(|mine| match own(mine) {
            true => 0,
            false if mine.is_unreserved() => 1,
            false => 2,
        });
        let mut remaining = Resources::from(target.with_reservations([]));
        let mut found = Resources::new();
        for candidate in candidates {
            let unreserved = Resources::from(candidate.with_reservations([]));
            if unreserved.contains(&remaining) {
                let rest =
                    remaining.iter().map(|rest| rest.with_reservations(candidate.reservations().iter().cloned()));
                found.extend(rest);
                return Some(found);
            }
            if remaining.contains(&unreserved) {
                found.add_one(candidate);
                remaining -= &unreserved;
            }
        }
        None
    }
}
