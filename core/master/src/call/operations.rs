//! ACKNOWLEDGE_OPERATION_STATUS and RECONCILE_OPERATIONS: what a framework can ask of operations. This master carries
//! none out yet, so it knows none: an acknowledgement has nothing to acknowledge, and an operation asked about is
//! wherever its agent is.

use crate::Master;
use crate::cx::Cx;
use crate::event::Event;
use crate::metrics::Counter;
use std::collections::BTreeMap;
use tepui_base::{AgentId, FrameworkId};
use tepui_proto::mesos::agent_info::capability::Type as AgentCapability;
use tepui_proto::mesos::internal::{ReconcileOperationsMessage, reconcile_operations_message};
use tepui_proto::mesos::scheduler::call::reconcile_operations::Operation;
use tepui_proto::mesos::{OperationState, OperationStatus};
use tepui_proto::{ProtoId, ToProto};

impl Master {
    /// Dropped, as for any operation the master does not know.
    pub(crate) fn acknowledge_operation(&mut self) {
        self.state.metrics.count(Counter::OperationStatusUpdateAcknowledgement);
        self.state.metrics.count(Counter::InvalidOperationStatusUpdateAcknowledgements);
    }

    /// Answers each operation asked about by where its agent is. About an operation of a resource provider that has
    /// not come back on its agent, the agent is asked, if it can answer.
    pub(crate) fn reconcile_operations(&mut self, cx: &mut Cx, from: &FrameworkId, operations: Vec<Operation>) {
        self.state.metrics.count(Counter::ReconcileOperations);
        let mut forwarded: BTreeMap<AgentId, Vec<Operation>> = BTreeMap::new();
        for operation in operations {
            let agent = operation.agent_id.as_option().map(|id| id.id());
            let provider = operation.resource_provider_id.as_option().map(|id| id.value.as_str());
            match agent.filter(|agent| provider.is_some_and(|provider| self.can_say(agent, provider))) {
                Some(agent) => forwarded.entry(agent).or_default().push(operation),
                None => {
                    let status = self.operation_status(operation);
                    self.tell(cx, from, Event::OperationStatus(Box::new(status)));
                }
            }
        }
        for (agent, operations) in forwarded {
            let message = reconciliation(from, operations);
            cx.send(&self.config.pid, &self.state.agents[&agent].pid, &message);
        }
    }

    /// Whether an agent answers questions about operations of a provider itself, as only it can: the provider has not
    /// come back.
    fn can_say(&self, agent: &AgentId, provider: &str) -> bool {
        self.state.agents.get(agent).is_some_and(|agent| {
            agent.has(AgentCapability::AGENT_OPERATION_FEEDBACK) && !agent.providers.contains_key(provider)
        })
    }

    fn operation_status(&self, operation: Operation) -> OperationStatus {
        let (state, message) = self.operation_whereabouts(operation.agent_id.as_option().map(|id| id.id()));
        OperationStatus {
            operation_id: operation.operation_id,
            state,
            message: Some(format!("Reconciliation: {message}")),
            agent_id: operation.agent_id,
            resource_provider_id: operation.resource_provider_id,
            ..Default::default()
        }
    }

    /// What must have become of an operation that is not known, by the agent it should be on.
    fn operation_whereabouts(&self, agent: Option<AgentId>) -> (OperationState, &'static str) {
        let state = &self.state;
        match agent {
            None => (OperationState::OPERATION_UNKNOWN, "Operation is unknown and no 'agent_id' was provided"),
            Some(agent) if state.recovered_agents.contains_key(&agent) => {
                (OperationState::OPERATION_RECOVERING, "Agent is recovered but has not re-registered")
            }
            Some(agent) if state.agents.contains_key(&agent) => {
                (OperationState::OPERATION_UNKNOWN, "Operation is unknown")
            }
            Some(agent) if state.unreachable.contains_key(&agent) => {
                (OperationState::OPERATION_UNREACHABLE, "Agent is unreachable")
            }
            Some(agent) if state.gone.contains_key(&agent) => {
                (OperationState::OPERATION_GONE_BY_OPERATOR, "Agent marked gone by operator")
            }
            Some(_) => (OperationState::OPERATION_UNKNOWN, "Both operation and agent are unknown"),
        }
    }
}

/// The question an agent gets.
fn reconciliation(from: &FrameworkId, operations: Vec<Operation>) -> ReconcileOperationsMessage {
    let ask = |operation: Operation| reconcile_operations_message::Operation {
        operation_id: operation.operation_id,
        resource_provider_id: operation.resource_provider_id,
        ..Default::default()
    };
    ReconcileOperationsMessage {
        framework_id: from.to_field(),
        operations: operations.into_iter().map(ask).collect(),
        ..Default::default()
    }
}
