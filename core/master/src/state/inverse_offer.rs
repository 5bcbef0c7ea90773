//! An inverse offer: a framework is asked to give back what it holds on an agent that will be away.

use crate::state::Agent;
use tepui_base::{AgentId, FrameworkId, OfferId};
use tepui_proto::{MessageField, ToProto, mesos};

/// A question that a framework has not answered. It does not outlive the window it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct InverseOffer {
    /// Its id, from the same numbers as those of offers.
    pub id: OfferId,
    /// Who is asked.
    pub framework: FrameworkId,
    /// About which agent.
    pub agent: AgentId,
}

impl InverseOffer {
    /// The message. It names no resources: all that the framework holds on the agent is meant.
    pub fn to_proto(&self, agent: &Agent) -> mesos::InverseOffer {
        mesos::InverseOffer {
            id: self.id.to_field(),
            url: MessageField::some(agent.url()),
            framework_id: self.framework.to_field(),
            agent_id: self.agent.to_field(),
            unavailability: agent.unavailability.clone(),
            ..Default::default()
        }
    }
}
