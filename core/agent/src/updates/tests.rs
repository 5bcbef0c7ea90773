use super::*;
use std::time::Duration;
use tepui_base::Rng;
use tepui_proto::MessageField;
use tepui_proto::mesos::{FrameworkID, TaskID, TaskState, TaskStatus};

fn update(task: &str, uuid: u8, state: TaskState) -> StatusUpdate {
    let status = TaskStatus {
        task_id: MessageField::some(TaskID { value: task.into(), ..TaskID::default() }),
        state,
        ..TaskStatus::default()
    };
    let framework = FrameworkID { value: "f".into(), ..FrameworkID::default() };
    StatusUpdate {
        framework_id: MessageField::some(framework),
        status: MessageField::some(status),
        uuid: Some(vec![uuid]),
        ..StatusUpdate::default()
    }
}

fn ids(task: &str) -> (FrameworkId, TaskId) {
    ("f".into(), task.into())
}

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000_000)
}

#[test]
fn only_the_head_of_a_stream_is_in_flight() {
    let mut streams = Streams::default();
    let (framework, task) = ids("t");
    assert!(streams.update(at(0), update("t", 1, TaskState::TASK_STARTING)).is_some());
    assert!(streams.update(at(0), update("t", 2, TaskState::TASK_RUNNING)).is_none());
    assert!(streams.update(at(0), update("u", 3, TaskState::TASK_RUNNING)).is_some(), "another task, another stream");
    assert_eq!(streams.acknowledge(at(1), &framework, &task, &[2]), Err(AckError::Unexpected));
    let (ended, next) = streams.acknowledge(at(1), &framework, &task, &[1]).unwrap();
    assert!(!ended);
    assert_eq!(next.unwrap().uuid, Some(vec![2]));
    assert_eq!(streams.acknowledge(at(1), &framework, &task, &[1]), Err(AckError::Duplicate));
}

#[test]
fn an_unacknowledged_update_is_sent_again_after_10_seconds_doubling_to_10_minutes() {
    let mut streams = Streams::default();
    streams.update(at(0), update("t", 1, TaskState::TASK_RUNNING));
    let mut pauses = Vec::new();
    let mut last = at(0);
    for _ in 0..9 {
        let due = streams.deadline().unwrap();
        assert!(streams.tick(Instant(due.0 - 1)).is_empty());
        assert_eq!(streams.tick(due).len(), 1);
        pauses.push(due.since(last).as_secs());
        last = due;
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
}

#[test]
fn an_acknowledgement_resets_the_pause() {
    let mut streams = Streams::default();
    let (framework, task) = ids("t");
    streams.update(at(0), update("t", 1, TaskState::TASK_STARTING));
    streams.update(at(0), update("t", 2, TaskState::TASK_RUNNING));
    streams.tick(at(10));
    streams.acknowledge(at(11), &framework, &task, &[1]).unwrap();
    assert_eq!(streams.deadline(), Some(at(21)));
}

#[test]
fn nothing_is_sent_while_paused_and_every_head_after() {
    let mut streams = Streams::default();
    streams.update(at(0), update("t", 1, TaskState::TASK_RUNNING));
    streams.pause();
    assert!(streams.update(at(1), update("u", 2, TaskState::TASK_RUNNING)).is_none());
    assert!(streams.tick(at(100)).is_empty());
    assert_eq!(streams.deadline(), None);
    assert_eq!(streams.resume(at(200)).len(), 2);
    assert_eq!(streams.deadline(), Some(at(210)));
}

#[test]
fn an_acknowledged_terminal_update_ends_the_stream() {
    let mut streams = Streams::default();
    let (framework, task) = ids("t");
    streams.update(at(0), update("t", 1, TaskState::TASK_FINISHED));
    assert_eq!(streams.acknowledge(at(1), &framework, &task, &[1]).unwrap(), (true, None));
    assert!(streams.is_empty());
    assert_eq!(streams.acknowledge(at(1), &framework, &task, &[1]), Err(AckError::NoStream));
}

/// However updates, duplicates, retries and acknowledgements mix, each update is acknowledged in the order it came,
/// and at no time are two updates of a task in flight.
#[test]
fn every_update_arrives_once_and_in_order() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut streams = Streams::default();
        let (framework, task) = ids("t");
        let (mut sent, mut seen, mut in_flight) = (0u8, Vec::new(), None);
        let mut now = at(0);
        while seen.len() < 20 {
            now = now + Duration::from_secs(rng.below(15));
            let forwarded = match rng.below(4) {
                0 if sent < 20 => {
                    sent += 1;
                    let state = if sent == 20 { TaskState::TASK_FINISHED } else { TaskState::TASK_RUNNING };
                    streams.update(now, update("t", sent, state)).into_iter().collect()
                }
                1 if sent > 0 => {
                    let again = 1 + u8::try_from(rng.below(u64::from(sent))).unwrap();
                    assert!(streams.update(now, update("t", again, TaskState::TASK_RUNNING)).is_none());
                    Vec::new()
                }
                2 => streams.tick(now),
                _ => match in_flight.take() {
                    Some(uuid) => {
                        seen.push(uuid);
                        let (ended, next) = streams.acknowledge(now, &framework, &task, &[uuid]).unwrap();
                        assert_eq!(ended, uuid == 20);
                        next.into_iter().collect()
                    }
                    None => Vec::new(),
                },
            };
            for update in forwarded {
                let uuid = update.uuid.unwrap()[0];
                assert!(in_flight.is_none_or(|current| current == uuid), "seed {seed}");
                in_flight = Some(uuid);
            }
        }
        assert_eq!(seen, (1..=20).collect::<Vec<u8>>(), "seed {seed}");
    }
}
