//! An agent that had an id before: known and back, recovered after a failover of the master, thought unreachable, or
//! never heard of.

use super::capacity::Claim;
use super::checkpointed::Holdings;
use super::draining::GONE;
use super::{Arrival, compact, own};
use crate::Master;
use crate::cx::Cx;
use crate::effect::Effect;
use crate::event::NO_PID;
use crate::metrics::Counter;
use crate::pending::Pending;
use crate::state::task::holds_resources;
use crate::state::{Executor, Shown, Task, status};
use crate::subscribers::Change;
use crate::validate;
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_authz::Action;
use tepui_base::{AgentId, ExecutorId, FrameworkId, Outbox, TaskId};
use tepui_proto::mesos::internal::archive;
use tepui_proto::mesos::internal::{
    AgentReregisteredMessage, KillTaskMessage, ReregisterAgentMessage, ShutdownFrameworkMessage, ShutdownMessage,
};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{AgentInfo, FrameworkInfo};
use tepui_proto::{ProtoId, ToProto};
use tepui_registry::Operation;
use tepui_resources::{Resources, Role, format};
use tepui_wire::Upid;

impl Master {
    /// Checks the agent and asks the registrar for what its return needs.
    pub(crate) fn reregister_agent(&mut self, cx: &mut Cx, pid: Upid, mut message: ReregisterAgentMessage) {
        self.state.metrics.count(Counter::ReregisterAgent);
        let id = message.agent.id.id();
        if self.known.is_busy(&id) {
            return;
        }
        if self.state.gone.contains_key(&id) {
            return self.shut_down(cx, &pid, GONE);
        }
        upgrade(&mut message);
        let refused = validate::agent::reregister(&message).is_err()
            || !self.state.approvers.approved(&None, Action::RegisterAgent, &message.agent.hostname);
        if refused || self.refuse_if_down(cx, &message.agent, &pid) {
            return;
        }
        if !self.is_acceptable(&message.agent, message.version.as_deref()) {
            return;
        }
        // No agent is turned away for what its frameworks ask for: they say it again when they subscribe.
        for info in &mut message.frameworks {
            if self.known.names.admit_filters(info).is_err() {
                info.offer_filters.clear();
            }
        }
        let info = compact((*message.agent).clone());
        if let Some(agent) = self.state.agents.get(&id) {
            if agent.pid.ip != pid.ip || agent.info.hostname != info.hostname {
                return self.shut_down(cx, &pid, "Agent attempted to reregister with different IP / hostname");
            }
            let changed = agent.info != info;
            if !self.has_room(&id, &Claim::of_returning(&message)) {
                return;
            }
            self.known.reregistering.insert(id);
            if changed {
                self.apply(cx, Operation::UpdateAgent(info), Pending::UpdateKnown(pid, Box::new(message)));
            } else {
                self.known_agent_back(cx, pid, message);
            }
        } else {
            if let Err(error) = Holdings::of(&info, &message.checkpointed_resources) {
                return self.shut_down(cx, &pid, &error.to_string());
            }
            if !self.has_room(&id, &Claim::of_returning(&message)) {
                return;
            }
            let recovered = self.state.recovered_agents.get(&id);
            self.known.reregistering.insert(id);
            match recovered {
                Some(known) if *known == info => self.agent_back(cx, pid, message),
                Some(_) => self.apply(cx, Operation::UpdateAgent(info), Pending::Reachable(pid, Box::new(message))),
                None => self.apply(cx, Operation::MarkAgentReachable(info), Pending::Reachable(pid, Box::new(message))),
            }
        }
    }

    /// Tells an agent, known or not, to end, and why.
    pub(crate) fn shut_down(&mut self, cx: &mut Cx, pid: &Upid, text: &str) {
        cx.send(&self.config.pid, pid, &ShutdownMessage { message: Some(text.to_owned()), ..Default::default() });
    }

    /// An agent that is not registered with this master comes with everything it runs.
    pub(crate) fn agent_back(&mut self, cx: &mut Cx, pid: Upid, message: ReregisterAgentMessage) {
        let id = message.agent.id.id();
        self.known.reregistering.remove(&id);
        if self.state.agents.contains_key(&id) {
            // Ids can be guessed: another agent was admitted with this one meanwhile.
            return;
        }
        if !self.has_room(&id, &Claim::of_returning(&message)) {
            // Another agent had it, has gone again, and was what had been counted.
            return;
        }
        let holdings = Holdings::of(&message.agent, &message.checkpointed_resources).expect("it was checked at once");
        let was_recovered = self.state.recovered_agents.remove(&id).is_some();
        let was_unreachable = self.state.unreachable.remove(&id).is_some();
        self.known.forget_removed(&id);
        let mut recovered = self.recover_frameworks(cx, &message.frameworks);
        self.forget_unreachable(&id, &message);
        self.state.metrics.count(Counter::AgentReregistrations);
        self.add_agent(
            cx,
            Arrival {
                pid: pid.clone(),
                info: Arc::new((*message.agent).clone()),
                version: message.version.clone().unwrap_or_default(),
                capabilities: message.agent_capabilities.clone(),
                resource_version: message.resource_version_uuid.as_option().map(|uuid| uuid.value.clone()),
                holdings,
            },
        );
        let agent = self.state.agent_mut(&id).expect("it was just added");
        agent.reregistered = Some(cx.now.wall);
        self.adopt(cx, &id, &message, &mut recovered);
        self.offer_agent(cx, &id);
        tell(cx, &message.frameworks, &mut recovered);
        self.send_drain(cx, &id);
        let reregistered =
            AgentReregisteredMessage { agent_id: id.to_field(), connection: self.connection(), ..Default::default() };
        cx.send(&self.config.pid, &pid, &reregistered);
        if !was_recovered {
            let text = if was_unreachable { "Unreachable agent re-reregistered" } else { "Unknown agent reregistered" };
            self.tell_of_return(cx, &id, text);
        }
        self.settle_frameworks(cx, &pid, &message.frameworks, &recovered);
    }

    /// A registered agent lost the link, or its master, and is back.
    pub(crate) fn known_agent_back(&mut self, cx: &mut Cx, pid: Upid, message: ReregisterAgentMessage) {
        let id = message.agent.id.id();
        self.known.reregistering.remove(&id);
        let Some(agent) = self.state.agents.get(&id) else {
            // It was removed while the registrar was busy; it will come again.
            return;
        };
        let holdings = match Holdings::of_known(agent, &message.agent, &message.checkpointed_resources) {
            Ok(holdings) => holdings,
            // It has less than what is reserved of it: not the agent that was known.
            Err(error) => return self.shut_down(cx, &pid, &error.to_string()),
        };
        let mut recovered = self.recover_frameworks(cx, &message.frameworks);
        tell(cx, &message.frameworks, &mut recovered);
        self.relocate(cx, &id, &pid, &message, holdings);
        self.reconcile_agent(cx, &id, &pid, &message);
        let agent = self.state.agent_mut(&id).expect("it was there a moment ago");
        if !agent.connected {
            agent.connected = true;
            agent.missed_pings = 0;
            agent.pinged = false;
            if !agent.standing.deactivated {
                agent.active = true;
                cx.allocator(tepui_allocator::Input::ActivateAgent(agent.key));
            }
        }
        self.send_drain(cx, &id);
        self.settle_frameworks(cx, &pid, &message.frameworks, &recovered);
        self.send_checkpointed(cx, &id);
    }

    /// Takes over where a known agent is now and what it says of itself.
    fn relocate(
        &mut self,
        cx: &mut Cx,
        id: &AgentId,
        pid: &Upid,
        message: &ReregisterAgentMessage,
        holdings: Holdings,
    ) {
        let agent = self.state.agent_mut(id).expect("it was there a moment ago");
        self.addresses.agents.remove(&agent.pid);
        self.addresses.agents.insert(pid.clone(), id.clone());
        agent.pid = pid.clone();
        cx.link(pid);
        // What oversubscription and resource providers add stands until the agent says otherwise.
        let mut added = agent.total.filter(|one| one.is_revocable() && one.provider_id().is_none());
        added += &agent.provided();
        agent.info = Arc::new((*message.agent).clone());
        agent.total = holdings.total;
        agent.total += &added;
        agent.checkpointed = holdings.checkpointed;
        agent.version = message.version.clone().unwrap_or_default();
        agent.capabilities = message.agent_capabilities.clone();
        agent.resource_version = message.resource_version_uuid.as_option().map(|uuid| uuid.value.clone());
        agent.reregistered = Some(cx.now.wall);
        let (key, facts, total) = (agent.key, crate::terms::agent(agent), agent.total.clone());
        cx.allocator(tepui_allocator::Input::UpdateAgent { key, facts: Some(facts), total: Some(total) });
    }

    /// Frameworks this master has not met, and that are not over, are known from now on, and may subscribe; which they
    /// are.
    fn recover_frameworks(&mut self, cx: &mut Cx, infos: &[FrameworkInfo]) -> Recovered {
        let mut recovered = Recovered::new();
        for info in infos {
            let id = info.id.id();
            if !self.state.frameworks.contains_key(&id) && !self.state.is_completed(&id) {
                self.recover_framework(cx, info.clone());
                let mut events = Outbox::default();
                self.publish(&mut Cx { now: cx.now, out: &mut events }, Change::FrameworkAdded(&id));
                recovered.insert(id, events);
            }
        }
        recovered
    }

    /// Tells the agent what has become of its frameworks; of those that were just learnt from it there is nothing to
    /// tell.
    fn settle_frameworks(&mut self, cx: &mut Cx, pid: &Upid, infos: &[FrameworkInfo], recovered: &Recovered) {
        for info in infos {
            let id = info.id.id();
            if self.state.is_completed(&id) {
                let message = ShutdownFrameworkMessage { framework_id: id.to_field(), ..Default::default() };
                cx.send(&self.config.pid, pid, &message);
            } else if let Some(framework) = self.state.frameworks.get(&id).filter(|_| !recovered.contains_key(&id)) {
                cx.send(&self.config.pid, pid, &crate::call::subscribe::update_message(framework));
            }
        }
    }

    /// Tasks that were unreachable, or thought over, with this agent are neither any more.
    fn forget_unreachable(&mut self, id: &AgentId, message: &ReregisterAgentMessage) {
        self.forget_unreachable_tasks(id);
        for task in &message.tasks {
            let task_id = task.task_id.id();
            if let Some(framework) = self.state.framework_mut(&task.framework_id.id()) {
                framework.remove_unreachable(&task_id);
                framework.completed.retain(|known| known.id != task_id);
            }
        }
    }

    /// Tasks that were unreachable with an agent are not known any more.
    pub(super) fn forget_unreachable_tasks(&mut self, id: &AgentId) {
        for (owner, task) in self.known.unreachable_tasks.remove(id).unwrap_or_default() {
            if let Some(framework) = self.state.framework_mut(&owner) {
                framework.remove_unreachable(&task);
            }
        }
    }

    /// Takes over the executors and tasks an agent reports, except those of frameworks that are over.
    fn adopt(&mut self, cx: &mut Cx, id: &AgentId, message: &ReregisterAgentMessage, recovered: &mut Recovered) {
        for info in &message.executor_infos {
            let owner = info.framework_id.id();
            if self.state.frameworks.contains_key(&owner) {
                let resources = Resources::from_proto(&info.resources);
                let executor = Executor { info: Arc::new(info.clone()), resources };
                self.add_executor(&owner, id, ExecutorId::from(&*info.executor_id), executor);
            }
        }
        for task in &message.tasks {
            let owner = task.framework_id.id();
            let known = self.state.frameworks.get(&owner);
            if known.is_some_and(|framework| framework.tasks.contains_key(&task.task_id.id())) {
                // Its id was used again while nobody knew of it. One of the two must go (MESOS-6785, where Mesos ends);
                // one that has ended has gone.
                if !holds_resources(task.state) {
                    continue;
                }
                let kill = KillTaskMessage {
                    framework_id: task.framework_id.clone(),
                    task_id: task.task_id.clone(),
                    ..Default::default()
                };
                let pid = self.state.agents[id].pid.clone();
                cx.send(&self.config.pid, &pid, &kill);
            } else if known.is_some() {
                let out = recovered.get_mut(&owner).unwrap_or(&mut *cx.out);
                let task = Task::reported(task, Resources::from_proto(&task.resources));
                self.add_task(&mut Cx { now: cx.now, out }, task);
            }
        }
        let limit = self.config.max_completed_tasks_per_framework;
        for archive::Framework { framework_info, tasks, .. } in &message.completed_frameworks {
            let Some(framework) = self.state.framework_mut(&framework_info.id.id()) else { continue };
            for task in tasks {
                let task = Task::reported(task, Resources::from_proto(&task.resources));
                framework.add_completed(Shown::new(task), limit);
            }
        }
    }

    /// Frameworks that thought their tasks lost learn their states.
    fn tell_of_return(&mut self, cx: &mut Cx, id: &AgentId, text: &str) {
        let tasks: Vec<(FrameworkId, TaskId)> = self.state.agents[id].tasks.iter().cloned().collect();
        for (owner, task) in tasks {
            let framework = &self.state.frameworks[&owner];
            if framework.is_connected() {
                let task = &framework.tasks[&task];
                let update = status::known(task, task.state, Reason::REASON_AGENT_REREGISTERED, text, cx.now.wall);
                self.forward(cx, &owner, update, NO_PID);
            }
        }
    }
}

/// What is to be told of frameworks that were learnt from an agent, and of their tasks on it: only once the agent is known.
type Recovered = BTreeMap<FrameworkId, Outbox<Effect>>;

/// Tells of each framework, in the order the agent named them, and then of its tasks.
fn tell(cx: &mut Cx, infos: &[FrameworkInfo], recovered: &mut Recovered) {
    for info in infos {
        if let Some(events) = recovered.get_mut(&info.id.id()) {
            cx.out.append(std::mem::take(events));
        }
    }
}

/// Brings everything with resources to the newest form. Agents without MULTI_ROLE do not say which role a task's or an
/// executor's resources are allocated to: it is the only role of the framework.
fn upgrade(message: &mut ReregisterAgentMessage) {
    let roles: BTreeMap<FrameworkId, Role> = message
        .frameworks
        .iter()
        .filter_map(|info| {
            let role = crate::state::framework::roles(info).pop_first()?;
            Some((info.id.id(), Role::from(role.as_str())))
        })
        .collect();
    if let Some(AgentInfo { resources, .. }) = message.agent.as_option_mut() {
        own(resources);
    }
    own(&mut message.checkpointed_resources);
    let tasks = message.tasks.iter_mut().map(|task| (task.framework_id.id(), &mut task.resources));
    let executors = message.executor_infos.iter_mut().map(|info| (info.framework_id.id(), &mut info.resources));
    for (owner, resources) in tasks.chain(executors) {
        format::upgrade_all(resources);
        if let Some(role) = roles.get(&owner) {
            format::inject_allocation(resources, role);
        }
    }
}
