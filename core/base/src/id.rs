//! Ids as newtypes over shared text: cheap to clone, never mistaken for one another.

use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text of the id, as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

id! {
    /// A framework, `<master id>-NNNN`.
    FrameworkId,
    /// An agent, `<master id>-S<n>` (`SlaveID` in V0).
    AgentId,
    /// A task, named by its framework; unique within it.
    TaskId,
    /// An executor, named by its framework; unique within framework and agent.
    ExecutorId,
    /// An offer or inverse offer, `<master id>-O<n>`.
    OfferId,
    /// A top-level container, a UUID made by the agent.
    ContainerId,
}
