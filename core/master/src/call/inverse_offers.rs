//! ACCEPT_INVERSE_OFFERS and DECLINE_INVERSE_OFFERS: what a framework says to maintenance.
//!
//! Either way the operator sees the answer in `/maintenance/status`, and the framework is asked again when its filters
//! are over, for it may have changed its mind. Nothing follows from the answer by itself.

use crate::Master;
use crate::cx::Cx;
use crate::offers::refuse;
use tepui_base::FrameworkId;
use tepui_proto::mesos::allocator::{InverseOfferStatus, inverse_offer_status::Status};
use tepui_proto::mesos::{Filters, OfferID, TimeInfo};
use tepui_proto::{MessageField, ProtoId, ToProto};

impl Master {
    /// Ids that no longer stand, or are another framework's, are ignored, and so is an answer without any: Mesos has
    /// texts for these cases, but writes them to its log only.
    pub(crate) fn answer_inverse_offers(
        &mut self,
        cx: &mut Cx,
        from: &FrameworkId,
        ids: &[OfferID],
        filters: Option<&Filters>,
        answer: Status,
    ) {
        let refuse = refuse(filters);
        for id in ids.iter().map(ProtoId::id) {
            if self.state.inverse_offers.get(&id).is_none_or(|offer| offer.framework != *from) {
                continue;
            }
            let offer = self.end_inverse_offer(cx, &id, refuse).expect("seen above");
            let status = InverseOfferStatus {
                status: answer,
                framework_id: from.to_field(),
                timestamp: MessageField::some(TimeInfo {
                    nanoseconds: cx.now.wall.as_nanos_i64(),
                    ..Default::default()
                }),
                ..Default::default()
            };
            let agent = self.state.agent_mut(&offer.agent).expect("an offer's agent is registered");
            agent.inverse_statuses.insert(from.clone(), status);
        }
    }
}
