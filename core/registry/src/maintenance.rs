//! Which machines are to be maintained, and when.
//!
//! A machine in the schedule is draining until an operator takes it down, and down until one brings it up again, which
//! also takes it off the schedule. A machine that is not in the table is up. The master keeps a copy of the table and
//! applies the same [`Change`] to it once the registrar has it. Source: Mesos `src/master/maintenance.cpp`.

use buffa::MessageField;
use imbl::OrdMap;
use std::sync::Arc;
use tepui_base::Set;
use tepui_proto::mesos::internal::registry;
use tepui_proto::mesos::machine_info::Mode;
use tepui_proto::mesos::maintenance::{Schedule, Window};
use tepui_proto::mesos::{MachineID, MachineInfo, Unavailability};

/// Tells machines apart: by host name, whatever its case, and address. What is not set differs from what is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineKey {
    hostname: Option<String>,
    ip: Option<String>,
}

impl From<&MachineID> for MachineKey {
    fn from(id: &MachineID) -> MachineKey {
        MachineKey { hostname: id.hostname.as_deref().map(str::to_ascii_lowercase), ip: id.ip.clone() }
    }
}

/// A machine that is to be maintained.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// As the operator wrote it.
    pub id: MachineID,
    /// Whether an operator has taken it down; until then it is draining.
    pub is_down: bool,
    /// When it is expected to be away.
    pub unavailability: Unavailability,
}

/// The schedule, and the machines in it. Cloning is O(1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maintenance {
    /// The windows, as they were posted, without machines that came up since.
    pub schedule: Arc<Schedule>,
    /// Draining machines and those that are down.
    pub machines: OrdMap<MachineKey, Machine>,
    /// Whether Mesos stores a schedule, be it an empty one.
    is_scheduled: bool,
    /// Whether there was ever a machine: Mesos stores an empty list then.
    had_machines: bool,
}

/// One change an operator makes.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// `UpdateSchedule`: this schedule instead of the present one.
    Schedule(Arc<Schedule>),
    /// `StartMaintenance`: these machines go down.
    Start(Vec<MachineID>),
    /// `StopMaintenance`: these machines are up again.
    Stop(Vec<MachineID>),
}

impl Maintenance {
    /// Makes a change; says whether it changed anything.
    pub fn apply(&mut self, change: &Change) -> bool {
        match change {
            Change::Schedule(schedule) => {
                self.replace(schedule);
                true
            }
            Change::Start(ids) => self.start(ids),
            Change::Stop(ids) => self.stop(ids),
        }
    }

    /// What is known of a machine, unless it is up.
    pub fn machine(&self, id: &MachineID) -> Option<&Machine> {
        self.machines.get(&MachineKey::from(id))
    }

    /// Machines that stay in the schedule stay what they are; new ones drain.
    fn replace(&mut self, schedule: &Arc<Schedule>) {
        let before = std::mem::take(&mut self.machines);
        for window in &schedule.windows {
            for id in &window.machine_ids {
                let key = MachineKey::from(id);
                let known = before.get(&key);
                let machine = Machine {
                    id: known.map_or(id, |known| &known.id).clone(),
                    is_down: known.is_some_and(|known| known.is_down),
                    unavailability: (*window.unavailability).clone(),
                };
                self.machines.insert(key, machine);
            }
        }
        self.schedule = schedule.clone();
        self.is_scheduled = true;
        self.had_machines |= !self.machines.is_empty();
    }

    fn start(&mut self, ids: &[MachineID]) -> bool {
        let mut changed = false;
        for id in ids {
            if let Some(machine) = self.machines.get_mut(&MachineKey::from(id)) {
                machine.is_down = true;
                changed = true;
            }
        }
        changed
    }

    fn stop(&mut self, ids: &[MachineID]) -> bool {
        let keys: Set<MachineKey> = ids.iter().map(MachineKey::from).collect();
        let before = self.machines.len();
        for key in &keys {
            self.machines.remove(key);
        }
        let schedule = Arc::make_mut(&mut self.schedule);
        for window in &mut schedule.windows {
            window.machine_ids.retain(|id| !keys.contains(&MachineKey::from(id)));
        }
        schedule.windows.retain(|window: &Window| !window.machine_ids.is_empty());
        self.is_scheduled = !schedule.windows.is_empty();
        self.machines.len() != before
    }

    /// `Registry.machines`.
    pub(crate) fn machines_to_proto(&self) -> MessageField<registry::Machines> {
        let machines = self.machines.values().map(|machine| registry::Machine {
            info: MessageField::some(MachineInfo {
                id: MessageField::some(machine.id.clone()),
                mode: Some(if machine.is_down { Mode::DOWN } else { Mode::DRAINING }),
                unavailability: MessageField::some(machine.unavailability.clone()),
                ..Default::default()
            }),
            ..Default::default()
        });
        let machines: Vec<registry::Machine> = machines.collect();
        if !self.had_machines {
            return MessageField::none();
        }
        MessageField::some(registry::Machines { machines, ..Default::default() })
    }

    /// `Registry.schedules`: one, or none.
    pub(crate) fn schedules_to_proto(&self) -> Vec<Schedule> {
        if self.is_scheduled { vec![(*self.schedule).clone()] } else { Vec::new() }
    }

    /// Reads both. Mesos writes one schedule, whatever the message allows.
    pub(crate) fn from_proto(machines: &MessageField<registry::Machines>, schedules: &[Schedule]) -> Maintenance {
        let had_machines = machines.is_set();
        let machines = machines.machines.iter().filter(|machine| machine.info.mode.unwrap_or(Mode::UP) != Mode::UP);
        Maintenance {
            schedule: schedules.first().cloned().map(Arc::new).unwrap_or_default(),
            is_scheduled: !schedules.is_empty(),
            had_machines,
            machines: machines
                .map(|machine| {
                    let info = &machine.info;
                    let unavailability = (*info.unavailability).clone();
                    let is_down = info.mode == Some(Mode::DOWN);
                    (MachineKey::from(&*info.id), Machine { id: (*info.id).clone(), is_down, unavailability })
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, State};
    use tepui_proto::mesos::TimeInfo;

    fn id(hostname: &str) -> MachineID {
        MachineID { hostname: Some(hostname.to_owned()), ..Default::default() }
    }

    fn window(hostnames: &[&str], start: i64) -> Window {
        let unavailability = Unavailability {
            start: MessageField::some(TimeInfo { nanoseconds: start, ..Default::default() }),
            ..Default::default()
        };
        Window {
            machine_ids: hostnames.iter().map(|hostname| id(hostname)).collect(),
            unavailability: MessageField::some(unavailability),
            ..Default::default()
        }
    }

    fn schedule(windows: Vec<Window>) -> Change {
        Change::Schedule(Arc::new(Schedule { windows, ..Default::default() }))
    }

    fn start_of(maintenance: &Maintenance, hostname: &str) -> Option<(i64, bool)> {
        let machine = maintenance.machine(&id(hostname))?;
        Some((machine.unavailability.start.nanoseconds, machine.is_down))
    }

    #[test]
    fn a_new_schedule_keeps_modes_and_forgets_machines() {
        let mut maintenance = Maintenance::default();
        assert!(maintenance.apply(&schedule(vec![window(&["a", "b"], 1), window(&["c"], 2)])));
        assert!(maintenance.apply(&Change::Start(vec![id("B")])), "the case of a host name does not matter");
        assert!(maintenance.apply(&schedule(vec![window(&["b"], 3), window(&["c", "d"], 4)])));
        let all = ["a", "b", "c", "d"].map(|hostname| start_of(&maintenance, hostname));
        assert_eq!(all, [None, Some((3, true)), Some((4, false)), Some((4, false))]);
    }

    #[test]
    fn a_machine_that_comes_up_leaves_the_schedule() {
        let mut maintenance = Maintenance::default();
        maintenance.apply(&schedule(vec![window(&["a", "b"], 1), window(&["c"], 2)]));
        assert!(maintenance.apply(&Change::Stop(vec![id("a"), id("c")])));
        assert_eq!(maintenance.schedule.windows, [window(&["b"], 1)]);
        assert!(!maintenance.apply(&Change::Stop(vec![id("a")])), "it is up");
        assert!(!maintenance.apply(&Change::Start(vec![id("a")])), "it is not in the schedule");
    }

    #[test]
    fn what_is_set_tells_machines_apart() {
        let with_ip = MachineID { ip: Some("10.0.0.1".to_owned()), ..id("a") };
        let empty_ip = MachineID { ip: Some(String::new()), ..id("a") };
        let keys: Set<MachineKey> =
            [&id("a"), &with_ip, &empty_ip, &id("A")].into_iter().map(MachineKey::from).collect();
        assert_eq!(keys.len(), 3);
    }

    #[test]
    fn the_stored_form_round_trips() {
        let mut state = State::default();
        for change in [schedule(vec![window(&["a", "b"], 1)]), Change::Start(vec![id("a")])] {
            assert_eq!(Operation::Maintain(change).perform(&mut state), Ok(true));
        }
        assert_eq!(start_of(&state.maintenance, "a"), Some((1, true)));
        assert_eq!(State::from_bytes(&state.to_bytes()).unwrap(), state);
    }

    /// What has become empty is stored, and read again, as 1.11 does.
    #[test]
    fn what_has_become_empty_is_still_there() {
        let stored = |state: &State| {
            let proto = State::from_bytes(&state.to_bytes()).unwrap().to_proto();
            (proto.machines.as_option().map(|list| list.machines.len()), proto.schedules.len())
        };
        let mut state = State::default();
        assert_eq!(stored(&state), (None, 0));
        let steps = [
            (schedule(Vec::new()), (None, 1)),
            (schedule(vec![window(&["a"], 1)]), (Some(1), 1)),
            (schedule(Vec::new()), (Some(0), 1)),
            (schedule(vec![window(&["a"], 1)]), (Some(1), 1)),
            (Change::Stop(vec![id("a")]), (Some(0), 0)),
        ];
        for (change, expected) in steps {
            assert_eq!(Operation::Maintain(change).perform(&mut state), Ok(true));
            assert_eq!(stored(&state), expected);
        }
    }
}
