//! `/maintenance/schedule`, `/maintenance/status` and the V1 calls that show the same.
//!
//! The legacy answers have their keys sorted and leave empty lists out.

use super::Query;
use crate::state::{Agent, Snapshot};
use std::collections::BTreeMap;
use tepui_authz::{Action, Principal};
use tepui_proto::json::{Names, Writer};
use tepui_proto::mesos::MachineID;
use tepui_proto::mesos::allocator::InverseOfferStatus;
use tepui_proto::mesos::maintenance::{ClusterStatus, Schedule, Window, cluster_status::DrainingMachine};
use tepui_proto::{Enumeration, MessageField};
use tepui_registry::maintenance::MachineKey;
use tepui_wire::Request;

/// The windows with machines that the principal may see.
pub(super) fn schedule(snapshot: &Snapshot, principal: &Principal) -> Schedule {
    let seen = |window: &Window| {
        let ids =
            window.machine_ids.iter().filter(|id| may_see(snapshot, principal, Action::GetMaintenanceSchedule, id));
        Window { machine_ids: ids.cloned().collect(), ..window.clone() }
    };
    let windows = snapshot.maintenance.schedule.windows.iter().map(seen);
    Schedule { windows: windows.filter(|window| !window.machine_ids.is_empty()).collect(), ..Default::default() }
}

/// The machines that drain, with what frameworks say to it, and those that are down.
pub(super) fn status(snapshot: &Snapshot, principal: &Principal) -> ClusterStatus {
    let mut agents: BTreeMap<MachineKey, Vec<&Agent>> = BTreeMap::new();
    for agent in snapshot.agents.values().filter(|agent| !agent.inverse_statuses.is_empty()) {
        agents.entry(MachineKey::from(&agent.machine())).or_default().push(agent);
    }
    let mut status = ClusterStatus::default();
    for (key, machine) in &snapshot.maintenance.machines {
        if !may_see(snapshot, principal, Action::GetMaintenanceStatus, &machine.id) {
            continue;
        }
        if machine.is_down {
            status.down_machines.push(machine.id.clone());
            continue;
        }
        let on = agents.get(key).into_iter().flatten();
        status.draining_machines.push(DrainingMachine {
            id: MessageField::some(machine.id.clone()),
            statuses: on.flat_map(|agent| agent.inverse_statuses.values().cloned()).collect(),
            ..Default::default()
        });
    }
    status
}

fn may_see(snapshot: &Snapshot, principal: &Principal, action: Action, id: &MachineID) -> bool {
    let object = id.hostname.as_deref().or(id.ip.as_deref()).unwrap_or_default();
    snapshot.approvers.approved(principal, action, object)
}

/// `/maintenance/schedule`
pub(super) fn write_schedule(snapshot: &Snapshot, request: &Request, _: &Query, w: &mut Writer) {
    let schedule = schedule(snapshot, &request.principal);
    list(w, "windows", &schedule.windows, |w, window| {
        w.field_array("machine_ids", &window.machine_ids, |w, id| w.message(id, Names::V0));
        w.field_object("unavailability", |w| {
            if let Some(duration) = window.unavailability.duration.as_option() {
                w.field_message("duration", duration, Names::V0);
            }
            w.field_message("start", &*window.unavailability.start, Names::V0);
        });
    });
}

/// `/maintenance/status`
pub(super) fn write_status(snapshot: &Snapshot, request: &Request, _: &Query, w: &mut Writer) {
    let status = status(snapshot, &request.principal);
    if !status.down_machines.is_empty() {
        w.field_array("down_machines", &status.down_machines, |w, id| w.message(id, Names::V0));
    }
    list(w, "draining_machines", &status.draining_machines, |w, machine| {
        w.field_message("id", &*machine.id, Names::V0);
        list(w, "statuses", &machine.statuses, write_answer);
    });
}

fn write_answer(w: &mut Writer, answer: &InverseOfferStatus) {
    w.field_message("framework_id", &*answer.framework_id, Names::V0);
    w.field_string("status", answer.status.proto_name());
    w.field_message("timestamp", &*answer.timestamp, Names::V0);
}

/// An array of objects, if there are any.
fn list<T>(w: &mut Writer, key: &str, items: &[T], fill: impl Fn(&mut Writer, &T)) {
    if !items.is_empty() {
        w.field_array(key, items, |w, item| w.object(|w| fill(w, item)));
    }
}
