//! The registry's contents as persistent maps, and their stored form.

use crate::maintenance::Maintenance;
use crate::record::{Admitted, Gone, Unreachable, varint};
use crate::roster::Roster;
use buffa::MessageField;
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::BTreeSet;
use std::sync::Arc;
use tepui_base::AgentId;
use tepui_proto::mesos::internal::{Registry, registry};
use tepui_proto::mesos::master_info::capability::Type as Capability;
use tepui_proto::mesos::quota::QuotaConfig;
use tepui_proto::mesos::{MasterInfo, WeightInfo};
use tepui_proto::{Enumeration, codec};

/// All that is registered. Cloning is O(1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The master that recovered the registry last.
    pub master: Option<Arc<MasterInfo>>,
    /// Agents that may run tasks.
    pub admitted: Roster<AgentId, Admitted>,
    /// Agents that stopped answering.
    pub unreachable: Roster<AgentId, Unreachable>,
    /// Agents an operator has given up for good.
    pub gone: Roster<AgentId, Gone>,
    /// The maintenance schedule and its machines.
    pub maintenance: Maintenance,
    /// All that is not said above: quotas, weights, minimum capabilities, resource providers, and what a later version of
    /// Mesos has written.
    rest: Arc<Registry>,
}

impl State {
    /// The bytes that Mesos stores under the name `registry`, fields in their order. Costs a copy of each agent's bytes, and
    /// encodes only what is not an agent.
    pub fn to_bytes(&self) -> Bytes {
        let unreachable = self.unreachable.values().map(Unreachable::stored);
        let mut bytes = BytesMut::with_capacity(self.admitted.len() * 512 + 1024);
        bytes.put(codec::encode(&self.first_fields()));
        put_list(2, self.admitted.is_present(), self.admitted.values().map(Admitted::stored), &mut bytes);
        bytes.put(codec::encode(&self.middle_fields()));
        put_list(7, self.unreachable.is_present(), unreachable, &mut bytes);
        put_list(8, self.gone.is_present(), self.gone.values().map(Gone::stored), &mut bytes);
        bytes.put(codec::encode(&self.last_fields()));
        bytes.freeze()
    }

    /// Reads such bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<State, codec::Error> {
        codec::decode_stored(bytes).map(State::from_proto)
    }

    /// The message itself, for readers that show it.
    pub fn to_proto(&self) -> Registry {
        codec::decode_stored(&self.to_bytes()).expect("it was encoded here")
    }

    fn first_fields(&self) -> Registry {
        let master = self
            .master
            .as_ref()
            .map(|info| registry::Master { info: MessageField::some((**info).clone()), ..Default::default() });
        Registry { master: master.map_or_else(MessageField::none, MessageField::some), ..Default::default() }
    }

    /// Fields 3 to 6.
    fn middle_fields(&self) -> Registry {
        Registry {
            machines: self.maintenance.machines_to_proto(),
            schedules: self.maintenance.schedules_to_proto(),
            quotas: self.rest.quotas.clone(),
            weights: self.rest.weights.clone(),
            ..Default::default()
        }
    }

    /// Fields from 9 on.
    fn last_fields(&self) -> Registry {
        let mut rest = (*self.rest).clone();
        rest.quotas.clear();
        rest.weights.clear();
        rest
    }

    /// Reads the stored message. All of it is kept.
    pub fn from_proto(mut proto: Registry) -> State {
        let (agents, unreachable, gone) = (proto.agents.take(), proto.unreachable.take(), proto.gone.take());
        let mut state = State {
            master: proto.master.take().map(|master| Arc::new((*master.info).clone())),
            admitted: agents.iter().flat_map(|list| &list.agents).map(Admitted::read).collect(),
            unreachable: unreachable.iter().flat_map(|list| &list.agents).map(Unreachable::read).collect(),
            gone: gone.iter().flat_map(|list| &list.agents).map(Gone::read).collect(),
            maintenance: Maintenance::from_proto(&proto.machines, &proto.schedules),
            rest: Arc::default(),
        };
        agents.is_some().then(|| state.admitted.set_present());
        unreachable.is_some().then(|| state.unreachable.set_present());
        gone.is_some().then(|| state.gone.set_present());
        (proto.machines, proto.schedules) = (MessageField::none(), Vec::new());
        state.rest = Arc::new(proto);
        state
    }

    /// Quotas as 1.9 and later set them.
    pub fn quota_configs(&self) -> &[QuotaConfig] {
        &self.rest.quota_configs
    }

    /// Quotas that were set before 1.9 and not since.
    pub fn old_quotas(&self) -> impl Iterator<Item = &tepui_proto::mesos::quota::QuotaInfo> {
        self.rest.quotas.iter().map(|quota| &*quota.info)
    }

    /// Weights of roles.
    pub fn weights(&self) -> impl Iterator<Item = &WeightInfo> {
        self.rest.weights.iter().map(|weight| &*weight.info)
    }

    /// What a master must be able to do to lead with this registry.
    pub fn minimum_capabilities(&self) -> impl Iterator<Item = &str> {
        self.rest.minimum_capabilities.iter().map(|capability| capability.capability.as_str())
    }

    /// Why a master must not lead with this registry: it cannot do what the registry needs. In the words of Mesos.
    pub fn refusal(&self, master: &MasterInfo) -> Option<String> {
        let own: Vec<&str> = master.capabilities.iter().filter_map(|own| Some(own.r#type?.proto_name())).collect();
        let missing: BTreeSet<&str> = self.minimum_capabilities().filter(|name| !own.contains(name)).collect();
        let names = missing.into_iter().collect::<Vec<_>>().join(", ");
        (!names.is_empty()).then(|| {
            format!(
                "Master is missing the following minimum capabilities: {names}. See the following documentation for \
                 steps to safely recover from this state: http://mesos.apache.org/documentation/latest/downgrades"
            )
        })
    }

    pub(crate) fn rest_mut(&mut self) -> &mut Registry {
        Arc::make_mut(&mut self.rest)
    }

    /// From now on, or not any more, a master must have this capability.
    pub(crate) fn require(&mut self, capability: Capability, required: bool) {
        let name = capability.proto_name();
        if self.minimum_capabilities().any(|known| known == name) == required {
            return;
        }
        let capabilities = &mut self.rest_mut().minimum_capabilities;
        if required {
            let capability = name.to_owned();
            capabilities.push(registry::MinimumCapability { capability, ..Default::default() });
        } else {
            capabilities.retain(|known| known.capability != name);
        }
    }
}

/// A field that holds a message with nothing but a list.
fn put_list<'a>(field: u8, present: bool, elements: impl Iterator<Item = &'a Bytes>, out: &mut BytesMut) {
    if present {
        let elements: Vec<&Bytes> = elements.collect();
        out.put_u8(field << 3 | 2);
        varint(elements.iter().map(|element| element.len()).sum(), out);
        elements.into_iter().for_each(|element| out.put_slice(element));
    }
}
