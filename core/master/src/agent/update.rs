//! UpdateSlaveMessage: an agent's oversubscribed resources, its resource providers or the version of its resources have
//! changed. Agents send it after each registration, too, when mostly nothing has.

use super::capacity::Claim;
use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use crate::state::{Agent, agent::Provider};
use crate::validate;
use imbl::OrdMap;
use tepui_allocator::Input;
use tepui_base::{AgentId, OfferId};
use tepui_proto::ProtoId;
use tepui_proto::mesos::Resource as ResourceMessage;
use tepui_proto::mesos::internal::UpdateAgentMessage;
use tepui_proto::mesos::internal::update_agent_message::ResourceProvider;
use tepui_resources::{Resource, Resources};

/// What a message says, in the master's terms. What it does not speak of is `None` and stays as it is.
struct Said {
    oversubscribed: Option<Resources>,
    providers: Option<OrdMap<String, Provider>>,
    version: Option<Vec<u8>>,
}

impl Master {
    pub(crate) fn update_agent(&mut self, cx: &mut Cx, message: &UpdateAgentMessage) {
        self.state.metrics.count(Counter::UpdateAgent);
        let id = message.agent_id.id();
        if self.known.is_removed(&id) || validate::agent::update(message).is_err() {
            return;
        }
        self.take_over(cx, &id, message);
        self.check_drained(cx, &id);
    }

    /// Takes over what the agent says. Offers that hold what may be gone are rescinded: those with revocable resources
    /// if the message speaks of those, those with resources of providers if it speaks of providers. Operations, which
    /// agents can name here too, belong to a room not built yet.
    fn take_over(&mut self, cx: &mut Cx, id: &AgentId, message: &UpdateAgentMessage) {
        if !self.state.agents.contains_key(id) {
            return;
        }
        let has_room = self.has_room(id, &Claim::of_update(message));
        let agent = &self.state.agents[id];
        // Where there is no room for more, the version counts still: without it the agent would drop each launch.
        let said = if has_room { Said::of(message) } else { Said::version_of(message) };
        if !said.changes(agent) {
            return;
        }
        let (oversubscribes, provides) = (said.oversubscribed.is_some(), said.providers.is_some());
        let agent = self.state.agent_mut(id).expect("it was there a moment ago");
        said.take_over(agent);
        // The allocator learns first: what is rescinded is not to be offered once more.
        cx.allocator(Input::UpdateAgent { key: agent.key, facts: None, total: Some(agent.total.clone()) });
        self.rescind_where(cx, id, |one| {
            oversubscribes && one.is_revocable() || provides && one.provider_id().is_some()
        });
    }

    /// Rescinds the offers of an agent that hold such a resource.
    fn rescind_where(&mut self, cx: &mut Cx, id: &AgentId, is_stale: impl Fn(&Resource) -> bool) {
        let holds = |offer: &&OfferId| self.state.offers[*offer].resources.iter().any(&is_stale);
        let stale: Vec<OfferId> = self.state.agents[id].offers.iter().filter(holds).cloned().collect();
        for offer in stale {
            self.rescind_offer(cx, &offer);
        }
    }
}

impl Said {
    /// Nothing but the version.
    fn version_of(message: &UpdateAgentMessage) -> Said {
        let version = message.resource_version_uuid.as_option().map(|uuid| uuid.value.clone());
        Said { oversubscribed: None, providers: None, version }
    }

    /// What is oversubscribed can be taken back; anything else that is said to be so would be added again by each message.
    /// Agents older than 1.5 do not say whether they speak of oversubscribed resources: they speak of nothing else.
    fn of(message: &UpdateAgentMessage) -> Said {
        let oversubscribes = message.update_oversubscribed_resources.unwrap_or(true);
        Said {
            oversubscribed: oversubscribes
                .then(|| resources(&message.oversubscribed_resources).filter(is_oversubscribed)),
            providers: message
                .resource_providers
                .as_option()
                .map(|all| all.providers.iter().filter_map(provider).collect()),
            version: message.resource_version_uuid.as_option().map(|uuid| uuid.value.clone()),
        }
    }

    fn changes(&self, agent: &Agent) -> bool {
        self.oversubscribed.as_ref().is_some_and(|new| agent.total.filter(is_oversubscribed) != *new)
            || self.providers.as_ref().is_some_and(|new| agent.providers != *new)
            || self.version.is_some() && agent.resource_version != self.version
    }

    fn take_over(self, agent: &mut Agent) {
        let oversubscribed = self.oversubscribed.unwrap_or_else(|| agent.total.filter(is_oversubscribed));
        if let Some(providers) = self.providers {
            agent.providers = providers;
        }
        if self.version.is_some() {
            agent.resource_version = self.version;
        }
        agent.total = agent.total.filter(|one| one.provider_id().is_none() && !one.is_revocable());
        agent.total += &oversubscribed;
        agent.total += &agent.provided();
    }
}

/// Whether the agent itself has it on top of what it registered with.
fn is_oversubscribed(resource: &Resource) -> bool {
    resource.is_revocable() && resource.provider_id().is_none()
}

/// A provider by its id, with what carries that id; those without one, which no agent sends, are left out.
fn provider(message: &ResourceProvider) -> Option<(String, Provider)> {
    let info = message.info.as_option()?.clone();
    let id = info.id.as_option()?.value.clone();
    let version = message.resource_version_uuid.value.clone();
    // What is somebody else's would be added again by each message: only this provider's is taken away before.
    let total = resources(&message.total_resources).filter(|one| one.provider_id().is_some_and(|own| **own == *id));
    Some((id, Provider { info, total, version }))
}

/// Whatever form the agent writes resources in.
fn resources(messages: &[ResourceMessage]) -> Resources {
    let mut messages = messages.to_vec();
    super::own(&mut messages);
    Resources::from_proto(&messages)
}
