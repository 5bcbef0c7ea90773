//! What happens to a task whoever caused it: forwarding, state changes, giving resources back, the end.

use crate::Master;
use crate::cx::Cx;
use crate::event::Event;
use crate::state::task::{holds_resources, is_terminal, uuid};
use crate::state::{Executor, Shown, Task};
use crate::subscribers::Change;
use std::sync::Arc;
use std::time::Duration;
use tepui_allocator::Input;
use tepui_base::{AgentId, ExecutorId, FrameworkId, TaskId};
use tepui_proto::ProtoId;
use tepui_proto::mesos::internal::StatusUpdate;
use tepui_proto::mesos::task_status::Source;
use tepui_resources::Resources;

/// How resources that are free again had been held.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Freed {
    /// By a task or executor.
    Used,
    /// By an offer; not to be offered to the same framework again for that long.
    Offered {
        /// `None`: at once.
        refuse: Option<Duration>,
    },
}

impl Master {
    /// A task exists from now on, on its agent and for its framework.
    pub(crate) fn add_task(&mut self, cx: &mut Cx, task: Task) {
        let (owner, id) = (task.framework.clone(), task.id.clone());
        let key = (owner.clone(), id.clone());
        let holds = holds_resources(task.state);
        let agent = self.state.agent_mut(&task.agent).expect("a task's agent is registered");
        assert!(agent.tasks.insert(key).is_none(), "a task is added once");
        if holds {
            agent.add_used(&task.framework, &task.resources);
        }
        let framework = self.state.framework_mut(&task.framework).expect("a task's framework is registered");
        if holds {
            framework.used += &task.resources;
        }
        framework.tasks.insert(task.id.clone(), Shown::new(task));
        self.publish(cx, Change::TaskAdded(&owner, &id));
    }

    /// An executor exists from now on.
    pub(crate) fn add_executor(&mut self, owner: &FrameworkId, on: &AgentId, id: ExecutorId, executor: Executor) {
        let agent = self.state.agent_mut(on).expect("an executor's agent is registered");
        assert!(agent.executors.insert((owner.clone(), id.clone())).is_none(), "an executor is added once");
        agent.add_used(owner, &executor.resources);
        let framework = self.state.framework_mut(owner).expect("an executor's framework is registered");
        framework.used += &executor.resources;
        framework.executors.insert((on.clone(), id), executor);
    }

    /// Sends an update to a connected framework. One with a uuid is remembered as the one to be acknowledged.
    pub(crate) fn forward(&mut self, cx: &mut Cx, to: &FrameworkId, update: StatusUpdate, acknowledge_to: &str) {
        let status_uuid = uuid(update.status.uuid.as_deref());
        if update.uuid.is_some()
            && let Some(status_uuid) = status_uuid
            && let Some(framework) = self.state.framework_mut(to)
            && let Some(task) = framework.tasks.get_mut(&update.status.task_id.id())
            // Another agent may run a task of the same id that this master does not know.
            && update.agent_id.as_option().is_none_or(|agent| agent.id() == task.agent)
        {
            Arc::make_mut(task).forwarded = Some((update.status.state, status_uuid));
        }
        self.tell(cx, to, Event::Update(Box::new(update), Some(acknowledge_to.to_owned())));
    }

    /// Brings a task to the newest state an update tells of. A terminal state stays; the first one frees what the task
    /// holds.
    pub(crate) fn update_task(&mut self, cx: &mut Cx, owner: &FrameworkId, id: &TaskId, update: &StatusUpdate) {
        let Some(framework) = self.state.framework_mut(owner) else { return };
        let Some(task) = framework.tasks.get_mut(id).map(Arc::make_mut) else { return };
        let (before, after) = (task.state, update.latest_state.unwrap_or(update.status.state));
        let is_news = task.is_news(&update.status);
        task.add_status(&update.status);
        // An executor that says UNREACHABLE has given the resources back; only an end can follow.
        if holds_resources(before) || (!is_terminal(before) && is_terminal(after)) {
            task.state = after;
            if before != after && is_terminal(after) {
                framework.metrics.terminal[after as usize] += 1;
            }
        }
        let state = task.state;
        if is_news {
            self.publish(cx, Change::TaskUpdated(owner, state, &update.status));
        }
        if !holds_resources(before) || holds_resources(after) {
            return;
        }
        let task = &self.state.frameworks[owner].tasks[id];
        let (agent, resources) = (task.agent.clone(), task.resources.clone());
        self.release(cx, owner, &agent, &resources);
        self.state.metrics.count_terminal(after);
        if let Some(reason) = update.status.reason {
            let source = update.status.source.unwrap_or(Source::SOURCE_MASTER);
            self.state.metrics.count_transition(update.status.state, source, reason);
        }
    }

    /// Ends a task's life on its agent; it goes to the unreachable or the completed ones.
    pub(crate) fn remove_task(&mut self, cx: &mut Cx, owner: &FrameworkId, id: &TaskId, unreachable: bool) {
        let framework = self.state.framework_mut(owner).expect("a task's framework is registered");
        let task = framework.tasks.remove(id).expect("a removed task is known");
        assert!(!(unreachable && holds_resources(task.state)), "an unreachable task holds nothing");
        if holds_resources(task.state) {
            self.release(cx, owner, &task.agent, &task.resources);
        }
        let key = (owner.clone(), id.clone());
        if let Some(agent) = self.state.agent_mut(&task.agent) {
            agent.tasks.remove(&key);
            agent.killed.remove(&key);
        }
        if unreachable {
            self.known.unreachable_tasks.entry(task.agent.clone()).or_default().push(key);
        }
        let config = self.config.clone();
        let framework = self.state.framework_mut(owner).expect("it was there a moment ago");
        if unreachable {
            framework.add_unreachable(task, config.max_unreachable_tasks_per_framework);
        } else {
            framework.add_completed(task, config.max_completed_tasks_per_framework);
        }
    }

    /// Ends an executor's life.
    pub(crate) fn remove_executor(&mut self, cx: &mut Cx, owner: &FrameworkId, on: &AgentId, id: &ExecutorId) {
        let Some(framework) = self.state.framework_mut(owner) else { return };
        let Some(executor) = framework.executors.remove(&(on.clone(), id.clone())) else { return };
        if let Some(agent) = self.state.agent_mut(on) {
            agent.executors.remove(&(owner.clone(), id.clone()));
        }
        self.release(cx, owner, on, &executor.resources);
    }

    /// Used resources are free again.
    fn release(&mut self, cx: &mut Cx, owner: &FrameworkId, on: &AgentId, resources: &Resources) {
        self.recover(cx, owner, on, resources.clone(), Freed::Used);
        if let Some(agent) = self.state.agent_mut(on) {
            agent.remove_used(owner, resources);
        }
        if let Some(framework) = self.state.framework_mut(owner) {
            framework.used -= resources;
        }
    }

    /// Gives resources back to the allocator.
    pub(crate) fn recover(
        &mut self,
        cx: &mut Cx,
        from: &FrameworkId,
        on: &AgentId,
        resources: Resources,
        freed: Freed,
    ) {
        let (Some(framework), Some(agent)) = (self.state.frameworks.get(from), self.state.agents.get(on)) else {
            return;
        };
        if !resources.is_empty() {
            let (framework, agent) = (framework.key, agent.key);
            let (refuse, allocated) = match freed {
                Freed::Used => (None, true),
                Freed::Offered { refuse } => (refuse, false),
            };
            cx.allocator(Input::Recover { framework, agent, resources, refuse, allocated });
        }
    }
}
