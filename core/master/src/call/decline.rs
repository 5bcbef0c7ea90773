//! DECLINE: offers go back, and stay away from the framework for as long as its filters say.

use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use crate::offers::refuse;
use tepui_base::FrameworkId;
use tepui_proto::ProtoId;
use tepui_proto::mesos::scheduler::call::Decline;

impl Master {
    /// Ids of offers that no longer stand, or are another framework's, are ignored.
    pub(crate) fn decline(&mut self, cx: &mut Cx, from: &FrameworkId, call: &Decline) {
        self.state.metrics.count(Counter::DeclineOffers);
        let refuse = refuse(call.filters.as_option());
        let mut declined = 0;
        for id in &call.offer_ids {
            let id = id.id();
            let own = self.state.offers.get(&id).is_some_and(|offer| offer.framework == *from);
            if own && self.discard_offer(cx, &id, refuse) {
                declined += 1;
            }
        }
        let framework = self.state.framework_mut(from).expect("a caller is registered");
        framework.metrics.offers_declined += declined;
    }
}
