//! What the master knows, as compact records in persistent maps.
//!
//! [`Snapshot`] is the whole of it that views may see; cloning it is O(1) and never stops the writer, which copies an
//! entity only when a reader still holds it. Invariants: every task, executor and offer belongs to a registered
//! framework, and every task that is not unreachable or completed, every executor and every offer to a registered
//! agent; an agent's `used` and `offered` are the sums of what its tasks, executors and offers hold.

pub mod agent;
pub mod framework;
pub mod inverse_offer;
pub mod offer;
pub mod shown;
pub mod status;
pub mod task;

pub use agent::Agent;
pub use framework::{Connection, Executor, Framework, Http};
pub use inverse_offer::InverseOffer;
pub use offer::Offer;
pub use shown::Shown;
pub use task::Task;

use crate::config::Config;
use crate::metrics::Metrics;
use imbl::{OrdMap, Vector};
use std::sync::Arc;
use tepui_authz::Approvers;
use tepui_base::{AgentId, FrameworkId, OfferId, Wall};
use tepui_proto::mesos::quota::QuotaConfig;
use tepui_proto::mesos::{AgentInfo, MasterInfo};
use tepui_registry::Maintenance;

/// Everything readers can ask about.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The flags.
    pub config: Arc<Config>,
    /// This master, as clients see it.
    pub info: Arc<MasterInfo>,
    /// When the process started, once it has seen an input.
    pub started: Option<Wall>,
    /// When it was elected; none if it does not lead.
    pub elected: Option<Wall>,
    /// The leading master, as far as this one knows; itself if it leads.
    pub leader: Option<Arc<MasterInfo>>,
    /// The time of the last input, for uptime.
    pub now: Wall,
    /// Whether the registry has been recovered.
    pub recovered: bool,
    /// Frameworks that are connected, may come back, or are known from agents only.
    pub frameworks: OrdMap<FrameworkId, Arc<Framework>>,
    /// Frameworks that are over, oldest first; bounded.
    pub completed: Vector<Arc<Framework>>,
    /// Registered agents, connected or not.
    pub agents: OrdMap<AgentId, Arc<Shown<Agent>>>,
    /// Agents in the registry that have not come back since this master was elected.
    pub recovered_agents: OrdMap<AgentId, Arc<AgentInfo>>,
    /// Agents marked unreachable, with the time in nanoseconds since the epoch.
    pub unreachable: OrdMap<AgentId, i64>,
    /// Agents marked gone, with the time.
    pub gone: OrdMap<AgentId, i64>,
    /// Offers that frameworks can still accept.
    pub offers: OrdMap<OfferId, Arc<Offer>>,
    /// How many read the operator event stream.
    pub subscribers: usize,
    /// Inverse offers that frameworks have not answered.
    pub inverse_offers: OrdMap<OfferId, Arc<InverseOffer>>,
    /// The maintenance schedule and its machines, as the registry has them.
    pub maintenance: Maintenance,
    /// Quotas by role, as the registry has them.
    pub quotas: OrdMap<String, Arc<QuotaConfig>>,
    /// Weights by role: those of the registry; until it is known, or if it has none, those of `--weights`.
    pub weights: OrdMap<String, f64>,
    /// What the allocator says of itself: put in by whoever runs both, for a request that asks for it.
    pub allocator: Option<Arc<crate::view::allocator::Figures>>,
    /// Counters.
    pub metrics: Metrics,
    /// Who may do and see what.
    pub approvers: Approvers,
}

impl Snapshot {
    /// Of a master that knows nothing but itself. It counts as its own leader until another is named.
    pub(crate) fn new(config: Arc<Config>, info: Arc<MasterInfo>) -> Snapshot {
        Snapshot {
            weights: config.weights.iter().map(|(role, weight)| (role.clone(), *weight)).collect(),
            config,
            leader: Some(info.clone()),
            info,
            started: None,
            elected: None,
            now: Wall(0),
            recovered: false,
            frameworks: OrdMap::new(),
            completed: Vector::new(),
            agents: OrdMap::new(),
            recovered_agents: OrdMap::new(),
            unreachable: OrdMap::new(),
            gone: OrdMap::new(),
            offers: OrdMap::new(),
            subscribers: 0,
            inverse_offers: OrdMap::new(),
            maintenance: Maintenance::default(),
            quotas: OrdMap::new(),
            allocator: None,
            metrics: Metrics::default(),
            approvers: Approvers::permissive(),
        }
    }

    /// A framework to change; copied first if a reader holds it.
    pub fn framework_mut(&mut self, id: &FrameworkId) -> Option<&mut Framework> {
        self.frameworks.get_mut(id).map(Arc::make_mut)
    }

    /// An agent to change; copied first if a reader holds it.
    pub fn agent_mut(&mut self, id: &AgentId) -> Option<&mut Agent> {
        self.agents.get_mut(id).map(|agent| &mut **Arc::make_mut(agent))
    }

    /// Whether a framework of this id is over.
    pub fn is_completed(&self, id: &FrameworkId) -> bool {
        self.completed.iter().any(|framework| framework.id == *id)
    }
}
