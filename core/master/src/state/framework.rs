//! A framework as the master keeps it.

use crate::metrics::FrameworkMetrics;
use imbl::{OrdMap, OrdSet, Vector};
use std::collections::BTreeSet;
use std::sync::Arc;
use tepui_allocator::{FrameworkKey, OfferConstraintsFilter};
use tepui_base::{AgentId, ExecutorId, FrameworkId, OfferId, TaskId, Wall};
use tepui_proto::ContentType;
use tepui_proto::mesos::framework_info::capability::Type as Capability;
use tepui_proto::mesos::scheduler::OfferConstraints;
use tepui_proto::mesos::{ExecutorInfo, FrameworkInfo};
use tepui_resources::Resources;
use tepui_wire::{RequestId, Upid};

/// How a framework stands with this master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Known only from agents: it has not subscribed with this master.
    Recovered,
    /// Subscribed.
    Connected,
    /// Was subscribed; may come back within its failover timeout.
    Disconnected,
}

/// The stream of a framework that subscribed over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// The request whose answer is the stream.
    pub request: RequestId,
    /// What `Mesos-Stream-Id` must say on other calls.
    pub stream_id: String,
    /// Form of the events.
    pub content: ContentType,
}

/// An executor on an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Executor {
    /// As the framework described it.
    pub info: Arc<ExecutorInfo>,
    /// What it uses beside its tasks, allocated to a role.
    pub resources: Resources,
}

/// A framework.
#[derive(Clone, Debug)]
pub struct Framework {
    /// Its id.
    pub id: FrameworkId,
    /// Its name to the allocator; of no meaning once it is completed.
    pub key: FrameworkKey,
    /// What it said of itself, with id.
    pub info: Arc<FrameworkInfo>,
    /// The name it was first known by, which its metrics keep.
    pub first_name: String,
    /// The roles it subscribes to.
    pub roles: BTreeSet<String>,
    /// How it stands.
    pub connection: Connection,
    /// Whether it gets offers.
    pub active: bool,
    /// Where its scheduler listens, if it speaks libprocess. Kept while it is disconnected.
    pub pid: Option<Upid>,
    /// Its stream, if it is connected over HTTP.
    pub http: Option<Http>,
    /// The number of its last disconnection, so that an old failover timer is told from the present one.
    pub disconnection: u64,
    /// When it subscribed first.
    pub registered: Wall,
    /// When it subscribed last.
    pub reregistered: Wall,
    /// When it was removed; the epoch if it was not.
    pub unregistered: Wall,
    /// Roles it wants no offers for.
    pub suppressed: BTreeSet<String>,
    /// Which agents it wants offers of, as it said so.
    pub offer_constraints: Arc<OfferConstraints>,
    /// The same as the allocator takes it.
    pub constraints_filter: OfferConstraintsFilter,
    /// Tasks that are not over, or whose end the framework has not acknowledged.
    pub tasks: OrdMap<TaskId, Arc<Shown<Task>>>,
    /// Tasks on unreachable agents, with the order they became so in `unreachable_order`; bounded.
    pub unreachable: OrdMap<TaskId, Arc<Shown<Task>>>,
    /// Ids of `unreachable`, oldest first.
    pub unreachable_order: Vector<TaskId>,
    /// Tasks that are over, oldest first; bounded.
    pub completed: Vector<Arc<Shown<Task>>>,
    /// Its executors.
    pub executors: OrdMap<(AgentId, ExecutorId), Executor>,
    /// Offers it can accept.
    pub offers: OrdSet<OfferId>,
    /// Inverse offers it has not answered.
    pub inverse_offers: OrdSet<OfferId>,
    /// Used by its tasks and executors.
    pub used: Resources,
    /// In its offers.
    pub offered: Resources,
    /// Its counters.
    pub metrics: FrameworkMetrics,
}

use super::{Shown, Task};

impl Framework {
    /// A framework that nothing is known of but its description.
    pub fn new(id: FrameworkId, key: FrameworkKey, info: Arc<FrameworkInfo>, now: Wall) -> Framework {
        Framework {
            id,
            key,
            roles: roles(&info),
            first_name: info.name.clone(),
            info,
            connection: Connection::Recovered,
            active: false,
            pid: None,
            http: None,
            disconnection: 0,
            registered: now,
            reregistered: now,
            unregistered: Wall(0),
            suppressed: BTreeSet::new(),
            offer_constraints: Arc::default(),
            constraints_filter: OfferConstraintsFilter::default(),
            tasks: OrdMap::new(),
            unreachable: OrdMap::new(),
            unreachable_order: Vector::new(),
            completed: Vector::new(),
            executors: OrdMap::new(),
            offers: OrdSet::new(),
            inverse_offers: OrdSet::new(),
            used: Resources::default(),
            offered: Resources::default(),
            metrics: FrameworkMetrics::default(),
        }
    }

    /// Whether it has a capability.
    pub fn has(&self, capability: Capability) -> bool {
        has_capability(&self.info, capability)
    }

    /// Whether it is subscribed.
    pub fn is_connected(&self) -> bool {
        self.connection == Connection::Connected
    }

    /// Whether it is known from agents only.
    pub fn is_recovered(&self) -> bool {
        self.connection == Connection::Recovered
    }

    /// A state for a task that is lost, in the word this framework understands: `aware` if it is PARTITION_AWARE,
    /// else TASK_LOST.
    pub fn lost_as(&self, aware: tepui_proto::mesos::TaskState) -> tepui_proto::mesos::TaskState {
        if self.has(Capability::PARTITION_AWARE) { aware } else { tepui_proto::mesos::TaskState::TASK_LOST }
    }

    /// A task became unreachable.
    pub fn add_unreachable(&mut self, task: Arc<Shown<Task>>, limit: usize) {
        if self.unreachable.insert(task.id.clone(), task.clone()).is_none() {
            self.unreachable_order.push_back(task.id.clone());
        }
        while self.unreachable_order.len() > limit {
            let oldest = self.unreachable_order.pop_front().expect("it is not empty");
            self.unreachable.remove(&oldest);
        }
    }

    /// A task is no longer unreachable.
    pub fn remove_unreachable(&mut self, task: &TaskId) -> Option<Arc<Shown<Task>>> {
        let removed = self.unreachable.remove(task)?;
        self.unreachable_order.retain(|known| known != task);
        Some(removed)
    }

    /// A task is over.
    pub fn add_completed(&mut self, task: Arc<Shown<Task>>, limit: usize) {
        self.completed.push_back(task);
        while self.completed.len() > limit {
            self.completed.pop_front();
        }
    }
}

/// Whether a description names a capability.
pub fn has_capability(info: &FrameworkInfo, capability: Capability) -> bool {
    info.capabilities.iter().any(|known| known.r#type == Some(capability))
}

/// The roles of a description: `roles` if it is MULTI_ROLE, else the one `role` (by default `*`).
pub fn roles(info: &FrameworkInfo) -> BTreeSet<String> {
    if has_capability(info, Capability::MULTI_ROLE) {
        info.roles.iter().cloned().collect()
    } else {
        BTreeSet::from([info.role.clone().unwrap_or_else(|| "*".to_owned())])
    }
}
