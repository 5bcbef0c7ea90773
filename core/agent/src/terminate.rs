//! Leaving for good: on an operator's signal, or because the master says so.

use crate::state::Phase;
use crate::{Agent, Cx};
use tepui_base::FrameworkId;
use tepui_proto::mesos::internal::{ShutdownMessage, UnregisterAgentMessage};
use tepui_wire::Upid;

impl Agent {
    /// Shuts every executor down, then exits. With `unregister` the master forgets the agent at once.
    pub(crate) fn terminate(&mut self, cx: &mut Cx<'_>, unregister: bool) {
        if self.state.phase == Phase::Terminating {
            return;
        }
        if unregister && self.state.id.is_some() {
            let message = UnregisterAgentMessage { agent_id: self.agent_id(), ..UnregisterAgentMessage::default() };
            self.send_to_master(cx, &message);
        }
        self.state.phase = Phase::Terminating;
        let frameworks: Vec<FrameworkId> = self.state.frameworks.keys().cloned().collect();
        for framework in frameworks {
            self.shut_framework_down(cx, &framework);
        }
        self.exit_if_done(cx);
    }

    pub(crate) fn told_to_shut_down(&mut self, cx: &mut Cx<'_>, from: &Upid, message: &ShutdownMessage) {
        if self.state.master.as_ref() != Some(from) {
            return;
        }
        let reason = message.message.as_deref().unwrap_or("");
        cx.note(format!("Agent asked to shut down by {from} because '{reason}'"));
        self.terminate(cx, false);
    }
}
