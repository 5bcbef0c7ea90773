//! Executors that do not register, or do not leave, in time.

use crate::state::executor::Phase;
use crate::{Agent, ContainerCommand, Cx, Effect};
use tepui_base::ContainerId;
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::containerizer::ContainerTermination;
use tepui_proto::mesos::task_status::Reason;

impl Agent {
    /// The executor in this container has not registered: it never will.
    pub(crate) fn registration_timeout(&mut self, cx: &mut Cx<'_>, container: &ContainerId) {
        let text = tepui_base::duration::format(self.config.executor_registration_timeout);
        let Some((framework, id)) = self.containers.get(container) else { return };
        if self.state.framework(framework).is_none_or(|framework| framework.terminating) {
            return;
        }
        let Some(executor) = self.state.executor_mut(framework, id) else { return };
        if executor.phase != Phase::Registering {
            return;
        }
        executor.phase = Phase::Terminating;
        executor.pending_termination = Some(ContainerTermination {
            state: Some(TaskState::TASK_FAILED),
            reason: Some(Reason::REASON_EXECUTOR_REGISTRATION_TIMEOUT),
            message: Some(format!("Executor did not register within {text}")),
            ..ContainerTermination::default()
        });
        cx.note(format!("Terminating executor '{id}' of framework {framework}: it did not register within {text}"));
        cx.push(Effect::Container(ContainerCommand::Destroy(container.clone())));
    }

    /// The executor in this container was told to leave and is still there.
    pub(crate) fn shutdown_timeout(&mut self, cx: &mut Cx<'_>, container: &ContainerId) {
        let Some((framework, id)) = self.containers.get(container) else { return };
        let Some(executor) = self.state.executor(framework, id) else { return };
        if executor.phase == Phase::Terminating {
            cx.note(format!("Killing executor '{id}' of framework {framework}"));
            cx.push(Effect::Container(ContainerCommand::Destroy(container.clone())));
        }
    }
}
