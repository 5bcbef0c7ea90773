//! A V1 framework: the SDK's scheduler machine under a random workload.

use super::{Host, Input, Local, Role};
use crate::check::observe;
use crate::driven::Driven;
use crate::network::Process;
use crate::workload::Workload;
use crate::world::{Event, World};
use tepui_base::Instant;
use tepui_framework::scheduler::{CallId, Config, Effect, Event as Told, Input as In, Scheduler, call};
use tepui_proto::mesos::framework_info::{Capability, capability};
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::{FrameworkID, FrameworkInfo, TaskStatus};
use tepui_proto::{ContentType, MessageField, ToProto};

/// Pause between two looks around.
const ACT_NANOS: u64 = 20_000_000_000;

/// See the module's text.
pub struct FrameworkHost {
    config: Config,
    process: Option<Driven<Scheduler>>,
    /// What it has written down, its id above all.
    id: Option<FrameworkID>,
    workload: Workload,
    next_call: u64,
    probe: bool,
    ended: bool,
}

/// What all frameworks of the world say of themselves.
pub fn info(name: &str, role: &str) -> FrameworkInfo {
    use capability::Type::{MULTI_ROLE, PARTITION_AWARE, RESERVATION_REFINEMENT, TASK_KILLING_STATE};
    let capability = |kind| Capability { r#type: Some(kind), ..Capability::default() };
    let kinds = [MULTI_ROLE, PARTITION_AWARE, RESERVATION_REFINEMENT, TASK_KILLING_STATE];
    FrameworkInfo {
        user: "nobody".to_owned(),
        name: name.to_owned(),
        roles: vec![role.to_owned()],
        failover_timeout: Some(86_400.0),
        // Without it the loss of an agent's connection loses the tasks there, by design of the protocol.
        checkpoint: Some(true),
        capabilities: kinds.map(capability).to_vec(),
        ..FrameworkInfo::default()
    }
}

impl FrameworkHost {
    /// A framework that will look for the master there.
    pub fn new(name: &str, master: &str, role: &str, content_type: ContentType, custom: bool) -> FrameworkHost {
        let mut config = Config::new(master, info(name, role));
        config.content_type = content_type;
        let workload = Workload::new(name, custom);
        FrameworkHost { config, process: None, id: None, workload, next_call: 0, probe: false, ended: false }
    }

    /// One that takes every offer and keeps it, to see how much there is.
    pub fn probe(master: &str) -> FrameworkHost {
        let mut host = FrameworkHost::new("probe", master, "probe", ContentType::Protobuf, false);
        host.probe = true;
        host
    }

    fn feed(&mut self, world: &mut World, me: Process, input: In) {
        let (Some(machine), now) = (&mut self.process, world.clock()) else { return };
        let effects = machine.handle(now, input);
        self.perform(world, me, effects);
    }

    fn call(&mut self, world: &mut World, me: Process, call: Call) {
        self.next_call += 1;
        self.feed(world, me, In::Call(CallId(self.next_call), Box::new(call)));
    }

    fn perform(&mut self, world: &mut World, me: Process, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Http(effect) => {
                    observe::framework_http(world, me, &effect);
                    world.http(me, effect);
                }
                Effect::Event(event) => self.told(world, me, event),
                Effect::Answered(..) => {}
            }
        }
    }

    fn told(&mut self, world: &mut World, me: Process, event: Told) {
        match event {
            Told::Subscribed { framework_id, .. } => {
                self.id = Some(framework_id.to_proto());
                self.workload.held.clear();
            }
            Told::Disconnected(_) => self.workload.held.clear(),
            Told::Offers(offers) if !self.probe => {
                let framework = self.id.clone().unwrap_or_default();
                for offer in offers {
                    match self.workload.offered(&mut world.rng, &offer, &framework) {
                        Ok(call) => self.call(world, me, call),
                        Err(wait) => {
                            let decide = Local::Decide(offer.id.value.clone());
                            world.after(wait, Event::Local(me, decide));
                        }
                    }
                }
            }
            Told::Rescind(offer) => self.workload.rescinded(&offer.value),
            Told::Update(status) => {
                self.workload.updated(&status);
                // Some frameworks take their time.
                let wait = if !self.workload.quiet && world.rng.below(20) == 0 { world.rng.below(25) } else { 0 };
                let local = Local::Acknowledge(Box::new(status));
                world.after(wait * 1_000_000_000 + 1_000, Event::Local(me, local));
            }
            Told::Error(text) => world.checks.object(world.now, format!("framework {} was refused: {text}", me.host)),
            _ => {}
        }
    }

    fn acknowledge(&mut self, world: &mut World, me: Process, status: &TaskStatus) {
        let subscribed = self.process.as_ref().is_some_and(|machine| machine.machine.is_subscribed());
        let Some(call) = call::acknowledge(status) else { return };
        if subscribed {
            return self.call(world, me, call);
        }
        // The machine hands each update over once, so the acknowledgement must not be forgotten.
        let again = Local::Acknowledge(Box::new(status.clone()));
        world.after(5_000_000_000, Event::Local(me, again));
    }
}

impl Host for FrameworkHost {
    fn role(&self) -> Role {
        Role::Framework
    }

    fn start(&mut self, world: &mut World, me: Process) {
        if self.ended {
            return;
        }
        self.config.framework.id = self.id.clone().map_or_else(MessageField::none, MessageField::some);
        self.workload.held.clear();
        self.process = Some(Driven::new(Scheduler::new(self.config.clone(), world.rng.next_u64())));
        self.feed(world, me, In::Start);
        world.after(ACT_NANOS, Event::Local(me, Local::Act));
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        match input {
            Input::Http(input) => {
                observe::framework_input(world, me, self.config.content_type, &input);
                self.feed(world, me, In::Http(input));
            }
            Input::Local(Local::Act) if !self.ended && !self.probe => {
                self.workload.quiet = world.quiet;
                let calls = self.workload.act(&mut world.rng);
                for call in calls {
                    self.call(world, me, call);
                }
                let wait = ACT_NANOS / 2 + world.rng.below(ACT_NANOS);
                world.after(wait, Event::Local(me, Local::Act));
            }
            Input::Local(Local::Decide(offer)) => {
                let framework = self.id.clone().unwrap_or_default();
                if let Some(call) = self.workload.decide(&mut world.rng, &offer, &framework) {
                    self.call(world, me, call);
                }
            }
            Input::Local(Local::Acknowledge(status)) => self.acknowledge(world, me, &status),
            Input::Local(Local::Teardown) => {
                self.ended = true;
                self.call(world, me, call::teardown());
            }
            _ => {}
        }
    }

    fn tick(&mut self, world: &mut World, me: Process) {
        let (Some(machine), now) = (&mut self.process, world.clock()) else { return };
        let effects = machine.tick(now);
        self.perform(world, me, effects);
    }

    fn deadline(&self) -> Option<Instant> {
        self.process.as_ref()?.deadline()
    }
}
