//! Quotas. Source: Mesos `src/master/quota.cpp`.

use super::Error;
use crate::state::State;
use std::collections::BTreeMap;
use tepui_proto::json::{self, Names};
use tepui_proto::mesos::master_info::capability::Type as Capability;
use tepui_proto::mesos::quota::QuotaConfig;
use tepui_proto::mesos::value::Scalar;
use tepui_resources::quantities::Limits;
use tepui_resources::{Quantities, roles};

/// The largest `mem` and `disk`, in megabytes: amounts are kept in fixed point, and sums must not overflow.
const BYTES_MAX: i64 = 1 << 40;
/// The largest amount of anything else, for the same reason.
const OTHER_MAX: i64 = 1_000_000_000_000;

pub(super) fn update(state: &mut State, configs: &[QuotaConfig]) -> Result<bool, Error> {
    for config in configs {
        let refuse = |why| Error::InvalidQuota(json::to_string(config, Names::V0), why);
        validate(config).map_err(refuse)?;
    }
    let rest = state.rest_mut();
    for config in configs {
        let known = rest.quota_configs.iter().position(|known| known.role == config.role);
        match (known, is_default(config)) {
            (Some(at), true) => drop(rest.quota_configs.remove(at)),
            (Some(at), false) => rest.quota_configs[at] = config.clone(),
            (None, false) => rest.quota_configs.push(config.clone()),
            (None, true) => {}
        }
        if let Some(at) = rest.quotas.iter().position(|old| old.info.role.as_deref() == Some(config.role.as_str())) {
            rest.quotas.remove(at);
        }
    }
    let has_quota = !rest.quota_configs.is_empty();
    state.require(Capability::QUOTA_V2, has_quota);
    Ok(true)
}

/// Whether it says what is true of every role.
fn is_default(config: &QuotaConfig) -> bool {
    Quantities::from_proto(&config.guarantees).is_empty() && Limits::from_proto(&config.limits).is_empty()
}

/// Whether the quota can be given to anybody; why not.
pub fn validate(config: &QuotaConfig) -> Result<(), String> {
    roles::validate(&config.role).map_err(|error| format!("Invalid 'QuotaConfig.role': {error}"))?;
    for (name, amounts) in [("guarantees", &config.guarantees), ("limits", &config.limits)] {
        small(amounts).map_err(|error| format!("Invalid 'QuotaConfig.{name}': {error}"))?;
    }
    for (name, amounts) in [("guarantee", &config.guarantees), ("limit", &config.limits)] {
        for (resource, amount) in amounts {
            scalar(amount.value)
                .map_err(|error| format!("Invalid {name} configuration {{'{resource}': {}}}: {error}", amount.value))?;
        }
    }
    let guarantees = Quantities::from_proto(&config.guarantees);
    if Limits::from_proto(&config.limits).contains_quantities(&guarantees) {
        return Ok(());
    }
    let text = |amounts: &BTreeMap<String, Scalar>| {
        let each = amounts.iter().map(|(name, amount)| format!("{name}: {}", amount.value));
        format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
    };
    Err(format!(
        "'QuotaConfig.guarantees' {} is not contained within the 'QuotaConfig.limits' {}",
        text(&config.guarantees),
        text(&config.limits)
    ))
}

fn small(amounts: &BTreeMap<String, Scalar>) -> Result<(), String> {
    for (name, amount) in amounts {
        let (limit, words) = match name.as_str() {
            "mem" | "disk" => (BYTES_MAX, "1 exabyte"),
            _ => (OTHER_MAX, "1 trillion"),
        };
        if amount.value > limit as f64 {
            return Err(format!(
                "{{'{name}': {}}} is invalid: values greater than {words} ({limit}) are not supported",
                amount.value
            ));
        }
    }
    Ok(())
}

fn scalar(value: f64) -> Result<(), &'static str> {
    match value.classify() {
        std::num::FpCategory::Infinite => Err("Infinite values not supported"),
        std::num::FpCategory::Nan => Err("NaN not supported"),
        std::num::FpCategory::Subnormal => Err("Subnormal values not supported"),
        std::num::FpCategory::Zero => Ok(()),
        std::num::FpCategory::Normal if value < 0.0 => Err("Negative values not supported"),
        std::num::FpCategory::Normal => Ok(()),
    }
}
