//! Forgetting executors and frameworks whose story is over, keeping a bounded memory of them for readers.

use crate::state::Phase;
use crate::{Agent, Cx, Effect};
use std::sync::Arc;
use tepui_base::{ExecutorId, FrameworkId};

impl Agent {
    /// Removes a terminated executor. Its sandbox stays, and stays readable.
    pub(crate) fn remove_executor(&mut self, cx: &mut Cx<'_>, framework: &FrameworkId, id: &ExecutorId) {
        let limit = self.config.max_completed_executors_per_framework;
        let Some(of) = self.state.framework_mut(framework) else { return };
        let Some(executor) = of.executors.remove(id) else { return };
        cx.note(format!("Cleaning up executor '{id}' of framework {framework}"));
        self.containers.remove(&executor.container);
        self.hooks.agent_remove_executor(&of.info, &executor.info);
        of.complete(executor, limit);
    }

    /// Removes a framework without executors. Updates that still wait are dropped with it.
    pub(crate) fn remove_framework_if_idle(&mut self, cx: &mut Cx<'_>, id: &FrameworkId) {
        if !self.state.framework(id).is_some_and(|framework| framework.executors.is_empty()) {
            return;
        }
        self.streams.forget(id);
        if let Some(framework) = self.state.frameworks.remove(id) {
            cx.note(format!("Cleaning up framework {id}"));
            self.state.complete(Arc::clone(&framework));
        }
        self.exit_if_done(cx);
    }

    /// Removes a framework without executors once it has acknowledged everything. Mesos drops what is left.
    pub(crate) fn remove_framework_if_done(&mut self, cx: &mut Cx<'_>, id: &FrameworkId) {
        let is_idle = self.state.framework(id).is_some_and(|framework| framework.executors.is_empty());
        if is_idle && !self.streams.has_any(id) {
            self.remove_framework_if_idle(cx, id);
        }
    }

    /// Leaves once told to and once nothing is left to shut down.
    pub(crate) fn exit_if_done(&mut self, cx: &mut Cx<'_>) {
        if self.state.phase == Phase::Terminating && self.state.frameworks.is_empty() {
            cx.push(Effect::Exit("All executors have terminated".to_owned()));
        }
    }
}
