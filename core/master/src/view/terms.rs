//! `/quota` and `/weights`, and what GET_QUOTA and GET_WEIGHTS say.

use crate::state::Snapshot;
use tepui_authz::{Action, Principal};
use tepui_proto::json::{self, Names, Writer};
use tepui_proto::mesos::WeightInfo;
use tepui_proto::mesos::quota::{QuotaConfig, QuotaInfo, QuotaStatus};
use tepui_resources::Quantities;

/// Quotas of roles that the principal may ask about, in the form of before 1.9 and in that of now.
pub(super) fn quota_status(snapshot: &Snapshot, principal: &Principal) -> QuotaStatus {
    let may_see = |role: &str| snapshot.approvers.approved(principal, Action::GetQuota, role);
    let configs: Vec<QuotaConfig> =
        snapshot.quotas.values().filter(|quota| may_see(&quota.role)).map(|quota| (**quota).clone()).collect();
    let info = |quota: &QuotaConfig| QuotaInfo {
        role: Some(quota.role.clone()),
        guarantee: super::api::scalars(&Quantities::from_proto(&quota.guarantees)),
        ..Default::default()
    };
    QuotaStatus { infos: configs.iter().map(info).collect(), configs, ..Default::default() }
}

/// Weights of roles that the principal may see.
pub(super) fn weights(snapshot: &Snapshot, principal: &Principal) -> Vec<WeightInfo> {
    let seen =
        snapshot.weights.iter().filter(|(role, _)| snapshot.approvers.approved(principal, Action::ViewRole, role));
    seen.map(|(role, weight)| WeightInfo { role: Some(role.clone()), weight: *weight, ..Default::default() }).collect()
}

/// `/quota`
pub(super) fn quota_text(snapshot: &Snapshot, principal: &Principal) -> String {
    json::to_string(&quota_status(snapshot, principal), Names::V0)
}

/// `/weights`. Its keys are sorted.
pub(super) fn weights_text(snapshot: &Snapshot, principal: &Principal) -> String {
    let mut writer = Writer::new();
    writer.array(weights(snapshot, principal), |w, info| {
        w.object(|w| {
            w.field_string("role", info.role.as_deref().unwrap_or_default());
            w.field_double("weight", info.weight);
        });
    });
    writer.finish()
}
