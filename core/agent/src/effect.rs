//! What an agent can do.

use std::collections::BTreeMap;
use tepui_base::ContainerId;
use tepui_proto::mesos::Resource;
use tepui_proto::mesos::containerizer::ContainerConfig;
use tepui_wire::NetEffect;

/// One thing the agent does to the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// To the network.
    Net(NetEffect),
    /// To the containerizer, which takes commands in order.
    Container(ContainerCommand),
    /// To the files served under `/files`.
    Files(FilesCommand),
    /// Ask the detector again; its answer arrives as [`crate::Input::Detected`] even when nothing changed.
    Redetect,
    /// A change of state an operator cares about.
    Note(String),
    /// Leave the process, for the reason given; every executor is gone or the agent can not go on.
    Exit(String),
}

/// What is asked of the containerizer.
#[derive(Clone, Debug, PartialEq)]
pub enum ContainerCommand {
    /// Make the sandbox, fetch, start the command. Answered by `Launched` or `LaunchFailed`.
    Launch {
        /// The new container.
        id: ContainerId,
        /// Command, sandbox directory, user, resources.
        config: Box<ContainerConfig>,
        /// The environment the agent makes; the command's own goes on top.
        environment: BTreeMap<String, String>,
    },
    /// Kill all its processes. `Terminated` follows.
    Destroy(ContainerId),
    /// Its resources changed. Answered by `Updated`.
    Update {
        /// The container.
        id: ContainerId,
        /// Chosen by the agent, increasing per container.
        sequence: u64,
        /// All it may use now: those of the executor and of its tasks.
        resources: Vec<Resource>,
    },
}

/// What is asked of the file server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesCommand {
    /// Serve a directory of the host under a virtual path.
    Attach {
        /// The path clients ask for.
        virtual_path: String,
        /// The directory on the host.
        real_path: String,
    },
    /// Serve it no longer.
    Detach {
        /// The path clients asked for.
        virtual_path: String,
    },
}
