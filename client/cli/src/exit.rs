//! From what Mesos says about a task's end to the exit status a shell expects.

use tepui_base::wait_status::signal_name;
use tepui_sdk::mesos::{TaskState, TaskStatus};

/// Something else than the task went wrong; the value `docker run` and `env` use for it.
pub const FAILURE: u8 = 125;
/// The time given with `--timeout` is over; the value of timeout(1).
pub const TIMEOUT: u8 = 124;
/// What a shell adds to the number of a signal.
const SIGNAL: u8 = 128;

/// Signals have the numbers 1 to 64 on Linux.
const LAST_SIGNAL: u8 = 64;

/// The command's own exit status, if the status tells of one: 0 to 255, or 128 + n after signal n.
///
/// Mesos has no field for it: the executor writes `Command exited with status 7` or `Command terminated with signal
/// Killed` into the message.
pub fn of_command(status: &TaskStatus) -> Option<u8> {
    if status.state == TaskState::TASK_FINISHED {
        return Some(0);
    }
    let message = status.message.as_deref()?;
    if let Some(rest) = after(message, "exited with status ") {
        // Executors written in Python report signal 9 as status -9.
        let (rest, negative) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
        let number: u8 = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        return if negative { (number <= LAST_SIGNAL).then_some(SIGNAL + number) } else { Some(number) };
    }
    let name = after(message, "terminated with signal ")?;
    signal_number(name.split(" (core dumped)").next()?.trim_end_matches('.')).map(|number| SIGNAL + number)
}

fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.split_once(words).map(|(_, rest)| rest)
}

fn signal_number(name: &str) -> Option<u8> {
    (1..=LAST_SIGNAL).find(|number| signal_name(i32::from(*number)) == name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(state: TaskState, message: &str) -> Option<u8> {
        of_command(&TaskStatus { state, message: Some(message.to_owned()), ..TaskStatus::default() })
    }

    #[test]
    fn the_words_of_mesos_become_the_status_of_a_shell() {
        let failed = TaskState::TASK_FAILED;
        assert_eq!(code(TaskState::TASK_FINISHED, "Command exited with status 0"), Some(0));
        assert_eq!(code(TaskState::TASK_FINISHED, ""), Some(0));
        assert_eq!(code(failed, "Command exited with status 7"), Some(7));
        assert_eq!(code(failed, "Command terminated with signal Killed"), Some(137));
        assert_eq!(code(failed, "Command terminated with signal Segmentation fault (core dumped)"), Some(139));
        assert_eq!(code(TaskState::TASK_KILLED, "Command terminated with signal Terminated"), Some(143));
        assert_eq!(code(failed, "Command terminated with signal Hangup"), Some(129));
        assert_eq!(code(failed, "Command exited with status -9"), Some(137));
    }

    #[test]
    fn other_words_tell_nothing() {
        for text in [
            "",
            "Container launch failed",
            "Command exited with status",
            "exited with status 999",
            "exited with status -65",
        ] {
            assert_eq!(code(TaskState::TASK_FAILED, text), None, "{text}");
        }
        assert_eq!(code(TaskState::TASK_LOST, "terminated with signal Nonsense"), None);
    }
}
