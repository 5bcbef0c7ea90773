//! Messages between schedulers and executors: carried once, without promise.

use crate::executor::events;
use crate::state::{Phase, executor};
use crate::{Agent, Cx};
use tepui_proto::ids::ProtoId;
use tepui_proto::mesos::internal::{ExecutorToFrameworkMessage, FrameworkToExecutorMessage, UpdateFrameworkMessage};
use tepui_wire::Upid;

impl Agent {
    /// From a scheduler (directly, or through the master) to an executor that runs.
    pub(crate) fn message_to_executor(&mut self, cx: &mut Cx<'_>, message: FrameworkToExecutorMessage) {
        let (framework, id) = (message.framework_id.id(), message.executor_id.id());
        let of = self.state.framework(&framework).filter(|framework| !framework.terminating);
        let executor = of.and_then(|framework| framework.executors.get(&id));
        let executor = executor.filter(|executor| executor.phase == executor::Phase::Running).cloned();
        match executor {
            Some(executor) if self.state.phase == Phase::Running => {
                self.send_event(cx, &executor, events::message(message.data));
                self.state.metrics.valid_framework_messages += 1;
            }
            _ => self.state.metrics.invalid_framework_messages += 1,
        }
    }

    /// From an executor to its scheduler: directly to a V0 driver, else through the master.
    pub(crate) fn message_to_framework(&mut self, cx: &mut Cx<'_>, message: &ExecutorToFrameworkMessage) {
        let framework = message.framework_id.id();
        let of = self.state.framework(&framework).filter(|framework| !framework.terminating);
        let Some(of) = of.filter(|_| self.state.phase == Phase::Running) else {
            self.state.metrics.invalid_framework_messages += 1;
            return;
        };
        match of.pid.clone() {
            Some(pid) => self.send(cx, &pid, message),
            None => self.send_to_master(cx, message),
        }
        self.state.metrics.valid_framework_messages += 1;
    }

    /// The framework came back, perhaps elsewhere or otherwise: what waits for it is sent again at once.
    pub(crate) fn update_framework(&mut self, cx: &mut Cx<'_>, message: UpdateFrameworkMessage) {
        if self.state.phase != Phase::Running {
            self.state.metrics.invalid_framework_messages += 1;
            return;
        }
        let pid = message.pid.as_deref().and_then(process);
        let id = message.framework_id.id();
        let Some(framework) = self.state.framework_mut(&id).filter(|framework| !framework.terminating) else { return };
        if let Some(info) = message.framework_info.into_option() {
            framework.info = std::sync::Arc::new(info);
        }
        framework.pid = pid;
        for update in self.streams.resume(cx.now.monotonic) {
            self.forward(cx, update);
        }
    }
}

/// The address of a V0 scheduler or executor. Masters write `@0.0.0.0:0` for a scheduler that speaks HTTP.
pub(crate) fn process(text: &str) -> Option<Upid> {
    Upid::parse(text).filter(Upid::is_valid)
}

#[cfg(test)]
mod tests {
    use super::process;

    #[test]
    fn an_http_scheduler_has_no_address() {
        assert_eq!(process("@0.0.0.0:0"), None);
        assert_eq!(process("nonsense"), None);
        assert_eq!(process("scheduler-1@10.0.0.1:99").unwrap().to_string(), "scheduler-1@10.0.0.1:99");
    }
}
