//! A framework's description of itself.

use super::Checked;
use crate::names;
use crate::state::Snapshot;
use crate::state::framework::{has_capability, roles};
use std::collections::BTreeSet;
use tepui_base::{double, duration};
use tepui_proto::ProtoId;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::{FrameworkInfo, OfferFilters};
use tepui_resources::roles as role_names;

/// Whether a framework may subscribe as it describes itself.
pub fn subscription(info: &FrameworkInfo, suppressed: &[String], state: &Snapshot) -> Checked {
    validate(info)?;
    let own = roles(info);
    let foreign: Vec<&str> = own.iter().map(String::as_str).filter(|role| !state.config.allows_role(role)).collect();
    if !foreign.is_empty() {
        return Err(format!("Roles {{ {} }} are not present in the master's --roles", foreign.join(", ")));
    }
    if let Some(role) = suppressed.iter().find(|role| !own.contains(*role)) {
        return Err(format!("Suppressed role '{role}' is not contained in the list of roles"));
    }
    if info.user == "root" && !state.config.root_submissions {
        return Err("User 'root' is not allowed to run frameworks without --root_submissions set".to_owned());
    }
    if info.id.is_set() && state.is_completed(&info.id.id()) {
        return Err("Framework has been removed".to_owned());
    }
    // A negative one is valid, and never over.
    let failover_timeout = info.failover_timeout.unwrap_or(0.0);
    if duration::from_secs_f64(failover_timeout.abs()).is_none() {
        let text = double::stream(failover_timeout, 6);
        return Err(format!("The framework failover_timeout ({text}) is invalid"));
    }
    Ok(())
}

/// Whether a description is sound in itself.
pub fn validate(info: &FrameworkInfo) -> Checked {
    validate_roles(info)?;
    if !info.id.value.is_empty() {
        super::id(&info.id.value)?;
    }
    info.offer_filters.values().try_for_each(validate_filters)?;
    bounded(info)
}

/// So many roles are for one framework: each is looked for one by one in its list.
const ROLES_MAX: usize = 10_000;

/// So many quantities to filter offers by are for one framework: each becomes a sum with a place for every name there is.
const QUANTITIES_MAX: usize = 10_000;

fn bounded(info: &FrameworkInfo) -> Checked {
    if info.roles.len() > ROLES_MAX {
        return Err(format!("'FrameworkInfo.roles' contains more than {ROLES_MAX} items"));
    }
    if info.offer_filters.len() > ROLES_MAX {
        return Err(format!("'FrameworkInfo.offer_filters' contains more than {ROLES_MAX} items"));
    }
    let quantities = info.offer_filters.values().map(|one| one.min_allocatable_resources.quantities.len());
    if quantities.sum::<usize>() > QUANTITIES_MAX {
        return Err(format!("'FrameworkInfo.offer_filters' contains more than {QUANTITIES_MAX} quantities"));
    }
    names::are_few(names::of_filters(info))
        .map_err(|text| format!("'FrameworkInfo.offer_filters' is not valid: {text}"))
}

fn validate_roles(info: &FrameworkInfo) -> Checked {
    let text = |error: role_names::Error| error.to_string();
    if !has_capability(info, Capability::MULTI_ROLE) {
        if !info.roles.is_empty() {
            return Err("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable".to_owned());
        }
        let role = info.role.as_deref().unwrap_or(role_names::STAR);
        return role_names::validate(role)
            .map_err(|error| format!("'FrameworkInfo.role' is not a valid role: {}", text(error)));
    }
    if info.role.is_some() {
        return Err("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable".to_owned());
    }
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&str> = info.roles.iter().map(String::as_str).filter(|role| !seen.insert(*role)).collect();
    if !twice.is_empty() {
        let twice: Vec<&str> = twice.into_iter().collect();
        return Err(format!("'FrameworkInfo.roles' contains duplicate items: {{ {} }}", twice.join(", ")));
    }
    info.roles.iter().try_for_each(|role| {
        role_names::validate(role)
            .map_err(|error| format!("'FrameworkInfo.roles' contains invalid role: {}", text(error)))
    })
}

fn validate_filters(filters: &OfferFilters) -> Checked {
    for quantities in &filters.min_allocatable_resources.quantities {
        if quantities.quantities.is_empty() {
            return Err("Resource quantities must contain at least one quantity".to_owned());
        }
        for (name, amount) in &quantities.quantities {
            tepui_resources::value::check_scalar(amount.value)
                .map_err(|error| format!("Invalid resource quantity for '{name}': {error}"))?;
        }
    }
    Ok(())
}

/// Whether a framework may change its description so.
pub fn update(old: &FrameworkInfo, new: &FrameworkInfo) -> Checked {
    if old.principal != new.principal {
        return Err("Changing framework's principal is not allowed.".to_owned());
    }
    if old.user != new.user {
        return Err(format!(
            "Updating 'FrameworkInfo.user' is unsupported; attempted to update from '{}' to '{}'",
            old.user, new.user
        ));
    }
    let checkpoint = |info: &FrameworkInfo| info.checkpoint.unwrap_or(false);
    if checkpoint(old) != checkpoint(new) {
        return Err(format!(
            "Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from '{}' to '{}'",
            checkpoint(old),
            checkpoint(new)
        ));
    }
    Ok(())
}

/// What a framework cannot change when it subscribes again stays silently as it was.
pub fn keep_immutable(old: &FrameworkInfo, new: &mut FrameworkInfo) {
    new.user.clone_from(&old.user);
    if new.checkpoint.unwrap_or(false) != old.checkpoint.unwrap_or(false) {
        new.checkpoint = old.checkpoint;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_proto::mesos::framework_info::Capability as Named;

    fn multi_role(roles: &[&str]) -> FrameworkInfo {
        FrameworkInfo {
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            capabilities: vec![Named { r#type: Some(Capability::MULTI_ROLE), ..Default::default() }],
            ..Default::default()
        }
    }

    #[test]
    fn roles_are_said_in_one_way() {
        let role = |role: &str| FrameworkInfo { role: Some(role.to_owned()), ..Default::default() };
        for (info, expected) in [
            (
                FrameworkInfo { role: Some("r".to_owned()), ..multi_role(&[]) },
                "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable",
            ),
            (
                FrameworkInfo { roles: vec!["r".to_owned()], ..Default::default() },
                "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
            ),
            (multi_role(&["a", "b", "a"]), "'FrameworkInfo.roles' contains duplicate items: { a }"),
            (multi_role(&["/a"]), "'FrameworkInfo.roles' contains invalid role: Role '/a' cannot start with a slash"),
            (role("/a"), "'FrameworkInfo.role' is not a valid role: Role '/a' cannot start with a slash"),
        ] {
            assert_eq!(validate(&info), Err(expected.to_owned()));
        }
        assert_eq!(validate(&multi_role(&["a", "b/c"])), Ok(()));
        assert_eq!(validate(&role("*")), Ok(()));
    }

    #[test]
    fn what_cannot_change_is_kept_or_refused() {
        let old = FrameworkInfo {
            user: "a".to_owned(),
            principal: Some("p".to_owned()),
            checkpoint: Some(true),
            ..Default::default()
        };
        let mut new = FrameworkInfo { user: "b".to_owned(), ..Default::default() };
        assert_eq!(update(&old, &new), Err("Changing framework's principal is not allowed.".to_owned()));
        new.principal.clone_from(&old.principal);
        assert_eq!(
            update(&old, &new),
            Err("Updating 'FrameworkInfo.user' is unsupported; attempted to update from 'a' to 'b'".to_owned())
        );
        new.user.clone_from(&old.user);
        assert_eq!(
            update(&old, &new),
            Err("Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from 'true' to 'false'"
                .to_owned())
        );
        new.user = "b".to_owned();
        keep_immutable(&old, &mut new);
        assert_eq!(update(&old, &new), Ok(()));
        assert_eq!((new.user.as_str(), new.checkpoint), ("a", Some(true)));
    }
}
