//! Dynamic reservations and persistent volumes of an agent: it has written them down, and tells of them beside the
//! resources of its flags. What it has in all is the latter with the former laid over them.

use crate::Master;
use crate::cx::Cx;
use crate::state::Agent;
use tepui_base::AgentId;
use tepui_proto::mesos::agent_info::capability::Type;
use tepui_proto::mesos::internal::CheckpointResourcesMessage;
use tepui_proto::mesos::{AgentInfo, Resource as ResourceMessage};
use tepui_resources::checkpoint::Error;
use tepui_resources::{Resource, Resources, format};

/// What an agent has, without what oversubscription and resource providers add.
pub(crate) struct Holdings {
    /// All of it.
    pub total: Resources,
    /// What of it the agent has written down.
    pub checkpointed: Resources,
}

impl Holdings {
    /// From an agent's own words; an error if they contradict each other.
    pub(super) fn of(info: &AgentInfo, checkpointed: &[ResourceMessage]) -> Result<Holdings, Error> {
        Holdings::with(info, Resources::from_proto(checkpointed))
    }

    /// Of a known agent that comes back. One whose operations this master knows of to the end (RESOURCE_PROVIDER) is
    /// believed; another may have missed one, and has what the master knows it to have.
    pub(super) fn of_known(
        agent: &Agent,
        info: &AgentInfo,
        checkpointed: &[ResourceMessage],
    ) -> Result<Holdings, Error> {
        if agent.has(Type::RESOURCE_PROVIDER) {
            Holdings::of(info, checkpointed)
        } else {
            Holdings::with(info, agent.checkpointed.clone())
        }
    }

    fn with(info: &AgentInfo, checkpointed: Resources) -> Result<Holdings, Error> {
        // What oversubscription and resource providers add comes in another message; here it would be kept beside that.
        let own = |one: &Resource| !one.is_revocable() && one.provider_id().is_none();
        let checkpointed = checkpointed.filter(own);
        let total = Resources::from_proto(&info.resources).filter(own).with_checkpointed(&checkpointed)?;
        Ok(Holdings { total, checkpointed })
    }
}

impl Master {
    /// Tells an agent that could have missed it what it is to have written down. Refined reservations are not for
    /// agents that do not know those; such an agent is told nothing at all.
    pub(super) fn send_checkpointed(&mut self, cx: &mut Cx, id: &AgentId) {
        let agent = &self.state.agents[id];
        if agent.has(Type::RESOURCE_PROVIDER) {
            return;
        }
        let mut resources = agent.checkpointed.to_proto();
        if !agent.has(Type::RESERVATION_REFINEMENT) && format::downgrade_all(&mut resources).is_err() {
            return;
        }
        let message = CheckpointResourcesMessage { resources, ..Default::default() };
        cx.send(&self.config.pid, &agent.pid, &message);
    }
}
