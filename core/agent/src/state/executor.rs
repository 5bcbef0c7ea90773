//! An executor: one run of it, in one container.

use super::task;
use imbl::OrdMap;
use std::collections::VecDeque;
use std::sync::Arc;
use tepui_base::{ContainerId, ExecutorId, FrameworkId, TaskId};
use tepui_proto::ContentType;
use tepui_proto::mesos::containerizer::ContainerTermination;
use tepui_proto::mesos::task_status::Source;
use tepui_proto::mesos::{ExecutorInfo, Resource, Task, TaskGroupInfo, TaskInfo, TaskStatus};
use tepui_resources::Resources;
use tepui_wire::{RequestId, Upid};

/// How many completed tasks of an executor are remembered (`MAX_COMPLETED_TASKS_PER_EXECUTOR`).
pub const MAX_COMPLETED_TASKS: usize = 200;

/// Where an executor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Launched, not registered yet.
    Registering,
    /// Registered.
    Running,
    /// Told to leave, or being destroyed.
    Terminating,
    /// Its container is gone; it stays until all updates of its tasks are acknowledged.
    Terminated,
}

/// How an executor is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Connection {
    /// Not at all, yet or any more.
    None,
    /// V0: libprocess messages.
    Libprocess(Upid),
    /// V1: events on the stream it subscribed with.
    Http {
        /// The stream.
        stream: RequestId,
        /// The form of the events.
        content_type: ContentType,
    },
}

/// A task that has not been sent to its executor.
#[derive(Clone, Debug)]
pub struct Queued {
    /// The task.
    pub task: Arc<TaskInfo>,
    /// The group it is to be launched with, shared by all its members.
    pub group: Option<Arc<TaskGroupInfo>>,
    /// It waits for the answer to this update of the container's resources; none is asked for before registration.
    pub after: u64,
}

/// One run of an executor.
#[derive(Clone, Debug)]
pub struct Executor {
    /// Its id, unique within the framework.
    pub id: ExecutorId,
    /// Its framework.
    pub framework: FrameworkId,
    /// Its description: the framework's, or made by the agent for a command task.
    pub info: Arc<ExecutorInfo>,
    /// Whether the agent made it for a command task: the master then knows nothing of it.
    pub generated_for_command_task: bool,
    /// Its container.
    pub container: ContainerId,
    /// Its sandbox on the host.
    pub directory: String,
    /// The user it runs as, if switched.
    pub user: Option<String>,
    /// Where it stands.
    pub phase: Phase,
    /// How it is reached.
    pub connection: Connection,
    /// The first process of its container, once launched.
    pub pid: Option<u32>,
    /// Tasks not sent to it, in order of arrival.
    pub queued: Vec<Queued>,
    /// Tasks sent to it.
    pub launched: OrdMap<TaskId, Arc<Task>>,
    /// Tasks in a terminal state whose updates are not all acknowledged.
    pub terminated: OrdMap<TaskId, Arc<Task>>,
    /// Tasks done with, oldest first.
    pub completed: VecDeque<Arc<Task>>,
    /// What the agent knows about the cause of an end it brought about.
    pub pending_termination: Option<ContainerTermination>,
    /// The number of the last update of the container's resources.
    pub container_updates: u64,
}

impl Executor {
    /// Whether a task is queued, launched, or terminated but not acknowledged.
    pub fn has_task(&self, id: &TaskId) -> bool {
        self.is_queued(id) || self.launched.contains_key(id) || self.terminated.contains_key(id)
    }

    /// Whether a task waits to be sent.
    pub fn is_queued(&self, id: &TaskId) -> bool {
        self.queued.iter().any(|queued| task::id_of(&queued.task) == id.as_str())
    }

    /// The queued tasks that share the fate of this one: its group, or itself alone.
    pub fn queued_with(&self, id: &TaskId) -> (Vec<TaskId>, bool) {
        let group = self.queued.iter().find(|queued| task::id_of(&queued.task) == id.as_str());
        let Some(group) = group.and_then(|queued| queued.group.as_ref()) else {
            return (vec![id.clone()], false);
        };
        let members = group.tasks.iter().map(|task| TaskId::from(task::id_of(task))).collect();
        (members, true)
    }

    /// Whether tasks remain whose story is not over.
    pub fn has_incomplete_tasks(&self) -> bool {
        !(self.queued.is_empty() && self.launched.is_empty() && self.terminated.is_empty())
    }

    /// Whether a task ever reached the executor. One that never got a task, and has none queued, has nothing to do.
    pub fn ever_sent_task(&self) -> bool {
        let heard = |task: &Arc<Task>| task.statuses.iter().any(|s| s.source == Some(Source::SOURCE_EXECUTOR));
        !self.launched.is_empty() || self.terminated.values().any(heard) || self.completed.iter().any(heard)
    }

    /// What the executor and its live tasks may use, equal kinds summed.
    pub fn allocated(&self) -> Vec<Resource> {
        let queued = self.queued.iter().map(|queued| &queued.task.resources);
        let launched = self.launched.values().map(|task| &task.resources);
        sum(std::iter::once(&self.info.resources).chain(queued).chain(launched))
    }

    /// A queued task is about to be sent.
    pub fn launch(&mut self, task: &TaskInfo) {
        let id = TaskId::from(task::id_of(task));
        self.queued.retain(|queued| task::id_of(&queued.task) != id.as_str());
        let state = tepui_proto::mesos::TaskState::TASK_STAGING;
        self.launched.insert(id, Arc::new(task::record(task, state, &self.framework)));
    }

    /// Notes a status of one of its tasks, moving the task if the state is terminal. The error says why the status
    /// does not fit; it is then dropped.
    pub fn record_status(&mut self, status: &TaskStatus) -> Result<(), String> {
        let id = TaskId::from(status.task_id.value.as_str());
        let terminal = task::is_terminal(status.state);
        if let Some(at) = self.queued.iter().position(|queued| task::id_of(&queued.task) == id.as_str()) {
            if !terminal {
                return Err("Cannot send non-terminal update for queued task".to_owned());
            }
            let queued = self.queued.remove(at);
            let record = task::record(&queued.task, status.state, &self.framework);
            self.launched.insert(id.clone(), Arc::new(record));
        }
        let Some(record) = self.launched.get_mut(&id) else {
            return Err(match self.terminated.get(&id) {
                Some(task) => format!("Task is already terminated with state {:?}", task.state),
                None => "Task is unknown".to_owned(),
            });
        };
        task::push_status(Arc::make_mut(record), status);
        if terminal && let Some(record) = self.launched.remove(&id) {
            self.terminated.insert(id, record);
        }
        Ok(())
    }

    /// All updates of a terminated task are acknowledged.
    pub fn complete(&mut self, id: &TaskId) {
        let Some(task) = self.terminated.remove(id) else { return };
        self.completed.push_back(task);
        if self.completed.len() > MAX_COMPLETED_TASKS {
            self.completed.pop_front();
        }
    }
}

/// Resources of several owners as one list.
pub fn sum<'a>(lists: impl Iterator<Item = &'a Vec<Resource>>) -> Vec<Resource> {
    let all: Vec<Resource> = lists.flatten().cloned().collect();
    Resources::from_proto(&all).to_proto()
}
