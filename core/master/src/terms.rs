//! What the allocator is told of frameworks and agents, in its own words.

use crate::state::{Agent, Framework};
use std::collections::BTreeSet;
use std::sync::Arc;
use tepui_allocator::{AgentFacts, FrameworkCapabilities, FrameworkTerms};
use tepui_proto::mesos::agent_info::capability::Type as AgentCapability;
use tepui_proto::mesos::framework_info::capability::Type;
use tepui_proto::mesos::offer_filters::ResourceQuantities;
use tepui_resources::{Attributes, Name, Quantities, Role, Scalar};

/// Role names as the allocator's roles.
pub(crate) fn roles(names: &BTreeSet<String>) -> Vec<Role> {
    names.iter().map(|name| Role::from(name.as_str())).collect()
}

/// What a framework asks for.
pub(crate) fn framework(framework: &Framework) -> FrameworkTerms {
    let filters = framework.info.offer_filters.iter().filter(|(_, filter)| filter.min_allocatable_resources.is_set());
    FrameworkTerms {
        id: framework.id.clone(),
        roles: roles(&framework.roles),
        suppressed: roles(&framework.suppressed),
        capabilities: FrameworkCapabilities {
            revocable_resources: framework.has(Type::REVOCABLE_RESOURCES),
            gpu_resources: framework.has(Type::GPU_RESOURCES),
            shared_resources: framework.has(Type::SHARED_RESOURCES),
            multi_role: framework.has(Type::MULTI_ROLE),
            reservation_refinement: framework.has(Type::RESERVATION_REFINEMENT),
            region_aware: framework.has(Type::REGION_AWARE),
        },
        min_allocatable: filters
            .map(|(role, filter)| {
                let minimum = filter.min_allocatable_resources.quantities.iter().map(quantities).collect();
                (Role::from(role.as_str()), minimum)
            })
            .collect(),
        constraints: framework.constraints_filter.clone(),
    }
}

fn quantities(proto: &ResourceQuantities) -> Quantities {
    proto.quantities.iter().map(|(name, amount)| (Name::from(name.as_str()), Scalar::from_f64(amount.value))).collect()
}

/// Where and what an agent is.
pub(crate) fn agent(agent: &Agent) -> AgentFacts {
    let domain = agent.info.domain.as_option().and_then(|domain| domain.fault_domain.as_option());
    AgentFacts {
        hostname: Arc::from(agent.info.hostname.as_str()),
        region: domain.map(|domain| Arc::from(domain.region.name.as_str())),
        zone: domain.map(|domain| Arc::from(domain.zone.name.as_str())),
        attributes: Attributes::from_proto(&agent.info.attributes),
        multi_role: agent.has(AgentCapability::MULTI_ROLE),
        hierarchical_role: agent.has(AgentCapability::HIERARCHICAL_ROLE),
    }
}
