//! Maintenance schedules and lists of machines. Source: Mesos `src/master/maintenance.cpp`, `validation`.

use super::Checked;
use crate::state::Snapshot;
use std::net::Ipv4Addr;
use tepui_base::Set;
use tepui_proto::json::{self, Names};
use tepui_proto::mesos::MachineID;
use tepui_proto::mesos::maintenance::Schedule;
use tepui_registry::Maintenance;
use tepui_registry::maintenance::MachineKey;

/// A schedule that is to replace the present one.
pub fn schedule(schedule: &Schedule, present: &Maintenance) -> Checked {
    let mut seen = Set::default();
    for window in &schedule.windows {
        if window.machine_ids.is_empty() {
            return Err("List of machines in the maintenance window is empty".to_owned());
        }
        if window.unavailability.duration.nanoseconds < 0 {
            return Err("Unavailability 'duration' is negative".to_owned());
        }
        unique(&window.machine_ids, &mut seen)?;
    }
    let removed = |(key, _): &(&MachineKey, _)| !seen.contains(*key);
    match present.machines.iter().filter(removed).find(|(_, machine)| machine.is_down) {
        Some((_, down)) => {
            Err(format!("Machine '{}' is deactivated and cannot be removed from the schedule", text(&down.id)))
        }
        None => Ok(()),
    }
}

/// Machines that are to go down or come up.
pub fn machines(ids: &[MachineID]) -> Checked {
    if ids.is_empty() {
        return Err("List of machines is empty".to_owned());
    }
    unique(ids, &mut Set::default())
}

/// Only a draining machine may go down.
pub fn may_go_down(id: &MachineID, state: &Snapshot) -> Checked {
    match state.maintenance.machine(id) {
        Some(machine) if !machine.is_down => Ok(()),
        known => Err(wrong_mode(id, known.is_some(), state, "DRAINING mode and cannot be brought down")),
    }
}

/// Only a machine that is down may come up.
pub fn may_come_up(id: &MachineID, state: &Snapshot) -> Checked {
    match state.maintenance.machine(id) {
        Some(machine) if machine.is_down => Ok(()),
        known => Err(wrong_mode(id, known.is_some(), state, "DOWN mode and cannot be brought up")),
    }
}

/// Mesos says of a machine that runs agents, scheduled or not, in which mode it is not.
fn wrong_mode(id: &MachineID, is_scheduled: bool, state: &Snapshot, mode: &str) -> String {
    let key = MachineKey::from(id);
    let runs_agents = || state.agents.values().any(|agent| MachineKey::from(&agent.machine()) == key);
    if is_scheduled || runs_agents() {
        format!("Machine '{}' is not in {mode}", text(id))
    } else {
        format!("Machine '{}' is not part of a maintenance schedule", text(id))
    }
}

fn unique(ids: &[MachineID], seen: &mut Set<MachineKey>) -> Checked {
    for id in ids {
        machine(id)?;
        if !seen.insert(MachineKey::from(id)) {
            return Err(format!("Machine '{}' appears more than once in the schedule", text(id)));
        }
    }
    Ok(())
}

fn machine(id: &MachineID) -> Checked {
    let (hostname, ip) = (id.hostname.as_deref().unwrap_or_default(), id.ip.as_deref().unwrap_or_default());
    if hostname.is_empty() && ip.is_empty() {
        return Err("Both 'hostname' and 'ip' for a machine are empty".to_owned());
    }
    if !ip.is_empty() && ip.parse::<Ipv4Addr>().is_err() {
        return Err(format!("Failed to parse IPv4: {ip}"));
    }
    Ok(())
}

fn text(id: &MachineID) -> String {
    json::to_string(id, Names::V0)
}
