//! libprocess messages: by name to a message, by message to the same handlers that V1 requests reach.
//!
//! A message that does not parse, or that the master does not know, is dropped without a word, as libprocess drops it.
//! So is a scheduler's call that does not come from where its framework is.

mod agents;
mod schedulers;

use crate::Master;
use crate::agent::ping::observer_number;
use crate::cx::Cx;
use tepui_proto::{Message as Proto, MessageName, codec};
use tepui_wire::Message;

impl Master {
    /// One libprocess message.
    pub(crate) fn message_v0(&mut self, cx: &mut Cx, message: Message) {
        if let Some(observer) = observer_number(&message.to.id) {
            if message.name == "mesos.internal.PongSlaveMessage" {
                self.pong(observer);
            }
            return;
        }
        if message.to.id == self.config.pid.id && self.scheduler_message(cx, &message).is_none() {
            self.agent_message(cx, &message);
        }
    }
}

/// The body as the message its name says it is.
fn decode<M: Proto + MessageName>(message: &Message) -> Option<M> {
    codec::decode(&message.body).ok()
}
