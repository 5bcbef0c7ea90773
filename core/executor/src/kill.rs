//! Killing a task: SIGTERM first, SIGKILL when its grace period is over.

use crate::effect::{Effect, Signal};
use crate::{Executor, Out, log};
use std::time::Duration;
use tepui_base::{Instant, Now};
use tepui_proto::mesos::executor::event;
use tepui_proto::mesos::{DurationInfo, KillPolicy, TaskState};

/// Grace period when neither the kill nor the task names one.
const DEFAULT_GRACE_PERIOD: Duration = Duration::from_secs(3);

/// A kill under way.
#[derive(Debug)]
pub(crate) struct Kill {
    started_at: Instant,
    /// When SIGKILL is, or was, due.
    deadline: Instant,
    /// The same, until it is sent.
    pub(crate) escalate_at: Option<Instant>,
}

impl Executor {
    /// A KILL event: its policy comes before the task's.
    pub(crate) fn kill(&mut self, now: Now, kill: &event::Kill, out: &mut Out) {
        let id = &kill.task_id.value;
        let Some(task) = &self.task else {
            log(out, format!("Terminating because a kill for task {id} came before the task was launched"));
            self.exit(1, out);
            return;
        };
        if task.info().task_id.value != *id {
            log(out, format!("Ignoring kill for unknown task {id}"));
            return;
        }
        let grace = grace_period(&kill.kill_policy).or_else(|| grace_period(&task.info().kill_policy));
        self.begin_kill(now, grace.unwrap_or(DEFAULT_GRACE_PERIOD), out);
    }

    /// Kills the task, or shortens the grace period of the kill under way; it never grows, so that a retried or milder
    /// kill does not keep a task alive.
    pub(crate) fn begin_kill(&mut self, now: Now, grace: Duration, out: &mut Out) {
        let Some(task) = self.task.as_mut().filter(|task| !task.has_ended()) else { return };
        task.lift_time_limit();
        if let Some(kill) = &mut task.kill {
            let wanted = kill.started_at + grace;
            if wanted <= kill.deadline {
                kill.deadline = wanted.max(now.monotonic);
                kill.escalate_at = Some(kill.deadline);
            }
            return;
        }
        let deadline = now.monotonic + grace;
        task.kill = Some(Kill { started_at: now.monotonic, deadline, escalate_at: Some(deadline) });
        let (info, is_overdue) = (task.info().clone(), task.is_overdue());
        if self.reports_killing && !is_overdue {
            self.update(now, &info, TaskState::TASK_KILLING, (None, None), out);
        }
        out.push(Effect::Signal(Signal::Terminate));
    }

    pub(crate) fn escalate_if_due(&mut self, now: Now, out: &mut Out) {
        let Some(kill) = self.task.as_mut().and_then(|task| task.kill.as_mut()) else { return };
        if kill.escalate_at.is_some_and(|at| at <= now.monotonic) {
            kill.escalate_at = None;
            log(out, "The command did not terminate in time, sending SIGKILL to its process tree");
            out.push(Effect::Signal(Signal::Kill));
        }
    }
}

/// A grace period that is set, even to zero.
fn grace_period(policy: &KillPolicy) -> Option<Duration> {
    let nanoseconds = |info: &DurationInfo| Duration::from_nanos(u64::try_from(info.nanoseconds).unwrap_or(0));
    policy.grace_period.as_option().map(nanoseconds)
}
