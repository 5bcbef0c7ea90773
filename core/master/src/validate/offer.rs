//! The offers of one ACCEPT: they stand, are the caller's, and belong together.

use super::Checked;
use crate::state::{Offer, Snapshot};
use std::collections::BTreeSet;
use tepui_base::{FrameworkId, OfferId};

/// Checks the ids of an ACCEPT.
pub fn ids(ids: &[OfferId], caller: &FrameworkId, state: &Snapshot) -> Checked {
    if ids.is_empty() {
        return Err("No offers specified".to_owned());
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = ids.iter().find(|id| !seen.insert(*id)) {
        return Err(format!("Duplicate offer {twice} in offer list"));
    }
    let find = |id| state.offers.get(id).map(|offer| &**offer).ok_or_else(|| format!("Offer {id} is no longer valid"));
    let offers: Vec<&Offer> = ids.iter().map(find).collect::<Result<_, _>>()?;
    if let Some(foreign) = offers.iter().find(|offer| offer.framework != *caller) {
        return Err(format!(
            "Offer {} has invalid framework {} while framework {caller} is expected",
            foreign.id, foreign.framework
        ));
    }
    together(&offers)
}

fn together(offers: &[&Offer]) -> Checked {
    let first = offers[0];
    if let Some(other) = offers.iter().find(|offer| offer.role != first.role) {
        // The quotes do not match in Mesos either.
        return Err(format!(
            "Aggregated offers must be allocated to the same role. Offer {} uses role '{} but another is using role '{}",
            other.id, other.role, first.role
        ));
    }
    if let Some(other) = offers.iter().find(|offer| offer.agent != first.agent) {
        return Err(format!(
            "Aggregated offers must belong to one single agent. Offer {} uses agent {} and agent {}",
            other.id, other.agent, first.agent
        ));
    }
    Ok(())
}
