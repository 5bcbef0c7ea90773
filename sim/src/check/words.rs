//! The words for tasks out of sight: a framework that is PARTITION_AWARE hears the exact one, any other only that the
//! task is lost.

use super::{Fact, Model};
use tepui_proto::mesos::TaskState;
use tepui_proto::mesos::task_status::{Reason, Source};

/// Objects to a state the framework cannot understand, or which says less than it could.
pub fn see(fact: &Fact, model: &Model, found: &mut Vec<String>) {
    use TaskState::{TASK_DROPPED, TASK_GONE, TASK_GONE_BY_OPERATOR, TASK_LOST, TASK_UNKNOWN, TASK_UNREACHABLE};
    let Fact::Says { via, update } = fact else { return };
    let Some((framework, entry)) = model.roster.at(via) else { return };
    let (state, task) = (update.state, &update.task);
    let exact = [TASK_UNREACHABLE, TASK_DROPPED, TASK_GONE, TASK_GONE_BY_OPERATOR, TASK_UNKNOWN];
    if !entry.aware && exact.contains(&state) {
        found.push(format!("framework {framework} hears {state:?} of task {task}, a word it does not know"));
    }
    // These two have no better word in Mesos: an agent removed in favour of another at its address, and a task of a
    // framework that does not checkpoint.
    let excused = [Some(Reason::REASON_AGENT_REMOVED), Some(Reason::REASON_AGENT_DISCONNECTED)];
    let is_excused = update.source == Some(Source::SOURCE_MASTER) && excused.contains(&update.reason);
    if entry.aware && state == TASK_LOST && !is_excused {
        let reason = update.reason;
        found.push(format!("framework {framework} hears only that task {task} is lost ({reason:?})"));
    }
}
