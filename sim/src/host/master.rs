//! The master: its machine, its registrar and its allocator, which speak to each other with small delays.
//!
//! In half of the worlds the registry is in memory, and a crash loses it, as with `--registry=in_memory`; in the others
//! it is kept, as by a replicated log that is never slow.

use super::{Host, Input, Local, Role};
use crate::check::observe;
use crate::driven::Driven;
use crate::network::Process;
use crate::world::{Event, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tepui_allocator::{Hierarchical, Options};
use tepui_base::Instant;
use tepui_hooks::NoHooks;
use tepui_master::{Config, Effect, Input as In, Master};
use tepui_registry::{Operation, OperationId, Registrar};
use tepui_wire::{NetEffect, Upid};

/// How long an offer may stay unanswered.
pub const OFFER_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest way between two of the three machines.
const HOP_NANOS: u64 = 50_000;

/// See the module's text.
pub struct MasterHost {
    pid: Upid,
    process: Option<Machines>,
    keeps_registry: bool,
}

struct Machines {
    master: Driven<Master>,
    registrar: Driven<Registrar>,
    allocator: Driven<Hierarchical>,
    /// What the registrar was asked and has not answered.
    asked: BTreeMap<OperationId, Operation>,
    /// When the last word on each way arrives: to and from registrar, to and from allocator.
    last: [u64; 4],
}

impl MasterHost {
    /// A master that will listen there, and keeps its registry over a crash or does not.
    pub fn new(pid: Upid, keeps_registry: bool) -> MasterHost {
        MasterHost { pid, process: None, keeps_registry }
    }

    fn config(&self) -> Config {
        let mut config = Config::new(self.pid.clone(), "master");
        config.agent_ping_timeout = Duration::from_secs(5);
        config.max_agent_ping_timeouts = 4;
        config.agent_reregister_timeout = Duration::from_secs(60);
        config.offer_timeout = Some(OFFER_TIMEOUT);
        config
    }
}

impl Machines {
    fn hop(&mut self, world: &mut World, me: Process, way: usize, local: Local) {
        let at = (world.now + 1_000 + world.rng.below(HOP_NANOS)).max(self.last[way] + 1);
        self.last[way] = at;
        world.at(at, Event::Local(me, local));
    }

    fn perform(&mut self, world: &mut World, me: Process, effects: Vec<Effect>) {
        for effect in effects {
            for effect in crate::planted::master_effect(world, me, effect) {
                observe::master_effect(world, me, &effect);
                match effect {
                    Effect::Net(effect) => world.net(me, effect),
                    Effect::Show(stream, first) => {
                        world.net(me, NetEffect::StreamWrite(stream, first.record()));
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

    fn answered(&mut self, world: &mut World, output: &tepui_registry::Output) {
        let operation = match output {
            tepui_registry::Output::Applied(id, _) => self.asked.remove(id),
            tepui_registry::Output::Recovered(_) => None,
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
        let (seed, now) = (world.rng.next_u64(), world.clock());
        let kept = self.process.as_ref().filter(|_| self.keeps_registry);
        let registry = kept.map(|machines| machines.registrar.machine.state().clone()).unwrap_or_default();
        self.process = Some(Machines {
            master: Driven::new(Master::new(self.config(), seed, Arc::new(NoHooks))),
            registrar: Driven::new(Registrar::new(registry)),
            allocator: Driven::new(Hierarchical::new(Options::default(), seed, now)),
            asked: BTreeMap::new(),
            last: [0; 4],
        });
        self.tick(world, me);
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        let (Some(machines), now) = (&mut self.process, world.clock()) else { return };
        let effects = match input {
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
                for output in machines.registrar.handle(now, input) {
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
