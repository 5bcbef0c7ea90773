//! Where the agent's effects go.

use crate::detections::Detections;
use std::path::Path;
use tepui_agent::{Agent, ContainerCommand, ContainerEvent, Effect, FilesCommand, Input};
use tepui_container::{Containerizer, Event, Launch};
use tepui_driver::{Mailbox, Syncing, World};
use tepui_net::Outlet;
use tepui_processes::Files;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::watch;

/// The shell around the agent.
pub struct AgentWorld {
    pub outlet: Outlet,
    pub containers: Containerizer,
    pub files: Files,
    pub detections: Detections,
    /// Told why the agent leaves.
    pub exit: watch::Sender<Option<String>>,
}

impl World<Effect> for AgentWorld {
    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Net(effect) => self.outlet.apply(effect),
            Effect::Container(command) => self.container(command),
            Effect::Files(FilesCommand::Attach { virtual_path, real_path }) => {
                self.files.attach(&virtual_path, Path::new(&real_path));
            }
            Effect::Files(FilesCommand::Detach { virtual_path }) => self.files.detach(&virtual_path),
            Effect::Redetect => self.detections.tell_again(),
            Effect::Note(text) => tracing::info!("{text}"),
            Effect::Exit(reason) => {
                self.exit.send_replace(Some(reason));
            }
        }
    }

    fn sync(&mut self, _: Vec<Effect>) -> Syncing {
        // The agent does not write checkpoints yet.
        Box::pin(async { Ok(()) })
    }
}

impl AgentWorld {
    fn container(&mut self, command: ContainerCommand) {
        match command {
            ContainerCommand::Launch { id, config, environment } => {
                let environment = environment.into_iter().collect();
                self.containers.launch(Launch { id, config: *config, environment });
            }
            ContainerCommand::Destroy(id) => {
                if !self.containers.destroy(&id) {
                    tracing::debug!(container = %id, "nothing to destroy");
                }
            }
            ContainerCommand::Update { id, sequence, .. } => self.containers.update(&id, sequence),
        }
    }
}

/// Brings what the containerizer says to the agent.
pub async fn forward_container_events(mut events: UnboundedReceiver<Event>, mailbox: Mailbox<Agent>) {
    while let Some(event) = events.recv().await {
        mailbox.post(Input::Container(match event {
            Event::Launched { id, pid } => ContainerEvent::Launched { id, pid: pid.unsigned_abs() },
            Event::Updated { id, sequence } => ContainerEvent::Updated { id, sequence, error: None },
            Event::LaunchFailed { id, message } => ContainerEvent::LaunchFailed { id, message },
            Event::Terminated { id, termination } => ContainerEvent::Terminated { id, termination },
        }));
    }
}

/// The two ends of the way events take.
pub fn container_events() -> (mpsc::UnboundedSender<Event>, UnboundedReceiver<Event>) {
    mpsc::unbounded_channel()
}
