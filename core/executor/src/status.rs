//! Status updates: made, kept until acknowledged.

use crate::effect::Effect;
use crate::{Executor, Out, call_of, log};
use buffa::MessageField;
use std::time::Duration;
use tepui_base::Now;
use tepui_proto::ToProto;
use tepui_proto::is_terminal;
use tepui_proto::mesos::executor::event::Acknowledged;
use tepui_proto::mesos::executor::{Call, call};
use tepui_proto::mesos::task_status::{Reason, Source};
use tepui_proto::mesos::{CheckInfo, CheckStatusInfo, TaskInfo, TaskState, TaskStatus, check_info};

/// How long to wait for the acknowledgement of the terminal update before leaving without it.
pub(crate) const TERMINAL_ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// An update that the agent has not acknowledged.
#[derive(Debug)]
pub(crate) struct Unacknowledged {
    pub(crate) status: TaskStatus,
    /// Whether it has gone to the agent on the connection there is now.
    pub(crate) is_sent: bool,
}

/// The content of an UPDATE call.
pub(crate) fn update_of(status: &TaskStatus) -> call::Update {
    call::Update { status: MessageField::some(status.clone()), ..Default::default() }
}

impl Executor {
    /// Makes an update, keeps it and sends it as soon as there is a subscription.
    pub(crate) fn update(
        &mut self,
        now: Now,
        task: &TaskInfo,
        state: TaskState,
        details: (Option<Reason>, Option<String>),
        out: &mut Out,
    ) {
        let (reason, message) = details;
        let status = TaskStatus {
            task_id: task.task_id.clone(),
            state,
            uuid: Some(self.rng.uuid().to_vec()),
            timestamp: Some(now.wall.as_secs_f64()),
            executor_id: self.config.executor_id.to_field(),
            source: Some(Source::SOURCE_EXECUTOR),
            reason,
            message,
            check_status: task
                .check
                .as_option()
                .map(no_check_status)
                .map_or_else(MessageField::none, MessageField::some),
            ..Default::default()
        };
        self.unacknowledged.push(Unacknowledged { status, is_sent: false });
        self.send_updates(out);
    }

    /// Sends what has not been sent, if there is a subscription. Updates made between SUBSCRIBE and its answer are in
    /// neither, so the answer must send them.
    pub(crate) fn send_updates(&mut self, out: &mut Out) {
        if !self.connection.is_subscribed() {
            return;
        }
        for kept in self.unacknowledged.iter_mut().filter(|kept| !kept.is_sent) {
            kept.is_sent = true;
            let update = MessageField::some(update_of(&kept.status));
            out.push(Effect::Call(Box::new(Call { update, ..call_of(&self.config, call::Type::UPDATE) })));
        }
    }

    /// The agent has taken an update over. After the terminal one there is nothing left to do.
    pub(crate) fn acknowledged(&mut self, acknowledged: &Acknowledged, out: &mut Out) {
        let known = |kept: &Unacknowledged| kept.status.uuid.as_deref() == Some(&acknowledged.uuid[..]);
        let Some(at) = self.unacknowledged.iter().position(known) else {
            log(out, "Received acknowledgement for unknown status update");
            return;
        };
        let status = self.unacknowledged.remove(at).status;
        let Some(task) = self.task.as_mut().filter(|task| task.info().task_id == status.task_id) else { return };
        task.set_acknowledged();
        if is_terminal(status.state) && task.has_ended() {
            self.exit(0, out);
        }
    }
}

/// The status of a check without a result: what each update of a task with a check carries.
fn no_check_status(check: &CheckInfo) -> CheckStatusInfo {
    let mut status = CheckStatusInfo { r#type: check.r#type, ..Default::default() };
    match check.r#type {
        Some(check_info::Type::COMMAND) => status.command = MessageField::some(Default::default()),
        Some(check_info::Type::HTTP) => status.http = MessageField::some(Default::default()),
        Some(check_info::Type::TCP) => status.tcp = MessageField::some(Default::default()),
        Some(check_info::Type::UNKNOWN) | None => {}
    }
    status
}
