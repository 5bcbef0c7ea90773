//! The life of an offer: made from what the allocator decided, taken back, timed out.

use crate::Master;
use crate::cx::Cx;
use crate::event::Event;
use crate::state::Offer;
use crate::tasks::Freed;
use crate::timers::Timer;
use std::sync::Arc;
use std::time::Duration;
use tepui_allocator::{Effect, FrameworkKey, Input, OfferedAgent};
use tepui_base::{FrameworkId, OfferId, duration};
use tepui_proto::mesos::Filters;

/// How long declined resources are kept from a framework that does not say.
const DEFAULT_REFUSE: Duration = Duration::from_secs(5);

/// Nothing is kept from a framework for longer.
const MAX_REFUSE: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long declined resources are kept from the framework that declined them; none for zero seconds. Absent filters
/// mean the default; what is no duration does too, unless it is one too long to be counted.
pub(crate) fn refuse(filters: Option<&Filters>) -> Option<Duration> {
    let wanted = match filters.and_then(|filters| filters.refuse_seconds) {
        None => DEFAULT_REFUSE,
        Some(secs) if secs > MAX_REFUSE.as_secs_f64() => MAX_REFUSE,
        Some(secs) => duration::from_secs_f64(secs).unwrap_or(DEFAULT_REFUSE),
    };
    (!wanted.is_zero()).then_some(wanted)
}

impl Master {
    /// The allocator has decided.
    pub(crate) fn allocated(&mut self, cx: &mut Cx, effect: Effect) {
        match effect {
            Effect::Offer { framework, offers } => self.offered(cx, framework, offers),
            Effect::InverseOffer { framework, agents } => self.inverse_offered(cx, framework, agents),
        }
    }

    /// The allocator gives resources to a framework. Both may have changed since it decided.
    fn offered(&mut self, cx: &mut Cx, key: FrameworkKey, offers: Vec<OfferedAgent>) {
        // A framework or agent that is gone has taken its share with it: the allocator was told when it went.
        let Some(id) = self.keys.framework_ids.get(key).cloned() else { return };
        let framework = &self.state.frameworks[&id];
        let wanted = framework.is_connected() && framework.active;
        let (mut protos, mut pids) = (Vec::new(), Vec::new());
        for OfferedAgent { agent: agent_key, role, resources } in offers {
            let Some(agent_id) = self.keys.agent_ids.get(agent_key).cloned() else { continue };
            if !wanted || !self.state.agents[&agent_id].active {
                let (framework, agent) = (key, agent_key);
                cx.allocator(Input::Recover { framework, agent, resources, refuse: None, allocated: false });
                continue;
            }
            let offer = Offer { id: self.next_offer_id(), framework: id.clone(), agent: agent_id, role, resources };
            let agent = &self.state.agents[&offer.agent];
            protos.push(offer.to_proto(&self.state.frameworks[&id], agent));
            pids.push(agent.pid.to_string());
            self.add_offer(cx, offer);
        }
        if protos.is_empty() {
            return;
        }
        let framework = self.state.framework_mut(&id).expect("it was there a moment ago");
        framework.metrics.offers_sent += protos.len() as u64;
        self.tell(cx, &id, Event::Offers(protos, pids));
    }

    fn add_offer(&mut self, cx: &mut Cx, offer: Offer) {
        let framework = self.state.framework_mut(&offer.framework).expect("an offer's framework is registered");
        framework.offers.insert(offer.id.clone());
        framework.offered += &offer.resources;
        let agent = self.state.agent_mut(&offer.agent).expect("an offer's agent is registered");
        agent.offers.insert(offer.id.clone());
        agent.offered += &offer.resources;
        if let Some(timeout) = self.config.offer_timeout {
            self.timers.set(cx.now.monotonic + timeout, Timer::Offer(offer.id.clone()));
        }
        self.state.offers.insert(offer.id.clone(), Arc::new(offer));
    }

    /// Takes an offer away without giving its resources to anyone.
    pub(crate) fn take_offer(&mut self, id: &OfferId) -> Option<Arc<Offer>> {
        let offer = self.state.offers.remove(id)?;
        let framework = self.state.framework_mut(&offer.framework).expect("an offer's framework is registered");
        framework.offers.remove(id);
        framework.offered -= &offer.resources;
        let agent = self.state.agent_mut(&offer.agent).expect("an offer's agent is registered");
        agent.offers.remove(id);
        agent.offered -= &offer.resources;
        Some(offer)
    }

    /// Takes an offer back silently; its resources can be offered again, to the same framework after `refuse`.
    pub(crate) fn discard_offer(&mut self, cx: &mut Cx, id: &OfferId, refuse: Option<Duration>) -> bool {
        let Some(offer) = self.take_offer(id) else { return false };
        self.recover(cx, &offer.framework, &offer.agent, offer.resources.clone(), Freed::Offered { refuse });
        true
    }

    /// Takes an offer back and tells the framework.
    pub(crate) fn rescind_offer(&mut self, cx: &mut Cx, id: &OfferId) {
        let Some(owner) = self.state.offers.get(id).map(|offer| offer.framework.clone()) else { return };
        if let Some(framework) = self.state.framework_mut(&owner) {
            framework.metrics.offers_rescinded += 1;
        }
        self.tell(cx, &owner, Event::Rescind(id.clone()));
        self.discard_offer(cx, id, None);
    }

    /// Takes all offers and inverse offers of a framework back, telling it or not.
    pub(crate) fn withdraw_offers(&mut self, cx: &mut Cx, owner: &FrameworkId, rescind: bool) {
        let offers: Vec<OfferId> = self.state.frameworks[owner].offers.iter().cloned().collect();
        for offer in offers {
            if rescind {
                self.rescind_offer(cx, &offer);
            } else {
                self.discard_offer(cx, &offer, None);
            }
        }
        self.withdraw_inverse_offers(cx, owner, rescind);
    }

    /// Nobody has answered an offer, or an inverse offer, within `--offer_timeout`.
    pub(crate) fn offer_timeout(&mut self, cx: &mut Cx, id: &OfferId) {
        self.rescind_offer(cx, id);
        self.rescind_inverse_offer(cx, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_have_the_bounds_of_mesos() {
        let secs = |secs| refuse(Some(&Filters { refuse_seconds: secs, ..Default::default() }));
        assert_eq!(refuse(None), Some(DEFAULT_REFUSE));
        assert_eq!(secs(None), Some(DEFAULT_REFUSE));
        assert_eq!(secs(Some(0.0)), None);
        assert_eq!(secs(Some(1.5)), Some(Duration::from_millis(1500)));
        assert_eq!(secs(Some(-1.0)), Some(DEFAULT_REFUSE));
        assert_eq!(secs(Some(f64::NAN)), Some(DEFAULT_REFUSE));
        for for_ever in [1e9, 1e10, f64::MAX, f64::INFINITY] {
            assert_eq!(secs(Some(for_ever)), Some(MAX_REFUSE), "{for_ever}");
        }
    }
}
