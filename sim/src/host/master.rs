//! The master: its machine, its registrar and its allocator, which speak to each other with small delays.
//!
//! In half of the worlds with one master the registry is in memory, and a crash loses it, as with `--registry=in_memory`;
//! in the others it is kept, as by a replicated log that is never slow. With several masters the registrar is that of the
//! machine's replica ([`super::replica`]), which starts a master when it is elected: the process then lives for one term.

use super::{Host, Input, Local, Role};
use crate::check::observe;
use crate::driven::Driven;
use crate::network::{HostId, Process};
use crate::world::{Event, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tepui_allocator::{Hierarchical, Options};
use tepui_base::Instant;
use tepui_hooks::NoHooks;
use tepui_master::{Config, Effect, Input as In, Master};
use tepui_registry::{Operation, OperationId, Registrar};
use tepui_wire::{Message, NetEffect, Upid};

/// How long an offer may stay unanswered.
pub const OFFER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an agent may take to answer a ping.
pub const PING_TIMEOUT: Duration = Duration::from_secs(8);
/// So many pings without an answer, and an agent is given up.
pub const MAX_PINGS_MISSED: u32 = 3;
/// How long an agent may take to come back.
pub const REREGISTER_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest way between two of the three machines.
const HOP_NANOS: u64 = 50_000;

/// Who keeps the registry.
pub enum Keeper {
    /// The master itself; over a crash or not.
    Own {
        /// Whether it is still there after a crash.
        keeps: bool,
    },
    /// The replica there, which also says when the master leads.
    Replica(HostId),
}

/// See the module's text.
pub struct MasterHost {
    pid: Upid,
    process: Option<Machines>,
    keeper: Keeper,
    /// It may speak as the leader until then.
    until: u64,
    /// The number of its leadership, where leaders have one.
    epoch: Option<u64>,
}

struct Machines {
    master: Driven<Master>,
    /// None if the registry is kept elsewhere.
    registrar: Option<Driven<Registrar>>,
    replica: Option<HostId>,
    epoch: Option<u64>,
    allocator: Driven<Hierarchical>,
    /// What the registrar was asked and has not answered.
    asked: BTreeMap<OperationId, Operation>,
    /// When the last word on each way arrives: to and from registrar, to and from allocator.
    last: [u64; 4],
}

impl MasterHost {
    /// A master that will listen there.
    pub fn new(pid: Upid, keeper: Keeper) -> MasterHost {
        MasterHost { pid, process: None, keeper, until: u64::MAX, epoch: None }
    }

    fn begin(&mut self, world: &mut World, me: Process, seed: u64, registrar: Option<Driven<Registrar>>) {
        let replica = match self.keeper {
            Keeper::Own { .. } => None,
            Keeper::Replica(host) => Some(host),
        };
        self.process = Some(Machines {
            master: Driven::new(Master::new(config(&self.pid), seed, Arc::new(NoHooks))),
            registrar,
            replica,
            epoch: self.epoch,
            allocator: Driven::new(Hierarchical::new(Options::default(), seed, world.clock())),
            asked: BTreeMap::new(),
            last: [0; 4],
        });
        self.tick(world, me);
    }

    /// Whether it still leads. One that does not says nothing more, whoever knows of it.
    fn holds(&mut self, world: &mut World, me: Process) -> bool {
        let holds = world.now < self.until || world.planted.acts_after_the_end();
        if let (false, Some(_), Keeper::Replica(replica)) = (holds, self.process.take_if(|_| !holds), &self.keeper) {
            let replica = world.process(*replica);
            world.after(0, Event::Local(replica, Local::TermOver(me)));
        }
        holds
    }
}

/// How masters of these worlds are configured.
pub fn config(pid: &Upid) -> Config {
    let mut config = Config::new(pid.clone(), "master");
    config.agent_ping_timeout = PING_TIMEOUT;
    config.max_agent_ping_timeouts = MAX_PINGS_MISSED;
    config.agent_reregister_timeout = REREGISTER_TIMEOUT;
    config.offer_timeout = Some(OFFER_TIMEOUT);
    config
}

impl Machines {
    fn hop(&mut self, world: &mut World, me: Process, way: usize, local: Local) {
        let (me, local) = match (local, self.replica) {
            (Local::ToRegistrar(input), Some(replica)) => (world.process(replica), Local::FromTerm(me, input)),
            (local, _) => (me, local),
        };
        let at = (world.now + 1_000 + world.rng.below(HOP_NANOS)).max(self.last[way] + 1);
        self.last[way] = at;
        world.at(at, Event::Local(me, local));
    }

    fn perform(&mut self, world: &mut World, me: Process, effects: Vec<Effect>) {
        for effect in std::mem::take(&mut world.planted.besides).into_iter().chain(effects) {
            for effect in crate::planted::master_effect(world, me, effect) {
                observe::master_effect(world, me, &effect);
                match effect {
                    Effect::Net(effect) => self.say(world, me, effect),
                    Effect::Show(stream, first) => {
                        self.say(world, me, NetEffect::StreamWrite(stream, first.record()));
                    }
                    Effect::Registry(input) => {
                        observe::registry_input(world, &input);
                        if let tepui_registry::Input::Apply(id, operation) = &input {
                            self.asked.insert(*id, operation.clone());
                        }
                        self.hop(world, me, 0, Local::ToRegistrar(input));
                    }
                    Effect::Allocator(input) => self.hop(world, me, 2, Local::ToAllocator(input)),
                    // Only a master with a removal limit ends itself, and these have none.
                    Effect::Exit(reason) => unreachable!("{reason}"),
                }
            }
        }
        observe::step_end(world);
    }

    /// Lets something out, under the epoch of its leadership.
    fn say(&self, world: &mut World, me: Process, effect: NetEffect) {
        world.checks.acts(world.now, me, "acts");
        let effect = match effect {
            NetEffect::Send(message) => {
                let epoch = world.planted.epoch_said(self.epoch);
                world.checks.speaks(world.now, me, epoch);
                NetEffect::Send(Message { epoch, ..message })
            }
            other => other,
        };
        world.net(me, effect);
    }

    fn answered(&mut self, world: &mut World, output: &tepui_registry::Output) {
        let operation = match output {
            tepui_registry::Output::Applied(id, _) => self.asked.remove(id),
            tepui_registry::Output::Recovered(_)
            | tepui_registry::Output::Aborted(_)
            | tepui_registry::Output::Log(_) => None,
        };
        observe::registry_output(world, operation.as_ref(), output);
    }

    fn offers(&mut self, world: &mut World, me: Process, effects: Vec<tepui_allocator::Effect>) {
        for effect in effects {
            for effect in crate::planted::allocator_effect(world, effect) {
                self.hop(world, me, 3, Local::FromAllocator(effect));
            }
        }
    }
}

impl Host for MasterHost {
    fn role(&self) -> Role {
        Role::Master
    }

    fn start(&mut self, world: &mut World, me: Process) {
        let keeps = match self.keeper {
            Keeper::Own { keeps } => keeps,
            Keeper::Replica(_) => {
                self.process = None;
                return;
            }
        };
        let seed = world.rng.next_u64();
        let kept = self.process.as_ref().filter(|_| keeps).and_then(|machines| machines.registrar.as_ref());
        let registry = kept.map(|registrar| registrar.machine.state().clone()).unwrap_or_default();
        self.begin(world, me, seed, Some(Driven::new(Registrar::new(registry))));
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        if let Input::Local(Local::Lead(seed, until, epoch)) = input {
            (self.until, self.epoch) = (until, epoch);
            return self.begin(world, me, seed, None);
        }
        if !self.holds(world, me) {
            return;
        }
        let (Some(machines), now) = (&mut self.process, world.clock()) else { return };
        let effects = match input {
            Input::Local(Local::Extended(until)) => {
                self.until = self.until.max(until);
                return;
            }
            Input::Net(input) => {
                observe::master_input(world, me, &input);
                let mut effects = Vec::new();
                for input in crate::planted::master_input(world, me, input) {
                    effects.extend(machines.master.handle(now, In::Net(input)));
                }
                effects
            }
            Input::Local(Local::FromRegistrar(output)) => {
                machines.answered(world, &output);
                let output = crate::planted::registry_output(world, output);
                machines.master.handle(now, In::Registry(output))
            }
            Input::Local(Local::FromAllocator(effect)) => machines.master.handle(now, In::Allocator(effect)),
            Input::Local(Local::ToRegistrar(input)) => {
                let registrar = machines.registrar.as_mut();
                let outputs = registrar.map(|registrar| registrar.handle(now, input)).unwrap_or_default();
                for output in outputs {
                    machines.hop(world, me, 1, Local::FromRegistrar(output));
                }
                return;
            }
            Input::Local(Local::ToAllocator(input)) => {
                let effects = machines.allocator.handle(now, input);
                return machines.offers(world, me, effects);
            }
            _ => return,
        };
        machines.perform(world, me, effects);
    }

    fn tick(&mut self, world: &mut World, me: Process) {
        if !self.holds(world, me) {
            return;
        }
        let (Some(machines), now) = (&mut self.process, world.clock()) else { return };
        let effects = machines.master.tick(now);
        machines.perform(world, me, effects);
        let effects = machines.allocator.tick(now);
        machines.offers(world, me, effects);
    }

    fn deadline(&self) -> Option<Instant> {
        let machines = self.process.as_ref()?;
        machines.master.deadline().into_iter().chain(machines.allocator.deadline()).min()
    }
}
