//! What the executor can learn.

use tepui_base::WaitStatus;
use tepui_proto::mesos::executor::{Event, call};

/// See the variants.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The process runs. Comes first, once.
    Started,
    /// The connections asked for by [`crate::Effect::Connect`] are there.
    Connected,
    /// They are gone or could not be made, and why.
    Disconnected(String),
    /// The agent answered a call with something other than 200 or 202.
    Refused {
        /// The kind of call.
        call: call::Type,
        /// The status code.
        status: u16,
        /// Its phrase, such as `Service Unavailable`.
        reason: String,
        /// The body, a text.
        body: String,
    },
    /// An event of the subscription.
    Event(Box<Event>),
    /// [`crate::Effect::Fork`] is done.
    Forked,
    /// [`crate::Effect::Fork`] failed, and why.
    ForkFailed(String),
    /// The task's first process has ended.
    Exited(WaitStatus),
}
