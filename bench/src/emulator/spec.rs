//! What an emulated agent says of itself.

use tepui_proto::MessageField;
use tepui_proto::mesos::agent_info::{Capability, capability::Type};
use tepui_proto::mesos::domain_info::{FaultDomain, fault_domain};
use tepui_proto::mesos::{AgentInfo, Attribute, DomainInfo, Resource, TaskState};
use tepui_resources::{Attributes, Resources};

/// What an agent of Mesos 1.11 can do (`AGENT_CAPABILITIES` in `src/slave/constants.cpp`).
pub const CAPABILITIES: [Type; 8] = [
    Type::MULTI_ROLE,
    Type::HIERARCHICAL_ROLE,
    Type::RESERVATION_REFINEMENT,
    Type::RESOURCE_PROVIDER,
    Type::RESIZE_VOLUME,
    Type::AGENT_OPERATION_FEEDBACK,
    Type::AGENT_DRAINING,
    Type::TASK_RESOURCE_LIMITS,
];

/// What an emulated agent says of itself, and how its tasks go.
#[derive(Clone, Debug)]
pub struct AgentSpec {
    /// Name of its machine; Mesos refuses a re-registration under another one.
    pub hostname: String,
    /// All it has.
    pub resources: Vec<Resource>,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// Region and zone.
    pub domain: Option<DomainInfo>,
    /// What it claims to be able to do; by default all that an agent of 1.11 claims.
    pub capabilities: Vec<Type>,
    /// Whether it checkpoints: frameworks that do get offers of such agents only.
    pub checkpoint: bool,
    /// The Mesos version it claims.
    pub version: String,
    /// What each task reports by itself, each state after the acknowledgement of the one before. The default is
    /// TASK_RUNNING alone; anything else is told with [`super::Agent::report`].
    pub task_states: Vec<TaskState>,
}

impl AgentSpec {
    /// An agent with these resources, in the syntax of the agent's `--resources` (`cpus(role):2;mem:1024`).
    pub fn new(hostname: &str, resources: &str) -> anyhow::Result<AgentSpec> {
        Ok(AgentSpec {
            hostname: hostname.to_owned(),
            resources: Resources::parse(resources, "*")?.to_proto(),
            attributes: Vec::new(),
            domain: None,
            capabilities: CAPABILITIES.to_vec(),
            checkpoint: true,
            version: "1.11.0".to_owned(),
            task_states: vec![TaskState::TASK_RUNNING],
        })
    }

    /// With attributes, in the syntax of `--attributes` (`rack:a;gen:3`).
    pub fn attributes(self, attributes: &str) -> anyhow::Result<AgentSpec> {
        Ok(AgentSpec { attributes: Attributes::parse(attributes)?.to_proto(), ..self })
    }

    /// In a region and zone. A master without a domain of its own ignores such an agent.
    #[must_use]
    pub fn domain(self, region: &str, zone: &str) -> AgentSpec {
        let region = fault_domain::RegionInfo { name: region.to_owned(), ..Default::default() };
        let zone = fault_domain::ZoneInfo { name: zone.to_owned(), ..Default::default() };
        let domain = FaultDomain { region: region.into(), zone: zone.into(), ..Default::default() };
        AgentSpec { domain: Some(DomainInfo { fault_domain: domain.into(), ..Default::default() }), ..self }
    }

    /// With these capabilities only.
    #[must_use]
    pub fn capabilities(self, capabilities: &[Type]) -> AgentSpec {
        AgentSpec { capabilities: capabilities.to_vec(), ..self }
    }

    /// With tasks that report these states by themselves.
    #[must_use]
    pub fn task_states(self, states: &[TaskState]) -> AgentSpec {
        AgentSpec { task_states: states.to_vec(), ..self }
    }

    pub(super) fn info(&self, port: u16) -> AgentInfo {
        AgentInfo {
            hostname: self.hostname.clone(),
            port: Some(i32::from(port)),
            resources: self.resources.clone(),
            attributes: self.attributes.clone(),
            domain: self.domain.clone().map_or_else(MessageField::none, MessageField::some),
            checkpoint: Some(self.checkpoint),
            ..AgentInfo::default()
        }
    }

    pub(super) fn capabilities_proto(&self) -> Vec<Capability> {
        let capability = |kind: &Type| Capability { r#type: Some(*kind), ..Capability::default() };
        self.capabilities.iter().map(capability).collect()
    }
}
