//! SUPPRESS and REVIVE: no offers for some roles, or offers again.

use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use crate::terms;
use std::collections::BTreeSet;
use tepui_allocator::Input;
use tepui_base::FrameworkId;

impl Master {
    /// No offers for these roles, or for all if none is named. A role that is not the framework's drops the call.
    pub(crate) fn suppress(&mut self, cx: &mut Cx, from: &FrameworkId, roles: &[String]) {
        self.state.metrics.count(Counter::SuppressOffers);
        let Some(roles) = self.own_roles(from, roles) else { return };
        let framework = self.state.framework_mut(from).expect("a caller is registered");
        framework.suppressed.extend(roles.iter().cloned());
        let key = framework.key;
        cx.allocator(Input::Suppress { framework: key, roles: terms::roles(&roles) });
    }

    /// Offers again for these roles, or for all if none is named; what was declined is forgotten.
    pub(crate) fn revive(&mut self, cx: &mut Cx, from: &FrameworkId, roles: &[String]) {
        self.state.metrics.count(Counter::ReviveOffers);
        let Some(roles) = self.own_roles(from, roles) else { return };
        let framework = self.state.framework_mut(from).expect("a caller is registered");
        framework.suppressed.retain(|role| !roles.contains(role));
        let key = framework.key;
        cx.allocator(Input::Revive { framework: key, roles: terms::roles(&roles) });
    }

    /// The roles a call names, all of the framework's if it names none; nothing if one of them is not the framework's.
    fn own_roles(&self, of: &FrameworkId, named: &[String]) -> Option<BTreeSet<String>> {
        let own = &self.state.frameworks[of].roles;
        if named.is_empty() {
            return Some(own.clone());
        }
        named.iter().all(|role| own.contains(role)).then(|| named.iter().cloned().collect())
    }
}
