//! Finding the master and registering with it, and noticing that it no longer hears us.
//!
//! A master's pid is the only proof of who speaks: messages of any other sender are ignored.

use crate::config::REGISTRATION_RETRY_MAX;
use crate::state::{Phase, executor, task};
use crate::status_update::Report;
use crate::timers::Timer;
use crate::{Agent, Cx, Effect};
use std::sync::Arc;
use std::time::Duration;
use tepui_base::{AgentId, TaskId};
use tepui_proto::MessageField;
use tepui_proto::ids::ProtoId;
use tepui_proto::mesos::agent_info::Capability;
use tepui_proto::mesos::internal::{
    AgentRegisteredMessage, AgentReregisteredMessage, MasterAgentConnection, PongAgentMessage, ReconcileTasksMessage,
    RegisterAgentMessage, ReregisterAgentMessage, UpdateAgentMessage, archive,
};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{AgentInfo, Resource, TaskState, UUID};
use tepui_resources::format;
use tepui_wire::{NetEffect, Upid};

/// How long to wait for a ping if the master does not say: 15 seconds, five times.
const PING_TIMEOUT: Duration = Duration::from_secs(75);

/// Where registration stands.
#[derive(Debug)]
pub(crate) struct Registration {
    /// Grows with each detection, so that timers of an earlier cycle are void.
    cycle: u64,
    /// Grows with each ping, so that older ping timers are void.
    ping: u64,
    ping_timeout: Duration,
}

impl Default for Registration {
    fn default() -> Self {
        Registration { cycle: 0, ping: 0, ping_timeout: PING_TIMEOUT }
    }
}

impl Agent {
    /// A master was elected, or lost, or found to be the same as before.
    pub(crate) fn detected(&mut self, cx: &mut Cx<'_>, master: Option<Upid>) {
        if self.state.phase != Phase::Terminating {
            self.state.phase = Phase::Disconnected;
        }
        self.streams.pause();
        self.registration.cycle += 1;
        self.state.master.clone_from(&master);
        match master {
            None => cx.note("Lost leading master"),
            Some(master) => {
                cx.note(format!("New master detected at {master}"));
                if self.state.phase != Phase::Terminating {
                    let factor = self.config.registration_backoff_factor;
                    self.register_after(cx, factor, factor * 2);
                }
            }
        }
    }

    /// The first attempt waits as well, so that not all agents of a cluster come at once.
    fn register_after(&mut self, cx: &mut Cx<'_>, at_most: Duration, ceiling: Duration) {
        let at = cx.now.monotonic + self.rng.up_to(at_most);
        self.timers.set(at, Timer::Register { cycle: self.registration.cycle, ceiling });
    }

    pub(crate) fn register_timer(&mut self, cx: &mut Cx<'_>, cycle: u64, ceiling: Duration) {
        if cycle != self.registration.cycle || self.state.phase != Phase::Disconnected {
            return;
        }
        let Some(master) = self.state.master.clone() else { return };
        cx.net(NetEffect::Link { to: master.clone(), reconnect: false });
        if self.state.id.is_none() {
            self.send(cx, &master, &self.register_message());
        } else {
            self.send(cx, &master, &self.reregister_message());
        }
        let ceiling = ceiling.min(REGISTRATION_RETRY_MAX);
        self.register_after(cx, ceiling, ceiling * 2);
    }

    fn register_message(&self) -> RegisterAgentMessage {
        RegisterAgentMessage {
            agent: MessageField::some(self.downgraded_info()),
            version: Some(self.config.version.version.clone()),
            agent_capabilities: capabilities(),
            resource_version_uuid: self.resource_version(),
            checkpointed_resources: self.downgraded_checkpointed(),
            ..RegisterAgentMessage::default()
        }
    }

    fn reregister_message(&self) -> ReregisterAgentMessage {
        let mut message = ReregisterAgentMessage {
            agent: MessageField::some(self.downgraded_info()),
            version: Some(self.config.version.version.clone()),
            agent_capabilities: capabilities(),
            resource_version_uuid: self.resource_version(),
            checkpointed_resources: self.downgraded_checkpointed(),
            ..ReregisterAgentMessage::default()
        };
        for framework in self.state.frameworks.values() {
            message.frameworks.push((*framework.info).clone());
            for executor in framework.executors.values() {
                let queued = executor.queued.iter();
                message.tasks.extend(task::live_and_unacknowledged(executor).map(|task| (**task).clone()));
                message.tasks.extend(queued.map(|q| task::record(&q.task, TaskState::TASK_STAGING, &framework.id)));
                // The master does not keep executors of command tasks, and terminated ones use no resources.
                if !executor.generated_for_command_task && executor.phase != executor::Phase::Terminated {
                    message.executor_infos.push((*executor.info).clone());
                }
            }
        }
        for framework in &self.state.completed_frameworks {
            let executors = framework.completed_executors.iter();
            let tasks = executors.flat_map(|executor| executor.terminated.values().chain(&executor.completed));
            message.completed_frameworks.push(archive::Framework {
                framework_info: MessageField::some((*framework.info).clone()),
                pid: framework.pid.as_ref().map(Upid::to_string),
                tasks: tasks.map(|task| Arc::unwrap_or_clone(task.clone())).collect(),
                ..archive::Framework::default()
            });
        }
        let archived = message.completed_frameworks.iter_mut().flat_map(|framework| &mut framework.tasks);
        message.tasks.iter_mut().chain(archived).for_each(|task| downgrade(&mut task.resources));
        message.executor_infos.iter_mut().for_each(|executor| downgrade(&mut executor.resources));
        message
    }

    fn downgraded_info(&self) -> AgentInfo {
        let mut info = self.info();
        downgrade(&mut info.resources);
        info
    }

    fn downgraded_checkpointed(&self) -> Vec<Resource> {
        let mut resources = self.state.checkpointed.resources.to_proto();
        downgrade(&mut resources);
        resources
    }

    pub(crate) fn resource_version(&self) -> MessageField<UUID> {
        MessageField::some(UUID { value: self.resource_version.to_vec(), ..UUID::default() })
    }

    pub(crate) fn registered(&mut self, cx: &mut Cx<'_>, from: &Upid, message: &AgentRegisteredMessage) {
        if self.state.master.as_ref() != Some(from) || self.state.phase == Phase::Terminating {
            return;
        }
        let id = message.agent_id.id();
        if self.state.id.as_ref().is_some_and(|own| *own != id) {
            let own = self.state.id.as_ref().map_or("", AgentId::as_str);
            cx.push(Effect::Exit(format!("Registered but got wrong id: {id} (expected: {own})")));
            return;
        }
        self.state.id = Some(id.clone());
        self.connected(cx, &message.connection, &format!("Registered with master {from}; given agent ID {id}"));
    }

    pub(crate) fn reregistered(&mut self, cx: &mut Cx<'_>, from: &Upid, message: &AgentReregisteredMessage) {
        if self.state.master.as_ref() != Some(from) || self.state.phase == Phase::Terminating {
            return;
        }
        let id = message.agent_id.id();
        if self.state.id.as_ref() != Some(&id) {
            let own = self.state.id.as_ref().map_or("", AgentId::as_str);
            cx.push(Effect::Exit(format!("Re-registered but got wrong id: {id} (expected: {own})")));
            return;
        }
        self.connected(cx, &message.connection, &format!("Re-registered with master {from}"));
        for reconciliation in &message.reconciliations {
            self.reconcile(cx, reconciliation);
        }
    }

    /// The master has taken us in: updates flow again, and silence from now on means something.
    fn connected(&mut self, cx: &mut Cx<'_>, connection: &MasterAgentConnection, note: &str) {
        if let Some(timeout) = connection.total_ping_timeout_seconds {
            // Whole seconds, as Mesos takes them.
            self.registration.ping_timeout = Duration::from_secs(timeout.max(0.0) as u64);
        }
        if self.state.phase == Phase::Disconnected {
            self.state.phase = Phase::Running;
            cx.note(note);
            for update in self.streams.resume(cx.now.monotonic) {
                self.forward(cx, update);
            }
            self.expect_ping(cx);
        }
        self.send_to_master(cx, &self.update_message());
    }

    /// What stands beside the registration: at which version the agent's resources are, and that there are neither
    /// operations nor resource providers. Nothing is said of oversubscribed resources, as nobody estimates them.
    fn update_message(&self) -> UpdateAgentMessage {
        UpdateAgentMessage {
            agent_id: self.agent_id(),
            update_oversubscribed_resources: Some(false),
            operations: MessageField::some(Default::default()),
            resource_version_uuid: self.resource_version(),
            resource_providers: MessageField::some(Default::default()),
            ..UpdateAgentMessage::default()
        }
    }

    /// The master believes in tasks we do not know: it never sent them, or they were lost on the way.
    fn reconcile(&mut self, cx: &mut Cx<'_>, reconciliation: &ReconcileTasksMessage) {
        let framework = reconciliation.framework_id.id();
        let known = |task: &TaskId, agent: &Agent| {
            agent.state.framework(&framework).is_some_and(|framework| framework.executor_of(task).is_some())
        };
        let aware = reconciliation.framework.as_option().is_some_and(|info| {
            use tepui_proto::mesos::framework_info::capability::Type;
            crate::state::framework::has_capability(info, Type::PARTITION_AWARE)
        });
        let state = if aware { TaskState::TASK_DROPPED } else { TaskState::TASK_LOST };
        for status in &reconciliation.statuses {
            let task = status.task_id.id();
            if !known(&task, self) {
                let report = Report {
                    framework: &framework,
                    task: &task,
                    executor: None,
                    state,
                    reason: Reason::REASON_RECONCILIATION,
                    message: "Reconciliation: task unknown to the agent",
                };
                let update = self.own_update(cx, &report);
                // The framework may be unknown here, so the update skips the checks made for executors.
                self.retain(cx, update);
            }
        }
    }

    pub(crate) fn ping(&mut self, cx: &mut Cx<'_>, from: &Upid, connected: bool) {
        if !connected && self.state.phase == Phase::Running {
            cx.note("Master marked the agent as disconnected but the agent considers itself registered");
            self.redetect(cx);
        }
        self.expect_ping(cx);
        self.send(cx, from, &PongAgentMessage::default());
    }

    fn expect_ping(&mut self, cx: &mut Cx<'_>) {
        self.registration.ping += 1;
        let at = cx.now.monotonic + self.registration.ping_timeout;
        self.timers.set(at, Timer::Ping { ping: self.registration.ping });
    }

    pub(crate) fn ping_timer(&mut self, cx: &mut Cx<'_>, ping: u64) {
        if ping == self.registration.ping {
            let timeout = tepui_base::duration::format(self.registration.ping_timeout);
            cx.note(format!("No pings from master received within {timeout}"));
            self.redetect(cx);
        }
    }

    /// Registers anew with whoever leads now, even if that is the same master.
    fn redetect(&mut self, cx: &mut Cx<'_>) {
        self.detected(cx, None);
        cx.push(Effect::Redetect);
    }

    pub(crate) fn exited(&mut self, cx: &mut Cx<'_>, pid: &Upid) {
        // What to do about a lost master is the detector's to say; about a lost executor, the containerizer's.
        if self.state.master.as_ref() == Some(pid) {
            cx.note("Master disconnected! Waiting for a new master to be elected");
        }
    }
}

/// Masters get resources in the form from before refined reservations where that can say it, so that those older than
/// 1.4 understand; what it can not say stays as it is.
fn downgrade(resources: &mut [Resource]) {
    let _ = format::downgrade_all(resources);
}

/// What this agent tells masters it can do, and no more: a master sends operations, drain orders and task limits only
/// to agents that say they take them.
pub(crate) fn capabilities() -> Vec<Capability> {
    use tepui_proto::mesos::agent_info::capability::Type;
    let of = |kind| Capability { r#type: Some(kind), ..Capability::default() };
    vec![of(Type::MULTI_ROLE), of(Type::HIERARCHICAL_ROLE), of(Type::RESERVATION_REFINEMENT)]
}
