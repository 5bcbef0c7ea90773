//! Taking what a task needs out of what an agent offers.

use tepui_proto::mesos::{Resource, value};

/// Mesos counts scalars in thousandths; anything finer is rounding noise.
const PARTS: f64 = 1000.0;

/// Takes these amounts out of `pool`, what an agent offers: the resources a task must name to get them, each with the
/// reservation and allocation it is offered with, reserved ones first. `None`, and the pool as it was, if it does not
/// hold them. Revocable resources, persistent volumes and disks of their own are left alone.
pub fn take(pool: &mut Vec<Resource>, wanted: &[(&str, f64)]) -> Option<Vec<Resource>> {
    let (mut rest, mut taken) = (pool.clone(), Vec::new());
    for (name, amount) in wanted {
        let mut missing = parts(*amount);
        let mut candidates: Vec<&mut Resource> = rest.iter_mut().filter(|resource| is_plain(resource, name)).collect();
        // A stable sort: among equals the order of the offer stays.
        candidates.sort_by_key(|resource| resource.reservations.is_empty());
        for resource in candidates {
            let part = missing.min(parts(resource.scalar.value));
            if part > 0 {
                taken.push(with_amount(resource, part));
                *resource = with_amount(resource, parts(resource.scalar.value) - part);
                missing -= part;
            }
        }
        if missing > 0 {
            return None;
        }
    }
    *pool = rest;
    Some(taken)
}

fn with_amount(resource: &Resource, parts: i64) -> Resource {
    let scalar = value::Scalar { value: parts as f64 / PARTS, ..value::Scalar::default() };
    Resource { scalar: scalar.into(), ..resource.clone() }
}

/// How much of a scalar could be taken at most.
pub fn amount(offered: &[Resource], name: &str) -> f64 {
    let total: i64 = offered.iter().filter(|r| is_plain(r, name)).map(|r| parts(r.scalar.value)).sum();
    total as f64 / PARTS
}

fn is_plain(resource: &Resource, name: &str) -> bool {
    let whole_disk = resource.disk.persistence.is_set() || resource.disk.source.is_set();
    resource.name == name
        && resource.r#type == value::Type::SCALAR
        && !resource.revocable.is_set()
        && !resource.shared.is_set()
        && !whole_disk
}

/// A cast of a float saturates, so that nonsense from a peer stays finite.
fn parts(amount: f64) -> i64 {
    (amount * PARTS).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::scalar;
    use tepui_proto::mesos::resource::{ReservationInfo, RevocableInfo};

    fn reserved(name: &str, amount: f64) -> Resource {
        let reservation = ReservationInfo { role: Some("r".into()), ..ReservationInfo::default() };
        Resource { reservations: vec![reservation], ..scalar(name, amount) }
    }

    #[test]
    fn reserved_resources_are_used_first_and_keep_their_reservation() {
        let mut offered = vec![scalar("cpus", 2.0), reserved("cpus", 0.5), scalar("mem", 100.0)];
        let taken = take(&mut offered, &[("cpus", 0.7), ("mem", 32.0)]).unwrap();
        let amounts: Vec<_> = taken.iter().map(|r| (r.name.as_str(), r.reservations.len(), r.scalar.value)).collect();
        assert!((amount(&offered, "cpus") - 1.8).abs() < 1e-9, "what is taken is gone");
        assert_eq!(amounts, [("cpus", 1, 0.5), ("cpus", 0, 0.2), ("mem", 0, 32.0)]);
    }

    #[test]
    fn what_is_not_there_is_not_taken() {
        let revocable = Resource { revocable: RevocableInfo::default().into(), ..scalar("cpus", 4.0) };
        assert_eq!(take(&mut vec![revocable], &[("cpus", 1.0)]), None);
        assert_eq!(take(&mut vec![scalar("cpus", 1.0)], &[("cpus", 1.001)]), None);
        assert_eq!(take(&mut vec![], &[("gpus", 0.0)]), Some(Vec::new()), "nothing is always there");
        assert!((amount(&[scalar("cpus", 0.1), scalar("cpus", 0.2)], "cpus") - 0.3).abs() < 1e-9);
    }
}
