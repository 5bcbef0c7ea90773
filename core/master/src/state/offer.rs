//! An offer as the master keeps it, and as a framework sees it.

use crate::state::{Agent, Framework};
use tepui_base::{AgentId, FrameworkId, OfferId};
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::{self, ExecutorID, resource::AllocationInfo};
use tepui_proto::{MessageField, ToProto};
use tepui_resources::{Resources, Role, format};

/// Resources of one agent that one framework may use for one role.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// Who may accept it.
    pub framework: FrameworkId,
    /// Whose resources they are.
    pub agent: AgentId,
    /// The role they are allocated to.
    pub role: Role,
    /// The resources, allocated to `role`.
    pub resources: Resources,
}

impl Offer {
    /// The message sent to the framework, in the form its capabilities ask for: without allocation role unless it is
    /// MULTI_ROLE, with `role` instead of `reservations` unless it has RESERVATION_REFINEMENT.
    pub fn to_proto(&self, framework: &Framework, agent: &Agent) -> mesos::Offer {
        let multi_role = framework.has(Capability::MULTI_ROLE);
        let mut resources = self.resources.to_proto();
        // They are the agent's to hand to containers (MESOS-1654); the offer has them, and they come back with the rest.
        resources.retain(|resource| resource.name != "ephemeral_ports");
        if !multi_role {
            format::strip_allocation(&mut resources);
        }
        if !framework.has(Capability::RESERVATION_REFINEMENT) {
            // Nothing with refined reservations is offered to such a framework, so nothing is lost.
            let _ = format::downgrade_all(&mut resources);
        }
        let allocation = AllocationInfo { role: Some(self.role.to_string()), ..Default::default() };
        mesos::Offer {
            allocation_info: if multi_role { MessageField::some(allocation) } else { MessageField::none() },
            resources,
            ..self.base(agent, agent.executors_of(&self.framework).map(ToProto::to_proto).collect())
        }
    }

    /// The message shown to operators: everything, in the newest form.
    pub fn to_view(&self, agent: &Agent) -> mesos::Offer {
        let allocation = AllocationInfo { role: Some(self.role.to_string()), ..Default::default() };
        mesos::Offer {
            allocation_info: MessageField::some(allocation),
            resources: self.resources.to_proto(),
            ..self.base(agent, agent.executors_of(&self.framework).map(ToProto::to_proto).collect())
        }
    }

    fn base(&self, agent: &Agent, executor_ids: Vec<ExecutorID>) -> mesos::Offer {
        mesos::Offer {
            id: self.id.to_field(),
            framework_id: self.framework.to_field(),
            agent_id: self.agent.to_field(),
            hostname: agent.info.hostname.clone(),
            url: MessageField::some(agent.url()),
            domain: agent.info.domain.clone(),
            attributes: agent.info.attributes.clone(),
            executor_ids,
            unavailability: agent.unavailability.clone(),
            ..Default::default()
        }
    }
}
