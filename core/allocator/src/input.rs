//! What an allocator learns and what it does: the message boundary between it and the master.
//!
//! Both sides run apart, so each may act on what the other has just changed. The master must expect offers for
//! frameworks and agents it has removed, deactivated or disconnected in the meantime: where the key still lives it
//! gives the resources back with [`Input::Recover`], where it does not it drops them (removal has freed them here).
//! The allocator in turn ignores every input that names a key which is gone.

use crate::constraints::OfferConstraintsFilter;
use crate::key::{AgentKey, FrameworkKey};
use std::sync::Arc;
use std::time::Duration;
use tepui_base::FrameworkId;
use tepui_resources::{Attributes, Quantities, Resources, Role};

/// What an allocator can learn. The calls of `include/mesos/allocator/allocator.hpp`, as messages.
#[derive(Clone, Debug)]
pub enum Input {
    /// A framework subscribed, or is known again from its tasks on an agent. What it holds on agents that were added
    /// before is accounted to it from now on.
    AddFramework {
        /// Its key, new.
        key: FrameworkKey,
        /// What it asks for.
        terms: FrameworkTerms,
        /// Whether it can take offers now.
        active: bool,
    },
    /// A framework changed what it asks for.
    UpdateFramework {
        /// Its key.
        key: FrameworkKey,
        /// All it asks for from now on.
        terms: FrameworkTerms,
    },
    /// A framework is gone; all it was offered or holds is free.
    RemoveFramework(FrameworkKey),
    /// A framework can take offers again.
    ActivateFramework(FrameworkKey),
    /// A framework is disconnected: it keeps what it holds, is offered nothing, and its filters are forgotten.
    DeactivateFramework(FrameworkKey),
    /// An agent was admitted or came back.
    AddAgent {
        /// Its key, new.
        key: AgentKey,
        /// Where and what it is.
        facts: AgentFacts,
        /// All its resources, without allocation roles.
        total: Resources,
        /// What runs there, by framework, with allocation roles. Frameworks may be added later.
        used: Vec<(FrameworkKey, Resources)>,
    },
    /// An agent changed.
    UpdateAgent {
        /// Its key.
        key: AgentKey,
        /// Where and what it is, if told anew. Other attributes remove all filters on the agent.
        facts: Option<AgentFacts>,
        /// All its resources, if told anew.
        total: Option<Resources>,
    },
    /// An agent is gone, with all that was offered or held there.
    RemoveAgent(AgentKey),
    /// An agent's resources may be offered (as they may right after it was added).
    ActivateAgent(AgentKey),
    /// An agent's resources are not to be offered.
    DeactivateAgent(AgentKey),
    /// An agent will be away for maintenance, at another time than was known, or no longer will. What frameworks
    /// refused and were asked about it before is void.
    UpdateUnavailability {
        /// Its key.
        agent: AgentKey,
        /// Whether there is a window.
        planned: bool,
    },
    /// An inverse offer was answered, rescinded, timed out or could not be sent.
    EndInverseOffer {
        /// Who was to be asked.
        framework: FrameworkKey,
        /// About which agent.
        agent: AgentKey,
        /// For how long not to ask again. `None` or zero: not at all.
        refuse: Option<Duration>,
    },
    /// Only agents with these host names are offered; `None`: all are.
    UpdateWhitelist(Option<Vec<String>>),
    /// Offered resources were declined or not used, or a task or executor ended.
    Recover {
        /// Who had them.
        framework: FrameworkKey,
        /// Where they are.
        agent: AgentKey,
        /// What is free again, with its allocation role.
        resources: Resources,
        /// For how long (at least one allocation interval) not to offer that much of this agent to this framework in
        /// this role again. `None` or zero: no such filter.
        refuse: Option<Duration>,
        /// Whether they had been used (`isAllocated`) rather than only offered.
        allocated: bool,
    },
    /// A framework wants no offers for these roles; for all its roles if there are none here.
    Suppress {
        /// Its key.
        framework: FrameworkKey,
        /// The roles.
        roles: Vec<Role>,
    },
    /// A framework wants offers for these roles again, and forgets its filters there; for all its roles if there are
    /// none here.
    Revive {
        /// Its key.
        framework: FrameworkKey,
        /// The roles.
        roles: Vec<Role>,
    },
    /// Operations of an ACCEPT changed resources that were offered.
    UpdateAllocation {
        /// Who was offered them.
        framework: FrameworkKey,
        /// Where they are.
        agent: AgentKey,
        /// What was offered, with its allocation role.
        offered: Resources,
        /// What became what, with allocation roles, in order. Nothing consumed: one more copy of a shared resource.
        /// Nothing converted: the resource is no more.
        conversions: Vec<(Resources, Resources)>,
    },
    /// New weights (positive) of roles. They count from the next allocation on.
    UpdateWeights(Vec<(Role, f64)>),
    /// A framework asks for resources (REQUEST). The hierarchical allocator takes no account of it, as in Mesos.
    RequestResources(FrameworkKey),
    /// Make no offers until [`Input::Resume`].
    Pause,
    /// Make offers again, from the next interval on.
    Resume,
}

/// What an allocator does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Resources set aside for a framework, all of one allocation run.
    Offer {
        /// For whom.
        framework: FrameworkKey,
        /// One entry per agent and role.
        offers: Vec<OfferedAgent>,
    },
    /// A framework is to be asked to give back what it holds on agents that will be away.
    InverseOffer {
        /// Whom.
        framework: FrameworkKey,
        /// Of which agents.
        agents: Vec<AgentKey>,
    },
}

/// What one framework is offered of one agent in one role.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferedAgent {
    /// Where the resources are.
    pub agent: AgentKey,
    /// For which of the framework's roles.
    pub role: Role,
    /// What is offered, allocated to that role.
    pub resources: Resources,
}

/// What a framework asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameworkTerms {
    /// The last tie-break of fairness.
    pub id: FrameworkId,
    /// The roles it is subscribed to.
    pub roles: Vec<Role>,
    /// Those of them for which it wants no offers.
    pub suppressed: Vec<Role>,
    /// What it can deal with.
    pub capabilities: FrameworkCapabilities,
    /// Per role, instead of [`Options::min_allocatable`]: `FrameworkInfo.offer_filters`. An empty list: no minimum.
    pub min_allocatable: Vec<(Role, Vec<Quantities>)>,
    /// The agents it wants to be offered at all.
    pub constraints: OfferConstraintsFilter,
}

/// Capabilities of a framework that decide what it can be offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameworkCapabilities {
    /// REVOCABLE_RESOURCES
    pub revocable_resources: bool,
    /// GPU_RESOURCES
    pub gpu_resources: bool,
    /// SHARED_RESOURCES
    pub shared_resources: bool,
    /// MULTI_ROLE
    pub multi_role: bool,
    /// RESERVATION_REFINEMENT
    pub reservation_refinement: bool,
    /// REGION_AWARE
    pub region_aware: bool,
}

/// What the allocator must know of an agent besides its resources.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentFacts {
    /// For the whitelist.
    pub hostname: Arc<str>,
    /// The region of its fault domain, if it has one.
    pub region: Option<Arc<str>>,
    /// The zone of its fault domain, if it has one.
    pub zone: Option<Arc<str>>,
    /// What frameworks may have chosen it by.
    pub attributes: Attributes,
    /// MULTI_ROLE: without it, nothing is offered to MULTI_ROLE frameworks.
    pub multi_role: bool,
    /// HIERARCHICAL_ROLE: without it, nothing is offered to roles with a `/`.
    pub hierarchical_role: bool,
}

/// Settings of an allocator (`allocator::Options`, from the master's flags).
#[derive(Clone, Debug)]
pub struct Options {
    /// The time between two allocation runs over all agents (`--allocation_interval`).
    pub interval: Duration,
    /// An offer must contain one of these; an empty list: anything may be offered (`--min_allocatable_resources`).
    pub min_allocatable: Vec<Quantities>,
    /// Whether agents with GPUs are kept for GPU_RESOURCES frameworks (`--filter_gpu_resources`).
    pub filter_gpu_resources: bool,
    /// Resource names that do not count for shares (`--fair_sharing_excluded_resource_names`).
    pub fair_sharing_excluded: Vec<String>,
    /// The region of the master's fault domain (`--domain`).
    pub region: Option<Arc<str>>,
}
