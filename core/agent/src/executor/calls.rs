//! The calls of V1 executors other than SUBSCRIBE.

use crate::status_update::Sender;
use crate::{Agent, Cx};
use tepui_base::{ExecutorId, FrameworkId};
use tepui_proto::ToProto;
use tepui_proto::mesos::TaskStatus;
use tepui_proto::mesos::internal::ExecutorToFrameworkMessage;

impl Agent {
    pub(crate) fn update_call(&mut self, cx: &mut Cx<'_>, framework: &FrameworkId, status: TaskStatus) {
        let update = self.update_of(cx, framework, status);
        self.status_update(cx, update, &Sender::Http);
    }

    pub(crate) fn message_call(&mut self, cx: &mut Cx<'_>, framework: &FrameworkId, id: &ExecutorId, data: Vec<u8>) {
        let message = ExecutorToFrameworkMessage {
            agent_id: self.agent_id(),
            framework_id: framework.to_field(),
            executor_id: id.to_field(),
            data,
            ..ExecutorToFrameworkMessage::default()
        };
        self.message_to_framework(cx, &message);
    }
}
