//! The life of an agent: registration, pings, updates, coming back, going.
//!
//! An agent is admitted, given up or taken back only after the registrar said so; until then it stands in
//! [`crate::pending`]. Messages of agents that were removed are ignored.

pub(crate) mod capacity;
pub(crate) mod checkpointed;
mod draining;
mod exited;
mod messages;
pub(crate) mod ping;
mod prune;
mod register;
mod removals;
mod remove;
mod reregister;
mod unreachable;
mod update;

pub(crate) use removals::Removals;

use crate::Master;
use crate::cx::Cx;
use crate::state::agent::machine;
use crate::state::{Agent, Shown};
use crate::subscribers::Change;
use crate::terms;
use crate::timers::Timer;
use crate::validate::version::Version;
use capacity::Claim;
use checkpointed::Holdings;
use std::sync::Arc;
use tepui_allocator::Input;
use tepui_base::FrameworkId;
use tepui_proto::MessageField;
use tepui_proto::mesos::agent_info::Capability;
use tepui_proto::mesos::internal::MasterAgentConnection;
use tepui_proto::mesos::{AgentInfo, Resource};
use tepui_resources::{Resources, format};
use tepui_wire::Upid;

/// Older agents are not let in.
const MINIMUM_VERSION: Version = Version { numbers: (1, 0, 0), is_release: true };

/// What an agent says of itself when it registers, in whichever message.
pub(crate) struct Arrival {
    /// Where it listens.
    pub pid: Upid,
    /// With its id, and resources in the newest form.
    pub info: Arc<AgentInfo>,
    /// The Mesos version it speaks.
    pub version: String,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// Version of its resources.
    pub resource_version: Option<Vec<u8>>,
    /// What it has.
    pub holdings: Holdings,
}

impl Master {
    /// What of an arriving agent this master can work with; others are ignored without a word.
    fn is_acceptable(&self, info: &AgentInfo, version: Option<&str>) -> bool {
        let recent = version.and_then(Version::parse).is_some_and(|version| version >= MINIMUM_VERSION);
        // Beside a master without fault domain, an agent with one would not be placed rightly.
        let placed =
            if info.domain.is_set() { self.config.domain.is_some() } else { !self.config.require_agent_domain };
        recent && placed
    }

    /// Whether there is room in what can be counted for what an agent claims; it is taken up from now on.
    fn has_room(&mut self, id: &tepui_base::AgentId, claim: &Claim) -> bool {
        self.known.names.fit(claim.names())
            && self.known.capacity.admit(id, claim)
            && self.known.names.admit(claim.names())
    }

    /// How long the agent may go without a ping before it looks for a master again.
    fn connection(&self) -> MessageField<MasterAgentConnection> {
        MessageField::some(MasterAgentConnection {
            total_ping_timeout_seconds: Some(self.config.total_ping_timeout().as_secs_f64()),
            ..Default::default()
        })
    }

    /// Makes the record of an agent, links to it and begins to ping it. The allocator is told by
    /// [`Master::offer_agent`], once its tasks and executors are known.
    fn add_agent(&mut self, cx: &mut Cx, arrival: Arrival) {
        let id = tepui_base::AgentId::from(&*arrival.info.id);
        let key = self.keys.agents.issue();
        self.keys.agent_ids.insert(key, id.clone());
        self.counts.observers += 1;
        let observer = self.counts.observers;
        self.addresses.observers.insert(observer, id.clone());
        self.addresses.agents.insert(arrival.pid.clone(), id.clone());
        cx.link(&arrival.pid);
        let unavailability = self.unavailability(&machine(&arrival.info, &arrival.pid));
        let standing = self.known.standings.remove(&id).unwrap_or_default();
        let agent = Agent {
            id: id.clone(),
            key,
            total: arrival.holdings.total,
            checkpointed: arrival.holdings.checkpointed,
            providers: Default::default(),
            info: arrival.info,
            pid: arrival.pid,
            version: arrival.version,
            capabilities: arrival.capabilities,
            observer,
            connected: true,
            active: !standing.deactivated,
            standing,
            disconnection: 0,
            pinged: false,
            missed_pings: 0,
            registered: cx.now.wall,
            reregistered: None,
            resource_version: arrival.resource_version,
            used: Default::default(),
            offered: Resources::new(),
            tasks: Default::default(),
            executors: Default::default(),
            offers: Default::default(),
            unavailability,
            inverse_offers: Default::default(),
            inverse_statuses: Default::default(),
            killed: Default::default(),
        };
        let before = self.state.agents.insert(id, Shown::new(agent));
        assert!(before.is_none(), "an agent is added once");
        self.timers.set(cx.now.monotonic, Timer::Ping(observer));
    }

    /// The allocator may offer what the agent has. Operators hear of the agent now.
    fn offer_agent(&mut self, cx: &mut Cx, id: &tepui_base::AgentId) {
        let agent = &self.state.agents[id];
        let key_of = |framework: &FrameworkId| self.state.frameworks[framework].key;
        let used = agent.used.iter().map(|(framework, used)| (key_of(framework), used.clone())).collect();
        let (key, facts, total) = (agent.key, terms::agent(agent), agent.total.clone());
        let planned = agent.unavailability.is_set();
        cx.allocator(Input::AddAgent { key, facts, total, used });
        if planned {
            cx.allocator(Input::UpdateUnavailability { agent: key, planned });
        }
        self.withhold_deactivated(cx, id);
        self.publish(cx, Change::AgentAdded(id));
    }
}

/// A description in no more room than it needs: it is kept for as long as its agent.
pub(crate) fn compact(mut info: AgentInfo) -> Arc<AgentInfo> {
    info.resources.shrink_to_fit();
    info.attributes.shrink_to_fit();
    Arc::new(info)
}

/// Brings what an agent says that it has to the newest form. It is allocated to nobody yet, whatever the agent says.
fn own(resources: &mut [Resource]) {
    format::upgrade_all(resources);
    format::strip_allocation(resources);
}
