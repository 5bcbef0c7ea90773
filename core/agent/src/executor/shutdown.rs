//! Telling executors to leave: one of them, or all of a framework.

use super::events;
use crate::environment;
use crate::state::{self, executor::Phase};
use crate::timers::Timer;
use crate::{Agent, Cx};
use tepui_base::{ExecutorId, FrameworkId};
use tepui_proto::ids::ProtoId;
use tepui_proto::mesos::internal::{ShutdownExecutorMessage, ShutdownFrameworkMessage};
use tepui_wire::Upid;

impl Agent {
    pub(crate) fn shutdown_executor_message(
        &mut self,
        cx: &mut Cx<'_>,
        from: &Upid,
        message: &ShutdownExecutorMessage,
    ) {
        if self.state.master.as_ref() != Some(from) || self.state.phase == state::Phase::Disconnected {
            return;
        }
        let framework = message.framework_id.id();
        if self.state.framework(&framework).is_some_and(|framework| !framework.terminating) {
            self.shutdown_executor(cx, &framework, &message.executor_id.id());
        }
    }

    pub(crate) fn shutdown_framework_message(
        &mut self,
        cx: &mut Cx<'_>,
        from: &Upid,
        message: &ShutdownFrameworkMessage,
    ) {
        if self.state.master.as_ref() == Some(from) && self.state.phase != state::Phase::Disconnected {
            self.shut_framework_down(cx, &message.framework_id.id());
        }
    }

    /// The framework is gone for good: its executors leave, and nothing is reported about its tasks any more.
    pub(crate) fn shut_framework_down(&mut self, cx: &mut Cx<'_>, id: &FrameworkId) {
        let Some(framework) = self.state.framework_mut(id).filter(|framework| !framework.terminating) else { return };
        framework.terminating = true;
        let executors: Vec<_> = framework.executors.iter().map(|(id, executor)| (id.clone(), executor.phase)).collect();
        cx.note(format!("Shutting down framework {id}"));
        for (executor, phase) in executors {
            match phase {
                Phase::Registering | Phase::Running => self.shutdown_executor(cx, id, &executor),
                Phase::Terminating => {}
                // It only waited for acknowledgements, which will not come.
                Phase::Terminated => self.remove_executor(cx, id, &executor),
            }
        }
        self.remove_framework_if_idle(cx, id);
    }

    /// Tells an executor to leave, and destroys its container if it has not after its grace period.
    pub(crate) fn shutdown_executor(&mut self, cx: &mut Cx<'_>, framework: &FrameworkId, id: &ExecutorId) {
        let Some(executor) = self.state.executor_mut(framework, id) else { return };
        if matches!(executor.phase, Phase::Terminating | Phase::Terminated) {
            return;
        }
        executor.phase = Phase::Terminating;
        let executor = executor.clone();
        cx.note(format!("Shutting down executor '{id}' of framework {framework}"));
        self.send_event(cx, &executor, events::shutdown());
        let grace = environment::shutdown_grace(&self.config, &executor);
        self.timers.set(cx.now.monotonic + grace, Timer::ExecutorShutdown(executor.container));
    }
}
