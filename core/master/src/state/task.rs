//! A task as the master keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_base::{AgentId, ExecutorId, FrameworkId, TaskId};
pub use tepui_proto::is_terminal;
use tepui_proto::mesos::{
    self, CheckStatusInfo, ContainerInfo, ContainerStatus, DiscoveryInfo, HealthCheck, KillPolicy, Labels, TaskInfo,
    TaskState, TaskStatus, value,
};
use tepui_proto::{MessageField, ToProto};
use tepui_resources::{Resource, Resources, Role};

/// What few tasks have; shared between copies of the task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Labels.
    pub labels: MessageField<Labels>,
    /// Discovery information.
    pub discovery: MessageField<DiscoveryInfo>,
    /// Container.
    pub container: MessageField<ContainerInfo>,
    /// Health check.
    pub health_check: MessageField<HealthCheck>,
    /// Kill policy.
    pub kill_policy: MessageField<KillPolicy>,
    /// Resource limits.
    pub limits: BTreeMap<String, value::Scalar>,
}

/// A task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its id, chosen by the framework.
    pub id: TaskId,
    /// Its name.
    pub name: Arc<str>,
    /// Whose it is.
    pub framework: FrameworkId,
    /// The custom executor that runs it; none for a command task.
    pub executor: Option<ExecutorId>,
    /// Where it runs.
    pub agent: AgentId,
    /// The newest state known (`latest_state` of updates), which may be ahead of what the framework was told.
    pub state: TaskState,
    /// What it uses, allocated to a role.
    pub resources: Resources,
    /// The last status of each run of equal states, without `data`, oldest first: at most [`STATUSES_MAX`].
    pub statuses: Vec<Arc<TaskStatus>>,
    /// State and uuid of the last update forwarded to the framework that asks for an acknowledgement.
    pub forwarded: Option<(TaskState, [u8; 16])>,
    /// The user it runs as, if the command names one.
    pub user: Option<Arc<str>>,
    /// What few tasks have.
    pub details: Option<Arc<Details>>,
}

/// So many statuses of a task are kept, the first and the newest: executors may alternate between two states for ever. A
/// task goes through half a dozen.
pub const STATUSES_MAX: usize = 100;

/// Whether a task in this state holds its resources: neither final nor unreachable.
pub fn holds_resources(state: TaskState) -> bool {
    !is_terminal(state) && state != TaskState::TASK_UNREACHABLE
}

/// The first and the newest of what an agent reports.
fn kept_statuses(all: &[TaskStatus]) -> impl Iterator<Item = &TaskStatus> {
    let newest = all.len().saturating_sub(STATUSES_MAX - 1).max(1);
    all.iter().take(1).chain(all.iter().skip(newest))
}

/// The 16 bytes of a UUID, if it is one: of a version from 1 to 5, so that the nil UUID is none, as in Mesos.
pub fn uuid(bytes: Option<&[u8]>) -> Option<[u8; 16]> {
    let bytes: [u8; 16] = bytes?.try_into().ok()?;
    (1..=5).contains(&(bytes[6] >> 4)).then_some(bytes)
}

impl Task {
    /// A task that is being launched.
    pub fn staging(info: &TaskInfo, framework: &FrameworkId, resources: Resources) -> Task {
        let user = info.command.user.as_deref().or(info.executor.command.user.as_deref()).map(Arc::from);
        let details = Details {
            labels: info.labels.clone(),
            discovery: info.discovery.clone(),
            container: info.container.clone(),
            health_check: info.health_check.clone(),
            kill_policy: info.kill_policy.clone(),
            limits: info.limits.clone(),
        };
        Task {
            id: TaskId::from(&*info.task_id),
            name: Arc::from(info.name.as_str()),
            framework: framework.clone(),
            executor: info.executor.as_option().map(|executor| ExecutorId::from(&*executor.executor_id)),
            agent: AgentId::from(&*info.agent_id),
            state: TaskState::TASK_STAGING,
            resources,
            statuses: Vec::new(),
            forwarded: None,
            user,
            details: details.shared(),
        }
    }

    /// A task that an agent reports.
    pub fn reported(task: &mesos::Task, resources: Resources) -> Task {
        let details = Details {
            labels: task.labels.clone(),
            discovery: task.discovery.clone(),
            container: task.container.clone(),
            health_check: task.health_check.clone(),
            kill_policy: task.kill_policy.clone(),
            limits: task.limits.clone(),
        };
        let forwarded = task.status_update_state.zip(uuid(task.status_update_uuid.as_deref()));
        Task {
            id: TaskId::from(&*task.task_id),
            name: Arc::from(task.name.as_str()),
            framework: FrameworkId::from(&*task.framework_id),
            executor: task.executor_id.as_option().map(ExecutorId::from),
            agent: AgentId::from(&*task.agent_id),
            state: task.state,
            resources,
            statuses: kept_statuses(&task.statuses).cloned().map(Arc::new).collect(),
            forwarded,
            user: task.user.as_deref().map(Arc::from),
            details: details.shared(),
        }
    }

    /// The message of the operator API and of agents.
    pub fn to_proto(&self) -> mesos::Task {
        let details = self.details.as_deref().cloned().unwrap_or_default();
        mesos::Task {
            name: self.name.to_string(),
            task_id: self.id.to_field(),
            framework_id: self.framework.to_field(),
            executor_id: self.executor.as_ref().map_or_else(MessageField::none, ToProto::to_field),
            agent_id: self.agent.to_field(),
            state: self.state,
            resources: self.resources.to_proto(),
            statuses: self.statuses.iter().map(|status| (**status).clone()).collect(),
            status_update_state: self.forwarded.map(|(state, _)| state),
            status_update_uuid: self.forwarded.map(|(_, uuid)| uuid.to_vec()),
            labels: details.labels,
            discovery: details.discovery,
            container: details.container,
            health_check: details.health_check,
            kill_policy: details.kill_policy,
            user: self.user.as_deref().map(str::to_owned),
            limits: details.limits,
            ..Default::default()
        }
    }

    /// The state a framework is told when it asks: the last one forwarded, else the newest.
    pub fn told_state(&self) -> TaskState {
        self.forwarded.map_or(self.state, |(state, _)| state)
    }

    /// Whether operators are to hear of a status: its state is not that of the last one, or it tells of a check.
    pub fn is_news(&self, status: &TaskStatus) -> bool {
        use tepui_proto::mesos::task_status::Reason;
        let checks = [Reason::REASON_TASK_CHECK_STATUS_UPDATED, Reason::REASON_TASK_HEALTH_CHECK_STATUS_UPDATED];
        status.reason.is_some_and(|reason| checks.contains(&reason))
            || self.statuses.last().is_none_or(|last| last.state != status.state)
    }

    /// Keeps a status: it replaces the last one if that has the same state. Its `data` is not kept.
    pub fn add_status(&mut self, status: &TaskStatus) {
        let kept = Arc::new(TaskStatus { data: None, ..status.clone() });
        match self.statuses.last_mut() {
            Some(last) if last.state == status.state => *last = kept,
            _ => self.statuses.push(kept),
        }
        if self.statuses.len() > STATUSES_MAX {
            self.statuses.remove(1);
        }
    }

    /// Health in the last status.
    pub fn healthy(&self) -> Option<bool> {
        self.statuses.last().and_then(|status| status.healthy)
    }

    /// Result of the last check in the last status.
    pub fn check_status(&self) -> MessageField<CheckStatusInfo> {
        self.statuses.last().map_or_else(MessageField::none, |status| status.check_status.clone())
    }

    /// The newest container status known.
    pub fn container_status(&self) -> MessageField<ContainerStatus> {
        let with = self.statuses.iter().rev().find(|status| status.container_status.is_set());
        with.map_or_else(MessageField::none, |status| status.container_status.clone())
    }

    /// The role its resources are allocated to.
    pub fn role(&self) -> Option<&Role> {
        self.resources.iter().next().and_then(Resource::allocation_role)
    }
}

impl Details {
    fn shared(self) -> Option<Arc<Details>> {
        (self != Details::default()).then(|| Arc::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(number: usize) -> TaskStatus {
        let state = if number.is_multiple_of(2) { TaskState::TASK_RUNNING } else { TaskState::TASK_STARTING };
        TaskStatus { state, message: Some(number.to_string()), ..Default::default() }
    }

    fn texts(task: &Task) -> Vec<usize> {
        task.statuses.iter().map(|status| status.message.as_deref().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn the_first_and_the_newest_statuses_are_kept() {
        let mut task = Task::reported(&mesos::Task::default(), Resources::new());
        for count in [1, STATUSES_MAX, STATUSES_MAX + 1, 10 * STATUSES_MAX] {
            task.statuses.clear();
            (0..count).for_each(|number| task.add_status(&status(number)));
            let newest = count.saturating_sub(STATUSES_MAX - 1).max(1);
            let expected: Vec<usize> = std::iter::once(0).chain(newest..count).collect();
            assert_eq!(texts(&task), expected);
            let all = mesos::Task { statuses: (0..count).map(status).collect(), ..Default::default() };
            assert_eq!(texts(&Task::reported(&all, Resources::new())), expected);
        }
    }
}
