//! A new agent.

use super::capacity::Claim;
use super::checkpointed::Holdings;
use super::{Arrival, compact, own};
use crate::Master;
use crate::cx::Cx;
use crate::metrics::Counter;
use crate::pending::Pending;
use crate::state::Agent;
use crate::validate;
use tepui_authz::Action;
use tepui_proto::ToProto;
use tepui_proto::mesos::internal::{AgentRegisteredMessage, RegisterAgentMessage};
use tepui_registry::Operation;
use tepui_wire::Upid;

impl Master {
    /// Gives the agent an id and asks the registrar to admit it. What cannot be taken is ignored: the agent tries
    /// again.
    pub(crate) fn register_agent(&mut self, cx: &mut Cx, pid: Upid, mut message: RegisterAgentMessage) {
        self.state.metrics.count(Counter::RegisterAgent);
        let refused = self.known.registering.contains(&pid)
            || validate::agent::register(&message).is_err()
            || !self.state.approvers.approved(&None, Action::RegisterAgent, &message.agent.hostname);
        if refused {
            return;
        }
        if self.refuse_if_down(cx, &message.agent, &pid) {
            return;
        }
        if !self.is_acceptable(&message.agent, message.version.as_deref()) {
            return;
        }
        own(&mut message.agent.get_or_insert_default().resources);
        own(&mut message.checkpointed_resources);
        let holdings = match Holdings::of(&message.agent, &message.checkpointed_resources) {
            Ok(holdings) => holdings,
            Err(error) => return self.shut_down(cx, &pid, &error.to_string()),
        };
        if let Some(id) = self.addresses.agents.get(&pid).cloned() {
            let known = &self.state.agents[&id];
            if known.connected && is_same_process(known, &message) {
                // It did not get the first answer.
                return self.send_registered(cx, &id);
            }
            let cause = "a new agent registered at the same address".to_owned();
            self.remove_agent(cx, &id, cause, Some(Counter::AgentRemovalsRegistered));
        }
        let mut info = message.agent.into_option().unwrap_or_default();
        let id = self.next_agent_id();
        if !self.has_room(&id, &Claim::of_new(&info)) {
            return;
        }
        info.id = id.to_field();
        // The registrar and the master share the one description: there is one for every agent of the cluster.
        let info = compact(info);
        self.known.registering.insert(pid.clone());
        let arrival = Arrival {
            pid,
            info: info.clone(),
            version: message.version.unwrap_or_default(),
            capabilities: message.agent_capabilities,
            resource_version: message.resource_version_uuid.into_option().map(|uuid| uuid.value),
            holdings,
        };
        self.apply(cx, Operation::AdmitAgent(info), Pending::Admit(Box::new(arrival)));
    }

    /// The registrar has admitted the agent, or knows its id already.
    pub(crate) fn admitted(&mut self, cx: &mut Cx, arrival: Arrival, admitted: bool) {
        self.known.registering.remove(&arrival.pid);
        let id = tepui_base::AgentId::from(&*arrival.info.id);
        if !admitted {
            // Ids can be guessed: the one that has it is there.
            if !self.state.agents.contains_key(&id) {
                self.known.capacity.forget(&id);
            }
            return;
        }
        self.state.metrics.count(Counter::AgentRegistrations);
        self.add_agent(cx, arrival);
        self.offer_agent(cx, &id);
        self.send_registered(cx, &id);
    }

    fn send_registered(&mut self, cx: &mut Cx, id: &tepui_base::AgentId) {
        let message =
            AgentRegisteredMessage { agent_id: id.to_field(), connection: self.connection(), ..Default::default() };
        cx.send(&self.config.pid, &self.state.agents[id].pid, &message);
    }
}

/// Whether an agent without an id is the one that is connected from its address, and did not get the first answer. Each
/// process of an agent starts with a resource version of its own, so one that was restarted before its broken link
/// was seen is told from one that asks again.
fn is_same_process(known: &Agent, message: &RegisterAgentMessage) -> bool {
    let version = message.resource_version_uuid.as_option().map(|uuid| &uuid.value);
    version.zip(known.resource_version.as_ref()).is_none_or(|(new, old)| new == old)
}
