//! UPDATE_FRAMEWORK: a subscribed framework changes what it says of itself, and stays subscribed.

use crate::Master;
use crate::call::{CallError, subscribe::Wishes};
use crate::cx::Cx;
use crate::state::framework;
use crate::validate;
use std::collections::BTreeSet;
use tepui_base::FrameworkId;
use tepui_proto::mesos::FrameworkInfo;
use tepui_proto::mesos::scheduler::call::UpdateFramework;

impl Master {
    /// Checks as SUBSCRIBE does, but answers the caller instead of ending its stream, and changes nothing on an error.
    /// Agents hear of it only if the description itself has changed.
    pub(crate) fn update_call(
        &mut self,
        cx: &mut Cx,
        from: &FrameworkId,
        call: UpdateFramework,
    ) -> Result<(), CallError> {
        let new = call.framework_info.into_option().unwrap_or_default();
        let old = self.state.frameworks[from].info.clone();
        let invalid = |what: &'static str| move |text: String| CallError::Invalid(format!("{what}: {text}"));
        validate::framework::subscription(&new, &call.suppressed_roles, &self.state)
            .map_err(invalid("Supplied FrameworkInfo is not valid"))?;
        validate::framework::update(&old, &new).map_err(invalid("FrameworkInfo update is not valid"))?;
        let constraints = call.offer_constraints.into_option().unwrap_or_default();
        let wishes = Wishes::new(&self.config, call.suppressed_roles, constraints)
            .map_err(invalid("'UpdateFramework.offer_constraints' are not valid"))?;
        self.may_subscribe(&old.principal, &new).map_err(CallError::Forbidden)?;
        self.known.names.admit_filters(&new).map_err(invalid("Supplied FrameworkInfo is not valid"))?;
        let changed = !is_equivalent(&old, &new);
        self.update_framework(cx, from, new, wishes);
        if changed {
            self.tell_agents_of(cx, from);
        }
        Ok(())
    }
}

/// Whether two descriptions say the same; the order of roles and capabilities says nothing.
fn is_equivalent(left: &FrameworkInfo, right: &FrameworkInfo) -> bool {
    let bare = |info: &FrameworkInfo| FrameworkInfo { roles: Vec::new(), capabilities: Vec::new(), ..info.clone() };
    let capabilities = |info: &FrameworkInfo| -> BTreeSet<Option<i32>> {
        info.capabilities.iter().map(|one| one.r#type.map(|kind| kind as i32)).collect()
    };
    framework::roles(left) == framework::roles(right)
        && capabilities(left) == capabilities(right)
        && bare(left) == bare(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_proto::mesos::framework_info::{Capability, capability::Type};

    #[test]
    fn the_order_of_roles_and_capabilities_says_nothing() {
        let capability = |kind| Capability { r#type: Some(kind), ..Default::default() };
        let of = |roles: [&str; 2], kinds: [Type; 2]| FrameworkInfo {
            roles: roles.map(str::to_owned).to_vec(),
            capabilities: kinds.map(capability).to_vec(),
            ..Default::default()
        };
        let one = of(["a", "b"], [Type::MULTI_ROLE, Type::GPU_RESOURCES]);
        assert!(is_equivalent(&one, &of(["b", "a"], [Type::GPU_RESOURCES, Type::MULTI_ROLE])));
        assert!(!is_equivalent(&one, &of(["b", "c"], [Type::GPU_RESOURCES, Type::MULTI_ROLE])));
        assert!(!is_equivalent(&one, &of(["a", "b"], [Type::MULTI_ROLE, Type::PARTITION_AWARE])));
        assert!(!is_equivalent(&one, &FrameworkInfo { name: "n".to_owned(), ..one.clone() }));
    }
}
