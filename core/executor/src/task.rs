//! The one task: launched, running, ended.

use crate::effect::Effect;
use crate::kill::Kill;
use crate::{Executor, Out, command, log, status};
use buffa::MessageField;
use std::time::Duration;
use tepui_base::{Instant, Now, WaitStatus, duration};
use tepui_proto::mesos::task_status::Reason;
use tepui_proto::mesos::{DurationInfo, TaskInfo, TaskState};

/// What a second task is told.
const SECOND_TASK: &str = "Attempted to run multiple tasks using a \"command\" executor";

#[derive(Debug)]
pub(crate) struct Task {
    info: Box<TaskInfo>,
    /// Whether the agent has taken over any update: then it knows that the task arrived.
    is_acknowledged: bool,
    has_ended: bool,
    complete_by: Option<Instant>,
    is_overdue: bool,
    pub(crate) kill: Option<Kill>,
}

impl Task {
    pub(crate) fn info(&self) -> &TaskInfo {
        &self.info
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.is_acknowledged
    }

    pub(crate) fn set_acknowledged(&mut self) {
        self.is_acknowledged = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether it is being killed because its time is over.
    pub(crate) fn is_overdue(&self) -> bool {
        self.is_overdue
    }

    /// The time limit no longer matters once the task is being killed.
    pub(crate) fn lift_time_limit(&mut self) {
        self.complete_by = None;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let escalation = self.kill.as_ref().and_then(|kill| kill.escalate_at);
        if self.has_ended { None } else { [self.complete_by, escalation].into_iter().flatten().min() }
    }
}

impl Executor {
    pub(crate) fn launch(&mut self, now: Now, info: MessageField<TaskInfo>, out: &mut Out) {
        let info = Box::new(info.into_option().unwrap_or_default());
        if self.task.is_some() {
            self.update(now, &info, TaskState::TASK_FAILED, (None, Some(SECOND_TASK.to_owned())), out);
            return;
        }
        let time_limit = positive(info.max_completion_time.as_option());
        self.task = Some(Task {
            info: info.clone(),
            is_acknowledged: false,
            has_ended: false,
            complete_by: time_limit.map(|limit| now.monotonic + limit),
            is_overdue: false,
            kill: None,
        });
        self.update(now, &info, TaskState::TASK_STARTING, (None, None), out);
        if info.health_check.is_set() || info.check.is_set() {
            let id = &info.task_id.value;
            log(out, format!("Task '{id}' has a check or health check; this executor does not run them yet"));
        }
        match command::of(&self.config, &info) {
            Ok(command) => out.push(Effect::Fork(Box::new(command))),
            Err(why) => {
                log(out, why);
                self.exit(1, out);
            }
        }
    }

    pub(crate) fn forked(&mut self, now: Now, out: &mut Out) {
        if let Some(info) = self.task.as_ref().map(|task| task.info.clone()) {
            self.update(now, &info, TaskState::TASK_RUNNING, (None, None), out);
        }
    }

    /// In Mesos a helper is forked, which reports that it cannot execute the program and exits with 1; frameworks see
    /// the same here.
    pub(crate) fn fork_failed(&mut self, now: Now, why: &str, out: &mut Out) {
        log(out, format!("Failed to execute command: {why}"));
        self.forked(now, out);
        self.exited(now, WaitStatus::exited(1), out);
    }

    pub(crate) fn exited(&mut self, now: Now, status: WaitStatus, out: &mut Out) {
        let Some(task) = self.task.as_mut().filter(|task| !task.has_ended) else { return };
        task.has_ended = true;
        let (state, reason) = match () {
            () if task.is_overdue => (TaskState::TASK_FAILED, Some(Reason::REASON_MAX_COMPLETION_TIME_REACHED)),
            () if task.kill.is_some() => (TaskState::TASK_KILLED, None),
            () if status.is_success() => (TaskState::TASK_FINISHED, None),
            () => (TaskState::TASK_FAILED, None),
        };
        let info = task.info.clone();
        self.update(now, &info, state, (reason, Some(format!("Command {status}"))), out);
        self.give_up_at = Some(now.monotonic + status::TERMINAL_ACKNOWLEDGEMENT_TIMEOUT);
        self.leave_if_alone(out);
    }

    pub(crate) fn tick_task(&mut self, now: Now, out: &mut Out) {
        let Some(task) = self.task.as_mut().filter(|task| !task.has_ended) else { return };
        if task.complete_by.is_some_and(|by| by <= now.monotonic) {
            task.is_overdue = true;
            let id = &task.info.task_id.value;
            let limit = positive(task.info.max_completion_time.as_option()).map(duration::format).unwrap_or_default();
            log(out, format!("Killing task {id} which exceeded its maximum completion time of {limit}"));
            self.begin_kill(now, Duration::ZERO, out);
        }
        self.escalate_if_due(now, out);
    }
}

/// A duration above zero.
pub(crate) fn positive(info: Option<&DurationInfo>) -> Option<Duration> {
    info.and_then(|info| u64::try_from(info.nanoseconds).ok()).filter(|n| *n > 0).map(Duration::from_nanos)
}
