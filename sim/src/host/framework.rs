//! A V1 framework: the SDK's scheduler machine under a random workload.

use super::{FAILED_OVER, REMOVED};
use super::{Host, Input, Local, Role};
use crate::cast::Shared;
use crate::check::observe;
use crate::driven::Driven;
use crate::network::Process;
use crate::workload::Workload;
use crate::world::{Event, World};
use tepui_base::Instant;
use tepui_framework::exchange::HttpEffect;
use tepui_framework::scheduler::{CallId, Config, Effect, Event as Told, Input as In, Scheduler, call};
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::{FrameworkID, Offer, TaskStatus};
use tepui_proto::{ContentType, MessageField, ToProto};

/// Pause between two looks around.
const ACT_NANOS: u64 = 20_000_000_000;

/// See the module's text.
pub struct FrameworkHost {
    config: Config,
    process: Option<Driven<Scheduler>>,
    /// What the framework has written down, its id above all.
    disk: Shared,
    workload: Workload,
    next_call: u64,
    probe: bool,
}

impl FrameworkHost {
    /// A host of the framework with this disk, which will look for the master there.
    pub fn new(disk: Shared, masters: &[String], content_type: ContentType) -> FrameworkHost {
        let mut config = Config::new("", disk.borrow().profile.info());
        config.masters = masters.to_vec();
        config.content_type = content_type;
        let workload = Workload::new(disk.clone());
        FrameworkHost { config, process: None, disk, workload, next_call: 0, probe: false }
    }

    /// One that takes every offer and keeps it, to see how much there is.
    pub fn probe(disk: Shared, masters: &[String]) -> FrameworkHost {
        FrameworkHost { probe: true, ..FrameworkHost::new(disk, masters, ContentType::Protobuf) }
    }

    fn leads(&self, me: Process) -> bool {
        self.disk.borrow().leads(me.host)
    }

    fn id(&self) -> FrameworkID {
        self.disk.borrow().id.clone().unwrap_or_default()
    }

    fn feed(&mut self, world: &mut World, me: Process, input: In) {
        let (Some(machine), now) = (&mut self.process, world.clock()) else { return };
        let effects = machine.handle(now, input);
        self.perform(world, me, effects);
    }

    fn call(&mut self, world: &mut World, me: Process, call: Call) {
        if let Some(wait) = self.workload.regrets(&mut world.rng, &call) {
            world.after(wait, Event::Local(me, Local::Regret));
        }
        self.next_call += 1;
        self.feed(world, me, In::Call(CallId(self.next_call), Box::new(call)));
    }

    fn perform(&mut self, world: &mut World, me: Process, effects: Vec<Effect>) {
        for effect in effects {
            if !world.is_alive(me) {
                return;
            }
            match effect {
                // Another host speaks for the framework now.
                Effect::Http(HttpEffect::Subscribe(..)) if !self.leads(me) => world.stop(me.host),
                Effect::Http(effect) => {
                    observe::framework_http(world, &effect);
                    world.http(me, effect);
                }
                Effect::Event(event) => self.told(world, me, event),
                Effect::Answered(..) => {}
            }
        }
    }

    fn told(&mut self, world: &mut World, me: Process, event: Told) {
        match event {
            Told::Subscribed { .. } if !self.leads(me) => world.stop(me.host),
            Told::Subscribed { framework_id, .. } => {
                self.disk.borrow_mut().id = Some(framework_id.to_proto());
                for (wait, offer) in self.workload.subscribed(&mut world.rng) {
                    world.after(wait, Event::Local(me, Local::Decide(offer)));
                }
            }
            Told::InverseOffers(offers) if !self.probe => {
                for offer in &offers {
                    if let Some(call) = self.workload.asked_back(&mut world.rng, offer) {
                        self.call(world, me, call);
                    }
                }
            }
            Told::Offers(offers) if !self.probe => self.offered(world, me, offers),
            Told::Rescind(offer) => self.workload.rescinded(&offer.value),
            Told::Update(status) => {
                self.workload.updated(&status);
                // Some frameworks take their time.
                let wait = if !self.workload.quiet && world.rng.below(20) == 0 { world.rng.below(25) } else { 0 };
                let local = Local::Acknowledge(Box::new(status));
                world.after(wait * 1_000_000_000 + 1_000, Event::Local(me, local));
            }
            Told::Error(text) => self.refused(world, me, &text),
            _ => {}
        }
    }

    fn offered(&mut self, world: &mut World, me: Process, offers: Vec<Offer>) {
        let framework = self.id();
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

    /// The master wants no more of this process. Whether it was right to is for the checkers; the framework goes on as
    /// far as it may.
    fn refused(&mut self, world: &mut World, me: Process, text: &str) {
        let leads = self.leads(me);
        match text {
            // If it leads, a subscription of the other host was still on its way.
            FAILED_OVER => {}
            REMOVED if leads => self.disk.borrow_mut().begin_anew(),
            REMOVED => {}
            _ => world.checks.object(world.now, format!("framework {} was refused: {text}", me.host)),
        }
        world.stop(me.host);
        if leads {
            world.after(1_000_000_000, Event::Restart(me.host));
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
        if self.disk.borrow().ended || !self.leads(me) {
            self.process = None;
            return;
        }
        self.config.framework.id = self.disk.borrow().id.clone().map_or_else(MessageField::none, MessageField::some);
        self.process = Some(Driven::new(Scheduler::new(self.config.clone(), world.rng.next_u64())));
        self.feed(world, me, In::Start);
        world.after(ACT_NANOS, Event::Local(me, Local::Act));
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        match input {
            Input::Http(input) => {
                observe::framework_input(world, me, &input);
                self.feed(world, me, In::Http(input));
            }
            Input::Local(Local::Act) if !self.disk.borrow().ended && !self.probe => {
                self.workload.quiet = world.quiet;
                let calls = self.workload.act(&mut world.rng);
                for call in calls {
                    self.call(world, me, call);
                }
                let wait = ACT_NANOS / 2 + world.rng.below(ACT_NANOS);
                world.after(wait, Event::Local(me, Local::Act));
            }
            Input::Local(Local::Regret) => {
                let calls = self.workload.kills();
                calls.into_iter().for_each(|call| self.call(world, me, call));
            }
            Input::Local(Local::Decide(offer)) => {
                let framework = self.id();
                if let Some(call) = self.workload.decide(&mut world.rng, &offer, &framework) {
                    self.call(world, me, call);
                }
            }
            Input::Local(Local::Acknowledge(status)) => self.acknowledge(world, me, &status),
            Input::Local(Local::Teardown) => {
                self.disk.borrow_mut().ended = true;
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
