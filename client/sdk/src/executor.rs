//! Executors: programs that an agent starts and that run tasks.

use crate::pump::{Pump, Sorted, seed};
use tepui_framework::executor::{Config, ConfigError, Effect, Executor as Machine, Input};
use tepui_proto::mesos::{TaskID, TaskState, TaskStatus};
use tokio::sync::mpsc;

pub use tepui_framework::executor::Event;

/// Events that may wait for the program before the agent's stream is no longer read.
const EVENT_QUEUE: usize = 64;

/// Why an executor could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment is not that of an executor.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operating system gave no random seed.
    #[error("no randomness from the operating system: {0}")]
    Seed(#[source] std::io::Error),
}

/// What an executor learns, in order.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next event; `None` after [`Event::Error`], a stop, or the [`Event::Shutdown`] of a lost agent.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// An executor's hold on its agent. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executor {
    inputs: mpsc::UnboundedSender<Input>,
}

impl Executor {
    /// Subscribes with what the agent has put into the environment (`MESOS_AGENT_ENDPOINT` and so on), in a task of
    /// the current tokio runtime.
    pub fn from_env() -> Result<(Executor, Events), Error> {
        Executor::connect(Config::from_env(|name| std::env::var(name).ok())?)
    }

    /// Subscribes with settings of one's own.
    pub fn connect(config: Config) -> Result<(Executor, Events), Error> {
        let (inputs, commands) = mpsc::unbounded_channel();
        let (events, received) = mpsc::channel(EVENT_QUEUE);
        let machine = Machine::new(config, seed().map_err(Error::Seed)?);
        let pump = Pump { machine, commands, events, http: Input::Http, is_stopped: Machine::is_stopped };
        tokio::spawn(pump.run(Input::Start, |effect| match effect {
            Effect::Http(effect) => Sorted::Http(effect),
            Effect::Event(event) => Sorted::Event(event),
        }));
        Ok((Executor { inputs }, Events(received)))
    }

    /// Reports a task's state. It is repeated until the agent has it ([`Event::Acknowledged`]); after a terminal state
    /// the executor should wait for that before it ends.
    pub fn update(&self, status: TaskStatus) {
        // After the end there is nobody to tell; the agent makes its own update of that.
        let _ = self.inputs.send(Input::Update(Box::new(status)));
    }

    /// Reports a task's state and nothing else.
    pub fn state(&self, task_id: &TaskID, state: TaskState) {
        self.update(TaskStatus { task_id: task_id.clone().into(), state, ..TaskStatus::default() });
    }

    /// Sends bytes to the scheduler; they may be lost.
    pub fn message(&self, data: Vec<u8>) {
        let _ = self.inputs.send(Input::Message(data));
    }

    /// Leaves; the agent sees the process end.
    pub fn stop(&self) {
        let _ = self.inputs.send(Input::Stop);
    }
}
