//! The master: decides which framework may use what, and keeps the truth about frameworks, agents, tasks and offers.
//!
//! A pure state machine. It lives at one libprocess address, speaks V0 messages and the V1 HTTP API there, asks the
//! registrar before it lets an agent in or gives one up, and leaves the sharing of resources to the allocator, whose
//! offers may be stale when they arrive. V0 messages, old and new, and V1 calls end in the same handlers.
//!
//! Where things are: [`v0`] takes libprocess messages apart, [`http`] HTTP requests; `call/` has one file per
//! scheduler call, `accept/` one per operation of ACCEPT, `operator/` one per call of an operator that
//! waits for the registrar, `agent/` the life of an agent; [`state`] the records, [`event`] what frameworks are told,
//! [`subscribers`] what operators are told, [`validate`] what is refused and in which words, [`view`] what is shown.
//!
//! Invariants: see [`state`]. A task's terminal state never changes; its resources go back to the allocator exactly
//! once; an answer of the registrar is waited for as a [`pending::Pending`] entry. What the registry
//! says of quotas, weights and draining agents holds ([`recovery`]). Not done here: election, the calls that set those,
//! dynamic reservations and volumes, authentication.
//! Source: Mesos `src/master/master.cpp`.

mod accept;
mod agent;
mod call;
pub mod config;
mod cx;
pub mod effect;
pub mod event;
pub mod follower;
mod http;
pub mod input;
mod inverse_offers;
mod maintenance;
pub mod metrics;
mod names;
mod offers;
mod operator;
mod pending;
mod record;
mod recovery;
pub mod state;
pub mod subscribers;
mod tasks;
mod terms;
mod timers;
mod v0;
pub mod validate;
pub mod view;

pub use config::{Build, Config};
pub use effect::Effect;
pub use follower::Follower;
pub use input::Input;
pub use state::Snapshot;

use cx::Cx;
use pending::{Known, Pending};
use std::collections::BTreeMap;
use std::sync::Arc;
use tepui_allocator::{AgentKey, FrameworkKey, Issuer, Slab};
use tepui_base::{AgentId, FrameworkId, Instant, Machine, Map, Now, OfferId, Outbox, Rng, Wall};
use tepui_hooks::Hooks;
use tepui_proto::MessageField;
use tepui_proto::mesos::{Address, MasterInfo, master_info};
use tepui_registry::OperationId;
use tepui_wire::{NetInput, Request, RequestId, Upid};
use timers::{Timer, Timers};

/// Who is reached how.
#[derive(Default)]
struct Addresses {
    frameworks: Map<Upid, FrameworkId>,
    streams: Map<RequestId, FrameworkId>,
    agents: Map<Upid, AgentId>,
    observers: Map<u64, AgentId>,
}

/// The names under which the allocator knows frameworks and agents.
#[derive(Default)]
struct Keys {
    frameworks: Issuer<FrameworkKey>,
    framework_ids: Slab<FrameworkKey, FrameworkId>,
    agents: Issuer<AgentKey>,
    agent_ids: Slab<AgentKey, AgentId>,
}

/// How many of each were named so far.
#[derive(Default)]
struct Counts {
    frameworks: u64,
    agents: u64,
    offers: u64,
    operations: u64,
    observers: u64,
    disconnections: u64,
}

/// How far the master has come since it was made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It has seen no input yet.
    New,
    /// It waits for the registry.
    Recovering,
    /// It leads.
    Leading,
}

/// The master.
pub struct Master {
    config: Arc<Config>,
    hooks: Arc<dyn Hooks>,
    state: Snapshot,
    phase: Phase,
    addresses: Addresses,
    keys: Keys,
    counts: Counts,
    timers: Timers,
    pending: BTreeMap<OperationId, Pending>,
    known: Known,
    removals: agent::Removals,
    /// Of the operator event stream, oldest first.
    subscribers: Vec<subscribers::Subscriber>,
}

impl Master {
    /// A master that has just been elected: one term of it, from this moment to the one when it is dropped. Its id is drawn
    /// from `seed`, as [`master_info`] says it.
    pub fn new(config: Config, seed: u64, hooks: Arc<dyn Hooks>) -> Master {
        let info = Arc::new(master_info(&config, seed));
        let config = Arc::new(config);
        let state = Snapshot::new(config.clone(), info);
        Master {
            config,
            hooks,
            state,
            phase: Phase::New,
            addresses: Addresses::default(),
            keys: Keys::default(),
            counts: Counts::default(),
            timers: Timers::default(),
            pending: BTreeMap::new(),
            known: Known::default(),
            removals: agent::Removals::default(),
            subscribers: Vec::new(),
        }
    }

    /// The process has been up since then, and had other terms or followed other masters.
    #[must_use]
    pub fn up_since(mut self, started: Wall) -> Master {
        self.state.started = Some(started);
        self
    }

    /// All that views can show, frozen at this moment, in O(1).
    pub fn snapshot(&self) -> Snapshot {
        self.state.clone()
    }

    /// Whether a request only reads, so that [`view::respond`] answers it from a snapshot without the machine.
    pub fn is_read(request: &Request) -> bool {
        view::is_read(request)
    }

    /// Whether messages for this process id are this machine's.
    pub fn owns_process(&self, id: &str) -> bool {
        id == &*self.config.pid.id || agent::ping::observer_number(id).is_some()
    }

    fn start(&mut self, cx: &mut Cx) {
        self.phase = Phase::Recovering;
        self.state.started.get_or_insert(cx.now.wall);
        self.state.elected = Some(cx.now.wall);
        cx.registry(tepui_registry::Input::Recover(self.state.info.clone()));
    }

    fn next_framework_id(&mut self) -> FrameworkId {
        let id = format!("{}-{:04}", self.state.info.id, self.counts.frameworks);
        self.counts.frameworks += 1;
        FrameworkId::from(id)
    }

    fn next_agent_id(&mut self) -> AgentId {
        let id = format!("{}-S{}", self.state.info.id, self.counts.agents);
        self.counts.agents += 1;
        AgentId::from(id)
    }

    fn next_offer_id(&mut self) -> OfferId {
        let id = format!("{}-O{}", self.state.info.id, self.counts.offers);
        self.counts.offers += 1;
        OfferId::from(id)
    }

    /// A number for the moment a framework or agent is lost. No two are the same, so that the timer of an older loss,
    /// even one before the id's owner was forgotten and came back, is told from that of the last.
    fn next_disconnection(&mut self) -> u64 {
        self.counts.disconnections += 1;
        self.counts.disconnections
    }

    fn net(&mut self, cx: &mut Cx, input: NetInput) {
        match input {
            NetInput::Http(id, request) => self.http(cx, id, request),
            // Until the registry is known nothing can be decided; peers try again.
            _ if self.phase != Phase::Leading => self.state.metrics.count(metrics::Counter::DroppedMessages),
            NetInput::Message(message) => self.message_v0(cx, message),
            NetInput::Exited(pid) => self.exited(cx, &pid),
            NetInput::StreamClosed(id) => self.stream_closed(cx, id),
        }
    }

    fn due(&mut self, cx: &mut Cx, timer: Timer) {
        match timer {
            Timer::Heartbeat(framework, stream) => self.heartbeat(cx, &framework, stream),
            Timer::OperatorHeartbeat(stream) => self.operator_heartbeat(cx, stream),
            Timer::Failover(framework, number) => self.failover_timeout(cx, &framework, number),
            Timer::Ping(observer) => self.ping_due(cx, observer),
            Timer::Reregister(agent, number) => self.reregister_timeout(cx, &agent, number),
            Timer::Offer(offer) => self.offer_timeout(cx, &offer),
            Timer::Recovered => self.recovered_timeout(cx),
            Timer::Removal => self.removal_due(cx),
            Timer::Prune => self.prune(cx),
        }
    }
}

impl Machine for Master {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Effect>) {
        // What is due by now happens before what has just arrived, however late the driver was.
        self.tick(now, out);
        let cx = &mut Cx { now, out };
        match input {
            Input::Net(input) => self.net(cx, input),
            Input::Registry(output) => self.registry(cx, output),
            Input::Allocator(effect) => self.allocated(cx, effect),
            Input::Approvers(approvers) => self.state.approvers = approvers,
        }
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Effect>) {
        self.state.now = now.wall;
        let cx = &mut Cx { now, out };
        if self.phase == Phase::New {
            self.start(cx);
        }
        while let Some(timer) = self.timers.pop_due(now.monotonic) {
            self.due(cx, timer);
        }
    }

    /// At once when it is new, so that it asks for the registry before anyone speaks to it.
    fn deadline(&self) -> Option<Instant> {
        if self.phase == Phase::New { Some(Instant(0)) } else { self.timers.next() }
    }
}

/// What clients see of a master, and under which it contends before it leads. Its id is drawn from `seed`. `ip` is the
/// address in network byte order, read as a little-endian number.
pub fn master_info(config: &Config, seed: u64) -> MasterInfo {
    use master_info::{Capability, capability::Type};
    let capability = |kind| Capability { r#type: Some(kind), ..Default::default() };
    let pid = &config.pid;
    MasterInfo {
        id: tepui_base::rng::uuid_text(&Rng::new(seed).uuid()),
        ip: u32::from_le_bytes(pid.ip.octets()),
        port: u32::from(pid.port),
        pid: Some(pid.to_string()),
        hostname: Some(config.hostname.clone()),
        version: Some(config.build.version.clone()),
        address: MessageField::some(Address {
            hostname: Some(config.hostname.clone()),
            ip: Some(pid.ip.to_string()),
            port: i32::from(pid.port),
            ..Default::default()
        }),
        domain: config.domain.clone().into(),
        capabilities: [Type::AGENT_UPDATE, Type::AGENT_DRAINING, Type::QUOTA_V2].map(capability).to_vec(),
        ..Default::default()
    }
}
