//! Between the ids of the core and their messages.

use crate::mesos;
use buffa::MessageField;
use tepui_base::{AgentId, ContainerId, ExecutorId, FrameworkId, OfferId, TaskId};

/// What has a message of its own.
pub trait ToProto {
    /// The message.
    type Proto;

    /// As a message.
    fn to_proto(&self) -> Self::Proto;

    /// As a set field of another message.
    fn to_field(&self) -> MessageField<Self::Proto>
    where
        Self::Proto: buffa::Message,
    {
        MessageField::some(self.to_proto())
    }
}

/// A message that is an id. Works through `MessageField` too: `task.task_id.id()`; an unset field gives the empty id.
pub trait ProtoId {
    /// The id in the core.
    type Id;

    /// As an id of the core.
    fn id(&self) -> Self::Id;
}

macro_rules! id_messages {
    ($($id:ident $message:ident),+ $(,)?) => {$(
        impl ToProto for $id {
            type Proto = mesos::$message;

            fn to_proto(&self) -> mesos::$message {
                mesos::$message { value: self.as_str().to_owned(), ..Default::default() }
            }
        }

        impl From<&mesos::$message> for $id {
            fn from(message: &mesos::$message) -> $id {
                $id::from(message.value.as_str())
            }
        }

        impl ProtoId for mesos::$message {
            type Id = $id;

            fn id(&self) -> $id {
                $id::from(self)
            }
        }
    )+};
}

id_messages! {
    FrameworkId FrameworkID,
    AgentId AgentID,
    TaskId TaskID,
    ExecutorId ExecutorID,
    OfferId OfferID,
    ContainerId ContainerID,
}
