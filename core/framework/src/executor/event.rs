//! What an executor learns, as one typed value per happening.

use tepui_proto::mesos::executor::event::{Subscribed, Type};
use tepui_proto::mesos::{KillPolicy, TaskID, TaskInfo, executor};

/// One event of an executor.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The agent has taken the executor in, for the first time or again after [`Event::Disconnected`].
    Subscribed(Box<Subscribed>),
    /// The subscription ended, for this reason; the next one is being made.
    Disconnected(String),
    /// A task to start; always one.
    Launch(Vec<TaskInfo>),
    /// Tasks to start together.
    LaunchGroup(Vec<TaskInfo>),
    /// A task to end, within the grace of the policy if there is one.
    Kill {
        /// The task.
        task_id: TaskID,
        /// Overrides the task's own policy.
        kill_policy: Option<KillPolicy>,
    },
    /// The agent has an update safe: it is not sent again.
    Acknowledged {
        /// The task.
        task_id: TaskID,
        /// The update.
        uuid: Vec<u8>,
    },
    /// Bytes from the scheduler.
    Message(Vec<u8>),
    /// A call was refused by the agent, with these words.
    CallRefused(String),
    /// End all tasks and leave, within the shutdown grace period. Also when the agent is gone for good.
    Shutdown,
    /// The agent refuses the executor. Nothing follows.
    Error(String),
}

/// What an event of the wire says, if it says anything: `None` for heartbeats, for types of later versions, and for
/// events without the part that belongs to their type.
pub fn from_proto(event: executor::Event) -> Option<Event> {
    match event.r#type? {
        Type::SUBSCRIBED => event.subscribed.into_option().map(|subscribed| Event::Subscribed(Box::new(subscribed))),
        Type::LAUNCH => event.launch.into_option()?.task.into_option().map(|task| Event::Launch(vec![task])),
        Type::LAUNCH_GROUP => {
            event.launch_group.into_option()?.task_group.into_option().map(|group| Event::LaunchGroup(group.tasks))
        }
        Type::KILL => {
            let kill = event.kill.into_option()?;
            Some(Event::Kill { task_id: kill.task_id.into_option()?, kill_policy: kill.kill_policy.into_option() })
        }
        Type::ACKNOWLEDGED => {
            let acknowledged = event.acknowledged.into_option()?;
            Some(Event::Acknowledged { task_id: acknowledged.task_id.into_option()?, uuid: acknowledged.uuid })
        }
        Type::MESSAGE => event.message.into_option().map(|message| Event::Message(message.data)),
        Type::SHUTDOWN => Some(Event::Shutdown),
        Type::ERROR => event.error.into_option().map(|error| Event::Error(error.message)),
        Type::HEARTBEAT | Type::UNKNOWN => None,
    }
}
