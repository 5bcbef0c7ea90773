//! A V0 framework: a small driver that speaks libprocess messages, under the same workload as the V1 ones.

use super::{Host, Input, Local, REMOVED, Role};
use crate::cast::Shared;
use crate::check::observe;
use crate::detector::Detector;
use crate::network::Process;
use crate::workload::Workload;
use crate::world::{Event, World};
use std::collections::BTreeMap;
use tepui_base::Instant;
use tepui_framework::scheduler::call;
use tepui_proto::mesos::internal::{
    FrameworkErrorMessage, FrameworkRegisteredMessage, FrameworkReregisteredMessage, InverseOffersMessage,
    RescindResourceOfferMessage, ResourceOffersMessage, StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use tepui_proto::mesos::scheduler::Call;
use tepui_proto::mesos::scheduler::call::{Subscribe, Type};
use tepui_proto::mesos::{FrameworkID, TaskStatus};
use tepui_proto::{MessageField, MessageName, codec, names};
use tepui_wire::{Message, NetEffect, NetInput, Upid};

/// Pause between two looks around.
const ACT_NANOS: u64 = 20_000_000_000;
/// Pause between two attempts to subscribe.
const SUBSCRIBE_NANOS: u64 = 2_000_000_000;

/// See the module's text.
pub struct FrameworkV0Host {
    pid: Upid,
    detector: Detector,
    /// The master, as far as it is known.
    master: Option<Upid>,
    disk: Shared,
    workload: Workload,
    connected: bool,
    /// Whether to take over from whoever else the master may know; over once the master has taken this process in.
    failover: bool,
    subscribe_at: Option<u64>,
    /// Updates acknowledged, by uuid: a repeat is acknowledged again without being looked at.
    seen: BTreeMap<Vec<u8>, TaskStatus>,
}

impl FrameworkV0Host {
    /// A host of the framework with this disk, which will live at `pid`.
    pub fn new(disk: Shared, pid: Upid, detector: Detector) -> FrameworkV0Host {
        FrameworkV0Host {
            pid,
            master: detector.fixed().cloned(),
            detector,
            workload: Workload::new(disk.clone()),
            disk,
            connected: false,
            failover: false,
            subscribe_at: None,
            seen: BTreeMap::new(),
        }
    }

    fn id(&self) -> Option<FrameworkID> {
        self.disk.borrow().id.clone()
    }

    /// Executors and agents may speak to a framework, too, but not masters that no longer lead.
    fn is_of_master(&self, from: &Upid) -> bool {
        self.detector.fixed().is_some() || self.master.as_ref() == Some(from) || &*from.id != "master"
    }

    fn ended(&self) -> bool {
        self.disk.borrow().ended
    }

    fn send<M: tepui_proto::Message + MessageName>(&self, world: &mut World, me: Process, message: &M) {
        let Some(master) = &self.master else { return };
        let message = Message {
            from: self.pid.clone(),
            to: master.clone(),
            name: names::v0::<M>().into_owned(),
            epoch: None,
            body: codec::encode(message),
        };
        observe::framework_message(world, &message);
        world.net(me, NetEffect::Send(message));
    }

    fn call(&self, world: &mut World, me: Process, mut call: Call) {
        if let Some(wait) = self.workload.regrets(&mut world.rng, &call) {
            world.after(wait, Event::Local(me, Local::Regret));
        }
        call.framework_id = self.id().map_or_else(MessageField::none, MessageField::some);
        // Drivers older than 1.0 have a message of its own for what is sent most.
        match call.r#type {
            Some(Type::ACKNOWLEDGE) if world.rng.below(2) == 0 => {
                let acknowledge = StatusUpdateAcknowledgementMessage {
                    agent_id: call.acknowledge.agent_id.clone(),
                    framework_id: call.framework_id.clone(),
                    task_id: call.acknowledge.task_id.clone(),
                    uuid: call.acknowledge.uuid.clone(),
                    ..Default::default()
                };
                self.send(world, me, &acknowledge);
            }
            _ => self.send(world, me, &call),
        }
    }

    fn subscribe(&mut self, world: &mut World, me: Process) {
        if !self.disk.borrow().leads(me.host) {
            return world.stop(me.host);
        }
        let Some(master) = self.master.clone() else {
            self.subscribe_at = None;
            return;
        };
        self.subscribe_at = Some(world.now + SUBSCRIBE_NANOS + world.rng.below(SUBSCRIBE_NANOS));
        world.net(me, NetEffect::Link { to: master, reconnect: false });
        let mut framework = self.disk.borrow().profile.info();
        framework.id = self.id().map_or_else(MessageField::none, MessageField::some);
        let subscribe =
            Subscribe { framework_info: framework.into(), force: Some(self.failover), ..Default::default() };
        let call = Call { r#type: Some(Type::SUBSCRIBE), subscribe: subscribe.into(), ..Call::default() };
        self.call(world, me, call);
    }

    fn subscribed(&mut self, world: &mut World, me: Process, id: FrameworkID) {
        if !self.disk.borrow().leads(me.host) {
            return world.stop(me.host);
        }
        self.disk.borrow_mut().id = Some(id);
        self.connected = true;
        self.failover = false;
        self.subscribe_at = None;
        for (wait, offer) in self.workload.subscribed(&mut world.rng) {
            world.after(wait, Event::Local(me, Local::Decide(offer)));
        }
    }

    /// A driver that gets an error ends. It is started again, unless another host speaks for the framework now.
    fn refused(&mut self, world: &mut World, me: Process, text: &str) {
        self.connected = false;
        if !self.disk.borrow().leads(me.host) {
            return world.stop(me.host);
        }
        if text == REMOVED {
            self.disk.borrow_mut().begin_anew();
        }
        self.failover = self.id().is_some();
        self.subscribe_at = Some(world.now + SUBSCRIBE_NANOS);
    }

    /// Another master leads, or none does that is known.
    fn detected(&mut self, world: &mut World, me: Process, master: Option<Upid>) {
        self.connected = false;
        self.master = master;
        if !self.ended() {
            self.subscribe(world, me);
        }
    }

    fn message(&mut self, world: &mut World, me: Process, message: &Message) -> Option<()> {
        match message.name.strip_prefix("mesos.internal.")? {
            "FrameworkRegisteredMessage" => {
                let message: FrameworkRegisteredMessage = codec::decode(&message.body).ok()?;
                self.subscribed(world, me, message.framework_id.into_option()?);
            }
            "FrameworkReregisteredMessage" => {
                let message: FrameworkReregisteredMessage = codec::decode(&message.body).ok()?;
                self.subscribed(world, me, message.framework_id.into_option()?);
            }
            "ResourceOffersMessage" if self.connected => {
                let message: ResourceOffersMessage = codec::decode(&message.body).ok()?;
                let framework = self.id()?;
                for offer in message.offers {
                    match self.workload.offered(&mut world.rng, &offer, &framework) {
                        Ok(call) => self.call(world, me, call),
                        Err(wait) => world.after(wait, Event::Local(me, Local::Decide(offer.id.value.clone()))),
                    }
                }
            }
            "InverseOffersMessage" if self.connected => {
                let message: InverseOffersMessage = codec::decode(&message.body).ok()?;
                for offer in &message.inverse_offers {
                    if let Some(call) = self.workload.asked_back(&mut world.rng, offer) {
                        self.call(world, me, call);
                    }
                }
            }
            "RescindResourceOfferMessage" => {
                let message: RescindResourceOfferMessage = codec::decode(&message.body).ok()?;
                self.workload.rescinded(&message.offer_id.value);
            }
            "StatusUpdateMessage" => {
                let message: StatusUpdateMessage = codec::decode(&message.body).ok()?;
                let update = message.update.into_option()?;
                let mut status = (*update.status).clone();
                status.uuid = update.uuid.clone().filter(|_| message.pid.is_some());
                self.updated(world, me, status);
            }
            "FrameworkErrorMessage" if !self.ended() => {
                let message: FrameworkErrorMessage = codec::decode(&message.body).ok()?;
                self.refused(world, me, &message.message);
            }
            _ => {}
        }
        Some(())
    }

    fn updated(&mut self, world: &mut World, me: Process, status: TaskStatus) {
        let uuid = status.uuid.clone().unwrap_or_default();
        if uuid.is_empty() || !self.seen.contains_key(&uuid) {
            self.workload.updated(&status);
        }
        if let Some(call) = call::acknowledge(&status).filter(|_| self.connected && !uuid.is_empty()) {
            self.seen.insert(uuid, status);
            self.call(world, me, call);
        }
    }

    fn act(&mut self, world: &mut World, me: Process) {
        self.workload.quiet = world.quiet;
        if self.connected {
            for call in self.workload.act(&mut world.rng) {
                self.call(world, me, call);
            }
        }
        let wait = ACT_NANOS / 2 + world.rng.below(ACT_NANOS);
        world.after(wait, Event::Local(me, Local::Act));
    }
}

impl Host for FrameworkV0Host {
    fn role(&self) -> Role {
        Role::Framework
    }

    fn start(&mut self, world: &mut World, me: Process) {
        self.connected = false;
        self.subscribe_at = None;
        if self.ended() || !self.disk.borrow().leads(me.host) {
            return;
        }
        self.failover = self.id().is_some();
        if self.detector.fixed().is_some() {
            self.subscribe(world, me);
        } else {
            self.master = None;
            self.detector.start(world, me);
        }
        world.after(ACT_NANOS, Event::Local(me, Local::Act));
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        let input = match input {
            Input::Local(local) => match self.detector.input(world, me, local) {
                Some(local) => Input::Local(local),
                None => return,
            },
            input => input,
        };
        match input {
            Input::Local(Local::Detected(master)) => self.detected(world, me, master),
            // Not of the master it listens to.
            Input::Net(NetInput::Message(message)) if !self.is_of_master(&message.from) => {}
            Input::Net(NetInput::Exited(of)) if !self.is_of_master(&of) => {}
            Input::Net(NetInput::Message(message)) => {
                observe::framework_told(world, me, &message);
                self.message(world, me, &message);
            }
            Input::Net(NetInput::Exited(_)) if !self.ended() => {
                self.connected = false;
                self.subscribe_at = Some(world.now + world.rng.below(SUBSCRIBE_NANOS));
            }
            Input::Local(Local::Act) if !self.ended() => self.act(world, me),
            Input::Local(Local::Regret) if self.connected => {
                self.workload.kills().into_iter().for_each(|call| self.call(world, me, call));
            }
            Input::Local(Local::Decide(offer)) if self.connected => {
                let framework = self.id().unwrap_or_default();
                if let Some(call) = self.workload.decide(&mut world.rng, &offer, &framework) {
                    self.call(world, me, call);
                }
            }
            Input::Local(Local::Teardown) => {
                self.disk.borrow_mut().ended = true;
                self.subscribe_at = None;
                self.call(world, me, call::teardown());
            }
            _ => {}
        }
    }

    fn tick(&mut self, world: &mut World, me: Process) {
        self.detector.tick(world, me);
        if self.subscribe_at.is_some_and(|at| at <= world.now) {
            self.subscribe(world, me);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.subscribe_at.map(Instant).into_iter().chain(self.detector.deadline()).min()
    }
}
