//! Resources of tasks and executors.

use super::Checked;
use std::collections::BTreeSet;
use tepui_proto::{json, mesos};
use tepui_resources::Resources;

/// Resources as a message brings them, in the newest form.
pub fn validate(resources: &[mesos::Resource]) -> Checked {
    tepui_resources::validate::list(resources).map_err(|error| format!("Invalid resources: {error}"))?;
    let gpus: f64 = Resources::from_proto(resources).gpus().map_or(0.0, |gpus| gpus.to_f64());
    if gpus.fract() != 0.0 {
        return Err("Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer".to_owned());
    }
    resources.iter().try_for_each(disk).map_err(|error| format!("Invalid DiskInfo: {error}"))?;
    let bag = Resources::from_proto(resources);
    match bag.iter().find(|resource| resource.is_dynamically_reserved() && resource.is_revocable()) {
        Some(resource) => Err(format!(
            "Invalid ReservationInfo: Dynamically reserved resource {resource} cannot be created from revocable \
             resources"
        )),
        None => Ok(()),
    }
}

fn disk(resource: &mesos::Resource) -> Checked {
    let Some(disk) = resource.disk.as_option() else { return Ok(()) };
    if disk.persistence.is_set() {
        if resource.revocable.is_set() {
            return Err("Persistent volumes cannot be created from revocable resources".to_owned());
        }
        if resource.reservations.is_empty() {
            return Err("Persistent volumes cannot be created from unreserved resources".to_owned());
        }
        if !disk.volume.is_set() {
            return Err("Expecting 'volume' to be set for persistent volume".to_owned());
        }
        if disk.volume.host_path.is_some() {
            return Err("Expecting 'host_path' to be unset for persistent volume".to_owned());
        }
        super::id(&disk.persistence.id)
            .map_err(|error| format!("Invalid persistence ID for persistent volume: {error}"))
    } else if disk.volume.is_set() {
        Err("Non-persistent volume not supported".to_owned())
    } else if !disk.source.is_set() {
        Err("DiskInfo is set but empty".to_owned())
    } else {
        Ok(())
    }
}

/// A persistent volume is named once in a role.
pub fn unique_persistence_ids(resources: &Resources) -> Checked {
    let mut seen = BTreeSet::new();
    for volume in resources.persistent_volumes().iter() {
        let id = volume.persistence_id().unwrap_or_default();
        if !seen.insert((volume.reservation_role().cloned(), id.to_owned())) {
            return Err(format!("Persistence ID '{id}' is not unique"));
        }
    }
    Ok(())
}

/// Everything is allocated, and to one role.
pub fn allocated_to_one_role(resources: &Resources) -> Checked {
    let mut first = None;
    for resource in resources.iter() {
        let Some(role) = resource.allocation_role() else {
            return Err("The resources are not allocated to a role".to_owned());
        };
        let first = *first.get_or_insert(role);
        if role != first {
            return Err(format!(
                "The resources have multiple allocation roles ('{role}' and '{first}') but only one allocation role \
                 is allowed"
            ));
        }
    }
    Ok(())
}

/// Nothing is asked for both revocable and not.
pub fn revocable_or_not(resources: &Resources) -> Checked {
    let revocable = resources.revocable();
    let non_revocable = resources.non_revocable();
    let both =
        revocable.iter().map(|one| one.name()).filter(|name| non_revocable.iter().any(|one| one.name() == *name));
    match both.map(|name| name.as_str()).min() {
        Some(first) => Err(format!("Cannot use both revocable and non-revocable '{first}' at the same time")),
        None => Ok(()),
    }
}

/// Resources as a message has them, in the form Mesos prints such: JSON with sorted keys.
pub fn message_text(resources: &[mesos::Resource]) -> String {
    let one = |resource: &mesos::Resource| json::to_string(resource, json::Names::V0);
    let list = format!("[{}]", resources.iter().map(one).collect::<Vec<_>>().join(","));
    // Only this reader sorts; what our own writer has written can be read.
    serde_json::from_str(&list).map_or(list, |sorted: serde_json::Value| sorted.to_string())
}

/// Whether two of these name the same port or item.
pub fn overlap(parts: &[Resources]) -> bool {
    let mut held = Resources::new();
    parts.iter().any(|part| {
        let part = part.filter(|one| one.amount().is_none());
        let meets = held.intersects(&part);
        held += &part;
        meets
    })
}
