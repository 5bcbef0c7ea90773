//! The life of an inverse offer: made because the allocator says so, answered, taken back, timed out.
//!
//! The allocator knows who is asked about which agent and will not ask twice; it is told whenever a question ends.
//! Source: Mesos `src/master/master.cpp`, `inverseOffer`, `removeInverseOffer`.

use crate::Master;
use crate::cx::Cx;
use crate::event::Event;
use crate::state::InverseOffer;
use crate::timers::Timer;
use std::sync::Arc;
use std::time::Duration;
use tepui_allocator::{AgentKey, FrameworkKey, Input};
use tepui_base::{AgentId, FrameworkId, OfferId};

impl Master {
    /// The allocator wants a framework to be asked about agents. Both may have changed since it decided.
    pub(crate) fn inverse_offered(&mut self, cx: &mut Cx, key: FrameworkKey, agents: Vec<AgentKey>) {
        let Some(id) = self.keys.framework_ids.get(key).cloned() else { return };
        let framework = &self.state.frameworks[&id];
        let wanted = framework.is_connected() && framework.active;
        let (mut protos, mut pids) = (Vec::new(), Vec::new());
        for agent_key in agents {
            let Some(agent_id) = self.keys.agent_ids.get(agent_key).cloned() else { continue };
            let agent = &self.state.agents[&agent_id];
            // The schedule has changed since, and the allocator is about to hear of it.
            if !agent.unavailability.is_set() || self.is_asked(&id, &agent_id) {
                continue;
            }
            if !wanted || !agent.active {
                cx.allocator(Input::EndInverseOffer { framework: key, agent: agent_key, refuse: None });
                continue;
            }
            let offer = InverseOffer { id: self.next_offer_id(), framework: id.clone(), agent: agent_id };
            let agent = &self.state.agents[&offer.agent];
            protos.push(offer.to_proto(agent));
            pids.push(agent.pid.to_string());
            self.add_inverse_offer(cx, offer);
        }
        if !protos.is_empty() {
            self.tell(cx, &id, Event::InverseOffers(protos, pids));
        }
    }

    fn is_asked(&self, framework: &FrameworkId, agent: &AgentId) -> bool {
        let mut asked = self.state.frameworks[framework].inverse_offers.iter();
        asked.any(|id| self.state.inverse_offers[id].agent == *agent)
    }

    fn add_inverse_offer(&mut self, cx: &mut Cx, offer: InverseOffer) {
        let framework = self.state.framework_mut(&offer.framework).expect("an offer's framework is registered");
        framework.inverse_offers.insert(offer.id.clone());
        let agent = self.state.agent_mut(&offer.agent).expect("an offer's agent is registered");
        agent.inverse_offers.insert(offer.id.clone());
        if let Some(timeout) = self.config.offer_timeout {
            self.timers.set(cx.now.monotonic + timeout, Timer::Offer(offer.id.clone()));
        }
        self.state.inverse_offers.insert(offer.id.clone(), Arc::new(offer));
    }

    /// Ends an inverse offer silently; the framework is not asked about the agent again for `refuse`.
    pub(crate) fn end_inverse_offer(
        &mut self,
        cx: &mut Cx,
        id: &OfferId,
        refuse: Option<Duration>,
    ) -> Option<Arc<InverseOffer>> {
        let offer = self.state.inverse_offers.remove(id)?;
        let framework = self.state.framework_mut(&offer.framework).expect("an offer's framework is registered");
        framework.inverse_offers.remove(id);
        let framework = framework.key;
        let agent = self.state.agent_mut(&offer.agent).expect("an offer's agent is registered");
        agent.inverse_offers.remove(id);
        cx.allocator(Input::EndInverseOffer { framework, agent: agent.key, refuse });
        Some(offer)
    }

    /// Takes an inverse offer back and tells the framework.
    pub(crate) fn rescind_inverse_offer(&mut self, cx: &mut Cx, id: &OfferId) {
        if let Some(offer) = self.end_inverse_offer(cx, id, None) {
            self.tell(cx, &offer.framework, Event::RescindInverseOffer(id.clone()));
        }
    }

    /// Takes back all that was asked about an agent.
    pub(crate) fn rescind_inverse_offers_of_agent(&mut self, cx: &mut Cx, id: &AgentId) {
        let offers: Vec<OfferId> = self.state.agents[id].inverse_offers.iter().cloned().collect();
        for offer in offers {
            self.rescind_inverse_offer(cx, &offer);
        }
    }

    /// Takes back all that a framework was asked, telling it or not.
    pub(crate) fn withdraw_inverse_offers(&mut self, cx: &mut Cx, owner: &FrameworkId, rescind: bool) {
        let offers: Vec<OfferId> = self.state.frameworks[owner].inverse_offers.iter().cloned().collect();
        for offer in offers {
            if rescind {
                self.rescind_inverse_offer(cx, &offer);
            } else {
                self.end_inverse_offer(cx, &offer, None);
            }
        }
    }
}
