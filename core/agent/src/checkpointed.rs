//! Dynamic reservations and persistent volumes. Operations are made by the master, which tells agents like this one
//! what has come of them (`CheckpointResourcesMessage`); the agent tells the next master.
//!
//! They are kept for as long as the process lives: an agent that starts anew is a new agent yet. A volume is no
//! directory yet, so that a task that wants one is refused.

use crate::run::Assignment;
use crate::{Agent, Cx};
use std::sync::Arc;
use tepui_proto::mesos::Resource;
use tepui_proto::mesos::internal::CheckpointResourcesMessage;
use tepui_resources::Resources;
use tepui_wire::Upid;

/// What of the agent's resources is reserved by operations, or a volume.
#[derive(Clone, Debug, Default)]
pub struct Checkpointed {
    /// Only that.
    pub resources: Resources,
    /// All resources of the agent with that laid over them; none if there is nothing of it.
    total: Option<Arc<[Resource]>>,
}

impl Checkpointed {
    /// All resources of an agent whose flags tell of `flags`.
    pub fn total<'a>(&'a self, flags: &'a [Resource]) -> &'a [Resource] {
        self.total.as_deref().unwrap_or(flags)
    }
}

impl Agent {
    /// The master knows what is reserved. What does not fit can only be a mistake and changes nothing.
    pub(crate) fn checkpoint_resources(&mut self, cx: &mut Cx<'_>, from: &Upid, message: &CheckpointResourcesMessage) {
        let resources = Resources::from_proto(&message.resources);
        if self.state.master.as_ref() != Some(from) || resources == self.state.checkpointed.resources {
            return;
        }
        match Resources::from_proto(&self.config.resources).with_checkpointed(&resources) {
            Err(error) => cx.note(format!("Ignoring checkpointed resources: {error}")),
            Ok(total) => {
                let before = &self.state.checkpointed.resources;
                cx.note(format!("Updated checkpointed resources from {before} to {resources}"));
                let total = (!resources.is_empty()).then(|| total.to_proto().into());
                self.state.checkpointed = Checkpointed { resources, total };
            }
        }
    }

    /// What of an assignment's reservations and volumes is not here. The master's word of them may still be on its way.
    pub(crate) fn unknown_resources(&self, assignment: &Assignment) -> Option<&'static str> {
        let of_tasks = assignment.tasks.iter().flat_map(|task| &task.resources);
        if !self.knows_all(of_tasks) {
            return Some("The checkpointed resources being used by the task or task group are unknown to the agent");
        }
        if !self.knows_all(&assignment.executor.resources) {
            return Some("The checkpointed resources being used by the executor are unknown to the agent");
        }
        let mut all = assignment.tasks.iter().flat_map(|task| &task.resources).chain(&assignment.executor.resources);
        let wants_volume = all.any(|resource| resource.disk.as_option().is_some_and(|disk| disk.persistence.is_set()));
        wants_volume.then_some("Persistent volumes are not mounted by this agent yet")
    }

    fn knows_all<'a>(&self, resources: impl IntoIterator<Item = &'a Resource>) -> bool {
        let mut used = resources.into_iter().filter_map(|one| tepui_resources::Resource::from_proto(one).ok());
        used.all(|one| {
            !one.needs_checkpointing() || self.state.checkpointed.resources.contains_one(&one.with_allocation(None))
        })
    }
}
