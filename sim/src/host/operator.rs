//! An operator who plans maintenance: machines are put into a schedule, taken down and brought up again.
//!
//! The operator's own memory may be wrong, for a master that crashes may forget the schedule and an answer may be lost;
//! what does not fit the master's is refused and tried no more.

use super::{Host, Input, Local, Role};
use crate::network::Process;
use crate::world::{Event, World};
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use tepui_base::Instant;
use tepui_framework::exchange::{ExchangeId, HttpEffect, HttpInput, Post};
use tepui_proto::mesos::maintenance::{Schedule, Window};
use tepui_proto::mesos::master::Call;
use tepui_proto::mesos::master::call::{StartMaintenance, StopMaintenance, Type, UpdateMaintenanceSchedule};
use tepui_proto::mesos::{MachineID, TimeInfo, Unavailability};
use tepui_proto::{ContentType, MessageField};

const SECOND: u64 = 1_000_000_000;
/// The mean pause between two acts.
const PAUSE_NANOS: u64 = 90 * SECOND;
/// In the quiet phase.
const QUIET_PAUSE_NANOS: u64 = 20 * SECOND;
const FORM: ContentType = ContentType::Protobuf;

/// See the module's text.
pub struct OperatorHost {
    masters: Vec<SocketAddrV4>,
    /// Host names of all machines, which are their addresses, too.
    machines: Vec<String>,
    /// Those in the schedule, as far as is known, and whether they are down.
    planned: BTreeMap<String, bool>,
    next: u64,
}

impl OperatorHost {
    /// One who looks after these machines.
    pub fn new(masters: Vec<SocketAddrV4>, machines: Vec<String>) -> OperatorHost {
        OperatorHost { masters, machines, planned: BTreeMap::new(), next: 0 }
    }

    fn send(&mut self, world: &mut World, me: Process, call: &Call) {
        self.next += 1;
        let form = FORM.as_str().to_owned();
        let headers = vec![("Content-Type", form.clone()), ("Accept", form)];
        let master = self.masters.iter().find(|master| world.can_reach(me, **master)).unwrap_or(&self.masters[0]);
        let post = Post { to: master.to_string(), path: "/api/v1", headers, body: FORM.encode(call) };
        world.http(me, HttpEffect::Call(ExchangeId(self.next), post));
    }

    fn act(&mut self, world: &mut World) -> Call {
        let is = |down: bool| self.planned.iter().find(|(_, is_down)| **is_down == down).map(|(name, _)| name.clone());
        match (world.rng.below(3), is(false), is(true)) {
            // Machines are not down for long: while they are there is little to see.
            (0 | 1, _, Some(down)) => {
                self.planned.remove(&down);
                stop(&down)
            }
            (0, Some(draining), _) => {
                self.planned.insert(draining.clone(), true);
                start(&draining)
            }
            _ => self.plan(world),
        }
    }

    /// Another schedule: some machines, and those that are down, for they cannot be left out.
    fn plan(&mut self, world: &mut World) -> Call {
        let down: Vec<String> = self.planned.iter().filter(|(_, down)| **down).map(|(name, _)| name.clone()).collect();
        let mut chosen: BTreeMap<String, bool> = down.into_iter().map(|name| (name, true)).collect();
        for name in &self.machines {
            if world.rng.below(3) == 0 {
                chosen.entry(name.clone()).or_insert(false);
            }
        }
        self.planned = chosen;
        let start = world.clock().wall.as_nanos_i64() + (world.rng.below(600) * SECOND) as i64;
        schedule(self.planned.keys().map(|name| window(name, start)).collect())
    }

    /// Everything is brought up, and the schedule emptied.
    fn tidy_up(&mut self, world: &mut World, me: Process) {
        for name in self.machines.clone() {
            self.send(world, me, &stop(&name));
        }
        self.planned.clear();
        self.send(world, me, &schedule(Vec::new()));
    }
}

fn machine(name: &str) -> MachineID {
    MachineID { hostname: Some(name.to_owned()), ip: Some(name.to_owned()), ..MachineID::default() }
}

fn window(name: &str, start: i64) -> Window {
    let start = TimeInfo { nanoseconds: start, ..TimeInfo::default() };
    let unavailability = Unavailability { start: MessageField::some(start), ..Unavailability::default() };
    Window { machine_ids: vec![machine(name)], unavailability: unavailability.into(), ..Window::default() }
}

fn schedule(windows: Vec<Window>) -> Call {
    let schedule = Schedule { windows, ..Schedule::default() };
    let update = UpdateMaintenanceSchedule { schedule: schedule.into(), ..UpdateMaintenanceSchedule::default() };
    Call {
        r#type: Some(Type::UPDATE_MAINTENANCE_SCHEDULE),
        update_maintenance_schedule: update.into(),
        ..Call::default()
    }
}

fn start(name: &str) -> Call {
    let start = StartMaintenance { machines: vec![machine(name)], ..StartMaintenance::default() };
    Call { r#type: Some(Type::START_MAINTENANCE), start_maintenance: start.into(), ..Call::default() }
}

fn stop(name: &str) -> Call {
    let stop = StopMaintenance { machines: vec![machine(name)], ..StopMaintenance::default() };
    Call { r#type: Some(Type::STOP_MAINTENANCE), stop_maintenance: stop.into(), ..Call::default() }
}

impl Host for OperatorHost {
    fn role(&self) -> Role {
        Role::Operator
    }

    fn start(&mut self, world: &mut World, me: Process) {
        let wait = world.rng.below(PAUSE_NANOS);
        world.after(wait, Event::Local(me, Local::Act));
    }

    fn input(&mut self, world: &mut World, me: Process, input: Input) {
        match input {
            Input::Local(Local::Act) if world.quiet => {
                self.tidy_up(world, me);
                world.after(QUIET_PAUSE_NANOS, Event::Local(me, Local::Act));
            }
            Input::Local(Local::Act) => {
                let call = self.act(world);
                self.send(world, me, &call);
                let wait = PAUSE_NANOS / 2 + world.rng.below(PAUSE_NANOS);
                world.after(wait, Event::Local(me, Local::Act));
            }
            // The master thinks otherwise, or has not been heard.
            Input::Http(HttpInput::Answered(_, reply)) if reply.status != 200 => self.planned.clear(),
            Input::Http(HttpInput::Closed(..)) => self.planned.clear(),
            _ => {}
        }
    }

    fn tick(&mut self, _: &mut World, _: Process) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }
}
