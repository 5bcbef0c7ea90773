//! One agent in one of the registry's lists, with the bytes it is stored as.
//!
//! Every store holds the whole registry, and most of it is what it was a moment ago; so each record keeps its bytes, and a
//! store joins them. The bytes are made anew only when the record changes, from what they said before: what a later version
//! of Mesos wrote into them stays.
//!
//! Resources are stored in the format that masters of old can read, as far as it can say them, and are in the new format in
//! memory. 1.11 stores an agent that comes back in the new format; it reads both. Source: Mesos
//! `src/master/registry_operations.cpp`.

use buffa::{Message, MessageField};
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;
use tepui_base::AgentId;
use tepui_proto::mesos::internal::registry;
use tepui_proto::mesos::{AgentID, AgentInfo, DrainInfo, TimeInfo};
use tepui_proto::{MessageName, codec};
use tepui_resources::format;

/// An element of a list of the registry: the tag of field 1, the length, and the message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored(Bytes);

impl Stored {
    pub fn new(message: &impl Message) -> Stored {
        let length = message.encode_to_bytes();
        let mut bytes = BytesMut::with_capacity(length.len() + 6);
        bytes.put_u8(0x0A);
        varint(length.len(), &mut bytes);
        bytes.put_slice(&length);
        Stored(bytes.freeze())
    }

    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The message that was stored.
    pub fn message<M: Message + MessageName>(&self) -> M {
        let length = self.0[1..].iter().take_while(|byte| **byte >= 0x80).count() + 2;
        codec::decode_stored(&self.0[length..]).expect("it was encoded here")
    }
}

/// A number as protobuf writes it.
pub(crate) fn varint(mut number: usize, out: &mut BytesMut) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

/// What is kept of an admitted or unreachable agent beside its description.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// How far its draining has come, and what was asked for.
    pub drain_info: Option<Arc<DrainInfo>>,
    /// Whether an operator has deactivated it.
    pub deactivated: bool,
}

/// An agent that may run tasks.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Its description; resources in the new format.
    pub info: Arc<AgentInfo>,
    /// Whether it drains, or is deactivated.
    pub standing: Standing,
    stored: Stored,
}

impl PartialEq for Admitted {
    fn eq(&self, other: &Admitted) -> bool {
        self.stored == other.stored
    }
}

impl From<Arc<AgentInfo>> for Admitted {
    /// A new agent.
    fn from(info: Arc<AgentInfo>) -> Admitted {
        let message = registry::Agent { info: MessageField::some(downgraded(&info)), ..Default::default() };
        Admitted { info, standing: Standing::default(), stored: Stored::new(&message) }
    }
}

impl Admitted {
    pub(crate) fn read(message: &registry::Agent) -> (AgentId, Admitted) {
        let mut info = (*message.info).clone();
        format::upgrade_all(&mut info.resources);
        let standing = standing(message.drain_info.as_option(), message.deactivated);
        (key(&info.id), Admitted { info: Arc::new(info), standing, stored: Stored::new(message) })
    }

    /// Another description; the rest stays.
    pub(crate) fn describe(&mut self, info: &Arc<AgentInfo>) {
        let mut message: registry::Agent = self.stored.message();
        message.info = MessageField::some(downgraded(info));
        self.info = info.clone();
        self.stored = Stored::new(&message);
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Fields<'_>)) {
        let mut message: registry::Agent = self.stored.message();
        change(&mut Fields { drain_info: &mut message.drain_info, deactivated: &mut message.deactivated });
        self.standing = standing(message.drain_info.as_option(), message.deactivated);
        self.stored = Stored::new(&message);
    }

    pub(crate) fn stored(&self) -> &Bytes {
        self.stored.bytes()
    }
}

/// An agent that stopped answering.
#[derive(Clone, Debug)]
pub struct Unreachable {
    /// When it was marked, in nanoseconds since the epoch.
    pub since: i64,
    /// Whether it was draining, or deactivated.
    pub standing: Standing,
    stored: Stored,
}

impl PartialEq for Unreachable {
    fn eq(&self, other: &Unreachable) -> bool {
        self.stored == other.stored
    }
}

impl Unreachable {
    /// An agent that is marked.
    pub fn new(id: &AgentId, since: i64, standing: Standing) -> Unreachable {
        let drain_info = standing.drain_info.as_deref().cloned();
        let message = registry::UnreachableAgent {
            id: to_id(id),
            timestamp: to_time(since),
            drain_info: drain_info.map_or_else(MessageField::none, MessageField::some),
            deactivated: Some(standing.deactivated),
            ..Default::default()
        };
        Unreachable { since, standing, stored: Stored::new(&message) }
    }

    pub(crate) fn read(message: &registry::UnreachableAgent) -> (AgentId, Unreachable) {
        let (since, stored) = (message.timestamp.nanoseconds, Stored::new(message));
        let standing = standing(message.drain_info.as_option(), message.deactivated);
        (key(&message.id), Unreachable { since, standing, stored })
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Fields<'_>)) {
        let mut message: registry::UnreachableAgent = self.stored.message();
        change(&mut Fields { drain_info: &mut message.drain_info, deactivated: &mut message.deactivated });
        self.standing = standing(message.drain_info.as_option(), message.deactivated);
        self.stored = Stored::new(&message);
    }

    pub(crate) fn stored(&self) -> &Bytes {
        self.stored.bytes()
    }
}

/// An agent an operator has given up for good.
#[derive(Clone, Debug)]
pub struct Gone {
    /// When, in nanoseconds since the epoch.
    pub since: i64,
    stored: Stored,
}

impl PartialEq for Gone {
    fn eq(&self, other: &Gone) -> bool {
        self.stored == other.stored
    }
}

impl Gone {
    /// An agent that is given up.
    pub fn new(id: &AgentId, since: i64) -> Gone {
        let message = registry::GoneAgent { id: to_id(id), timestamp: to_time(since), ..Default::default() };
        Gone { since, stored: Stored::new(&message) }
    }

    pub(crate) fn read(message: &registry::GoneAgent) -> (AgentId, Gone) {
        (key(&message.id), Gone { since: message.timestamp.nanoseconds, stored: Stored::new(message) })
    }

    pub(crate) fn stored(&self) -> &Bytes {
        self.stored.bytes()
    }
}

/// What admitted and unreachable agents have in common, as it is stored.
pub(crate) struct Fields<'a> {
    pub drain_info: &'a mut MessageField<DrainInfo>,
    pub deactivated: &'a mut Option<bool>,
}

fn standing(drain_info: Option<&DrainInfo>, deactivated: Option<bool>) -> Standing {
    Standing { drain_info: drain_info.cloned().map(Arc::new), deactivated: deactivated.unwrap_or_default() }
}

/// The description as masters of old read it. A resource that their format cannot say stays as it is.
fn downgraded(info: &AgentInfo) -> AgentInfo {
    let mut info = info.clone();
    // Refined reservations are known since 1.4, and an agent that has one can only be used by a master that knows them.
    let _ = format::downgrade_all(&mut info.resources);
    info
}

fn key(id: &AgentID) -> AgentId {
    AgentId::from(id.value.as_str())
}

fn to_id(id: &AgentId) -> MessageField<AgentID> {
    MessageField::some(AgentID { value: id.as_str().to_owned(), ..Default::default() })
}

fn to_time(nanoseconds: i64) -> MessageField<TimeInfo> {
    MessageField::some(TimeInfo { nanoseconds, ..Default::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_proto::mesos::MasterInfo;

    #[test]
    fn a_message_comes_back_from_its_element() {
        for length in [1, 127, 128, 20_000] {
            let info = MasterInfo { id: "m".repeat(length), ..Default::default() };
            assert_eq!(Stored::new(&info).message::<MasterInfo>(), info);
        }
    }
}
