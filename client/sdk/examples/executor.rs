//! A custom executor: an agent starts it, it runs tasks of its own making.
//!
//! Each task sleeps for as many seconds as its `data` says and then reports what it did. A scheduler launches it with
//! an `ExecutorInfo` whose command is the path of this program.

use std::collections::HashMap;
use std::time::Duration;
use tepui_sdk::Executor;
use tepui_sdk::executor::Event;
use tepui_sdk::mesos::{TaskID, TaskInfo, TaskState, TaskStatus};
use tokio::task::JoinHandle;

/// The work of one task.
async fn work(executor: Executor, task: TaskInfo) {
    let id = task.task_id.clone();
    executor.state(&id, TaskState::TASK_RUNNING);
    let text = String::from_utf8_lossy(task.data.as_deref().unwrap_or_default()).into_owned();
    let secs = text.trim().parse().unwrap_or(1);
    tokio::time::sleep(Duration::from_secs(secs)).await;
    executor.update(TaskStatus {
        task_id: id,
        state: TaskState::TASK_FINISHED,
        message: Some(format!("slept for {secs} seconds")),
        ..TaskStatus::default()
    });
}

fn killed(task_id: TaskID) -> TaskStatus {
    TaskStatus { task_id: task_id.into(), state: TaskState::TASK_KILLED, ..TaskStatus::default() }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (executor, mut events) = Executor::from_env()?;
    let mut running: HashMap<String, JoinHandle<()>> = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Subscribed(subscribed) => println!("subscribed at {}", subscribed.agent_info.hostname),
            Event::Launch(tasks) | Event::LaunchGroup(tasks) => {
                for task in tasks {
                    let id = task.task_id.value.clone();
                    running.insert(id, tokio::spawn(work(executor.clone(), task)));
                }
            }
            Event::Kill { task_id, .. } => {
                // A task that has just finished keeps its own last update.
                if let Some(task) = running.remove(&task_id.value).filter(|task| !task.is_finished()) {
                    task.abort();
                    executor.update(killed(task_id));
                }
            }
            Event::Message(data) => executor.message(data),
            Event::Shutdown => {
                running.values().for_each(JoinHandle::abort);
                executor.stop();
            }
            Event::Disconnected(reason) => eprintln!("disconnected: {reason}"),
            Event::CallRefused(reason) => eprintln!("refused: {reason}"),
            Event::Error(text) => return Err(text.into()),
            Event::Acknowledged { .. } => {}
        }
    }
    Ok(())
}
