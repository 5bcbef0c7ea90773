//! What the states of a task mean.

use crate::mesos::TaskState;

/// Whether a task in this state never changes again. An unreachable or unknown one may. Source: Mesos
/// `src/common/protobuf_utils.cpp` (`isTerminalState`).
pub fn is_terminal(state: TaskState) -> bool {
    match state {
        TaskState::TASK_FINISHED
        | TaskState::TASK_FAILED
        | TaskState::TASK_KILLED
        | TaskState::TASK_ERROR
        | TaskState::TASK_LOST
        | TaskState::TASK_DROPPED
        | TaskState::TASK_GONE
        | TaskState::TASK_GONE_BY_OPERATOR => true,
        TaskState::TASK_STAGING
        | TaskState::TASK_STARTING
        | TaskState::TASK_RUNNING
        | TaskState::TASK_KILLING
        | TaskState::TASK_UNREACHABLE
        | TaskState::TASK_UNKNOWN => false,
    }
}
