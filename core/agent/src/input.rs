//! What an agent can learn.

use tepui_authz::Approvers;
use tepui_base::ContainerId;
use tepui_proto::mesos::containerizer::ContainerTermination;
use tepui_wire::{NetInput, Upid};

/// One thing that reached the agent.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// From the network.
    Net(NetInput),
    /// The detector's answer: the address of the leading master, or that there is none.
    Detected(Option<Upid>),
    /// From the containerizer.
    Container(ContainerEvent),
    /// The rules in force have changed.
    Approvers(Approvers),
    /// Leave: shut all executors down, then exit. With `unregister` the master is told, as after SIGUSR1.
    Terminate {
        /// Whether the master is to forget this agent at once.
        unregister: bool,
    },
}

/// What the containerizer tells about one container.
#[derive(Clone, Debug, PartialEq)]
pub enum ContainerEvent {
    /// The executor's process runs.
    Launched {
        /// The container.
        id: ContainerId,
        /// Its first process on the host.
        pid: u32,
    },
    /// It could not be started and has been cleaned up; no [`ContainerEvent::Terminated`] follows.
    LaunchFailed {
        /// The container.
        id: ContainerId,
        /// The cause, shown to the framework.
        message: String,
    },
    /// The answer to an update of its resources.
    Updated {
        /// The container.
        id: ContainerId,
        /// The number of the update.
        sequence: u64,
        /// Why it failed, if it did.
        error: Option<String>,
    },
    /// All its processes are gone.
    Terminated {
        /// The container.
        id: ContainerId,
        /// Exit status of its first process and, if a limit was hit, state, reason and message for its tasks.
        termination: ContainerTermination,
    },
}
