//! The registry's contents as persistent maps, and their protobuf form.

use crate::maintenance::Maintenance;
use buffa::MessageField;
use imbl::OrdMap;
use std::sync::Arc;
use tepui_base::AgentId;
use tepui_proto::mesos::internal::{Registry, registry};
use tepui_proto::mesos::{AgentID, AgentInfo, MasterInfo, TimeInfo};

/// When an agent was marked unreachable, in nanoseconds since the epoch.
pub type Unreachable = i64;

/// All that is registered. Cloning is O(1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The master that recovered the registry last.
    pub master: Option<Arc<MasterInfo>>,
    /// Agents that may run tasks, by id.
    pub admitted: OrdMap<AgentId, Arc<AgentInfo>>,
    /// Agents that stopped answering, with the time they were marked.
    pub unreachable: OrdMap<AgentId, Unreachable>,
    /// Agents an operator has given up for good, with the time.
    pub gone: OrdMap<AgentId, Unreachable>,
    /// The maintenance schedule and its machines.
    pub maintenance: Maintenance,
}

impl State {
    /// The message that Mesos stores under the name `registry`.
    pub fn to_proto(&self) -> Registry {
        let id = |id: &AgentId| MessageField::some(AgentID { value: id.as_str().to_owned(), ..Default::default() });
        let time = |nanoseconds: i64| MessageField::some(TimeInfo { nanoseconds, ..Default::default() });
        let agents = self
            .admitted
            .values()
            .map(|info| registry::Agent { info: MessageField::some((**info).clone()), ..Default::default() });
        let unreachable = self.unreachable.iter().map(|(key, at)| registry::UnreachableAgent {
            id: id(key),
            timestamp: time(*at),
            ..Default::default()
        });
        let gone = self.gone.iter().map(|(key, at)| registry::GoneAgent {
            id: id(key),
            timestamp: time(*at),
            ..Default::default()
        });
        Registry {
            master: self.master.as_ref().map_or_else(MessageField::none, |info| {
                MessageField::some(registry::Master {
                    info: MessageField::some((**info).clone()),
                    ..Default::default()
                })
            }),
            agents: MessageField::some(registry::Agents { agents: agents.collect(), ..Default::default() }),
            unreachable: MessageField::some(registry::UnreachableAgents {
                agents: unreachable.collect(),
                ..Default::default()
            }),
            gone: MessageField::some(registry::GoneAgents { agents: gone.collect(), ..Default::default() }),
            machines: self.maintenance.machines_to_proto(),
            schedules: self.maintenance.schedules_to_proto(),
            ..Default::default()
        }
    }

    /// Reads the stored message. Parts that belong to rooms not built yet are not kept.
    pub fn from_proto(proto: &Registry) -> State {
        let key = |id: &AgentID| AgentId::from(id.value.as_str());
        State {
            master: proto.master.as_option().map(|master| Arc::new((*master.info).clone())),
            admitted: proto
                .agents
                .agents
                .iter()
                .map(|agent| (key(&agent.info.id), Arc::new((*agent.info).clone())))
                .collect(),
            unreachable: proto
                .unreachable
                .agents
                .iter()
                .map(|agent| (key(&agent.id), agent.timestamp.nanoseconds))
                .collect(),
            gone: proto.gone.agents.iter().map(|agent| (key(&agent.id), agent.timestamp.nanoseconds)).collect(),
            maintenance: Maintenance::from_proto(&proto.machines, &proto.schedules),
        }
    }
}
