//! Tasks between the master and their executor. They are sent once the executor has registered and its container has
//! been given their resources.

use super::Assignment;
use crate::executor::events;
use crate::state::{Queued, executor, task};
use crate::{Agent, ContainerCommand, Cx, Effect};
use std::sync::Arc;
use tepui_base::{ExecutorId, FrameworkId};

impl Agent {
    /// Queues tasks for an executor that registers or runs.
    pub(crate) fn queue(&mut self, cx: &mut Cx<'_>, assignment: &Assignment) {
        let (framework, id) = (assignment.framework_id(), assignment.executor_id());
        let Some(executor) = self.state.executor_mut(&framework, &id) else { return };
        // Those queued before registration wait for the update that registration brings.
        let after = executor.container_updates + 1;
        executor.queued.extend(assignment.tasks.iter().map(|task| Queued {
            task: Arc::new(task.clone()),
            group: assignment.group.clone(),
            after,
        }));
        if executor.phase == executor::Phase::Running {
            self.update_container(cx, &framework, &id);
        }
    }

    /// Gives the container the resources of all tasks of its executor; its answer releases what is queued.
    pub(crate) fn update_container(&mut self, cx: &mut Cx<'_>, framework: &FrameworkId, id: &ExecutorId) {
        let Some(executor) = self.state.executor_mut(framework, id) else { return };
        executor.container_updates += 1;
        cx.push(Effect::Container(ContainerCommand::Update {
            id: executor.container.clone(),
            sequence: executor.container_updates,
            resources: executor.allocated(),
        }));
    }

    /// Sends what waited for this or an earlier update of the container.
    pub(crate) fn deliver(&mut self, cx: &mut Cx<'_>, framework: &FrameworkId, id: &ExecutorId, sequence: u64) {
        if self.state.framework(framework).is_none_or(|framework| framework.terminating) {
            return;
        }
        let Some(executor) = self.state.executor_mut(framework, id) else { return };
        if executor.phase != executor::Phase::Running {
            return;
        }
        let mut due: Vec<Queued> = executor.queued.iter().filter(|queued| queued.after <= sequence).cloned().collect();
        // Tasks by themselves go first, as in Mesos.
        due.sort_by_key(|queued| queued.group.is_some());
        due.iter().for_each(|queued| executor.launch(&queued.task));
        let executor = executor.clone();
        let mut sent = None;
        for queued in due {
            match &queued.group {
                None => self.send_event(cx, &executor, events::launch((*queued.task).clone())),
                // The first of a group takes the others along.
                Some(group) if sent.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, group)) => {}
                Some(group) => {
                    self.send_event(cx, &executor, events::launch_group((**group).clone()));
                    sent = Some(Arc::clone(group));
                }
            }
        }
    }
}

/// The ids of queued tasks, in order.
pub(crate) fn queued_ids(executor: &crate::state::Executor) -> Vec<tepui_base::TaskId> {
    executor.queued.iter().map(|queued| task::id_of(&queued.task).into()).collect()
}
