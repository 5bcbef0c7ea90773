//! The agent: runs executors for frameworks, on behalf of a master.
//!
//! A pure state machine. It registers with the leading master, turns the master's assignments into containers, speaks
//! to executors over libprocess (V0) and HTTP (V1), and carries every status update to the scheduler until it is
//! acknowledged. Processes, files and sockets are the shell's: see [`Effect`].
//!
//! Invariants:
//! * an executor is one run in one container; a new run is a new [`state::Executor`];
//! * a task is in exactly one place: queued, launched, terminated (updates not all acknowledged) or completed;
//! * a terminal state is final: a later status of that task is acknowledged to the executor and dropped;
//! * a framework without executors is removed once it has acknowledged everything; at once if it leaves, or if its only task
//!   could not run here;
//! * V0 and V1 executors share every handler; they differ only in [`executor::events`] and in how a call is read.
//!
//! Not done here yet: executors of type DEFAULT (nested containers), checkpoints and recovery, draining, operations
//! and reservations, resource providers, oversubscription, garbage collection of sandboxes. What needs them is refused
//! by name. Source: `src/slave/{slave,http,task_status_update_manager}.cpp`.

pub mod checkpointed;
pub mod command_executor;
pub mod config;
pub mod effect;
pub mod environment;
mod epoch;
pub mod executor;
pub mod http;
pub mod input;
mod kill;
mod messages;
pub mod metrics;
pub mod paths;
mod record;
mod register;
mod remove;
mod run;
pub mod state;
mod status_update;
mod terminate;
mod timers;
pub mod updates;
mod v0;
pub mod view;

pub use config::Config;
pub use effect::{ContainerCommand, Effect, FilesCommand};
pub use input::{ContainerEvent, Input, Leader};
pub use view::Snapshot;

use bytes::Bytes;
use state::State;
use std::sync::Arc;
use tepui_authz::Approvers;
use tepui_base::{ContainerId, ExecutorId, FrameworkId, Instant, Machine, Map, Now, Outbox, Rng};
use tepui_hooks::{Hooks, NoHooks};
use tepui_proto::mesos::AgentInfo;
use tepui_proto::{Message, MessageField, MessageName, ToProto, codec, names};
use tepui_wire::{NetEffect, NetInput, RequestId, Upid};
use timers::{Timer, Timers};
use updates::Streams;

/// Time and outbox of one call, handed down together.
struct Cx<'a> {
    now: Now,
    out: &'a mut Outbox<Effect>,
}

impl Cx<'_> {
    fn push(&mut self, effect: Effect) {
        self.out.push(effect);
    }

    fn net(&mut self, effect: NetEffect) {
        self.out.push(Effect::Net(effect));
    }

    fn note(&mut self, text: impl Into<String>) {
        self.out.push(Effect::Note(text.into()));
    }
}

/// Names one executor.
type ExecutorKey = (FrameworkId, ExecutorId);

/// The agent. See the crate's text.
pub struct Agent {
    config: Arc<Config>,
    state: State,
    streams: Streams,
    timers: Timers,
    rng: Rng,
    /// Which version of its resources the agent stands at; the master names it with each assignment.
    resource_version: [u8; 16],
    /// Executors by container, while they have not been removed.
    containers: Map<ContainerId, ExecutorKey>,
    /// Executors by the stream they subscribed with.
    subscriptions: Map<RequestId, ExecutorKey>,
    registration: register::Registration,
    epochs: epoch::Epochs,
    approvers: Approvers,
    hooks: Arc<dyn Hooks>,
    last_seen: Now,
}

impl Agent {
    /// An agent that knows no master yet.
    pub fn new(config: Config) -> Agent {
        let mut rng = Rng::new(config.seed);
        let resource_version = rng.uuid();
        Agent {
            config: Arc::new(config),
            state: State::default(),
            streams: Streams::default(),
            timers: Timers::default(),
            rng,
            resource_version,
            containers: Map::default(),
            subscriptions: Map::default(),
            registration: register::Registration::default(),
            epochs: epoch::Epochs::default(),
            approvers: Approvers::permissive(),
            hooks: Arc::new(NoHooks),
            last_seen: Now::default(),
        }
    }

    /// With modules that may look in.
    #[must_use]
    pub fn with_hooks(mut self, hooks: Arc<dyn Hooks>) -> Agent {
        self.hooks = hooks;
        self
    }

    /// What a reader may look at while the agent goes on.
    pub fn snapshot(&self) -> Snapshot {
        let (config, state, approvers) = (self.config.clone(), self.state.clone(), self.approvers.clone());
        Snapshot { config, state, approvers, now: self.last_seen }
    }

    /// How the agent describes itself to masters and executors.
    fn info(&self) -> AgentInfo {
        view::agent_info(&self.config, &self.state)
    }

    fn send<M: Message + MessageName>(&self, cx: &mut Cx<'_>, to: &Upid, message: &M) {
        self.send_bytes(cx, to, names::v0::<M>().into_owned(), codec::encode(message));
    }

    fn send_bytes(&self, cx: &mut Cx<'_>, to: &Upid, name: String, body: Bytes) {
        let from = self.config.pid.clone();
        cx.net(NetEffect::Send(tepui_wire::Message { from, to: to.clone(), name, epoch: None, body }));
    }

    fn send_to_master<M: Message + MessageName>(&self, cx: &mut Cx<'_>, message: &M) {
        if let Some(master) = self.state.master.clone() {
            self.send(cx, &master, message);
        }
    }

    fn agent_id(&self) -> MessageField<tepui_proto::mesos::AgentID> {
        self.state.id.as_ref().map_or_else(MessageField::none, ToProto::to_field)
    }

    fn fire(&mut self, cx: &mut Cx<'_>, timer: Timer) {
        match timer {
            Timer::Register { cycle, ceiling } => self.register_timer(cx, cycle, ceiling),
            Timer::Ping { ping } => self.ping_timer(cx, ping),
            Timer::ExecutorRegistration(container) => self.registration_timeout(cx, &container),
            Timer::ExecutorShutdown(container) => self.shutdown_timeout(cx, &container),
            Timer::Heartbeat(stream) => self.heartbeat(cx, stream),
        }
    }
}

impl Machine for Agent {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input, out: &mut Outbox<Effect>) {
        self.last_seen = now;
        let cx = &mut Cx { now, out };
        match input {
            Input::Net(NetInput::Message(message)) => {
                if self.epochs.refuses(&message, self.state.master.as_ref()) {
                    cx.note(format!("Ignoring {} of a master of the past at {}", message.name, message.from));
                } else {
                    self.message(cx, &message);
                }
            }
            Input::Net(NetInput::Exited(pid)) => self.exited(cx, &pid),
            Input::Net(NetInput::Http(id, request)) => self.http(cx, id, &request),
            Input::Net(NetInput::StreamClosed(stream)) => self.stream_closed(stream),
            Input::Detected(master) => self.detected(cx, master),
            Input::Leader(leader) => {
                self.epochs.detected(leader.epoch, leader.beginnings);
                self.state.master_hostname = leader.hostname;
            }
            Input::Container(event) => self.container_event(cx, event),
            Input::Approvers(approvers) => self.approvers = approvers,
            Input::Terminate { unregister } => self.terminate(cx, unregister),
        }
    }

    fn tick(&mut self, now: Now, out: &mut Outbox<Effect>) {
        self.last_seen = now;
        let cx = &mut Cx { now, out };
        while let Some(timer) = self.timers.pop(now.monotonic) {
            self.fire(cx, timer);
        }
        for update in self.streams.tick(now.monotonic) {
            self.forward(cx, update);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.timers.deadline().into_iter().chain(self.streams.deadline()).min()
    }
}
