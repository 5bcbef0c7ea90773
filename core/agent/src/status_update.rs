//! A status of a task: checked, completed, recorded, sent on until acknowledged, and acknowledged to the executor.
//!
//! Order matters and follows `Slave::statusUpdate`: what is dropped for a framework that is unknown or leaving is not
//! acknowledged; what comes too late for its task is acknowledged, or the executor would send it for ever.

use crate::executor::events;
use crate::state::{Executor, Phase, executor, task};
use crate::{Agent, ContainerCommand, Cx, Effect};
use std::sync::Arc;
use tepui_base::{ExecutorId, FrameworkId, TaskId};
use tepui_proto::ids::ProtoId;
use tepui_proto::mesos::internal::{StatusUpdate, StatusUpdateAcknowledgementMessage, StatusUpdateMessage};
use tepui_proto::mesos::network_info::IPAddress;
use tepui_proto::mesos::task_status::{Reason, Source};
use tepui_proto::mesos::{ContainerStatus, NetworkInfo, TaskState, TaskStatus};
use tepui_proto::{MessageField, ToProto};
use tepui_wire::Upid;

/// Who made an update, and so who is told that it arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sender {
    /// The agent itself: nobody.
    Agent,
    /// A V0 executor: the address the update came from.
    Libprocess(Upid),
    /// A V1 executor: an event on its stream.
    Http,
}

/// What the agent itself has to say about a task.
pub(crate) struct Report<'a> {
    pub framework: &'a FrameworkId,
    pub task: &'a TaskId,
    pub executor: Option<&'a ExecutorId>,
    pub state: TaskState,
    pub reason: Reason,
    pub message: &'a str,
}

impl Agent {
    /// An update made by the agent.
    pub(crate) fn own_update(&mut self, cx: &Cx<'_>, report: &Report<'_>) -> StatusUpdate {
        let uuid = self.rng.uuid().to_vec();
        let timestamp = cx.now.wall.as_secs_f64();
        let status = TaskStatus {
            task_id: report.task.to_field(),
            agent_id: self.agent_id(),
            state: report.state,
            source: Some(Source::SOURCE_AGENT),
            reason: Some(report.reason),
            message: Some(report.message.to_owned()),
            timestamp: Some(timestamp),
            uuid: Some(uuid.clone()),
            ..TaskStatus::default()
        };
        StatusUpdate {
            framework_id: report.framework.to_field(),
            executor_id: report.executor.map_or_else(MessageField::none, ToProto::to_field),
            agent_id: self.agent_id(),
            status: MessageField::some(status),
            timestamp,
            uuid: Some(uuid),
            ..StatusUpdate::default()
        }
    }

    /// Makes an update and handles it like any other.
    pub(crate) fn report(&mut self, cx: &mut Cx<'_>, report: &Report<'_>) {
        let update = self.own_update(cx, report);
        self.status_update(cx, update, &Sender::Agent);
    }

    /// An update from the status of a V1 executor.
    pub(crate) fn update_of(&self, cx: &Cx<'_>, framework: &FrameworkId, status: TaskStatus) -> StatusUpdate {
        let mut update = StatusUpdate {
            framework_id: framework.to_field(),
            executor_id: status.executor_id.clone(),
            agent_id: self.agent_id(),
            timestamp: status.timestamp.unwrap_or_else(|| cx.now.wall.as_secs_f64()),
            uuid: status.uuid.clone(),
            status: MessageField::some(status),
            ..StatusUpdate::default()
        };
        if !update.status.agent_id.is_set() {
            let id = self.agent_id();
            update.status.get_or_insert_default().agent_id = id;
        }
        update
    }

    /// Handles an update, whoever made it.
    pub(crate) fn status_update(&mut self, cx: &mut Cx<'_>, mut update: StatusUpdate, sender: &Sender) {
        if !self.accept(&mut update, sender) {
            self.state.metrics.invalid_status_updates += 1;
            return;
        }
        self.decorate(&mut update);
        let framework = update.framework_id.id();
        let task = update.status.task_id.id();
        let owner = self.state.framework(&framework).and_then(|framework| framework.executor_of(&task));
        let Some(owner) = owner.cloned() else {
            // The agent itself, or an executor for a task that is another's or long done: passed on all the same.
            self.state.metrics.valid_status_updates += 1;
            self.retain(cx, update.clone());
            self.acknowledge_executor(cx, None, &update, sender);
            return;
        };
        if *sender != Sender::Agent && update.status.state == TaskState::TASK_STAGING {
            self.shutdown_executor(cx, &framework, &owner.id);
            return;
        }
        self.state.metrics.valid_status_updates += 1;
        if *sender != Sender::Agent || !is_unlaunched(&owner, &task, update.status.state) {
            self.add_container_status(&owner, &mut update);
        }
        if self.record(cx, &framework, &owner.id, &update.status).is_ok() {
            self.retain(cx, update.clone());
        }
        self.acknowledge_executor(cx, Some(&owner), &update, sender);
    }

    /// Fills in what the agent vouches for; false if the update must be dropped.
    fn accept(&self, update: &mut StatusUpdate, sender: &Sender) -> bool {
        let own = self.state.id.as_ref().map_or("", |id| id.as_str());
        let Some(uuid) = update.uuid.clone() else { return false };
        if update.agent_id.value != own || update.status.agent_id.value != own {
            return false;
        }
        let executor = update.executor_id.clone();
        let status = update.status.get_or_insert_default();
        status.uuid = Some(uuid);
        status.source = Some(if *sender == Sender::Agent { Source::SOURCE_AGENT } else { Source::SOURCE_EXECUTOR });
        if executor.is_set() {
            status.executor_id = executor;
        }
        // A framework that is leaving can not acknowledge.
        self.state.framework(&update.framework_id.id()).is_some_and(|framework| !framework.terminating)
    }

    /// Modules may set labels and container status, and nothing else.
    fn decorate(&self, update: &mut StatusUpdate) {
        let Some(wanted) = self.hooks.agent_task_status(&update.framework_id.value, &update.status) else { return };
        let status = update.status.get_or_insert_default();
        if wanted.labels.is_set() {
            status.labels = wanted.labels;
        }
        if wanted.container_status.is_set() {
            status.container_status = wanted.container_status;
        }
    }

    /// Adds which container the task is in, on what address. Nothing if the container is gone or is a nested one.
    fn add_container_status(&self, executor: &Executor, update: &mut StatusUpdate) {
        let named = update.status.container_status.container_id.as_option();
        let is_other = named.is_some_and(|id| id.value != executor.container.as_str() || id.parent.is_set());
        if executor.phase == executor::Phase::Terminated || is_other {
            return;
        }
        let status: &mut ContainerStatus =
            update.status.get_or_insert_default().container_status.get_or_insert_default();
        status.container_id = executor.container.to_field();
        status.executor_pid = executor.pid;
        if status.network_infos.is_empty() {
            let ip_address = Some(self.config.pid.ip.to_string());
            let address = IPAddress { ip_address, ..IPAddress::default() };
            status.network_infos.push(NetworkInfo { ip_addresses: vec![address], ..NetworkInfo::default() });
        }
    }

    /// Notes the status on the task. A task that ended gives its resources back to its container.
    fn record(
        &mut self,
        cx: &mut Cx<'_>,
        framework: &FrameworkId,
        id: &ExecutorId,
        status: &TaskStatus,
    ) -> Result<(), String> {
        let Some(executor) = self.state.executor_mut(framework, id) else { return Err("Unknown executor".into()) };
        executor.record_status(status)?;
        if task::is_terminal(status.state) {
            if executor.phase == executor::Phase::Running {
                executor.container_updates += 1;
                cx.push(Effect::Container(ContainerCommand::Update {
                    id: executor.container.clone(),
                    sequence: executor.container_updates,
                    resources: executor.allocated(),
                }));
            }
            self.state.metrics.count_terminal(status.state);
        }
        Ok(())
    }

    /// Keeps an update until the scheduler has acknowledged it, and sends it if it is its turn.
    pub(crate) fn retain(&mut self, cx: &mut Cx<'_>, update: StatusUpdate) {
        if let Some(update) = self.streams.update(cx.now.monotonic, update) {
            self.forward(cx, update);
        }
    }

    /// Sends an update to the master, with the task's latest state so that its resources are free at once.
    pub(crate) fn forward(&mut self, cx: &mut Cx<'_>, mut update: StatusUpdate) {
        if self.state.phase != Phase::Running {
            return;
        }
        let (framework, task) = (update.framework_id.id(), update.status.task_id.id());
        let owner = self.state.framework(&framework).and_then(|framework| framework.executor_of(&task));
        if let Some(owner) = owner.map(|executor| executor.id.clone())
            && let Some(executor) = self.state.executor_mut(&framework, &owner)
        {
            let places = [&mut executor.launched, &mut executor.terminated];
            if let Some(record) = places.into_iter().find_map(|place| place.get_mut(&task)) {
                let record = Arc::make_mut(record);
                record.status_update_state = Some(update.status.state);
                record.status_update_uuid.clone_from(&update.uuid);
                update.latest_state = Some(record.state);
            }
        }
        let pid = Some(self.config.pid.to_string());
        let message = StatusUpdateMessage { update: MessageField::some(update), pid, ..StatusUpdateMessage::default() };
        self.send_to_master(cx, &message);
    }

    /// Tells the executor that the agent answers for the update from now on.
    fn acknowledge_executor(
        &mut self,
        cx: &mut Cx<'_>,
        executor: Option<&Executor>,
        update: &StatusUpdate,
        sender: &Sender,
    ) {
        let uuid = update.uuid.clone().unwrap_or_default();
        match (sender, executor) {
            (Sender::Agent, _) | (Sender::Http, None) => {}
            (Sender::Libprocess(pid), _) => {
                let message = StatusUpdateAcknowledgementMessage {
                    agent_id: update.agent_id.clone(),
                    framework_id: update.framework_id.clone(),
                    task_id: update.status.task_id.clone(),
                    uuid,
                    ..StatusUpdateAcknowledgementMessage::default()
                };
                self.send(cx, pid, &message);
            }
            (Sender::Http, Some(executor)) => {
                let event = events::acknowledged(update.status.task_id.clone(), uuid);
                self.send_event(cx, executor, event);
            }
        }
    }

    /// The scheduler has seen an update.
    pub(crate) fn acknowledged(&mut self, cx: &mut Cx<'_>, from: &Upid, message: &StatusUpdateAcknowledgementMessage) {
        // Schedulers older than 0.20 acknowledge directly; a master must be the leading one.
        let of_master = from.id.starts_with("master");
        if of_master && (self.state.phase != Phase::Running || self.state.master.as_ref() != Some(from)) {
            return;
        }
        let (framework, task) = (message.framework_id.id(), message.task_id.id());
        let outcome = self.streams.acknowledge(cx.now.monotonic, &framework, &task, &message.uuid);
        let Ok((ended, next)) = outcome else { return };
        if let Some(update) = next {
            self.forward(cx, update);
        }
        let owner = self.state.framework(&framework).and_then(|framework| framework.executor_of(&task));
        let Some(owner) = owner.map(|executor| executor.id.clone()) else {
            // A task that was dropped; its framework may have been kept for the sake of this.
            return self.remove_framework_if_done(cx, &framework);
        };
        let Some(executor) = self.state.executor_mut(&framework, &owner) else { return };
        if ended {
            executor.complete(&task);
        }
        if executor.phase == executor::Phase::Terminated && !executor.has_incomplete_tasks() {
            self.remove_executor(cx, &framework, &owner);
        }
        self.remove_framework_if_done(cx, &framework);
    }
}

/// Whether the agent ends a task that never reached its executor: there is then no container to speak of.
fn is_unlaunched(executor: &Executor, task: &TaskId, state: TaskState) -> bool {
    let is_dropped = matches!(state, TaskState::TASK_DROPPED | TaskState::TASK_LOST);
    executor.is_queued(task) || (is_dropped && executor.launched.contains_key(task))
}
