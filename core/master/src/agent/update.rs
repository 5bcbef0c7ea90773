//! UpdateSlaveMessage: an agent's resources have changed, or their version.

use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use tepui_allocator::Input;
use tepui_base::{AgentId, OfferId};
use tepui_proto::ProtoId;
use tepui_proto::mesos::internal::UpdateAgentMessage;
use tepui_resources::Resources;

impl Master {
    /// Takes over oversubscribed resources and the resource version. Offers that hold revocable resources are
    /// rescinded when those change. Operations and resource providers, which agents can name here too, belong to rooms
    /// not built yet: what providers add is not offered.
    pub(crate) fn update_agent(&mut self, cx: &mut Cx, message: &UpdateAgentMessage) {
        self.state.metrics.count(Counter::UpdateAgent);
        let id = message.agent_id.id();
        if self.known.is_removed(&id) {
            return;
        }
        self.take_over(cx, &id, message);
        self.check_drained(cx, &id);
    }

    fn take_over(&mut self, cx: &mut Cx, id: &AgentId, message: &UpdateAgentMessage) {
        let Some(agent) = self.state.agent_mut(id) else { return };
        if let Some(version) = message.resource_version_uuid.as_option() {
            agent.resource_version = Some(version.value.clone());
        }
        if !message.update_oversubscribed_resources.unwrap_or(true) {
            return;
        }
        let revocable = Resources::from_proto(&message.oversubscribed_resources);
        if agent.total.revocable() == revocable {
            return;
        }
        agent.total = agent.total.non_revocable();
        agent.total += &revocable;
        let (key, total) = (agent.key, agent.total.clone());
        let holds_revocable = |offer: &&OfferId| !self.state.offers[*offer].resources.revocable().is_empty();
        let stale: Vec<OfferId> = self.state.agents[id].offers.iter().filter(holds_revocable).cloned().collect();
        for offer in stale {
            self.rescind_offer(cx, &offer);
        }
        cx.allocator(Input::UpdateAgent { key, facts: None, total: Some(total) });
    }
}
