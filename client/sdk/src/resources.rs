//! Taking what a task needs out of what an agent offers.

use tepui_proto::mesos;
use tepui_resources::{Resource, Scalar, Value};

pub use tepui_resources::Resources;

/// Amounts without reservation, such as `[("cpus", 0.5), ("mem", 64.0)]`; `mem` and `disk` count in MB.
pub fn scalars(amounts: &[(&str, f64)]) -> Resources {
    amounts.iter().map(|(name, amount)| Resource::scalar(*name, Scalar::from_f64(*amount))).collect()
}

/// What an offer holds.
pub fn offered(offer: &mesos::Offer) -> Resources {
    Resources::from_proto(&offer.resources)
}

/// Takes `wanted` (names and values; reservations in it do not matter) out of `pool`: the resources a task must name
/// to get it, each with the reservation and allocation it is offered with, reserved ones first. `None`, and the pool
/// as it was, if it does not hold them. Revocable and shared resources, volumes and disks of their own are left alone.
pub fn take(pool: &mut Resources, wanted: &Resources) -> Option<Resources> {
    let (mut rest, mut taken) = (pool.clone(), Resources::default());
    for want in wanted.iter() {
        let mut missing = want.value().clone();
        let mut candidates: Vec<Resource> = rest.iter().filter(|has| is_plain(has, want)).cloned().collect();
        // A stable sort: among equals the order of the offer stays.
        candidates.sort_by_key(Resource::is_unreserved);
        for has in candidates {
            let part = has.with_value(overlap(&missing, has.value()));
            if !part.is_empty() {
                missing.subtract(part.value());
                rest.subtract_one(&part);
                taken.add_one(&part);
            }
        }
        if !missing.is_empty() {
            return None;
        }
    }
    *pool = rest;
    Some(taken)
}

/// How much of an amount could be taken at most.
pub fn amount(pool: &Resources, name: &str) -> f64 {
    let want = Resource::scalar(name, Scalar::ZERO);
    let mut total = Scalar::ZERO;
    for has in pool.iter().filter(|has| is_plain(has, &want)) {
        total += has.value().quantity();
    }
    total.to_f64()
}

fn is_plain(has: &Resource, want: &Resource) -> bool {
    has.name() == want.name()
        && has.value().is_like(want.value())
        && !has.is_revocable()
        && !has.is_shared()
        && has.disk().is_none_or(|disk| disk.persistence.is_none() && disk.source.is_none())
}

/// What two values have in common.
fn overlap(wanted: &Value, has: &Value) -> Value {
    match (wanted, has) {
        (Value::Scalar(wanted), Value::Scalar(has)) => Value::Scalar(*wanted.min(has)),
        _ => {
            // What is left of the wanted set without what is there is what is missing; the others are in both.
            let (mut missing, mut common) = (wanted.clone(), wanted.clone());
            missing.subtract(has);
            common.subtract(&missing);
            common
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(text: &str) -> Resources {
        Resources::parse(text, "*").unwrap()
    }

    #[test]
    fn reserved_resources_are_used_first_and_keep_their_reservation() {
        let mut pool = resources("cpus:2;cpus(r):0.5;mem:100;ports:[1000-1003]");
        let taken = take(&mut pool, &resources("cpus:0.7;mem:32;ports:[1001-1002]")).unwrap();
        assert_eq!(taken, resources("cpus(r):0.5;cpus:0.2;mem:32;ports:[1001-1002]"));
        assert_eq!(pool, resources("cpus:1.8;mem:68;ports:[1000-1000,1003-1003]"));
    }

    #[test]
    fn what_is_not_there_is_not_taken() {
        let revocable = Resource::scalar("cpus", Scalar::from_f64(4.0)).with_revocable(true);
        let mut pool: Resources = [revocable, Resource::scalar("mem", Scalar::from_f64(1.0))].into_iter().collect();
        let before = pool.clone();
        assert_eq!(take(&mut pool, &resources("mem:1;cpus:1")), None);
        assert_eq!(pool, before);
        assert_eq!(take(&mut resources("cpus:1"), &resources("cpus:1.001")), None);
        assert_eq!(take(&mut resources("ports:[1-5]"), &resources("ports:[5-6]")), None);
        assert_eq!(take(&mut Resources::default(), &scalars(&[("gpus", 0.0)])), Some(Resources::default()));
        assert!((amount(&resources("cpus:0.1;cpus(r):0.2"), "cpus") - 0.3).abs() < 1e-9);
    }
}
