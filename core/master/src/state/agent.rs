//! An agent as the master keeps it.

use imbl::{OrdMap, OrdSet};
use std::sync::Arc;
use tepui_allocator::AgentKey;
use tepui_base::{AgentId, ExecutorId, FrameworkId, OfferId, TaskId, Wall};
use tepui_proto::MessageField;
use tepui_proto::mesos::agent_info::Capability;
use tepui_proto::mesos::agent_info::capability::Type;
use tepui_proto::mesos::allocator::InverseOfferStatus;
use tepui_proto::mesos::{Address, AgentInfo, MachineID, ResourceProviderInfo, URL, Unavailability};
use tepui_registry::Standing;
use tepui_resources::Resources;
use tepui_wire::Upid;

/// A registered agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Its name to the allocator.
    pub key: AgentKey,
    /// What it said of itself, with id and upgraded resources.
    pub info: Arc<AgentInfo>,
    /// Where it listens.
    pub pid: Upid,
    /// The Mesos version it speaks.
    pub version: String,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// Number of the observer that pings it (`slave-observer(N)`).
    pub observer: u64,
    /// Whether the link to it stands.
    pub connected: bool,
    /// Whether its resources may be offered.
    pub active: bool,
    /// Whether an operator has deactivated it, and how far its draining has come.
    pub standing: Standing,
    /// The number of its last disconnection, so that an old timer is told from the present one.
    pub disconnection: u64,
    /// Whether the last ping has not been answered yet.
    pub pinged: bool,
    /// Pings in a row that were not answered.
    pub missed_pings: u32,
    /// When it registered with this master.
    pub registered: Wall,
    /// When it came back last.
    pub reregistered: Option<Wall>,
    /// Version of its resources; tasks are launched against it.
    pub resource_version: Option<Vec<u8>>,
    /// Its resources with what oversubscription and resource providers add, reserved and made into volumes as they are.
    pub total: Resources,
    /// Its dynamic reservations and persistent volumes, but those of resource providers: what it has written down.
    pub checkpointed: Resources,
    /// The resource providers that have subscribed with it, by id.
    pub providers: OrdMap<String, Provider>,
    /// Used by each framework's tasks and executors.
    pub used: OrdMap<FrameworkId, Resources>,
    /// In outstanding offers.
    pub offered: Resources,
    /// Tasks on it that are not completed.
    pub tasks: OrdSet<(FrameworkId, TaskId)>,
    /// Executors on it (not those of command tasks, which the agent makes itself).
    pub executors: OrdSet<(FrameworkId, ExecutorId)>,
    /// Outstanding offers of its resources.
    pub offers: OrdSet<OfferId>,
    /// When its machine is to be maintained, if it is. Offers and inverse offers do not outlive a change of it.
    pub unavailability: MessageField<Unavailability>,
    /// Outstanding inverse offers about it.
    pub inverse_offers: OrdSet<OfferId>,
    /// The last answer of each framework to an inverse offer about it, under its present window.
    pub inverse_statuses: OrdMap<FrameworkId, InverseOfferStatus>,
    /// Tasks whose kill was asked for; asked again when the agent comes back.
    pub killed: OrdSet<(FrameworkId, TaskId)>,
}

/// A resource provider of an agent, as the agent told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// What it said of itself; it has an id.
    pub info: ResourceProviderInfo,
    /// All its resources; they are part of the agent's.
    pub total: Resources,
    /// Version of its resources; tasks are launched against it.
    pub version: Vec<u8>,
}

impl Agent {
    /// Whether it has a capability.
    pub fn has(&self, capability: Type) -> bool {
        self.capabilities.iter().any(|known| known.r#type == Some(capability))
    }

    /// The machine it runs on.
    pub fn machine(&self) -> MachineID {
        machine(&self.info, &self.pid)
    }

    /// Where it listens, as offers show it.
    pub fn url(&self) -> URL {
        let address = Address {
            hostname: Some(self.info.hostname.clone()),
            ip: Some(self.pid.ip.to_string()),
            port: i32::from(self.pid.port),
            ..Default::default()
        };
        URL {
            scheme: "http".to_owned(),
            address: MessageField::some(address),
            path: Some(format!("/{}", self.pid.id)),
            ..Default::default()
        }
    }

    /// Ids of a framework's executors on it.
    pub fn executors_of<'a>(&'a self, framework: &'a FrameworkId) -> impl Iterator<Item = &'a ExecutorId> {
        self.executors.iter().filter(move |(owner, _)| owner == framework).map(|(_, id)| id)
    }

    /// All frameworks with a task or executor on it, each once, in order.
    pub fn frameworks(&self) -> Vec<FrameworkId> {
        let mut ids: Vec<FrameworkId> = self.tasks.iter().map(|(id, _)| id.clone()).collect();
        ids.extend(self.executors.iter().map(|(id, _)| id.clone()));
        ids.sort();
        ids.dedup();
        ids
    }

    /// Everything its resource providers have.
    pub fn provided(&self) -> Resources {
        self.providers.values().fold(Resources::default(), |mut sum, provider| {
            sum += &provider.total;
            sum
        })
    }

    /// Everything in use.
    pub fn used_total(&self) -> Resources {
        self.used.values().fold(Resources::default(), |mut sum, used| {
            sum += used;
            sum
        })
    }

    /// Resources come into use by a framework.
    pub fn add_used(&mut self, framework: &FrameworkId, resources: &Resources) {
        if !resources.is_empty() {
            *self.used.entry(framework.clone()).or_default() += resources;
        }
    }

    /// Resources are no longer used by a framework.
    pub fn remove_used(&mut self, framework: &FrameworkId, resources: &Resources) {
        let Some(used) = self.used.get_mut(framework) else { return };
        *used -= resources;
        if used.is_empty() {
            self.used.remove(framework);
        }
    }
}

/// The machine an agent runs on: its host name, and the address it speaks from.
pub fn machine(info: &AgentInfo, pid: &Upid) -> MachineID {
    MachineID { hostname: Some(info.hostname.clone()), ip: Some(pid.ip.to_string()), ..Default::default() }
}
